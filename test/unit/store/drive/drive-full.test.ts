/** A drive on a disk that has no room, or none for a while; and what comes during a compaction. */
import { describe, expect, it } from 'vitest';
import { DataStore } from '../../../../src/store/index.ts';
import { FaultDisk } from '../../../support/fault-disk.ts';

const PATH = '/d/x';
const bytes = (length: number) => Buffer.alloc(length, 'x');

async function withEntries(): Promise<{ disk: FaultDisk; store: DataStore }> {
  const disk = new FaultDisk();
  await disk.mkdir('/d');
  disk.fault = 'short';
  const store = await DataStore.open(PATH, { disk });
  await store.write('a', bytes(100));
  await store.write('b', bytes(100));
  return { disk, store };
}

const files = (disk: FaultDisk) => [...disk.current().keys()].sort();

describe('a drive whose disk is full', () => {
  it.each([
    ['write', (store: DataStore) => store.write('c', bytes(900))],
    ['a long write', (store: DataStore) => store.write('c', bytes(300_000))],
    [
      'batchWrite',
      (store: DataStore) =>
        store.batchWrite([
          ['c', bytes(900)],
          ['d', bytes(9)],
        ]),
    ],
    ['writeStream', (store: DataStore) => store.writeStream('c', [bytes(2 << 20)])],
    ['delete', (store: DataStore) => store.delete('a')],
  ])('is whole again when it is closed after %s', async (_, work) => {
    const { disk, store } = await withEntries();
    const before = store.fileSize();
    disk.dieAt = disk.operations;
    await expect(work(store)).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(disk.current().get(PATH)!.length).toBeGreaterThan(before);
    await expect(store.write('e', bytes(9))).rejects.toMatchObject({ code: 'POISONED' });
    await store.close();
    expect(files(disk)).toEqual([PATH]);
    expect(disk.current().get(PATH)!.length).toBe(before);
    const again = await DataStore.open(PATH, { disk });
    expect([again.len(), again.recovery]).toEqual([2, { cutBytes: 0 }]);
    await again.close();
  });

  it('is whole again also when nobody waited for the write', async () => {
    const { disk, store } = await withEntries();
    disk.dieAt = disk.operations;
    const written = store.writeStream('c', [bytes(2 << 20), bytes(2 << 20)]);
    const closed = store.close();
    await expect(written).rejects.toMatchObject({ code: 'IO_ERROR' });
    await closed;
    expect(files(disk)).toEqual([PATH]);
  });

  it('cuts again what could not be cut when a stream failed', async () => {
    const { disk, store } = await withEntries();
    const before = store.fileSize();
    disk.dieAt = disk.operations + 1;
    async function* source() {
      yield bytes(1 << 20);
      throw new Error('mine');
    }
    await expect(store.writeStream('c', source())).rejects.toMatchObject({ code: 'IO_ERROR' });
    await store.close();
    expect(files(disk)).toEqual([PATH]);
    expect(disk.current().get(PATH)!.length).toBe(before);
  });

  it('keeps its mark after a failed sync: nobody knows what the disk holds', async () => {
    for (const work of ['sync', 'close'] as const) {
      const { disk, store } = await withEntries();
      disk.dieAt = disk.operations;
      await expect(store[work]()).rejects.toMatchObject({ code: 'IO_ERROR' });
      await store.close();
      expect(files(disk)).toEqual([PATH, `${PATH}.open`]);
    }
  });

  it('has no mark of a session that could not begin, but keeps that of one that died', async () => {
    // The file is made and its folder synced; then come a sync, the mark, its bytes, and two syncs.
    for (let at = 2; at < 7; at++) {
      const disk = new FaultDisk();
      await disk.mkdir('/d');
      Object.assign(disk, { fault: 'ENOSPC', dieAt: at });
      const store = await DataStore.open(PATH, { disk });
      await expect(store.write('a', bytes(9))).rejects.toMatchObject({ code: 'IO_ERROR' });
      expect(disk.operations).toBeGreaterThan(at);
      await store.close();
      expect(files(disk)).toEqual([PATH]);
    }
    const { disk, store } = await withEntries();
    await store.abandon();
    disk.dieAt = disk.operations + 1;
    await expect(DataStore.open(PATH, { disk })).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(files(disk)).toEqual([PATH, `${PATH}.open`]);
    const again = await DataStore.open(PATH, { disk });
    expect(again.len()).toBe(2);
    await again.close();
  });

  it('leaves nothing beside the drive when a compaction finds no room', async () => {
    const counted = await withEntries();
    const from = counted.disk.operations;
    await counted.store.compact();
    const to = counted.disk.operations;
    for (let at = from; at < to; at++) {
      const { disk, store } = await withEntries();
      disk.dieAt = at;
      const done = await store.compact().then(
        () => true,
        () => false,
      );
      await store.close();
      const left = files(disk).filter((file) => file !== PATH && file !== `${PATH}.open`);
      expect([done, left], `failed at ${at - from}`).toEqual([false, []]);
      const again = await DataStore.open(PATH, { disk });
      expect(again.len()).toBe(2);
      await again.close();
    }
  });
});

it('keeps what was written while a compaction was under way', async () => {
  const { disk, store } = await withEntries();
  const compacted = store.compact();
  const others = [
    store.write('c', bytes(5)),
    store.writeStream('s', [bytes(6)]),
    store.delete('a'),
    store.rename('b', 'z'),
    store.sync(),
  ];
  await compacted;
  await Promise.all(others);
  const keys = ['a', 'b', 'c', 's', 'z'];
  const there = (each: DataStore) => keys.filter((key) => each.exists(key));
  expect(there(store)).toEqual(['c', 's', 'z']);
  for (const { what, image } of disk.images()) {
    const reader = await DataStore.open(PATH, { disk: new FaultDisk(image), mode: 'read' });
    expect(there(reader), what).toEqual(['c', 's', 'z']);
  }
  await store.close();
});
