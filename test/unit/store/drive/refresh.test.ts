import {
  appendFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, nodeDisk } from '../../../../src/io/index.ts';
import { native } from '../../../../src/io/native.ts';
import { openLookup } from '../../../../src/store/drive/chain-lookup.ts';
import { DataStore } from '../../../../src/store/index.ts';
import { entriesOf, readReference, same, smallDrive } from '../../../support/drive.ts';
import { FaultDisk } from '../../../support/fault-disk.ts';
import { LONG } from '../../../support/long.ts';
import { diskWith } from '../../../support/node-disk.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-refresh-'));
  path = join(folder, 'd.bin');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** This machine's disk; `told` hears up to where files are mapped, `sized` when the drive's length was asked for. */
function noting(told: (end: number) => void, sized: () => void = () => undefined): Disk {
  return diskWith({
    open: async (at, mode) => {
      const file = await nodeDisk.open(at, mode);
      const { view, size } = file;
      file.view = (way) => {
        const made = view.call(file, way);
        const { extend } = made;
        made.extend = (end) => {
          if (made.way === 'map') told(end);
          extend.call(made, end);
        };
        return made;
      };
      file.size = async () => {
        const found = await size.call(file);
        if (at === path) sized();
        return found;
      };
      return file;
    },
  });
}

it.each([
  [Number.POSITIVE_INFINITY, 'read'],
  [0, native() ? 'map' : 'read'],
] as const)(
  'goes on as mapFrom %s says, also in a file that was put in its place',
  async (mapFrom, way) => {
    const writer = await DataStore.open(path);
    await writer.write('a', Buffer.from('first'));
    const mapped: number[] = [];
    const disk = noting((end) => mapped.push(end));
    const reader = await DataStore.open(path, { mode: 'read', mapFrom, disk });
    await writer.write('b', Buffer.from('second'));
    expect(await reader.refresh()).toBe(true);
    expect(await reader.refresh()).toBe(false);
    await writer.delete('a');
    await writer.compact();
    expect(await reader.refresh()).toBe(true);
    expect([reader.exists('a'), reader.exists('b')]).toEqual([false, true]);
    expect([reader.way, mapped.length > 0]).toEqual([way, way === 'map']);
    await reader.close();
    await writer.close();
  },
);

// Touching a mapped page behind the end of its file ends the process.
it('maps nothing of a record that is being written, which may be cut away', async () => {
  const writer = await DataStore.open(path);
  await writer.write('a', Buffer.from('first'));
  let mapped = 0;
  const disk = noting((end) => {
    mapped = Math.max(mapped, end);
  });
  const reader = await DataStore.open(path, { mode: 'read', disk });
  async function* pieces() {
    for (let i = 0; i < 3; i++) yield new Uint8Array(1 << 20).fill(7);
    expect(statSync(path).size).toBeGreaterThan(1 << 20);
    expect(await reader.refresh()).toBe(false);
    await using late = await DataStore.open(path, { mode: 'read', disk });
    expect([late.len(), late.fileSize()]).toEqual([1, writer.fileSize()]);
    expect(await openLookup(disk, path, 0)).toBeUndefined();
    throw new Error('the source failed');
  }
  await expect(writer.writeStream('b', pieces())).rejects.toThrow('the source failed');
  expect(mapped).toBeLessThanOrEqual(writer.fileSize());
  await writer.close();
  await reader.close();
});

it('looks anew where a record is cut away while it is looked at', async () => {
  await using writer = await DataStore.open(path);
  await writer.write('a', Buffer.from('first'));
  let rest = -1;
  const cut = () => {
    if (rest > 0) truncateSync(path, rest);
    rest = -1;
  };
  const disk = noting(() => undefined, cut);
  await using reader = await DataStore.open(path, { mode: 'read', disk });
  await writer.write('b', Buffer.from('second'));
  const torn = () => {
    rest = writer.fileSize();
    appendFileSync(path, new Uint8Array(3 << 20).fill(7));
  };
  torn();
  expect(await reader.refresh()).toBe(true);
  expect(Buffer.from(reader.read('b')!.payload).toString()).toBe('second');
  torn();
  await using late = await DataStore.open(path, { mode: 'read', disk });
  expect([late.len(), late.recovery]).toEqual([2, { cutBytes: 0 }]);
});

it.each([
  ['ends', true],
  ['begins', false],
])('opens a drive while a session %s', async (_, isThere) => {
  await (await DataStore.open(path)).close();
  const mark = `${path}.open`;
  if (isThere) writeFileSync(mark, '');
  let looks = 0;
  const disk = diskWith({
    open: async (at, mode) => {
      if (at === mark && looks++ === 0 && isThere) rmSync(mark);
      return nodeDisk.open(at, mode).finally(() => {
        if (at === mark && !isThere) writeFileSync(mark, '');
      });
    },
  });
  await using reader = await DataStore.open(path, { mode: 'read', disk });
  expect([reader.len(), looks]).toEqual([0, isThere ? 1 : 2]);
});

