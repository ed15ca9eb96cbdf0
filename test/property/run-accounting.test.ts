/**
 * For any source, any transforms and any bad records the account of a run adds up, to numbers that
 * were counted beside it; and a run cut in pieces by stops and failures writes what one run writes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../src/core/batch.ts';
import type { Source, Transform } from '../../src/core/stage.ts';
import { run } from '../../src/pipeline/index.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { FastStore } from '../../src/store/index.ts';
import { batchTransform, filterTransform, mapTransform } from '../../src/transforms/index.ts';
import { runs } from '../support/long.ts';
import { fuse, linesBatch } from '../support/stages.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-runs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let stores = 0;

/** What a model transform makes of documents; the transform under test does it batch by batch. */
interface Step {
  readonly make: () => Transform;
  /** Documents left, and how many were rejected. */
  readonly model: (documents: readonly Document[]) => { out: Document[]; rejected: number };
}

const keep = (each: number): Step => ({
  make: () => filterTransform<{ n: number }>(({ n }) => n % each === 0),
  model: (documents) => ({ out: documents.filter(({ n }) => Number(n) % each === 0), rejected: 0 }),
});

const same: Step = {
  make: () => mapTransform((document) => ({ ...document, seen: true })),
  model: (documents) => ({ out: documents.map((each) => ({ ...each, seen: true })), rejected: 0 }),
};

/** Two of each in batches of their own; a second id keeps them apart. */
const twice = (mark: string): Step => {
  const copies = (document: Document) => [document, { ...document, _id: `${document._id}${mark}` }];
  return {
    make: () => ({
      name: 'twice',
      async *apply(batch) {
        for (const [i, document] of batch.documents().entries()) {
          for (const copy of copies(document)) yield batch.deriveDocuments([copy], [i]);
        }
      },
    }),
    model: (documents) => ({ out: documents.flatMap(copies), rejected: 0 }),
  };
};

/** Refuses some. */
const refuse = (each: number): Step => {
  const bad = ({ n }: Document) => Number(n) % each === 1;
  return {
    make: () => ({
      name: 'refuse',
      apply(batch, _signal, onReject) {
        const good = batch.documents().flatMap((document, i) => (bad(document) ? [] : [i]));
        for (let i = 0; i < batch.length; i++) {
          if (good.includes(i)) continue;
          const bytes = new Uint8Array();
          onReject!({ code: 'INVALID_DOCUMENT', reason: 'bad', place: batch.place(i), bytes });
        }
        return [
          batch.deriveDocuments(
            good.map((i) => batch.documents()[i]!),
            good,
          ),
        ];
      },
    }),
    model: (documents) => ({
      out: documents.filter((document) => !bad(document)),
      rejected: documents.filter(bad).length,
    }),
  };
};

/** Puts batches together, with a cursor only where nothing is held back. */
const gather = (count: number): Step => ({
  make() {
    let held: Batch[] = [];
    const take = (): Batch[] => {
      const [first] = held;
      const documents = held.flatMap((batch) => [...batch.documents()]);
      const cursor = held.at(-1)?.cursor;
      held = [];
      return first
        ? [
            first
              .deriveDocuments(
                documents,
                documents.map(() => 0),
              )
              .withCursor(cursor),
          ]
        : [];
    };
    return {
      name: 'gather',
      apply(batch) {
        held.push(batch);
        return held.length < count ? [] : take();
      },
      flush: take,
    };
  },
  model: (documents) => ({ out: [...documents], rejected: 0 }),
});

/** A step, given a mark that no other step has. */
const anyStep: fc.Arbitrary<(mark: string) => Step> = fc.oneof(
  fc.integer({ min: 1, max: 4 }).map((each) => () => keep(each)),
  fc.constant(() => same),
  fc.constant(twice),
  fc.integer({ min: 2, max: 5 }).map((each) => () => refuse(each)),
  fc.integer({ min: 1, max: 4 }).map((count) => () => gather(count)),
);
const anySteps = fc
  .array(anyStep, { maxLength: 4 })
  .map((steps) => steps.map((make, i) => make(`x${i}`)));
const anyBatches = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 12 });

