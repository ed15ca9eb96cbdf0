/**
 * `dedupe` in runs that are cut anywhere, by a stop, a failure of a stage or a crash of the disk, and
 * resumed: they write what one run writes, whatever is remembered and whatever was lost.
 *
 * Deliberate breakages that make this file fail, each tried: a journal that is not synced before the
 * commit; one that is not cut when it is read; keys of an earlier run that a new one begins with; a
 * new run that writes to the journal of the last commit; windows that turn over elsewhere; keys committed
 * of documents that still wait in a transform behind.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import type { Source } from '../../src/core/stage.ts';
import { run } from '../../src/pipeline/index.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { batchTransform, type DedupeOptions, dedupeTransform } from '../../src/transforms/index.ts';
import { FaultDisk, type Image, PowerCut } from '../support/fault-disk.ts';
import { LONG, somePlaces } from '../support/long.ts';
import { fuse, linesBatch, probeSource } from '../support/stages.ts';

const EACH = 3;

/** A document for each key, in batches of three that go on from a count. */
function keyed(keys: readonly number[]): Source {
  return {
    name: 'keyed',
    async *batches(_signal, _wants, from = 0) {
      for (let n = from as number; n < keys.length; n += EACH) {
        const documents = keys
          .slice(n, n + EACH)
          .map((key, i) => ({ _id: `d${n + i}`, key, n: n + i }));
        yield linesBatch(documents, n).withCursor(n + documents.length);
      }
    },
  };
}

/** What one run lets through, with sets that turn over as documented. */
function model(keys: readonly number[], window = Number.POSITIVE_INFINITY): number[] {
  let now = new Set<number>();
  let older = new Set<number>();
  return keys.flatMap((key, n) => {
    const isNew = !now.has(key) && !older.has(key);
    now.add(key);
    if (now.size > window) [older, now] = [now, new Set()];
    return isNew ? [n] : [];
  });
}

interface Attempt {
  readonly resume?: boolean;
  readonly blowAt?: number;
  /** Behind dedupe so many documents wait for each other. */
  readonly together?: number;
}

async function load(
  disk: FaultDisk,
  keys: readonly number[],
  options: DedupeOptions,
  { resume = true, blowAt = Number.POSITIVE_INFINITY, together = 1 }: Attempt = {},
): Promise<void> {
  const root = await ZdsRoot.open('/s', { disk });
  try {
    await run({
      name: 'load',
      source: keyed(keys),
      transforms: [dedupeTransform(options), batchTransform({ count: together }), fuse(blowAt)],
      sink: zdsSink(root, 'c', { write: resume ? 'append' : 'merge', commitDocuments: 1 }),
      resume,
    });
  } finally {
    await root.close();
  }
}

async function numbersIn(disk: FaultDisk): Promise<number[]> {
  const store = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  const documents = await store.scanAll();
  await store.close();
  return documents.map(({ n }: Document) => Number(n));
}

const broken = (error: unknown): void => {
  if (!(error instanceof PowerCut) && !/broken off|machine|POISONED|power/.test(String(error))) {
    throw error;
  }
};
const anyKeys = fc.array(fc.integer({ min: 0, max: 25 }), {
  minLength: 6,
  maxLength: 40,
  size: 'max',
});
const anyWindow = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
const optionsOf = (window: number | undefined): DedupeOptions =>
  window === undefined ? { by: 'key' } : { by: 'key', window };

describe('dedupe in a run that resumes', () => {
  it('lets through what it does in one run, wherever it is cut', async () => {
    const anyCuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 });
    const anyTogether = fc.integer({ min: 1, max: 6 });
    const anyInput = fc.tuple(anyKeys, anyWindow, anyCuts, anyTogether);
    await fc.assert(
      fc.asyncProperty(anyInput, async ([keys, window, cuts, together]) => {
        const disk = new FaultDisk();
        const options = optionsOf(window);
        for (const blowAt of cuts) {
          await load(disk, keys, options, { blowAt, together }).catch(broken);
        }
        await load(disk, keys, options, { together });
        expect(await numbersIn(disk)).toEqual(model(keys, window));
      }),
      { numRuns: LONG ? 40 : 10 },
    );
  });

  it('remembers what the disk kept, no less and no more', async () => {
    const keys = [0, 1, 2, 0, 3, 1, 4, 2, 0];
    for (const window of [undefined, 3]) {
      const whole = new FaultDisk();
      await load(whole, keys, optionsOf(window));
      const seen = new Set<string>();
      for (const k of somePlaces(whole.operations, 5)) {
        const disk = new FaultDisk();
        disk.dieAt = k;
        await load(disk, keys, optionsOf(window)).catch(broken);
        for (const { what, image } of disk.images()) {
          const key = [...image].map(
            ([path, bytes]) => path + Buffer.from(bytes).toString('latin1'),
          );
          if (seen.has(key.join())) continue;
          seen.add(key.join());
          await checkGoingOn(image, keys, window, `operation ${k}, ${what}`);
        }
      }
      expect(seen.size).toBeGreaterThan(10);
    }
  });

  async function checkGoingOn(
    image: Image,
    keys: readonly number[],
    window: number | undefined,
    what: string,
  ): Promise<void> {
    const disk = new FaultDisk(image);
    await load(disk, keys, optionsOf(window));
    // Twice, to see what the first of them left.
    const more = [...keys, 7, 4, 8, 2, 7, 3];
    await load(disk, more, optionsOf(window));
    expect(await numbersIn(disk), what).toEqual(model(more, window));
  }

  it('begins anew in a run that does not resume, and leaves the keys until it commits', async () => {
    const keys = [0, 1, 2, 0, 1, 3];
    const disk = new FaultDisk();
    await load(disk, keys, { by: 'key' });
    // Breaks off before it has committed: what is committed is still that of the first run.
    await load(disk, keys, { by: 'key' }, { resume: false, blowAt: 1 }).catch(broken);
    await load(disk, [...keys, 3, 4, 0], { by: 'key' });
    expect(await numbersIn(disk)).toEqual([0, 1, 2, 5, 7]);
    await load(disk, keys, { by: 'key' }, { resume: false });
    expect(await numbersIn(disk)).toEqual([7, 0, 1, 2, 5]);
    const other = load(disk, [...keys, 1, 1, 1], { by: 'n' });
    await expect(other).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });

  it('is refused by a sink that keeps no journals', async () => {
    const committed = { source: 'probe', at: 1 };
    const sink = { ...zdsSink('x', 'c').sink, lastCursor: async () => committed };
    const plain = {
      ...sink,
      name: 'plain',
      open: async () => {},
      abort: async () => {},
    } as unknown as typeof sink;
    const transforms = [dedupeTransform()];
    const running = run({
      name: 'x',
      source: probeSource(1, 1),
      transforms,
      sink: { ...plain, openJournal: undefined },
      resume: true,
    });
    await expect(running.done).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
