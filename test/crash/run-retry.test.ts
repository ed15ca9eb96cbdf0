/**
 * Runs that try again, on a disk that fails once for a moment at each of its operations, before the
 * operation or behind it, so that the run hears nothing of what became durable: every document is there
 * once, and counted once. And sinks that say themselves what may follow a failure.
 *
 * Deliberate breakages that make this file fail, each tried: counts that are not set back, of the run
 * and of the sink; beginning anew in place of going on behind a commit; clearing again what a commit
 * has cleared; transforms that remember what the run has gone back behind.
 */
import { describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import { eq } from '../../src/core/predicate.ts';
import type { Sink, Source, Transform } from '../../src/core/stage.ts';
import { run } from '../../src/pipeline/index.ts';
import type { WriteDisposition } from '../../src/sinks/zds-disposition.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { aggregateTransform, batchTransform, sampleTransform } from '../../src/transforms/index.ts';
import { type Fault, FaultDisk, type Image } from '../support/fault-disk.ts';
import { somePlaces } from '../support/long.ts';
import { linesBatch, probeSink } from '../support/stages.ts';

const retry = { retries: 3, baseDelayMs: 1 };
const busy = Object.assign(new Error('busy'), { code: 'EBUSY' });

/** Batches of three that go on from a count; every fourth document is bad. */
function numbers(total: number, withBad = false): Source {
  return {
    name: 'numbers',
    async *batches(_signal, { onReject }, from = 0) {
      for (let n = from as number; n < total; n += 3) {
        const all = [n, n + 1, n + 2].filter((each) => each < total);
        const good = all.filter((each) => !withBad || each % 4 !== 3);
        for (const each of all) {
          if (good.includes(each)) continue;
          onReject!({ code: 'JSON_ERROR', reason: 'bad', place: {}, bytes: new Uint8Array() });
        }
        yield linesBatch(
          good.map((each) => ({
            _id: `new${each}`,
            n: each,
            group: each % 2,
            key: `g${each % 2}`,
          })),
          n,
        ).withCursor(n + 3);
      }
    },
  };
}

const chains: Record<string, () => Transform[]> = {
  none: () => [],
  'batch and sample': () => [batchTransform({ count: 4 }), sampleTransform({ every: 2 })],
  aggregate: () => [
    aggregateTransform({ by: { _id: 'key' }, measures: { count: { count: true } } }),
  ],
};

async function prepare(): Promise<Image> {
  const disk = new FaultDisk();
  const store = await FastStore.open('/s', 'c', { disk });
  for (let n = 0; n < 6; n++) store.put(`old${n}`, { group: n % 2 });
  await store.close();
  return disk.current();
}

/** Loads with a fault at an operation behind the opening of the root; answers what is there then. */
async function load(
  image: Image,
  write: WriteDisposition,
  chain: () => Transform[],
  fault: Fault,
  failAt: number,
) {
  const disk = new FaultDisk(image);
  const root = await ZdsRoot.open('/s', { disk });
  const begun = disk.operations;
  disk.fault = fault;
  disk.dieAt = begun + failAt;
  const handle = run({
    name: 'load',
    source: numbers(9, true),
    transforms: chain(),
    sink: zdsSink(root, 'c', { write, commitDocuments: 3 }),
    onError: 'skip',
    retry,
  });
  let retries = 0;
  handle.on('retry', () => retries++);
  const { read, written, filtered, rejected, expanded, sink } = await handle;
  const operations = disk.operations - begun;
  disk.dieAt = Number.POSITIVE_INFINITY;
  await root.close();
  const store = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  const documents = await store.scanAll();
  await store.close();
  const counts = { read, written, rejected, net: filtered - expanded };
  return { documents, counts, sink, operations, retries };
}

const cases: readonly [string, WriteDisposition, string][] = [
  ['append', 'append', 'none'],
  ['append', 'append', 'batch and sample'],
  ['merge', 'merge', 'aggregate'],
  ['replace', 'replace', 'none'],
  ['deleteWhere', { deleteWhere: eq('group', 1) }, 'none'],
  ['deleteBy', { deleteBy: 'group' }, 'aggregate'],
];

describe('a run into a store that fails for a moment', () => {
  it.each(cases)('writes and counts everything once: %s', async (_, write, stages) => {
    const chain = chains[stages]!;
    const image = await prepare();
    const whole = await load(image, write, chain, 'EBUSY', Number.POSITIVE_INFINITY);
    expect(whole.counts).toMatchObject({ read: 9, rejected: 2 });
    let tried = 0;
    let retried = 0;
    for (const fault of ['EBUSY', 'late'] as const) {
      for (const k of somePlaces(whole.operations, 5)) {
        const { documents, counts, sink, retries } = await load(image, write, chain, fault, k);
        const what = `${fault} at ${k}`;
        expect(documents, what).toEqual(whole.documents);
        expect(counts, what).toEqual(whole.counts);
        const { documents: taken, total } = whole.sink!;
        expect(sink, what).toMatchObject({ documents: taken, total });
        tried++;
        if (retries > 0) retried++;
      }
    }
    expect(retried).toBeGreaterThan(tried / 2);
  });
});

describe('a sink that fails for a moment', () => {
  /** A sink that fails at its n-th write, having taken the documents or not. */
  function failing(taken: boolean, afterFailure?: Sink<number>['afterFailure']) {
    const written: Document[] = [];
    let writes = 0;
    const sink: Sink<object> = {
      ...probeSink(),
      afterFailure,
      async write(batch) {
        const fails = ++writes === 2;
        if (!fails || taken) written.push(...batch.documents());
        if (fails) throw busy;
      },
      finish: async () => ({}),
    };
    return { sink, written };
  }
  const ids = (documents: readonly Document[]) => documents.map(({ n }) => n);

  it('is given the batch again only if it says that this is safe', async () => {
    const { sink, written } = failing(false, 'repeat');
    const summary = await run({ name: 'x', source: numbers(9), sink, retry });
    expect(ids(written)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(summary).toMatchObject({ read: 9, written: 9 });
    for (const taken of [true, false]) {
      const { sink, written } = failing(taken);
      await expect(run({ name: 'x', source: numbers(9), sink, retry }).done).rejects.toBe(busy);
      expect(written).toHaveLength(taken ? 6 : 3);
    }
  });

  it('ends the run when it goes on failing, for other reasons, or without retry', async () => {
    let writes = 0;
    const sink = (error: Error): Sink<object> => ({
      ...probeSink(),
      afterFailure: 'repeat',
      async write() {
        writes++;
        throw error;
      },
      finish: async () => ({}),
    });
    const start = { name: 'x', source: numbers(9) };
    await expect(run({ ...start, sink: sink(busy), retry }).done).rejects.toBe(busy);
    expect(writes).toBe(4);
    await expect(run({ ...start, sink: sink(busy) }).done).rejects.toBe(busy);
    expect(writes).toBe(5);
    const broken = new Error('broken');
    await expect(run({ ...start, sink: sink(broken), retry }).done).rejects.toBe(broken);
    expect(writes).toBe(6);
  });

  it('is not opened again behind a source or a transform that cannot go back', async () => {
    const committing = (): Sink<object> => ({
      ...failing(false, 'reopen').sink,
      lastCursor: async () => undefined,
    });
    const { batches } = numbers(9);
    const once: Source = {
      name: 'once',
      async *batches(...all) {
        for await (const batch of batches(...all)) yield batch.withCursor(undefined);
      },
    };
    const holding: Transform = { name: 'holding', apply: (batch) => [batch], flush: () => [] };
    const start = { name: 'x', retry };
    for (const way of [{ source: once }, { source: numbers(9), transforms: [holding] }]) {
      await expect(run({ ...start, ...way, sink: committing() }).done).rejects.toBe(busy);
    }
    const summary = await run({ ...start, source: numbers(9), sink: committing() });
    expect(summary).toMatchObject({ read: 9, written: 9 });
  });
});
