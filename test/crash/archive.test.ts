/**
 * Packing and unpacking while the disk dies or refuses at each operation in turn. Under the archive's
 * name there is the old archive or the new one, under the folder's name nothing or the whole store,
 * whatever of the writes the disk has kept. Refusals leave nothing temporary.
 *
 * Deliberate breakages that make this file fail, each tried: no sync of the archive, or of an unpacked
 * file, before the rename; no sync of an unpacked folder, or of the one it stands in; writing under the
 * final name; no removal of what is temporary after a refusal.
 */
import { describe, expect, it } from 'vitest';
import { FastStore, pack, unpack } from '../../src/store/index.ts';
import { type Fault, FaultDisk, type Image, PowerCut } from '../support/fault-disk.ts';

async function makeStore(): Promise<Image> {
  const disk = new FaultDisk();
  const store = await FastStore.open('/s', 'c', { disk });
  store.put('a', { n: 1 });
  await store.close();
  await pack('/s', '/out/s.zds', { disk });
  const again = await FastStore.open('/s', 'c', { disk });
  // More than the archive's writer holds back, in bytes that do not shrink.
  let text = '';
  for (let i = 0, x = 1; i < 90_000; i++) {
    x = (x * 48271) % 2147483647;
    text += String.fromCharCode(97 + (x % 26));
  }
  again.put('b', { text });
  await again.close();
  return disk.current();
}

/** How many documents the archive in the image has. */
async function countIn(image: Image): Promise<number> {
  const disk = new FaultDisk(image);
  const reader = await FastStore.open('/out/s.zds', 'c', { disk, mode: 'read' });
  const { length } = await reader.scanAll();
  expect(reader.count).toBe(length);
  await reader.close();
  return length;
}

async function packUntil(image: Image, dieAt: number, fault: Fault) {
  const disk = new FaultDisk(image);
  disk.dieAt = dieAt;
  disk.fault = fault;
  let error: unknown;
  await pack('/s', '/out/s.zds', { disk, compression: 'store' }).catch((thrown) => {
    error = thrown;
  });
  return { disk, error };
}

describe('pack', () => {
  it('replaces an archive whole or not at all, wherever the machine stops', async () => {
    const before = await makeStore();
    let at = 0;
    for (let done = false; !done; at++) {
      const { disk, error } = await packUntil(before, at, 'die');
      done = error === undefined;
      if (!done) expect(error).toBeInstanceOf(PowerCut);
      for (const { what, image } of disk.images()) {
        const count = await countIn(image);
        expect(done ? [2] : [1, 2], `operation ${at}, ${what}`).toContain(count);
      }
    }
    expect(at).toBeGreaterThan(5);
  });

  it('leaves the old archive and nothing else when the disk refuses', async () => {
    const before = await makeStore();
    for (const fault of ['EIO', 'ENOSPC', 'short'] as const) {
      let refused = 0;
      for (let at = 0; ; at++) {
        const { disk, error } = await packUntil(before, at, fault);
        if (error === undefined) break;
        expect(error).toMatchObject({ code: 'IO_ERROR' });
        refused++;
        const left = [...disk.current().keys()].filter((path) => path.endsWith('.tmp'));
        expect(left, `${fault} at ${at}`).toEqual([]);
        expect([1, 2]).toContain(await countIn(disk.current()));
      }
      expect(refused).toBeGreaterThan(4);
    }
  });
});

describe('unpack', () => {
  const FOLDER = '/far/data/s';

  /** An archive alone on its disk, with two collections. */
  async function makeArchive(): Promise<Image> {
    const disk = new FaultDisk(await makeStore());
    const store = await FastStore.open('/s', 'other', { disk });
    store.put('c', {});
    await store.close();
    await pack('/s', '/out/s.zds', { disk });
    return new Map([...disk.current()].filter(([path]) => path.startsWith('/out/')));
  }

  async function unpackUntil(image: Image, dieAt: number, fault: Fault) {
    const disk = new FaultDisk(image);
    disk.dieAt = dieAt;
    disk.fault = fault;
    let error: unknown;
    await unpack('/out/s.zds', FOLDER, { disk }).catch((thrown) => {
      error = thrown;
    });
    return { disk, error };
  }

  /** Whether the folder is there; it is whole then. */
  async function isThere(image: Image, what: string): Promise<boolean> {
    if (![...image.keys()].some((path) => path.startsWith(`${FOLDER}/`))) return false;
    for (const [collection, count] of [
      ['c', 2],
      ['other', 1],
    ] as const) {
      const disk = new FaultDisk(image);
      const store = await FastStore.open(FOLDER, collection, { disk });
      expect(await store.scanAll(), what).toHaveLength(count);
      const { recovery } = store;
      expect(recovery, what).toMatchObject({ cutBytes: 0, cutLogBytes: 0, adoptedLines: 0 });
      expect(recovery.indexRebuilt, what).toBeUndefined();
      await store.close();
    }
    return true;
  }

  it('makes the folder whole or not at all, wherever the machine stops', async () => {
    const archive = await makeArchive();
    let at = 0;
    for (let done = false; !done; at++) {
      const { disk, error } = await unpackUntil(archive, at, 'die');
      done = error === undefined;
      if (!done) expect(error).toBeInstanceOf(PowerCut);
      for (const { what, image } of disk.images()) {
        const there = await isThere(image, `operation ${at}, ${what}`);
        if (done) expect(there, what).toBe(true);
      }
    }
    expect(at).toBeGreaterThan(20);
  });

  it('leaves nothing when the disk refuses', async () => {
    const archive = await makeArchive();
    for (const fault of ['EIO', 'ENOSPC', 'short'] as const) {
      for (let at = 0; ; at++) {
        const { disk, error } = await unpackUntil(archive, at, fault);
        if (error === undefined) break;
        expect(error).toMatchObject({ code: 'IO_ERROR' });
        const what = `${fault} at ${at}`;
        // Only a sync after the rename can fail with the folder in place.
        const there = await isThere(disk.current(), what);
        if (!there) expect([...disk.current().keys()], what).toEqual(['/out/s.zds']);
        expect((await disk.list('/far/data')).map(({ name }) => name)).toEqual(there ? ['s'] : []);
      }
    }
  });
});
