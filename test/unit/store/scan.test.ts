/** Scans on the calling thread (`for of`, `collect`) give what scans by promises give. */
import { describe, expect, it } from 'vitest';
import { Batch } from '../../../src/core/batch.ts';
import { eq, gt } from '../../../src/core/predicate.ts';
import type { DiskFile } from '../../../src/io/disk.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { FastStore, type ScanOptions } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

/** Counts the files that are open, and holds background writes back while `gate` is set. */
class WatchedDisk extends FaultDisk {
  openFiles = 0;
  gate: Promise<void> | undefined;

  override async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    const file = await super.open(path, mode);
    const { write, close } = file;
    this.openFiles++;
    file.write = async (bytes, offset) => {
      await this.gate;
      await write.call(file, bytes, offset);
    };
    file.close = async () => {
      this.openFiles--;
      await close.call(file);
    };
    return file;
  }
}

const open = (disk: FaultDisk, mode: 'read' | 'write' = 'write') =>
  FastStore.open('/s', 'c', { disk, mode });

async function fill(store: FastStore, dead: boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    store.put(`id${i}`, { n: i, even: i % 2 === 0, deep: { x: i }, pad: 'x'.repeat(i % 50) });
  }
  store.put('long', { n: 1000, text: 'y'.repeat(5000) });
  if (dead) for (let i = 0; i < 400; i += 3) store.delete(`id${i}`);
  if (dead) store.put('id7', { n: 7000 });
}

const grid: readonly ScanOptions[] = [
  {},
  { limit: 0 },
  { limit: 1 },
  { offset: 30, limit: 77 },
  { offset: 1000 },
  { where: gt('n', 100) },
  { where: gt('n', 100), offset: 5, limit: 40 },
  { where: eq('even', true), select: ['n', 'deep.x'] },
  { select: ['deep'], offset: 390 },
  { ids: ['id9', 'id1', 'long', 'nope', 'id1'] },
  { ids: ['id9', 'id1', 'long'], where: gt('n', 5), select: ['_id'], limit: 1 },
];

describe('a scan', () => {
  it.each([
    ['all alive', false],
    ['some dead', true],
  ])('gives the same on the calling thread as by promises: %s', async (_, dead) => {
    const disk = new FaultDisk();
    const store = await open(disk);
    await fill(store, dead);
    const check = async (on: FastStore): Promise<void> => {
      for (const options of grid) {
        for (const pieceBytes of [300, 1 << 20]) {
          const scan = on.scan({ ...options, pieceBytes });
          const collected = scan.collect();
          expect(collected).toEqual(await scan.toArray());
          expect([...scan]).toEqual(collected);
        }
      }
    };
    // The first read finds everything in memory only.
    expect(store.scan().collect().length).toBe(store.count);
    await check(store);
    await store.close();
    for (const mode of ['read', 'write'] as const) {
      const again = await open(disk, mode);
      await check(again);
      await again.close();
    }
  });

  it('on the calling thread sees what is on its way to the file', async () => {
    const disk = new WatchedDisk();
    const store = await open(disk);
    store.put('first', {});
    await store.flush();
    let letGo = (): void => undefined;
    disk.gate = new Promise((resolve) => {
      letGo = resolve;
    });
    const ids = Array.from({ length: 2000 }, (__, i) => `id${i}`);
    const documents = ids.map((_id) => ({ _id, pad: 'x'.repeat(60) }));
    store.put('before', {});
    await store.append(Batch.fromDocuments(documents, sharedKernel().codec));
    store.put('after', {});
    for (const pieceBytes of [100, 1 << 20]) {
      const seen = Array.from(store.scan({ pieceBytes }), ({ _id }) => _id);
      expect(seen).toEqual(['first', 'before', ...ids, 'after']);
    }
    letGo();
    await store.close();
  });

  it.each(['for of', 'for await'])('is of the moment of its first pull: %s', async (way) => {
    const store = await open(new FaultDisk());
    for (let i = 0; i < 300; i++) store.put(`id${i}`, { n: i });
    store.put('id0', { n: 1000 });
    const before = await store.scanAll();
    const seen: unknown[] = [];
    const scan = store.scan({ pieceBytes: 200 });
    const now = { [Symbol.iterator]: () => scan[Symbol.iterator]() };
    for await (const document of way === 'for of' ? now : scan) {
      seen.push(document);
      const i = seen.length;
      store.put(`id${(i * 7) % 300}`, { n: -1 });
      store.delete(`id${(i * 11) % 300}`);
      store.put(`new${i}`, {});
    }
    expect(seen).toEqual(before);
    await store.close();
  });

  it('on the calling thread reads on in the files that it began with, and lets go of them when it is left', async () => {
    const disk = new WatchedDisk();
    const store = await open(disk);
    await fill(store, true);
    await store.flush();
    const files = disk.openFiles;
    const count = store.count;
    const [left, ended] = [store.scan({ pieceBytes: 300 }), store.scan({ pieceBytes: 300 })].map(
      (scan) => scan[Symbol.iterator](),
    );
    left!.next();
    ended!.next();
    await store.compact();
    expect(disk.openFiles).toBeGreaterThan(files);
    left!.return?.();
    let seen = 1;
    while (ended!.next().done !== true) seen++;
    expect(seen).toBe(count);
    await new Promise(setImmediate);
    expect(disk.openFiles).toBe(files);
    await store.close();
  });

  it('on the calling thread stops when it is told to, and after a failed write', async () => {
    const disk = new FaultDisk();
    const store = await open(disk);
    await fill(store, false);
    const stop = new AbortController();
    const scan = store.scan({ signal: stop.signal, pieceBytes: 300 });
    const iterator = scan[Symbol.iterator]();
    iterator.next();
    stop.abort();
    expect(() => [...iterator]).toThrow(expect.objectContaining({ code: 'ABORTED' }));
    expect(() => scan.collect()).toThrow(expect.objectContaining({ code: 'ABORTED' }));
    disk.fault = 'ENOSPC';
    disk.dieAt = disk.operations;
    await expect(store.flush()).rejects.toMatchObject({ code: 'IO_ERROR' });
    const poisoned = expect.objectContaining({ code: 'POISONED' });
    expect(() => store.scan().collect()).toThrow(poisoned);
    await store.abandon();
    expect(() => store.scan()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});
