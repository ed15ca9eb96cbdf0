/** Statistics rule out only what is not there, whatever the values and the predicate. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferSchema } from '../../src/arrow/infer.ts';
import type { Predicate } from '../../src/core/predicate.ts';
import { compareText, sharedKernel } from '../../src/kernels/index.ts';
import { measure } from '../../src/store/columns/measure.ts';
import { mayMatch } from '../../src/store/columns/statistics.ts';
import { runs } from '../support/long.ts';
import { predicate } from '../support/random-queries.ts';

const kernel = sharedKernel();

const text = fc.oneof(
  fc.constantFrom('""', '"a"', '"b"', '"é"', '"€"', '"😀"', '"\\ud800"', '"\\udc00"', '"\\uffff"'),
  fc.constantFrom('"_id"', '"ab"', '"a\\n"', '"\\ufffd"', '"2024-02-29"'),
  fc.nat(40).map((n) => `"${'a'.repeat(n)}${n % 2 ? 'é' : '😀'}b"`),
);
const integer = fc.constantFrom('0', '1', '-1', '2147483648', '9007199254740993', '-0', '7');
const number = fc.oneof(
  integer,
  fc.constantFrom('0.1', '1.0', '1e23', '9007199254740993.0', '1e400', '-1.5', '5e-324', '1e29'),
  fc.constantFrom('9223372036854775808', '100000000000000000000000000000'),
);
const anything = fc.oneof(text, number, fc.constantFrom('true', '[1,"a"]', '{"a":1}', '[]', '{}'));
/** All values of a column of one kind, missing or null now and then. */
const column = (values: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 8, arbitrary: values }, fc.constantFrom('null', ''));

const lines = fc
  .tuple(...[0, 1, 2, 3].map(() => fc.constantFrom(text, integer, number, anything)))
  .chain((kinds) => {
    const rows = fc.tuple(...kinds.map(column));
    return fc.array(rows, { minLength: 1, maxLength: 6 });
  })
  .map((rows) => {
    const names = ['_id', 'a', 'b', 'n'];
    const fields = (row: readonly string[]) =>
      row.flatMap((value, i) => (value === '' ? [] : [`"${names[i]}":${value}`]));
    return rows.map((row) => `{${fields(row).join()}}\n`).join('');
  });

/** Documents whose field is a column of numbers that holds what is nearest to its integers, and a test of it. */
const rounded = fc.constantFrom(2n ** 53n, 2n ** 53n, 2n ** 63n).chain((limit) => {
  const near = fc
    .tuple(fc.bigInt(-8n, 2n), fc.boolean())
    .map(([beside, isNegative]) => (limit + beside) * (isNegative ? -1n : 1n));
  const rows = fc.array(near, { minLength: 1, maxLength: 3 });
  const where = fc
    .tuple(fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte', 'in'), near)
    .map(([op, value]) => ({ op, path: ['n'], value, values: [value] }) as Predicate);
  const documents = rows.map((values) =>
    ['0.5', ...values].map((value) => `{"n":${value}}\n`).join(''),
  );
  return fc.tuple(documents, where);
});

/** Whether statistics rule out all of the documents, which then hold none that matches. */
function ruleOut(documents: string, where: Predicate): boolean {
  const bytes = Buffer.from(documents);
  const observer = kernel.observer();
  observer.observe(bytes);
  const { columns } = inferSchema(observer.fields());
  const builder = kernel.columns(columns);
  expect(builder.fill(bytes).misfit).toBeUndefined();
  const data = builder.take();
  const stats = columns.map((each, i) => measure(each, data[i]!));
  if (mayMatch(where, columns, JSON.parse(JSON.stringify(stats)))) return false;
  expect(kernel.selector({ where }).filter(bytes).count).toBe(0);
  return true;
}

describe('statistics of columns', () => {
  it.each([
    ['are of all kinds', fc.tuple(lines, predicate), 6000],
    ['were rounded', rounded, 2000],
  ])('never rule out a document that matches, where values %s', (_, cases, stated) => {
    let ruledOut = 0;
    fc.assert(
      fc.property(cases, ([documents, where]) => {
        if (ruleOut(documents, where)) ruledOut++;
      }),
      { numRuns: runs(stated) },
    );
    expect(ruledOut).toBeGreaterThan(runs(stated) / 20);
  });

  it('hold text in the order of its characters, cut or not', () => {
    const words = fc.array(fc.string({ unit: 'binary', maxLength: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(words, (values) => {
        const builder = kernel.columns([{ name: 'a', type: { kind: 'utf8' } }]);
        builder.fill(Buffer.from(values.map((a) => `${JSON.stringify({ a })}\n`).join('')));
        const { min, max, maxCut } = measure(
          { name: 'a', type: { kind: 'utf8' } },
          builder.take()[0]!,
        );
        if (min === undefined) return expect(values.join('')).toContain('\ufffd');
        for (const value of values) {
          expect(compareText(min as string, value)).toBeLessThanOrEqual(0);
          const isUnder = compareText(value, max as string) <= 0;
          expect(isUnder || (maxCut && value.startsWith(max as string))).toBe(true);
        }
        return undefined;
      }),
      { numRuns: runs(200) },
    );
  });
});
