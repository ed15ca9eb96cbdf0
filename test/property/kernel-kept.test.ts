/**
 * Documents made to be kept share strings that come again: which they share must never show. Of lengths
 * around those that are compared (1 to 16), from few to many values, in fields and in arrays.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';
import { LONG, runs } from '../support/long.ts';

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 18 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\0', '"', 'é'), maxLength: 3 }),
  fc.string({ maxLength: 2 }),
);
const document = fc.record({
  a: text,
  b: fc.array(text, { maxLength: 5 }),
  c: fc.record({ a: text }),
});

describe.each(kernels)('documents that are kept, of the $name kernel', (kernel) => {
  it('are what JSON.parse says', () => {
    const chunks = fc.array(fc.array(document, { maxLength: 40 }), { maxLength: 4 });
    fc.assert(
      fc.property(chunks, (chunks) => {
        for (const documents of chunks) check(kernel, documents);
      }),
      { numRuns: runs(300) },
    );
  });

  it('are so after thousands of strings, each twice', () => {
    for (let chunk = 0; chunk < 20; chunk++) {
      const texts = Array.from({ length: 400 }, (_, i) => ((chunk * 400 + i) * 7919).toString(36));
      check(kernel, [{ b: [...texts, ...texts] }, { a: texts[7] }]);
    }
  });

  it('are so where their strings fill more than one text, or one is longer than that', () => {
    const of = (length: number, n: number) => `${n}`.padEnd(length, 'text ');
    const documents = [4000, 90, 0, 5000, 4096, 4097, 20, 20, 9000, 1, 30].map((length, n) =>
      length === 0 ? { n } : { a: of(length, n), b: [of(40, n), n], c: 'again' },
    );
    check(kernel, documents);
    check(kernel, [...documents, ...documents.slice().reverse()]);
    check(kernel, [{ n: 1 }, {}]);
  });

  it.runIf(LONG)('are so after more strings than there are stamps', () => {
    for (let next = 0; next < 1_400_000; ) {
      const texts = Array.from({ length: 20_000 }, () => (next++).toString(36));
      check(kernel, [{ b: [...texts, 'again', ...texts] }]);
    }
  });
});

function check(kernel: Kernel, documents: readonly object[]): void {
  const lines = documents.map((each) => `${JSON.stringify(each)}\n`).join('');
  const found = kernel.selector({ keeps: true }).documents(Buffer.from(lines)).documents;
  expect(found.map((each) => `${JSON.stringify(each)}\n`).join('') === lines).toBe(true);
}
