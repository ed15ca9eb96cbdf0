import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Disk, nodeDisk } from '../../../../src/io/index.ts';
import { native } from '../../../../src/io/native.ts';
import { openLookup } from '../../../../src/store/drive/chain-lookup.ts';
import { DataStore } from '../../../../src/store/index.ts';
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
