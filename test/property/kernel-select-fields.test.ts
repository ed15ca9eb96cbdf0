/** Observing with `select` says what observing the projected documents would say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldStats } from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';

const leaf = fc.constantFrom(1, 2.5, 'x', null, true);
const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node'), { maxKeys: 3 }),
  ),
})).node;
const document = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { maxKeys: 3 });
const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });

describe.each(kernels)('observing a projection with the $name kernel', (kernel) => {
  it('equals observing the projected documents', () => {
    fc.assert(
      fc.property(
        fc.array(document, { minLength: 1, maxLength: 8 }),
        fc.array(path, { minLength: 1, maxLength: 3 }),
        (documents, select) => {
          const { bytes } = kernel.codec.encode(documents as never);
          const observer = kernel.observer({ select });
          observer.observe(bytes);
          const projected = kernel.observer();
          projected.observe(kernel.selector({ select }).project(bytes).bytes);
          expect(sorted(observer.fields())).toEqual(sorted(projected.fields()));
        },
      ),
    );
  });

  it('keeps the order of the selection', () => {
    const { bytes } = kernel.codec.encode([{ a: 1, b: { c: 1, a: 2 } }]);
    const observer = kernel.observer({ select: [['b', 'a'], ['a'], ['b', 'c']] });
    observer.observe(bytes);
    const fields = observer.fields();
    expect(fields.map(({ path }) => path.join('.'))).toEqual(['b', 'a']);
    expect(fields[0]!.children.map(({ path }) => path.join('.'))).toEqual(['b.a', 'b.c']);
  });
});

/** First-seen order differs where the first documents lack a field; everything else must not. */
function sorted(fields: readonly FieldStats[]): unknown[] {
  return fields
    .map(({ children, ...stats }) => ({ ...stats, children: sorted(children) }))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function key({ element, path }: Pick<FieldStats, 'element' | 'path'>): string {
  return `${element ? 'e' : 'f'}${path.join('.')}`;
}
