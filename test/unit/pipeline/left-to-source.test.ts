/** A filter that comes first is left to a source that can do it, and the account does not show it. */
import { describe, expect, it } from 'vitest';
import { and, eq, gt, type Predicate } from '../../../src/core/predicate.ts';
import { run } from '../../../src/pipeline/index.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import { filter, map } from '../../../src/stages.ts';
import { FastStore } from '../../../src/store/index.ts';
import { memorySink } from '../../../src/testing/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const COUNT = 3_000;

/** Documents of several pieces; some are replaced and deleted. */
async function lake(alter: boolean): Promise<string> {
  const root = temporaryFolder();
  const documents = Array.from({ length: COUNT }, (_, n) => ({
    _id: `d${n}`,
    n,
    kind: ['a', 'b', 'c'][n % 3],
    text: 'some words to make the lines longer'.repeat(20),
  }));
  await run({ name: 'make', source: fromIterable(documents), sink: zdsSink(root, 'c') });
  const store = await FastStore.open(root, 'c');
  if (alter) {
    for (let n = 0; n < 300; n++) await store.put(`d${n * 7}`, { n, kind: 'b', text: '' });
    for (let n = 1; n < 270; n++) await store.delete(`d${n * 11}`);
  }
  await store.flush();
  await store.snapshot({ chunkRows: 1024 });
  await store.close();
  return root;
}

async function account(root: string, where: Predicate, isLeft: boolean, objects: boolean) {
  const { source } = zdsSource(root, 'c');
  const sink = memorySink();
  const transforms = [filter(where), ...(objects ? [map((each) => each)] : [])];
  const from = isLeft ? source : { ...source, selects: false };
  const summary = await run({ name: 'x', source: from, transforms, sink });
  const stages = summary.stages.map(({ bytes: _, seconds: __, ...counts }) => counts);
  const { read, written, filtered, rejected } = summary;
  return { read, written, filtered, rejected, stages, documents: sink.documents };
}

describe('a filter that a collection sees to', () => {
  for (const alter of [false, true]) {
    it(`gives the same documents and account, ${alter ? 'some of them dead' : 'all alive'}`, async () => {
      const root = await lake(alter);
      const chosen = [
        eq('kind', 'b'),
        gt('n', 2_900),
        eq('n', -1),
        and(eq('kind', 'a'), gt('n', 9)),
      ];
      for (const where of chosen) {
        for (const objects of [false, true]) {
          const left = await account(root, where, true, objects);
          const own = await account(root, where, false, objects);
          expect(left).toEqual(own);
          expect(left.filtered).toBe(left.read - left.documents.length);
        }
      }
    });
  }

  it.each([false, true])(
    'tells of what it left out piece by piece (some dead: %s)',
    async (alter) => {
      const root = await lake(alter);
      const { source } = zdsSource(root, 'c', { pieceBytes: 8192 });
      const { signal } = new AbortController();
      const pieces: number[] = [];
      for await (const { length } of source.batches(signal, {})) pieces.push(length);
      expect(pieces.length).toBeGreaterThan(50);
      const steps: number[] = [];
      const passed = (count: number): void => void steps.push(count);
      const where = { keep: eq('kind', 'b'), passed };
      for (const documents of [false, true]) {
        steps.length = 0;
        let [given, through, at] = [0, 0, 0];
        for await (const { length } of source.batches(signal, { where, documents })) {
          given += length;
          through += pieces[at++]!;
          expect(sum(steps) + given, `piece ${at}`).toBe(through);
        }
        expect([at, sum(steps) + given]).toEqual([pieces.length, sum(pieces)]);
        expect(Math.min(...steps)).toBeGreaterThan(0);
      }
    },
  );

  it('shows in the progress of a run, and in one that is cut short', async () => {
    const { source } = zdsSource(await lake(true), 'c', { pieceBytes: 8192 });
    const pieces: number[] = [];
    for await (const { length } of source.batches(new AbortController().signal, {})) {
      pieces.push(length);
    }
    const transforms = [filter(eq('kind', 'b'))];
    let batches = 0;
    const write = async (): Promise<void> => {
      if (++batches === 20) throw new Error('no more');
    };
    const nothing = async (): Promise<void> => undefined;
    const sink = { name: 'own', open: nothing, write, finish: nothing, abort: nothing };
    const runner = run({ name: 'x', source, transforms, sink, progressMs: 0 });
    const counts: { read: number; batches: number }[] = [];
    runner.on('progress', ({ read }) => counts.push({ read, batches }));
    await expect(runner).rejects.toThrow('no more');
    counts.push({ read: runner.progress.read, batches });
    expect(counts.length).toBeGreaterThan(15);
    for (const { read, batches } of counts) {
      // One or two more may be under way.
      expect(read).toBeGreaterThanOrEqual(sum(pieces.slice(0, batches - 1)));
      expect(read).toBeLessThanOrEqual(sum(pieces.slice(0, batches + 2)));
    }
  });

  it('is the filter’s own work where the source chooses otherwise', async () => {
    const root = await lake(false);
    const where = eq('kind', 'b');
    for (const options of [
      { limit: 100 },
      { where: gt('n', 5) },
      { select: ['_id'] },
      { ids: ['d1'] },
    ]) {
      expect(zdsSource(root, 'c', options).source.selects).toBe(false);
      const sink = memorySink();
      const source = zdsSource(root, 'c', options);
      const { read } = await run({ name: 'x', source, transforms: [filter(where)], sink });
      expect(read).toBe(await count(zdsSource(root, 'c', options)));
    }
    expect(zdsSource(root, 'c').source.selects).toBe(true);
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

async function count(documents: AsyncIterable<object>): Promise<number> {
  let found = 0;
  for await (const _ of documents) found++;
  return found;
}
