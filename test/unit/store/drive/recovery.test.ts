/**
 * Drives that end where they should not: cut anywhere, with zeros, garbage or flipped bits behind and
 * inside. Every record that is whole must be there, and nothing else.
 */
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { DataStore } from '../../../../src/store/index.ts';
import { entriesOf, readReference, same, smallDrive } from '../../../support/drive.ts';
import { FaultDisk, type Image } from '../../../support/fault-disk.ts';
import { LONG } from '../../../support/long.ts';

const PATH = '/d/x';
/** From one length to the next. */
const STEP = LONG ? 1 : 7;
let whole: Buffer;
let tails: number[];
beforeAll(async () => {
  whole = await smallDrive();
  ({ tails } = readReference(whole));
});

/** Opens the bytes as reader and writer; what the writer left. */
async function opened(bytes: Buffer, what: string) {
  const disk = new FaultDisk(new Map([[PATH, bytes]]) as Image);
  const tail = [...tails]
    .reverse()
    .concat(0)
    .find((each) => each <= bytes.length && isPrefix(bytes, each))!;
  if (tail === 0 && bytes.length > 0) {
    await expect(DataStore.open(PATH, { disk }), what).rejects.toMatchObject({
      code: 'NOT_A_DRIVE',
    });
    expect(Buffer.compare(disk.current().get(PATH)!, bytes), what).toBe(0);
    return;
  }
  const { entries } = readReference(whole.subarray(0, tail));
  for (const mode of ['read', 'write'] as const) {
    const store = await DataStore.open(PATH, { disk, mode });
    expect(store.fileSize(), `${what}, ${mode}`).toBe(tail);
    expect(store.recovery.cutBytes, `${what}, ${mode}`).toBe(bytes.length - tail);
    expect(same(entriesOf(store), entries), `${what}, ${mode}`).toBe(true);
    if (mode === 'write' && tail < bytes.length) {
      const kept = disk.current().get(store.recovery.cutPath!)!;
      expect(Buffer.compare(kept, bytes.subarray(tail)), what).toBe(0);
    }
    await store.close();
  }
  expect(Buffer.compare(disk.current().get(PATH)!, whole.subarray(0, tail)), what).toBe(0);
}

function isPrefix(bytes: Buffer, length: number): boolean {
  return bytes.subarray(0, length).equals(whole.subarray(0, length));
}

