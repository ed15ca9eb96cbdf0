/** Only what is new: against a model, over runs that stop, fail and meet ties in any order. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../../src/core/batch.ts';
import type { Source } from '../../../src/core/stage.ts';
import { run } from '../../../src/pipeline/index.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { FastStore } from '../../../src/store/index.ts';
import { type IncrementalOptions, incrementalTransform } from '../../../src/transforms/index.ts';
import { linesBatch, temporaryFolder } from '../../support/stages.ts';
import { batchOf } from '../../support/transforms.ts';

/** Documents in batches of `each`; no cursor, as of something asked anew each time. */
function source(
  documents: readonly Document[],
  each = 3,
  failAt = Number.POSITIVE_INFINITY,
): Source {
  return {
    name: 'rows',
    async *batches() {
      for (let i = 0; i < documents.length; i += each) {
        if (i >= failAt) throw new Error('broken off');
        yield linesBatch(documents.slice(i, i + each), i);
      }
    },
  };
}

const load = (
  root: string,
  documents: readonly Document[],
  options: Partial<IncrementalOptions> = {},
  failAt?: number,
) =>
  run({
    name: 'load',
    source: source(documents, 3, failAt),
    transforms: [incrementalTransform({ field: 'at', ...options })],
    sink: zdsSink(root, 'c', { write: 'append', commitDocuments: 1 }),
  });

const row = (id: string, at: unknown) => ({ _id: id, at });

describe('incremental', () => {
  it('lets each document through once, ties and late ones included', async () => {
    const root = join(temporaryFolder(), 'store');
    const first = [row('a', 2), row('b', 1), row('c', 2)];
    expect(await load(root, first)).toMatchObject({ written: 3 });
    expect(await load(root, first)).toMatchObject({ written: 0, filtered: 3 });
    const more = [...first, row('d', 2), row('e', 1), row('f', 3)];
    // `e` came below what was seen: nobody can know of it.
    expect(await load(root, more)).toMatchObject({ written: 2 });
    expect(await load(root, more)).toMatchObject({ written: 0 });
    const store = await FastStore.open(root, 'c', { mode: 'read' });
    expect((await store.scanAll()).map(({ _id }) => _id)).toEqual(['a', 'b', 'c', 'd', 'f']);
    await store.close();
  });

  it('does not move its mark on input that was not read to its end', async () => {
    const root = join(temporaryFolder(), 'store');
    const rows = [row('a', 9), row('b', 8), row('c', 7), row('d', 1), row('e', 2)];
    await expect(load(root, rows, {}, 3).done).rejects.toThrow('broken off');
    const merged = () =>
      run({
        name: 'load',
        source: source(rows),
        transforms: [incrementalTransform({ field: 'at' })],
        sink: zdsSink(root, 'c'),
      });
    expect(await merged()).toMatchObject({ written: 5 });
    expect(await merged()).toMatchObject({ written: 0 });
    const other = join(temporaryFolder(), 'store');
    const stopped = load(other, rows);
    stopped.on('progress', () => void stopped.stop());
    const { read } = await stopped;
    expect(read).toBeLessThan(5);
    const rest = await run({
      name: 'load',
      source: source(rows),
      transforms: [incrementalTransform({ field: 'at' })],
      sink: zdsSink(other, 'c'),
    });
    expect(rest.written).toBe(5);
  });

  it('moves with every commit where order is promised, and sees when it is broken', async () => {
    const root = join(temporaryFolder(), 'store');
    const rows = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id, i) => row(id, `2026-0${i >> 1}`));
    await expect(load(root, rows, { sorted: true }, 6).done).rejects.toThrow('broken off');
    expect(await load(root, rows, { sorted: true })).toMatchObject({ written: 1, filtered: 6 });
    const wrong = [row('x', '2027'), row('y', '2026-11')];
    await expect(load(root, wrong, { sorted: true }).done).rejects.toMatchObject({
      code: 'NOT_SORTED',
      place: { ordinal: 1 },
    });
  });

  it('refuses values that cannot be compared, and does with missing ones as it is told', async () => {
    const fresh = () => join(temporaryFolder(), 'store');
    for (const value of [undefined, null, true, {}, [1], 2 ** 60]) {
      const loading = load(fresh(), [row('a', 1), row('b', value)]).done;
      await expect(loading).rejects.toMatchObject({
        code: 'INVALID_DOCUMENT',
        place: { ordinal: 1 },
      });
    }
    await expect(load(fresh(), [row('a', 1), row('b', '1')]).done).rejects.toThrow(/a string here/);
    const rows = [row('a', 1), row('b', null)];
    expect(await load(fresh(), rows, { missing: 'keep' })).toMatchObject({ written: 2 });
    expect(await load(fresh(), rows, { missing: 'drop' })).toMatchObject({ written: 1 });
    expect(await load(fresh(), rows, { initial: 1, missing: 'drop' })).toMatchObject({
      written: 1,
    });
    expect(await load(fresh(), rows, { initial: 2, missing: 'drop' })).toMatchObject({
      written: 0,
    });
  });

  it('refuses a number too large for one, which would be no mark', () => {
    const transform = incrementalTransform({ field: 'at' });
    const reasons: string[] = [];
    const batch = batchOf(['{"at":1}', '{"at":1e999}', '{"at":-1e999}', '{"at":2}']);
    const { signal } = new AbortController();
    const [kept] = transform.apply(
      batch,
      signal,
      ({ reason }) => void reasons.push(reason),
    ) as Batch[];
    expect([...kept!]).toEqual([{ at: 1 }, { at: 2 }]);
    const reason = 'at is no string, nor a number that can be compared';
    expect(reasons).toEqual([reason, reason]);
    expect(transform.save!()).toMatchObject({ reached: { max: 2 } });
  });

  it('agrees with a model over any growing input', async () => {
    const growth = fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(growth, async (rounds) => {
        const root = join(temporaryFolder(), 'store');
        const rows: Document[] = [];
        const expected: string[] = [];
        let mark = -1;
        for (const [i, round] of rounds.entries()) {
          for (const [j, at] of round.entries()) {
            rows.push(row(`r${i}-${j}`, at));
            if (at >= mark) expected.push(`r${i}-${j}`);
          }
          mark = Math.max(mark, ...round);
          await load(root, rows);
        }
        const store = await FastStore.open(root, 'c', { mode: 'read' });
        expect((await store.scanAll()).map(({ _id }) => _id)).toEqual(expected);
        await store.close();
      }),
      { numRuns: 25 },
    );
  });
});
