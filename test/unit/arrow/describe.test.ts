/** Columns described: what is exact, what is estimated, and how numbers are spread. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DistinctCounter } from '../../../src/arrow/distinct.ts';
import { Histogram } from '../../../src/arrow/histogram.ts';
import { describeColumns, recordBatches } from '../../../src/arrow/index.ts';
import { decodeJsonl } from '../../../src/formats/index.ts';

const summaries = (documents: readonly object[]) => {
  const text = documents.map((document) => `${JSON.stringify(document)}\n`).join('');
  return describeColumns(recordBatches(decodeJsonl([Buffer.from(text)]), { batchRows: 3 }));
};

describe('describeColumns', () => {
  it('counts, bounds and averages every type', async () => {
    const columns = await summaries([
      { n: 3, f: 1.5, t: 'b', b: true, l: [1] },
      { n: -1, f: null, t: 'é', b: false, l: [] },
      { n: 3, f: -2.5, t: 'a', b: true, l: null },
      { n: 4, f: 0, t: 'b', b: true, l: [2] },
    ]);
    const four = { count: 4, nulls: 0 };
    expect(columns.map(({ histogram, ...rest }) => rest)).toEqual([
      { name: 'n', type: 'Int64', ...four, min: -1n, max: 4n, mean: 2.25, distinct: 3 },
      {
        name: 'f',
        type: 'Float64',
        count: 3,
        nulls: 1,
        min: -2.5,
        max: 1.5,
        mean: -1 / 3,
        distinct: 3,
      },
      { name: 't', type: 'Utf8', ...four, min: 'a', max: 'é', distinct: 3 },
      { name: 'b', type: 'Bool', ...four, min: false, max: true, mean: 0.75, distinct: 2 },
      { name: 'l', type: 'List<Int64>', count: 3, nulls: 1 },
    ]);
    expect(await describeColumns([])).toEqual([]);
  });

  it('averages numbers whose sum is too large for one', async () => {
    const [column] = await summaries([{ n: 1e308 }, { n: 1.5e308 }]);
    expect(column!.mean).toBeCloseTo(1.25e308, -300);
    const [both] = await summaries([{ n: 1.5e308 }, { n: 1.5e308 }, { n: -1.5e308 }]);
    expect(both!.mean! / 0.5e308).toBeCloseTo(1, 12);
  });

  it('shows the beginning of long text', async () => {
    const [column] = await summaries([{ t: 'x'.repeat(100) }, { t: '\ufeffy' }]);
    expect(column).toMatchObject({ min: `${'x'.repeat(63)}…`, max: '\ufeffy' });
  });
});

it.each([0, 1, 100, 5_000, 200_000])('estimates %i different values', (count) => {
  const [numbers, integers, texts] = [1, 2, 3].map(() => new DistinctCounter());
  for (let i = 0; i < 2 * count; i++) {
    numbers!.addNumber((i % count) / 8);
    integers!.addInteger(2n ** 60n + BigInt(i % count));
    texts!.addBytes(Buffer.from(`key-${i % count}`));
  }
  for (const counter of [numbers!, integers!, texts!]) {
    expect(Math.abs(counter.estimate() - count)).toBeLessThanOrEqual(count * 0.06);
  }
});

it('counts every number in the range that holds it', () => {
  const number = fc
    .oneof(fc.double({ noNaN: true, min: -1e100, max: 1e100 }), fc.integer())
    .filter((value) => value === 0 || Math.abs(value) > 1e-100);
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 50 }), (numbers) => {
      const histogram = new Histogram();
      for (const value of numbers) histogram.add(value);
      const { from, width, counts } = histogram.bars();
      expect(counts.length).toBeLessThanOrEqual(16);
      for (const [i, count] of counts.entries()) {
        const low = from + i * width;
        const inside = numbers.filter((value) => value >= low && value < low + width);
        expect(inside.length).toBe(count);
      }
    }),
  );
  expect(new Histogram().bars()).toEqual({ from: 0, width: 0, counts: [] });
});