/** Batches of these sizes, documents numbered through; fails behind batch `failAt`. */
function sized(sizes: readonly number[], failAt = Number.POSITIVE_INFINITY): Source {
  return {
    name: 'sized',
    async *batches(_signal, _wants, from = 0) {
      let n = sizes.slice(0, from as number).reduce((sum, size) => sum + size, 0);
      for (let i = from as number; i < sizes.length; i++) {
        if (i >= failAt) throw new Error('broken off');
        const documents = Array.from({ length: sizes[i]! }, () => ({ _id: `d${n}`, n: n++ }));
        yield linesBatch(documents, n).withCursor(i + 1);
      }
    },
  };
}

function modelOf(sizes: readonly number[], steps: readonly Step[]) {
  const read = sizes.reduce((sum, size) => sum + size, 0);
  let out: Document[] = Array.from({ length: read }, (_, n) => ({ _id: `d${n}`, n }));
  let rejected = 0;
  for (const { model } of steps) {
    const result = model(out);
    out = result.out;
    rejected += result.rejected;
  }
  return { read, out, rejected };
}

async function readBack(root: string): Promise<Document[]> {
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  try {
    return await store.scanAll();
  } finally {
    await store.close();
  }
}

describe('the account of a run', () => {
  it('adds up for any stages', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatches, anySteps, async (sizes, steps) => {
        const root = join(folder, `s${stores++}`);
        const rejects: string[] = [];
        const summary = await run({
          name: 'x',
          source: sized(sizes),
          transforms: steps.map(({ make }) => make()),
          sink: zdsSink(root, 'c'),
          onError: ({ reason }) => rejects.push(reason),
        });
        const { read, out, rejected } = modelOf(sizes, steps);
        expect(summary).toMatchObject({ read, rejected, written: out.length });
        expect(rejects).toHaveLength(rejected);
        const { filtered, expanded } = summary;
        expect(read + expanded).toBe(out.length + filtered + rejected);
        expect(await readBack(root)).toEqual(out);
      }),
      { numRuns: runs(60) },
    );
  });

  it('counts what was only held back neither as filtered nor as expanded', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatches, fc.integer({ min: 1, max: 20 }), async (sizes, count) => {
        const summary = await run({
          name: 'x',
          source: sized(sizes),
          transforms: [
            batchTransform({ count }),
            gather(3).make(),
            twice('x').make(),
            keep(2).make(),
          ],
          sink: zdsSink(join(folder, `s${stores++}`), 'c'),
        });
        const { read, written, filtered, expanded } = summary;
        expect([filtered, expanded]).toEqual([2 * read - written, read]);
      }),
      { numRuns: 20 },
    );
  });

  it('counts what a run that was stopped held back as filtered', async () => {
    let batches = 0;
    const stopper: Transform = {
      name: 'stopper',
      apply(batch) {
        if (++batches === 2) void handle.stop();
        return [batch];
      },
    };
    const handle = run({
      name: 'x',
      source: sized([3, 3, 3]),
      transforms: [stopper, batchTransform({ count: 5 })],
      sink: zdsSink(join(folder, `s${stores++}`), 'c'),
    });
    const { outcome, read, written, filtered, expanded } = await handle;
    expect([outcome, read, written]).toEqual(['stopped', 6, 3]);
    expect([filtered, expanded]).toEqual([3, 0]);
  });

  it('is the same for a run in pieces, with no document written twice', async () => {
    const anyFailures = fc.array(
      fc.record({
        failAt: fc.integer({ min: 0, max: 12 }),
        blowAt: fc.integer({ min: 1, max: 40 }),
      }),
      { maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(anyBatches, anySteps, anyFailures, async (sizes, steps, failures) => {
        const root = join(folder, `s${stores++}`);
        const attempt = ({ failAt, blowAt }: { failAt?: number; blowAt?: number } = {}) =>
          run({
            name: 'x',
            source: sized(sizes, failAt),
            transforms: [...steps.map(({ make }) => make()), fuse(blowAt)],
            // Appending: a document that came again would be an error.
            sink: zdsSink(root, 'c', { write: 'append', commitDocuments: 1 }),
            onError: (reject) => expect(reject.code).toBe('INVALID_DOCUMENT'),
            resume: true,
          }).done;
        for (const failure of failures) {
          await attempt(failure).catch((error: Error) => expect(error.message).toBe('broken off'));
        }
        await attempt();
        expect(await readBack(root)).toEqual(modelOf(sizes, steps).out);
      }),
      { numRuns: runs(60) },
    );
  });
});
