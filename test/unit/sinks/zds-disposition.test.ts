/** How a load meets what is there: by id, as an error, in its place, after deleting. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { eq } from '../../../src/core/predicate.ts';
import { run } from '../../../src/pipeline/index.ts';
import type { WriteDisposition } from '../../../src/sinks/zds-disposition.ts';
import { type ZdsSinkOptions, zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { incremental } from '../../../src/stages.ts';
import { FastStore, listRuns, verify } from '../../../src/store/index.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

const load = (
  root: string,
  documents: readonly Document[],
  write: WriteDisposition,
  more: ZdsSinkOptions & { onError?: 'skip' } = {},
) => {
  const { onError = 'stop', ...options } = more;
  const source = fromIterable(documents);
  return run({ name: 'load', source, sink: zdsSink(root, 'c', { write, ...options }), onError });
};

async function readBack(root: string): Promise<Document[]> {
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  try {
    return await store.scanAll();
  } finally {
    await store.close();
  }
}

const before = [{ _id: 'a', day: 1 }, { _id: 'b', day: 2 }, { _id: 'c', day: 2 }, { _id: 'd' }];

async function begin(): Promise<string> {
  const root = join(temporaryFolder(), 'store');
  await load(root, before, 'merge');
  return root;
}

describe('writing to a collection', () => {
  it('merges by id', async () => {
    const root = await begin();
    const { sink } = await load(root, [{ _id: 'b', day: 3 }, { _id: 'e' }], 'merge');
    expect(sink).toMatchObject({ documents: 2, replaced: 1, total: 5 });
  });

  it('appends, and takes an id that is there for an error', async () => {
    const root = await begin();
    const twice = [{ _id: 'e' }, { _id: 'b', day: 9 }, { _id: 'f' }, { _id: 'f' }];
    await expect(load(root, twice, 'append').done).rejects.toMatchObject({
      code: 'DUPLICATE_ID',
      place: { ordinal: 1 },
    });
    expect(await readBack(root)).toEqual(before);
    const summary = await load(root, twice, 'append', { onError: 'skip' });
    expect(summary).toMatchObject({ written: 2, rejected: 2, sink: { replaced: 0 } });
    expect(await readBack(root)).toEqual([...before, { _id: 'e' }, { _id: 'f' }]);
  });

  it('replaces the whole at once, and readers see the old until then', async () => {
    const root = await begin();
    const descriptors = openDescriptors();
    const reader = await FastStore.open(root, 'c', { mode: 'read' });
    for (let round = 0; round < 3; round++) {
      const seen: number[] = [];
      async function* documents() {
        for (let n = 0; n < 3000; n++) {
          if (n % 500 === 499) seen.push((await readBack(root)).length);
          yield { _id: `n${n}`, round };
        }
      }
      const source = fromIterable(documents());
      const sink = zdsSink(root, 'c', { write: 'replace', commitDocuments: 100 });
      const summary = await run({ name: 'load', source, sink });
      expect(summary.sink).toMatchObject({ documents: 3000, total: 3000, replaced: 0 });
      expect(seen).toEqual(Array(6).fill(round === 0 ? 4 : 3000));
      const there = await readBack(root);
      expect(there).toHaveLength(3000);
      expect(there.every((each) => each.round === round)).toBe(true);
      await reader.refresh();
      expect(reader.count).toBe(3000);
    }
    await reader.close();
    expect(await verify(root, 'c')).toMatchObject([{ ok: true, notices: 0 }]);
    expect(openDescriptors()).toBeLessThanOrEqual(descriptors);
    expect((await load(root, [], 'replace')).sink).toMatchObject({ total: 0 });
    expect(await readBack(root)).toEqual([]);
    expect((await listRuns(root, 'c')).map((each) => each.totals?.written)).toEqual([
      4, 3000, 3000, 3000, 0,
    ]);
  });

  it('leaves the old one when a replacement fails', async () => {
    const root = await begin();
    const bad = [...Array.from({ length: 2000 }, (_, n) => ({ _id: `n${n}` })), { _id: '..' }];
    const failing = load(root, bad, 'replace', { commitDocuments: 10 });
    await expect(failing.done).rejects.toMatchObject({ code: 'INVALID_ID' });
    expect(await readBack(root)).toEqual(before);
    expect(await verify(root, 'c')).toMatchObject([{ ok: true, notices: 0 }]);
    expect((await load(root, [{ _id: 'z' }], 'merge')).sink?.total).toBe(5);
  });

  it('replaces what is not there yet', async () => {
    const root = join(temporaryFolder(), 'store');
    await load(root, before, 'replace');
    expect(await readBack(root)).toEqual(before);
  });

  it('deletes first what matches, as one unit with what comes', async () => {
    const root = await begin();
    const write = { deleteWhere: eq('day', 2) };
    const failing = load(root, [{ _id: 'x' }, { _id: '..' }], write, { commitDocuments: 1 });
    await expect(failing.done).rejects.toMatchObject({ code: 'INVALID_ID' });
    expect(await readBack(root)).toEqual(before);
    await load(root, [{ _id: 'x', day: 2 }], write, { commitDocuments: 1 });
    expect(await readBack(root)).toEqual([before[0], before[3], { _id: 'x', day: 2 }]);
    await load(root, [], write);
    expect(await readBack(root)).toEqual([before[0], before[3]]);
  });

  it('deletes the partitions that come', async () => {
    const root = await begin();
    const write = { deleteBy: 'day' };
    const fresh = [
      { _id: 'x', day: 2 },
      { _id: 'y', day: 4 },
      { _id: 'z', day: 2 },
      { _id: 'w', day: null },
    ];
    await load(root, fresh, write, { commitDocuments: 1 });
    expect(await readBack(root)).toEqual([before[0], ...fresh]);
    await expect(load(root, [{ _id: 'q', day: [1] }], write).done).rejects.toMatchObject({
      code: 'INVALID_DOCUMENT',
    });
  });

  it.each<{ write: WriteDisposition }>([
    { write: { deleteBy: 'day' } },
    { write: { deleteWhere: eq('day', 3) } },
    { write: 'replace' },
  ])('begins anew where nothing is committed before the end: $write', async ({ write }) => {
    const root = join(temporaryFolder(), 'store');
    const all = [3, 3, 3, 4].map((day, n) => ({ _id: `d${n}`, day }));
    for (const count of [2, 3, 4]) {
      const source = generateSource({ documents: count, make: (n) => all[n]! });
      const sink = zdsSink(root, 'c', { write });
      const summary = await run({ name: 'load', source, sink, resume: true });
      expect(summary).toMatchObject({ resumed: false, read: count, written: count });
      expect(await readBack(root)).toEqual(all.slice(0, count));
    }
  });

  it('keeps what transforms remember where it begins anew', async () => {
    const root = join(temporaryFolder(), 'store');
    const written: number[] = [];
    for (const documents of [2, 3]) {
      const source = generateSource({ documents, make: (n) => ({ _id: `d${n}`, n }) });
      const sink = zdsSink(root, 'c', { write: { deleteBy: 'n' } });
      const transforms = [incremental({ field: 'n' })];
      written.push((await run({ name: 'load', source, transforms, sink, resume: true })).written);
    }
    expect(written).toEqual([2, 1]);
  });

  it('keeps a history', async () => {
    const root = await begin();
    await load(root, [{ _id: '..' }], 'merge').done.catch(() => {});
    const runs = await listRuns(root, 'c');
    expect(runs).toMatchObject([
      { run: 'load', collection: 'c', totals: { read: 4, written: 4, outcome: 'done' } },
      { run: 'load', totals: { outcome: 'failed', read: 1 }, error: expect.stringContaining('id') },
    ]);
    expect(runs.every(({ startedAt, endedAt }) => startedAt <= endedAt!)).toBe(true);
  });
});
