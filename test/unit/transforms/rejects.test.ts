/** validate, and what becomes of documents that a transform cannot take. */
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Batch } from '../../../src/core/batch.ts';
import { eq } from '../../../src/core/predicate.ts';
import type { Reject } from '../../../src/core/reject.ts';
import type { StandardSchema } from '../../../src/core/standard-schema.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { map, validate } from '../../../src/stages.ts';
import {
  contractTransform,
  filterTransform,
  incrementalTransform,
  mapTransform,
  projectTransform,
  validateTransform,
} from '../../../src/transforms/index.ts';
import { numbers, probeSink, runStages, sinkStream, sleep } from '../../support/stages.ts';
import { applyTo, batchesOf, batchOf, parsed } from '../../support/transforms.ts';

const asynchronous: StandardSchema<{ n: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate(value) {
      await sleep(1);
      const { n } = value as { n: unknown };
      if (typeof n === 'number' && n > 0) return { value: { n } };
      return { issues: [{ message: 'must be positive', path: ['n'] }] };
    },
  },
};

const schemas: [string, StandardSchema<{ n: number }>][] = [
  ['zod', z.object({ n: z.number().positive() })],
  ['valibot', v.object({ n: v.pipe(v.number(), v.minValue(1)) })],
  ['arktype', type({ n: 'number > 0', '+': 'delete' })],
  ['an asynchronous schema', asynchronous],
];

