import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../../src/core/path.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';
import { chunk } from '../support/random-documents.ts';
import { path } from '../support/random-queries.ts';
import { exactText } from '../support/reference-lines.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What `JSON.parse` finds at a path that leads through objects only. */
function valueAt(document: unknown, steps: Path): unknown {
  return steps.reduce<unknown>((value, step) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Object.hasOwn(value, step) ? (value as never)[step] : undefined;
  }, document);
}

describe.each(kernels)('the locator of the $name kernel', (kernel) => {
  it('says where the values lie that JSON.parse finds', () => {
    const anyPaths = fc.array(path, { maxLength: 5 });
    fc.assert(
      fc.property(chunk, anyPaths, (bytes, paths) => {
        const whole = kernel.lines(bytes);
        const documents = kernel.codec.decode(bytes, whole.records, whole.count);
        const { places, count, bad } = kernel.locator(paths).locate(bytes);
        expect(bad).toEqual(whole.bad);
        expect(count).toBe(documents.length);
        expect(places.length).toBe(count * paths.length * 2);
        const found = Array.from({ length: count * paths.length }, (_, i) => {
          const [start, end] = [places[2 * i]!, places[2 * i + 1]!];
          return end === 0 ? undefined : JSON.parse(decoder.decode(bytes.subarray(start, end)));
        });
        const expected = documents.flatMap((each) => paths.map((steps) => valueAt(each, steps)));
        const text = (values: readonly unknown[]) => exactText(values.map((each) => [each]));
        expect(text(found)).toBe(text(expected));
      }),
      { numRuns: runs(1000) },
    );
  });

  it('needs several pieces where the documents are many, and counts bad lines in between', () => {
    const lines = Array.from({ length: 70_000 }, (_, i) => `{"a":${i},"b":{"c":"x"}}`);
    lines[40_000] = '{"a":';
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const paths = [['a'], ['b', 'c'], ['b'], ['none']];
    const { places, count, bad } = kernel.locator(paths).locate(bytes);
    expect([count, bad.length, bad[0]!.line]).toEqual([69_999, 1, 40_000]);
    for (const [row, line] of [
      [0, 0],
      [39_999, 39_999],
      [40_000, 40_001],
      [69_998, 69_999],
    ]) {
      const texts = paths.map((_, i) => {
        const at = (row! * paths.length + i) * 2;
        return decoder.decode(bytes.subarray(places[at], places[at + 1]));
      });
      expect(texts).toEqual([String(line), '"x"', '{"c":"x"}', '']);
    }
  });
});
