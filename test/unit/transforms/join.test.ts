/** lookup and aggregate. */

import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FastStore } from '../../../src/store/index.ts';
import { aggregateTransform, lookupTransform } from '../../../src/transforms/index.ts';
import { temporaryFolder } from '../../support/stages.ts';
import { applyTo, batchesOf, batchOf, parsed } from '../../support/transforms.ts';

describe('lookup', () => {
  it.each([
    { getMany: () => new Promise<never>(() => {}) },
    { get: () => new Promise<never>(() => {}) },
  ])('does not wait for what never answers once the work is aborted', async (from) => {
    const stop = new AbortController();
    const transform = lookupTransform({ from, by: 'k', as: 'v' });
    const work = Promise.resolve(transform.apply(batchOf(['{"k":1}']), stop.signal));
    stop.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
  });

  const input = [
    '{"k":"a","n":9007199254740993}',
    '{"k":"b"}',
    '{"k":"a","v":1 }',
    '{}',
    '{"k":7}',
  ];
  const from = new Map<string, unknown>([
    ['a', { x: 1 }],
    ['7', [7]],
  ]);

  it('adds or replaces a field and leaves the rest as it is', async () => {
    const { texts } = await applyTo(
      lookupTransform({ from, by: 'k', as: 'v' }),
      batchesOf(input, 2),
    );
    expect(texts).toEqual([
      '{"k":"a","n":9007199254740993,"v":{"x":1}}',
      '{"k":"b"}',
      '{"k":"a","v":{"x":1} }',
      '{}',
      '{"k":7,"v":[7]}',
    ]);
  });

  it.each([
    ['null', ['{"k":"b","v":null}', '{"v":null}']],
    ['drop', []],
    ['keep', ['{"k":"b"}', '{}']],
  ] as const)('for what is missing: %s', async (missing, expected) => {
    const { texts } = await applyTo(lookupTransform({ from, by: 'k', as: 'v', missing }), [
      batchOf([input[1]!, input[3]!]),
    ]);
    expect(texts).toEqual(expected);
  });

  it('rejects with the key in the reason and the place of the document', async () => {
    const transform = lookupTransform({ from, by: 'k', as: 'v', missing: 'reject' });
    const { texts, rejects } = await applyTo(transform, batchesOf(input, 5));
    expect(texts).toHaveLength(3);
    expect(rejects.map(({ reason, place }) => [reason, place.line])).toEqual([
      ['lookup: there is nothing for "b"', 2],
      ['lookup: there is nothing for a document without key', 4],
    ]);
  });

  it('asks once per key and batch, many at once or so many at a time', async () => {
    const asked: string[][] = [];
    const many = {
      async getMany(keys: readonly string[]) {
        asked.push([...keys]);
        return keys.map((key) => from.get(key));
      },
    };
    await applyTo(lookupTransform({ from: many, by: 'k', as: 'v' }), batchesOf(input, 3));
    expect(asked).toEqual([['a', 'b'], ['7']]);
    let under = 0;
    let most = 0;
    const slow = {
      async get(key: string) {
        most = Math.max(most, ++under);
        await new Promise((resolve) => setTimeout(resolve, 1));
        under--;
        return Number(key);
      },
    };
    const texts = Array.from({ length: 20 }, (_, n) => `{"k":${n}}`);
    const transform = lookupTransform({ from: slow, by: 'k', as: 'v', concurrency: 3 });
    expect(parsed((await applyTo(transform, [batchOf(texts)])).texts)).toEqual(
      texts.map((_, n) => ({ k: n, v: n })),
    );
    expect(most).toBe(3);
  });

  it('listens to the signal once, however much is under way, and lets go of it', async () => {
    const { signal } = new AbortController();
    const listening = () => getEventListeners(signal, 'abort').length;
    const seen = new Set<number>();
    const slow = {
      async get(key: string) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.add(listening());
        return key;
      },
    };
    const texts = Array.from({ length: 20 }, (_, n) => `{"k":${n}}`);
    await lookupTransform({ from: slow, by: 'k', as: 'v' }).apply(batchOf(texts), signal);
    expect([...seen, listening()]).toEqual([1, 0]);
  });

  it('takes what a store has, byte for byte', async () => {
    const store = await FastStore.open(temporaryFolder(), 'people', { mode: 'write' });
    await store.putRaw('a', new TextEncoder().encode('{"big":12345678901234567890, "x":1.0}'));
    await store.flush();
    const { texts } = await applyTo(lookupTransform({ from: store, by: 'k', as: 'who' }), [
      batchOf(['{"k":"a"}', '{"k":"b"}']),
    ]);
    await store.close();
    expect(texts[0]).toContain('"big":12345678901234567890');
    expect(texts[0]).toContain('"x":1.0');
    expect(texts[1]).toBe('{"k":"b"}');
  });

  it('passes on the errors of the source', async () => {
    const failing = { get: () => Promise.reject(new Error('down')) };
    const running = applyTo(lookupTransform({ from: failing, by: 'k', as: 'v' }), [batchOf(input)]);
    await expect(running).rejects.toThrow('down');
  });
});

