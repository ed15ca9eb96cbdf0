/** What travels with a commit is what the options said at the call. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type CommitOptions, FastStore } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

describe('the cursor and counts of a commit', () => {
  let disk: FaultDisk;
  let store: FastStore;
  beforeEach(async () => {
    disk = new FaultDisk();
    store = await FastStore.open('/s', 'c', { disk });
  });
  const commits = async () => {
    const reader = await FastStore.open('/s', 'c', { disk, mode: 'read' });
    const all: unknown[] = [];
    for await (const { cursor, counts } of reader.commits()) all.push({ cursor, counts });
    await reader.close();
    return all;
  };

  it('are those of the call, whatever becomes of the objects', async () => {
    const cursor = { at: [1] };
    const counts = { read: 1 };
    store.put('a', {});
    const committed = store.flush({ cursor, counts, loadId: 'l' });
    cursor.at[0] = 2;
    counts.read = 2;
    expect(await committed).toMatchObject({ cursor: { at: [1] }, counts: { read: 1 } });
    const closed = store.close({ cursor, counts });
    cursor.at[0] = 3;
    await closed;
    expect(await commits()).toEqual([
      { cursor: { at: [1] }, counts: { read: 1 } },
      { cursor: { at: [2] }, counts: { read: 2 } },
    ]);
  });

  it('are those of the call where a compaction holds the commit back', async () => {
    for (const n of [1, 2, 3]) store.put('a', { n });
    const compacted = store.compact();
    const cursor = { at: 1 };
    store.put('b', {});
    const committed = store.flush({ cursor });
    cursor.at = 2;
    await Promise.all([compacted, committed]);
    expect(await store.cursor()).toEqual({ at: 1 });
    await store.close();
  });

  const circle: unknown[] = [];
  circle.push(circle);
  it.each<[string, unknown]>([
    ['a BigInt', { cursor: { n: 10n } }],
    ['a circle', { cursor: circle }],
    ['a function', { cursor: () => 1 }],
    ['a number that is none', { cursor: Number.NaN }],
    ['a count that is none', { counts: { read: Number.NaN } }],
    ['counts that are a text', { counts: 'x' }],
    ['a load without a text', { loadId: 5 }],
    ['a run without a text', { run: {} }],
  ])('that are %s change nothing', async (_name, told) => {
    const options = told as CommitOptions;
    store.put('a', {});
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    await expect(store.flush(options)).rejects.toEqual(refused);
    await expect(store.close(options)).rejects.toEqual(refused);
    store.put('b', {});
    await store.close({ cursor: null });
    expect(await commits()).toEqual([{ cursor: null, counts: undefined }]);
    const reader = await FastStore.open('/s', 'c', { disk, mode: 'read' });
    expect(reader.count).toBe(2);
    await reader.close();
  });
});
