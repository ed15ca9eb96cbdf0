/** Transforms that choose, group and pace documents. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import {
  batchTransform,
  dedupeTransform,
  sampleTransform,
  throttleTransform,
} from '../../../src/transforms/index.ts';
import { documentLines } from '../../support/random-documents.ts';
import { applyTo, batchesOf, batchOf, textsOf } from '../../support/transforms.ts';

const lines = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}`);

describe('dedupe', () => {
  it('lets the first of each key through, and documents without one', async () => {
    const texts = [
      '{"k":1}',
      '{"k":1.0}',
      '{"k":"1"}',
      '{"k":"\\u0031"}',
      '{}',
      '{}',
      '{"k":null}',
    ];
    const { texts: made } = await applyTo(dedupeTransform({ by: 'k' }), batchesOf(texts, 2));
    expect(made).toEqual(['{"k":1}', '{"k":"1"}', '{}', '{}', '{"k":null}']);
  });

  it.each([
    ['9007199254740992', '9007199254740993', 2],
    ['1e2', '100', 1],
    ['-0', '0.0', 1],
    ['true', '"true"', 2],
    ['0.12345678901234567', '0.12345678901234568', 2],
    ['"a\\n"', '"a\\u000a"', 1],
    ['"\\ud800"', '"\\uD800"', 1],
    ['"\\ud800"', '"\\ud801"', 2],
    ['"\\ud800"', '"\ufffd"', 2],
  ])('%s and %s are %i keys', async (a, b, count) => {
    const texts = [`{"k":{"v":${a}}}`, `{"k":{"v":${b}}}`];
    expect((await applyTo(dedupeTransform({ by: 'k.v' }), [batchOf(texts)])).texts).toHaveLength(
      count,
    );
  });

  it('takes several fields together', async () => {
    const texts = ['{"a":"x","b":"y"}', '{"b":"y","a":"x"}', '{"a":"x"}', '{"a":"x\\",\\"y"}'];
    const { texts: made } = await applyTo(dedupeTransform({ by: ['a', 'b'] }), [batchOf(texts)]);
    expect(made).toEqual([texts[0], texts[2], texts[3]]);
  });

  it('agrees with a Set, growing on the way', async () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 6007);
    const texts = keys.map((key) => `{"_id":"${key}"}`);
    const { texts: made } = await applyTo(dedupeTransform(), batchesOf(texts, 700));
    expect(made).toEqual([...new Set(texts)]);
  });

  it('ends at its limit, or forgets what lies outside its window', async () => {
    const texts = lines(30);
    const limited = applyTo(dedupeTransform({ by: 'n', maxKeys: 29 }), batchesOf(texts, 7));
    await expect(limited).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(
      (await applyTo(dedupeTransform({ by: 'n', maxKeys: 30 }), batchesOf(texts, 7))).texts,
    ).toEqual(texts);
    const again = [...texts, ...texts.slice(20), ...texts.slice(0, 5)];
    const windowed = await applyTo(dedupeTransform({ by: 'n', window: 10 }), batchesOf(again, 7));
    expect(windowed.texts).toEqual([...texts, ...texts.slice(0, 5)]);
  });
});

describe('batch', () => {
  it('cuts, joins, keeps all in order, and gives cursors only where they are true', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(documentLines, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 400 }),
        async (groups, count, bytes) => {
          let line = 0;
          const input: Batch[] = [];
          for (const group of groups) {
            input.push(batchOf(group, line));
            line += group.length;
          }
          const { batches } = await applyTo(batchTransform({ count, bytes }), input);
          expect(batches.flatMap(textsOf)).toEqual(input.flatMap(textsOf));
          let ordinal = 0;
          for (const batch of batches) {
            expect(batch.length).toBeLessThanOrEqual(count);
            if (batch.length > 1) expect(batch.bytes().byteLength).toBeLessThanOrEqual(bytes);
            for (let i = 0; i < batch.length; i++) {
              expect(batch.place(i)).toMatchObject({ ordinal, line: ordinal + 1 });
              ordinal++;
            }
            if (batch.cursor !== undefined) expect(batch.cursor).toEqual({ behind: ordinal });
          }
          expect(batches.at(-1)?.cursor).toEqual({ behind: line });
        },
      ),
    );
  });

  it('joins small batches, of several sources without their places', async () => {
    const input = [batchOf(['{"a":1}'], 0, 'x'), batchOf(['{"a":2}'], 0, 'y')];
    const { batches } = await applyTo(batchTransform({ count: 5 }), input);
    expect(batches).toHaveLength(1);
    expect(batches[0]!.place(1)).toEqual({});
  });
});

describe('sample', () => {
  it('takes every nth', async () => {
    const { texts } = await applyTo(sampleTransform({ every: 4 }), batchesOf(lines(10), 3));
    expect(texts).toEqual(['{"n":0}', '{"n":4}', '{"n":8}']);
  });

  it('takes about the share asked for, the same with the same seed', async () => {
    const take = async (seed: number, size: number) =>
      (await applyTo(sampleTransform({ share: 0.2, seed }), batchesOf(lines(5000), size))).texts;
    const taken = await take(7, 100);
    expect(taken).toEqual(await take(7, 999));
    expect(taken).not.toEqual(await take(8, 100));
    expect(taken.length).toBeGreaterThan(880);
    expect(taken.length).toBeLessThan(1120);
  });

  it.each([{ every: 3 }, { share: 0.5, seed: 3 }])('goes on where it was: %j', async (options) => {
    const whole = (await applyTo(sampleTransform(options), batchesOf(lines(40), 7))).texts;
    const first = sampleTransform(options);
    const begun = (await applyTo(first, [batchOf(lines(17))])).texts;
    const second = sampleTransform(options);
    second.restore!(JSON.parse(JSON.stringify(first.save!())));
    const ended = (await applyTo(second, [batchOf(lines(40).slice(17))])).texts;
    expect([...begun, ...ended]).toEqual(whole);
  });

  it('takes so many of all, each as likely, in their order', async () => {
    const hits = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 600; seed++) {
      const { texts } = await applyTo(sampleTransform({ count: 5, seed }), batchesOf(lines(20), 3));
      const taken = texts.map((text) => (JSON.parse(text) as { n: number }).n);
      expect(taken).toEqual([...new Set(taken)].sort((a, b) => a - b));
      expect(taken).toHaveLength(5);
      for (const n of taken) hits[n]!++;
    }
    // 150 expected; five standard deviations are 53.
    for (const count of hits) expect(Math.abs(count - 150)).toBeLessThan(53);
    const few = await applyTo(sampleTransform({ count: 50 }), batchesOf(lines(7), 3));
    expect(few.texts).toEqual(lines(7));
    expect(() => sampleTransform({})).toThrow(/one of/);
    expect(() => sampleTransform({ share: 0.1, every: 2 })).toThrow(/one of/);
  });
});

describe('throttle', () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }),
  );
  afterEach(() => void vi.useRealTimers());

  it('keeps to its rate and cuts batches so that documents flow', async () => {
    const transform = throttleTransform({ documentsPerSecond: 50 });
    const start = performance.now();
    const at: number[] = [];
    const running = (async () => {
      for await (const batch of transform.apply(
        batchOf(lines(100)),
        new AbortController().signal,
      ) as AsyncIterable<Batch>) {
        at.push(performance.now() - start);
        expect(batch.length).toBeLessThanOrEqual(5);
      }
    })();
    await vi.runAllTimersAsync();
    await running;
    expect(at[0]).toBe(0);
    expect(at.at(-1)).toBeGreaterThanOrEqual(1899);
    expect(at.at(-1)).toBeLessThan(2100);
  });

  it('counts bytes, and stops waiting when aborted', async () => {
    const transform = throttleTransform({ bytesPerSecond: 10 });
    const controller = new AbortController();
    const batches = transform.apply(batchOf(lines(3)), controller.signal) as AsyncGenerator<Batch>;
    await batches.next();
    const second = batches.next();
    const checked = expect(second).rejects.toThrow('enough');
    controller.abort(new Error('enough'));
    await checked;
    expect(vi.getTimerCount()).toBe(0);
  });
});