describe('aggregate', () => {
  it('agrees with plain loops', async () => {
    const documents = fc.array(
      fc.record(
        {
          g: fc.constantFrom('a', 'b', 1, null),
          n: fc.option(fc.integer(), { nil: null }),
          s: fc.constantFrom('x', 'y', 'é', '😀'),
        },
        { requiredKeys: ['s'] },
      ),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(documents, fc.integer({ min: 1, max: 9 }), async (all, size) => {
        const transform = aggregateTransform({
          by: 'g',
          measures: {
            all: { count: true },
            n: { count: 'n' },
            sum: { sum: 'n' },
            mean: { mean: 'n' },
            min: { min: 'n' },
            max: { max: 's' },
            kinds: { distinct: 's' },
          },
        });
        const { texts } = await applyTo(
          transform,
          batchesOf(
            all.map((d) => JSON.stringify(d)),
            size,
          ),
        );
        const groups = new Map<unknown, typeof all>();
        for (const document of all) {
          const key = 'g' in document ? document.g : 'missing';
          groups.set(key, [...(groups.get(key) ?? []), document]);
        }
        const expected = [...groups.values()].map((group) => {
          const numbers = group.map(({ n }) => n ?? null).filter((n) => n !== null);
          const sum = numbers.reduce((a, b) => a + b, 0);
          const strings = group.map(({ s }) => s);
          const order = (a: string, b: string) => a.codePointAt(0)! - b.codePointAt(0)!;
          return {
            g: group[0]!.g ?? null,
            all: group.length,
            n: numbers.length,
            sum: numbers.length > 0 ? sum : null,
            mean: numbers.length > 0 ? sum / numbers.length : null,
            min: numbers.length > 0 ? Math.min(...numbers) : null,
            max: [...strings].sort(order).at(-1),
            kinds: new Set(strings).size,
          };
        });
        expect(parsed(texts)).toEqual(expected);
      }),
    );
  });

  it('loses no digit of large integers, and little of many fractions', async () => {
    const texts = ['9223372036854775807', '9223372036854775807', '-1'].map((n) => `{"n":${n}}`);
    const measures = { sum: { sum: 'n' }, max: { max: 'n' }, min: { min: 'n' } } as const;
    const { texts: made } = await applyTo(aggregateTransform({ measures }), [batchOf(texts)]);
    expect(made).toEqual(['{"sum":18446744073709551613,"max":9223372036854775807,"min":-1}']);
    const tenths = [
      ...Array.from({ length: 1000 }, () => '{"n":0.1}'),
      '{"n":1e100}',
      '{"n":-1e100}',
    ];
    const summed = await applyTo(aggregateTransform({ measures: { sum: { sum: 'n' } } }), [
      batchOf(tenths),
    ]);
    expect(parsed(summed.texts)[0]!.sum).toBeCloseTo(100, 10);
    const close = ['{"n":9007199254740993}', '{"n":9007199254740992}'];
    const most = await applyTo(aggregateTransform({ measures }), [batchOf(close)]);
    expect(most.texts[0]).toContain('"max":9007199254740993');
  });

  it.each([
    [['10000000000000000', '-1e16', '1'], 1],
    [['10000000000000000', '-1e16', '1.0'], 1],
    [['10000000000000001', '-1e16'], 1],
    [['9007199254740993', '-9007199254740992.0'], 1],
    [['10000000000000001', '0.5', '-10000000000000000'], 1.5],
    [['1e16', '1.0', '-10000000000000000'], 1],
    [['75557863725914323419137', '-7.5557863725914323419136e22', '0.25'], 1.25],
  ] as const)('sums %j, integers and fractions, as if written alike', async (values, sum) => {
    const measures = { sum: { sum: 'n' }, mean: { mean: 'n' } } as const;
    const lines = values.map((value) => `{"n":${value}}`);
    const { texts } = await applyTo(aggregateTransform({ measures }), batchesOf(lines, 2));
    expect(parsed(texts)).toEqual([{ sum, mean: sum / values.length }]);
  });

  it.each([
    [['1e308', '1e308', '-1e308'], 1e308, 1e308 / 3],
    [['1e308', '1.5', '-1e308', '1.5'], 3, 0.75],
    [['-1.5e308', '-1.5e308', '1.5e308', '1.5e308', '2.5'], 2.5, 0.5],
    [['1.7976931348623157e308'], Number.MAX_VALUE, Number.MAX_VALUE],
  ] as const)('sums %j, of which sums on the way are no numbers', async (values, sum, mean) => {
    const measures = { sum: { sum: 'n' }, mean: { mean: 'n' } } as const;
    const lines = values.map((value) => `{"n":${value}}`);
    const { texts } = await applyTo(aggregateTransform({ measures }), batchesOf(lines, 2));
    const made = parsed(texts)[0] as { sum: number; mean: number };
    expect(made.sum / sum).toBeCloseTo(1, 14);
    expect(made.mean / mean).toBeCloseTo(1, 14);
  });

  it('ends with the group of a sum that no number can hold, where a mean is one', async () => {
    const lines = ['{"k":"a","n":1}', '{"k":"b","n":1e308}', '{"k":"b","n":1e308}'];
    const means = aggregateTransform({ by: 'k', measures: { m: { mean: 'n' } } });
    expect((await applyTo(means, batchesOf(lines, 2))).texts).toEqual([
      '{"k":"a","m":1}',
      '{"k":"b","m":1e+308}',
    ]);
    const sums = aggregateTransform({ by: 'k', measures: { total: { sum: 'n' } } });
    await expect(applyTo(sums, batchesOf(lines, 2))).rejects.toMatchObject({
      code: 'INVALID_DOCUMENT',
      message: 'aggregate: the sum is too large for a number: total, k "b"',
    });
  });

  it('refuses what cannot be measured, whole', async () => {
    const transform = aggregateTransform({
      by: { who: 'user.name' },
      measures: { n: { count: true }, sum: { sum: 'x' }, max: { max: 'x' } },
    });
    const { texts, rejects } = await applyTo(transform, [
      batchOf([
        '{"user":{"name":"a"},"x":1}',
        '{"user":{"name":"a"},"x":"1"}',
        '{"user":{"name":"b"},"x":[]}',
        '{"user":{"name":"a"},"x":1e999}',
      ]),
    ]);
    expect(texts).toEqual(['{"who":"a","n":1,"sum":1,"max":1}']);
    expect(rejects.map(({ place }) => place.line)).toEqual([2, 3, 4]);
  });

  it('is one group without `by`, also of nothing', async () => {
    const transform = aggregateTransform({ measures: { n: { count: true }, s: { sum: 'x' } } });
    expect((await applyTo(transform, [])).texts).toEqual(['{"n":0,"s":null}']);
  });

  it('ends at its limit', async () => {
    const texts = Array.from({ length: 100 }, (_, n) => `{"n":${n}}`);
    const limit = { maxBytes: 5000, measures: { all: { count: true } } } as const;
    const running = applyTo(aggregateTransform({ by: 'n', ...limit }), [batchOf(texts)]);
    await expect(running).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const distinct = { maxBytes: 5000, measures: { n: { distinct: 'n' } } } as const;
    const counting = applyTo(aggregateTransform(distinct), [batchOf(texts)]);
    await expect(counting).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(() => aggregateTransform({ by: 'n', measures: { n: { count: true } } })).toThrow(/two/);
    expect(() => aggregateTransform({ measures: { n: {} as never } })).toThrow(/must be one of/);
  });
});