it('looks through what is unfinished once, beside other work', async () => {
  await using writer = await DataStore.open(path);
  await writer.write('a', Buffer.from('first'));
  const got = { read: 0, readSync: 0 };
  const disk = diskWith({
    open: async (at, mode) => {
      const file = await nodeDisk.open(at, mode);
      const { read, readSync } = file;
      file.read = (target, offset) => {
        got.read += target.length;
        return read.call(file, target, offset);
      };
      file.readSync = (target, offset) => {
        got.readSync += target.length;
        return readSync.call(file, target, offset);
      };
      return file;
    },
  });
  await using reader = await DataStore.open(path, { mode: 'read', disk });
  const refreshed = async () => {
    got.read = 0;
    got.readSync = 0;
    return [await reader.refresh(), got.read >> 20, got.readSync >> 20];
  };
  const size = 5 << 20;
  async function* pieces(payload: Uint8Array) {
    yield payload;
    expect(await refreshed()).toEqual([false, 5, 0]);
    expect(await refreshed()).toEqual([false, 0, 0]);
  }
  // Numbers that could be tails; zeros; the reader's own tail.
  const tails = new Float64Array(size / 8);
  const numbers = new BigUint64Array(tails.buffer);
  for (let i = 0; i < numbers.length; i++) numbers[i] = BigInt(8 * i);
  await writer.writeStream('b', pieces(new Uint8Array(numbers.buffer)));
  expect(await reader.refresh()).toBe(true);
  await writer.writeStream('c', pieces(new Uint8Array(size)));
  expect(await reader.refresh()).toBe(true);
  numbers.fill(BigInt(writer.fileSize()));
  async function* own() {
    yield new Uint8Array(numbers.buffer);
    expect((await refreshed())[0]).toBe(false);
  }
  await writer.writeStream('d', own());
  expect([await reader.refresh(), reader.len()]).toEqual([true, 4]);
});

describe('a file of which more and more is there', () => {
  const at = '/d/x';
  /** Lets a reader look at beginnings of the file, each longer; the tails it has then. */
  async function tailsAt(bytes: Uint8Array, lengths: readonly number[]): Promise<number[]> {
    const disk = new FaultDisk();
    await disk.mkdir('/d');
    const file = await disk.open(at, 'create');
    await using reader = await DataStore.open(at, { mode: 'read', disk });
    const found: number[] = [];
    for (const length of lengths) {
      await file.write(bytes.subarray(0, length), 0);
      const before = reader.fileSize();
      const went = await reader.refresh();
      expect(went).toBe(reader.fileSize() > before);
      found.push(reader.fileSize());
    }
    const { entries } = readReference(Buffer.from(bytes.subarray(0, found.at(-1))));
    expect(same(entriesOf(reader), entries)).toBe(true);
    return found;
  }

  it.each([1, 7, 19, 20, 64, 333, 5000])(
    '%i bytes at a time: shows every whole record',
    async (step) => {
      const whole = await smallDrive();
      const { tails } = readReference(whole);
      const each = step === 1 && !LONG ? 3 : step;
      const lengths = Array.from(
        { length: Math.ceil(whole.length / each) },
        (_, i) => (i + 1) * each,
      );
      const expected = lengths.map((length) =>
        Math.max(0, ...tails.filter((tail) => tail <= length)),
      );
      expect(await tailsAt(whole, lengths)).toEqual(expected);
    },
  );

  it('a first entry that is a drive is one entry', async () => {
    const disk = new FaultDisk();
    await disk.mkdir('/d');
    const store = await DataStore.open(at, { disk });
    const end = await store.write('inner', await smallDrive());
    const next = await store.write('next', Buffer.from('next'));
    await store.close();
    const outer = disk.current().get(at)!;
    expect(await tailsAt(outer, [next - 1, next])).toEqual([end, next]);
  });

  it('what is written where something was cut shows when there is twice as much', async () => {
    const disk = new FaultDisk();
    await disk.mkdir('/d');
    const store = await DataStore.open(at, { disk });
    const first = await store.write('a', Buffer.from('first'));
    const second = await store.write('b', Buffer.from('second'));
    await store.close();
    const record = disk.current().get(at)!.slice(first);
    const file = await disk.open(at, 'write');
    await file.truncate(first);
    await using reader = await DataStore.open(at, { mode: 'read', disk });
    const torn = (length: number) => new Uint8Array(length).fill(7);
    await file.write(torn(1000), first);
    expect(await reader.refresh()).toBe(false);
    await file.truncate(first);
    await file.write(record, first);
    await file.write(torn(2000), second);
    expect([await reader.refresh(), reader.fileSize()]).toEqual([true, second]);
  });
});
