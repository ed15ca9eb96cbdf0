/**
 * Runs of any transforms that are cut anywhere, by a failure in front or behind or by `stop`, and resumed: they
 * write what one run writes, each document once.
 *
 * Deliberate breakages that make this file fail, each tried: what transforms remember asked for when a
 * batch reaches the sink, and not when it leaves them; a stop behind documents without a cursor.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Source, Transform } from '../../src/core/stage.ts';
import { run } from '../../src/pipeline/index.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { tapTransform } from '../../src/transforms/index.ts';
import { FaultDisk } from '../support/fault-disk.ts';
import { runs } from '../support/long.ts';
import { anyTransforms } from '../support/random-transforms.ts';
import { fuse, linesBatch } from '../support/stages.ts';

const TOTAL = 40;

interface Cut {
  readonly how: 'source fails' | 'sink fails' | 'stop';
  /** Documents that come until then, counted where the run is cut. */
  readonly at: number;
}

/** Documents of a few groups, so many a batch, that go on from a count. */
function grouped(each: number, failAt = Number.POSITIVE_INFINITY): Source {
  return {
    name: 'grouped',
    async *batches(_signal, _wants, from = 0) {
      for (let n = from as number; n < TOTAL; n += each) {
        if (n >= (from as number) + failAt) throw new Error('broken off');
        const documents = Array.from({ length: Math.min(each, TOTAL - n) }, (_, i) => ({
          n: n + i,
          s: 'abcdefgh'[((n + i) * 5) % 8],
          a: [1, 2].slice(0, (n + i) % 3),
        }));
        yield linesBatch(documents, n).withCursor(n + documents.length);
      }
    },
  };
}

const NEVER: Cut = { how: 'source fails', at: Number.POSITIVE_INFINITY };

async function load(
  disk: FaultDisk,
  each: number,
  made: readonly (() => Transform)[],
  { how, at }: Cut = NEVER,
): Promise<void> {
  const root = await ZdsRoot.open('/s', { disk });
  try {
    let count = 0;
    const handle = run({
      name: 'load',
      source: grouped(each, how === 'source fails' ? at : undefined),
      transforms: [
        ...made.map((make) => make()),
        fuse(how === 'sink fails' ? at : undefined),
        tapTransform(() => {
          if (++count >= at && how === 'stop') handle.stop();
        }),
      ],
      sink: zdsSink(root, 'c', { generateIds: true, commitDocuments: 1 }),
      resume: true,
      onError: 'skip',
    });
    await handle.done;
  } finally {
    await root.close();
  }
}

/** Without the ids they were given, in an order of their own: unordered maps have none. */
async function textsIn(disk: FaultDisk): Promise<string[]> {
  const store = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  const documents = await store.scanAll();
  await store.close();
  return documents.map(({ _id, ...rest }) => JSON.stringify(rest)).sort();
}

const anyCut: fc.Arbitrary<Cut> = fc.record({
  how: fc.constantFrom('source fails', 'sink fails', 'stop'),
  at: fc.integer({ min: 1, max: TOTAL / 2 }),
});
const { batchTransform, dedupeTransform, sampleTransform, ...others } = anyTransforms;
/** What has a memory in front of what lets documents wait, with others around them. */
const anySteps = fc
  .tuple(
    fc.array(fc.oneof(...Object.values(others)), { maxLength: 2 }),
    fc.array(fc.oneof(dedupeTransform!, sampleTransform!), { maxLength: 1 }),
    fc.array(batchTransform!, { maxLength: 2 }),
    fc.array(fc.oneof(...Object.values(others)), { maxLength: 2 }),
  )
  .map((parts) => parts.flat());

it('write what one run writes, wherever they are cut', { timeout: 120_000 }, async () => {
  const anyCuts = fc.array(anyCut, { minLength: 1, maxLength: 3 });
  const anyEach = fc.integer({ min: 1, max: 9 });
  await fc.assert(
    fc.asyncProperty(anyEach, anySteps, anyCuts, async (each, made, cuts) => {
      const whole = new FaultDisk();
      await load(whole, each, made);
      const disk = new FaultDisk();
      for (const cut of cuts) {
        await load(disk, each, made, cut).catch((error) => {
          if (!/broken off/.test(String(error))) throw error;
        });
      }
      await load(disk, each, made);
      expect(await textsIn(disk)).toEqual(await textsIn(whole));
    }),
    { numRuns: runs(400) },
  );
});
