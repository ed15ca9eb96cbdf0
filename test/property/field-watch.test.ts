/** A field that no column covers is never missed, whatever else the kernel reads in between. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findNewField, inferSchema } from '../../src/arrow/infer.ts';
import { eq } from '../../src/core/predicate.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';
import { documentLines } from '../support/random-documents.ts';

const encode = (lines: readonly string[]): Uint8Array =>
  new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));

describe.each(kernels)('$name kernel', (kernel) => {
  it('says so when documents may have had fields outside the columns', () => {
    let quiet = 0;
    fc.assert(
      fc.property(
        documentLines,
        documentLines,
        fc.boolean(),
        fc.boolean(),
        (first, second, repeats, disturbs) => {
          const sample = kernel.observer();
          sample.observe(encode(first));
          const { columns } = inferSchema(sample.fields());
          if (columns.length === 0) return;
          const builder = kernel.columns(columns);
          for (const lines of repeats ? [first, first] : [first, second]) {
            if (disturbs) kernel.selector({ where: eq('elsewhere', 1) }).filter(encode(second));
            // What comes behind a misfit was not read.
            if (builder.fill(encode(lines)).misfit) return;
            sample.observe(encode(lines));
          }
          if (builder.unlisted) return;
          quiet++;
          expect(findNewField(sample.fields(), columns)).toBeUndefined();
        },
      ),
      { numRuns: runs(500) },
    );
    // The twin never looks; the other has nothing to say about documents that it knows, a fifth of these.
    expect(quiet > runs(500) / 20).toBe(kernel.name === 'wasm');
  });

  it('leaves fields alone that were not selected', () => {
    const fill = (select?: string[][]): boolean => {
      const columns = [{ name: 'a', type: { kind: 'float64' } as const }];
      const builder = kernel.columns(columns, select ? { select } : {});
      builder.fill(encode(['{"a":1}', '{"a":2,"b":{"c":1}}']));
      return builder.unlisted;
    };
    expect(fill()).toBe(true);
    expect(fill([['a']])).toBe(kernel.name !== 'wasm');
    expect(fill([['a'], ['b']])).toBe(true);
  });
});