/** Numbers that a seed gives again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

describe('a damaged end', () => {
  it('of every length: keeps every whole record', async () => {
    expect(tails.length).toBe(11);
    for (let length = 0; length <= whole.length; length += STEP) {
      await opened(whole.subarray(0, length), `cut at ${length}`);
    }
  });

  it('of zeros behind every cut: keeps every whole record', async () => {
    for (let length = 1; length <= whole.length; length += STEP) {
      for (const zeros of length % 16 === 0 ? [1, 7, 12, 20, 64, 500] : [13]) {
        const bytes = Buffer.concat([whole.subarray(0, length), Buffer.alloc(zeros)]);
        await opened(bytes, `${zeros} zeros behind ${length}`);
      }
    }
  });

  it('of garbage behind every record: keeps every whole record', async () => {
    const next = random(4711);
    for (const tail of tails) {
      for (const length of [1, 12, 20, 21, 100, 5000]) {
        const garbage = Buffer.from(Array.from({ length }, () => next() >>> 24));
        // Small numbers too, which could be offsets.
        if (length === 100)
          for (let i = 0; i < 96; i += 8) garbage.writeBigUInt64LE(BigInt(i * 9), i);
        await opened(Buffer.concat([whole.subarray(0, tail), garbage]), `garbage behind ${tail}`);
      }
    }
  });

  it('keeps a last record with a wrong sum when everything else is right, and says so', async () => {
    const bytes = Buffer.from(whole);
    const start = Math.ceil(tails.at(-2)! / 64) * 64;
    bytes[start] = bytes[start]! ^ 1;
    const disk = new FaultDisk(new Map([[PATH, bytes]]));
    const store = await DataStore.open(PATH, { disk });
    expect(store.recovery).toEqual({ cutBytes: 0, damaged: true });
    expect(store.read('last')!.isValidChecksum()).toBe(false);
    expect(await store.verify()).toMatchObject({
      ok: false,
      damaged: 1,
      places: [{ start, end: whole.length - 20 }],
    });
    await store.close();
    expect(Buffer.compare(disk.current().get(PATH)!, bytes)).toBe(0);
  });

  it('finds a damaged payload in the middle only when asked, and compaction keeps it known', async () => {
    const bytes = Buffer.from(whole);
    const at = bytes.indexOf('ssss');
    bytes[at] = 0;
    const disk = new FaultDisk(new Map([[PATH, bytes]]));
    const store = await DataStore.open(PATH, { disk });
    expect(store.recovery).toEqual({ cutBytes: 0 });
    expect(await store.verify()).toMatchObject({
      ok: false,
      records: 11,
      tombstones: 3,
      damaged: 1,
    });
    await store.compact();
    expect(await store.verify()).toMatchObject({
      ok: false,
      records: 4,
      tombstones: 0,
      damaged: 1,
    });
    expect(store.read('s')!.isValidChecksum()).toBe(false);
    await store.close();
  });

  describe('behind a drive inside a drive', () => {
    let outer: Buffer;
    let end: number;
    beforeAll(async () => {
      const disk = new FaultDisk();
      await disk.mkdir('/d');
      const store = await DataStore.open(PATH, { disk });
      end = await store.write('inner', whole);
      await store.write('next', Buffer.from('next'));
      await store.close();
      outer = Buffer.from(disk.current().get(PATH)!);
    });

    const zeros = Buffer.alloc(100);
    it.each([
      ['nothing', (first: Buffer) => first, 1],
      ['zeros', (first: Buffer) => Buffer.concat([first, zeros]), 1],
      ['a torn record', () => outer.subarray(0, -1), 1],
      ['a record', () => outer, 2],
      ['a record and zeros', () => Buffer.concat([outer, zeros]), 2],
      ['a damaged record', () => Buffer.concat([outer.subarray(0, -1), Buffer.of(0)]), 2],
    ] as const)('%s: it is one payload', async (_, bytes, entries) => {
      const disk = new FaultDisk(new Map([[PATH, bytes(outer.subarray(0, end))]]));
      const store = await DataStore.open(PATH, { disk });
      expect([store.len(), store.read('inner')?.size]).toEqual([entries, whole.length]);
      await store.close();
    });

    it('a torn record of a session that died: it is one payload', async () => {
      expect(await lengthOf(outer.subarray(0, -1), 0)).toBe(end);
    });
  });
});

/** What a writer finds behind a mark that says how far the drive was synced. */
async function lengthOf(bytes: Buffer, synced: number): Promise<number> {
  const digits = String(synced).padStart(16, '0');
  const sum = crc32(Buffer.from(digits)).toString(16).padStart(8, '0');
  const mark = Buffer.from(`synced=${digits} sum=${sum}\n`);
  const image: Image = new Map([
    [PATH, bytes],
    [`${PATH}.open`, mark],
  ]);
  const store = await DataStore.open(PATH, { disk: new FaultDisk(image) });
  entriesOf(store);
  expect(store.recovery.cutPath).toBeUndefined();
  await store.abandon();
  return bytes.length - store.recovery.cutBytes;
}

describe('a session that died', () => {
  // Where only padding was written, its zeros make places that look like records.
  it('at any byte of a write leaves every record before it', async () => {
    for (const synced of [0, tails[3]!]) {
      for (let length = synced; length <= whole.length; length += STEP) {
        const tail = Math.max(0, ...tails.filter((each) => each <= length));
        const what = `synced to ${synced}, cut at ${length}`;
        expect(await lengthOf(whole.subarray(0, length), synced), what).toBe(tail);
      }
    }
  });
});