describe.each(schemas)('validate with %s', (_, schema) => {
  const texts = ['{"n":1,"x":12345678901234567890}', '{"n":"1"}', '{"n":2 }', '{"n":-1}'];

  it('gives what the schema makes, and sets aside what it refuses', async () => {
    const {
      texts: made,
      rejects,
      batches,
    } = await applyTo(validateTransform(schema), batchesOf(texts, 3));
    expect(parsed(made)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(batches[0]!.place(1).line).toBe(3);
    expect(
      rejects.map(({ code, place, bytes }) => [code, place.line, Buffer.from(bytes).toString()]),
    ).toEqual([
      ['INVALID_DOCUMENT', 2, texts[1]],
      ['INVALID_DOCUMENT', 4, texts[3]],
    ]);
    expect(rejects[0]!.reason).toMatch(/^the schema refuses it: n: /);
  });

  it('or the documents as they came', async () => {
    const transform = validateTransform(schema, { keep: 'input' });
    const { texts: made } = await applyTo(transform, batchesOf(texts, 9));
    expect(made).toEqual([texts[0], texts[2]]);
  });
});

describe('a stage', () => {
  it('hands rejects to its onReject, or ends with the first', async () => {
    const schema = schemas[0]![1];
    const rejects: Reject[] = [];
    const sink = probeSink();
    const stage = validate(schema, { onReject: (reject) => rejects.push(reject) });
    await runStages([fromIterable(numbers(5)), stage, sinkStream(sink)]);
    expect(sink.documents).toEqual(numbers(5).slice(1));
    expect(rejects).toMatchObject([{ code: 'INVALID_DOCUMENT', place: { ordinal: 0 } }]);
    const stopped = runStages([
      fromIterable(numbers(5)),
      validate(schema),
      sinkStream(probeSink()),
    ]);
    await expect(stopped).rejects.toMatchObject({ place: { ordinal: 0 } });
  });
});

describe('map and filter', () => {
  const odd = (document: { n?: unknown }) => {
    if ((document.n as number) % 2 === 1) throw new Error('odd');
    return document;
  };

  it.each([false, true])(
    'set aside what their function throws for, if told to (async: %s)',
    async (late) => {
      const onThrow = 'reject';
      const run = late ? async (document: object) => odd(document) : odd;
      const texts = numbers(7).map((document) => JSON.stringify(document));
      for (const transform of [
        mapTransform(run, { onThrow, concurrency: 3 }),
        mapTransform(run, { onThrow, concurrency: 3, ordered: false }),
        filterTransform(async (document) => Boolean(await run(document)), { onThrow }),
      ]) {
        const { texts: made, rejects, batches } = await applyTo(transform, batchesOf(texts, 4));
        expect([...made].sort()).toEqual(['{"n":0}', '{"n":2}', '{"n":4}', '{"n":6}']);
        expect(rejects).toHaveLength(3);
        for (const { code, reason, place, bytes } of rejects) {
          expect([code, reason]).toEqual(['FUNCTION_FAILED', 'the function threw: odd']);
          expect(Buffer.from(bytes).toString()).toBe(`{"n":${place.ordinal}}`);
        }
        for (const batch of batches) {
          for (const [i, { n }] of batch.documents().entries())
            expect(batch.place(i).ordinal).toBe(n);
        }
      }
      const stopped = applyTo(mapTransform(run, { onThrow }), batchesOf(texts, 4), false);
      await expect(stopped).rejects.toMatchObject({
        code: 'FUNCTION_FAILED',
        place: { ordinal: 1 },
      });
    },
  );

  it('incremental: a value of another type than those before is set aside', async () => {
    const batches = batchesOf(['{"n":1}', '{"n":"x"}', '{"n":3}'], 2);
    for (const sorted of [false, true]) {
      const { texts, rejects } = await applyTo(
        incrementalTransform({ field: 'n', sorted }),
        batches,
      );
      expect(texts).toEqual(['{"n":1}', '{"n":3}']);
      expect(rejects).toMatchObject([{ code: 'INVALID_DOCUMENT', place: { line: 2 } }]);
    }
  });

  it('kernels: a document too deep to look into is set aside', async () => {
    const deep = `{"n":${'['.repeat(600)}${']'.repeat(600)}}`;
    const read = batchOf(['{"n":1}']);
    const { codec } = read;
    const bytes = new TextEncoder().encode(`${deep}\n{"n":1}\n`);
    const records = new Uint32Array(16);
    records.set([0, deep.length], 0);
    records.set([deep.length + 1, deep.length + 8, 1], 8);
    const batch = (): Batch =>
      Batch.fromLines({ bytes, records, count: 2, dense: true }, codec, {
        line: 0,
      });
    const transforms = [
      filterTransform(eq('n', 1)),
      projectTransform(['n']),
      incrementalTransform({ field: 'n', initial: 1 }),
      contractTransform({ columns: 'freeze', schema: { n: 'integer' } }),
    ];
    for (const transform of transforms) {
      const { texts, rejects } = await applyTo(transform, [batch()]);
      expect(texts).toEqual(['{"n":1}']);
      expect(rejects).toMatchObject([{ code: 'NESTING_TOO_DEEP', place: { line: 1 } }]);
      expect(rejects[0]!.bytes).toHaveLength(deep.length);
    }
  });

  it('unordered: documents go on as they are done, and the cursor with the last', async () => {
    const waits = [60, 1, 30, 1];
    const transform = mapTransform(
      async ({ n }: { n: number }) => {
        await sleep(waits[n]!);
        return { n };
      },
      { concurrency: 4, ordered: false },
    );
    const texts = waits.map((_, n) => `{"n":${n}}`);
    const { texts: made, batches } = await applyTo(transform, [batchOf(texts)]);
    expect(made.slice(2)).toEqual(['{"n":2}', '{"n":0}']);
    expect([...made].sort()).toEqual(texts);
    const cursors = batches.map(({ cursor }) => cursor);
    expect(cursors.filter((cursor) => cursor !== undefined)).toEqual([{ behind: 4 }]);
    expect(cursors.at(-1)).toEqual({ behind: 4 });
  });

  it('unordered: errors come out, also where nothing else does', async () => {
    const stage = map(
      async () => {
        throw new Error('mine');
      },
      { ordered: false, concurrency: 2 },
    );
    const running = runStages([fromIterable(numbers(5)), stage, sinkStream(probeSink())]);
    await expect(running).rejects.toThrow('mine');
  });

  // An unhandled rejection would fail the tests.
  it('unordered: a failure waits until what was done before has been worked on', async () => {
    const run = (document: { n: number }) =>
      document.n < 2 ? document : Promise.reject(new Error('mine'));
    const stage = map(run, { ordered: false, concurrency: 2 });
    const seen: unknown[] = [];
    const reading = async () => {
      for await (const document of fromIterable(numbers(5) as { n: number }[]).pipe(stage)) {
        seen.push(document);
        await sleep(10);
      }
    };
    await expect(reading()).rejects.toThrow('mine');
    expect(seen.length).toBeGreaterThan(0);
  });
});
