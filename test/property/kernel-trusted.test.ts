/** Lines known to be good: passing over them unread, and cutting them at their ends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTwinKernel } from '../../src/kernels/twin/index.ts';
import { kernels } from '../support/kernels.ts';
import { LONG } from '../support/long.ts';

const names = ['a', 'ab', 'é', '', 'a"', 'score'];
const scalar = fc.oneof(
  fc.constantFrom<unknown>(0, 5, -5, 5.5, 1e21, 123456789.25, 0.1, true, false, null),
  fc.constantFrom('', 'a', 'ab', '"a":5', '{', '[', 'x\ny', 'é', '\\', 'a":'),
);
const value = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('node'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom(...names), tie('node'), { maxKeys: 2 }),
  ),
})).node;
const fields = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 5 });
const gap = fc.constantFrom('', '', '', ' ', '\t');

/** A document as text, with repeated keys and odd spacing. */
const line = fc.tuple(fields, gap, gap, gap).map(([entries, before, after, around]) => {
  const members = entries.map(
    ([key, inner]) => `${JSON.stringify(key)}${before}:${after}${JSON.stringify(inner)}`,
  );
  return `${around}{${members.join(`${around},`)}}${around}`;
});
const chunk = fc
  .tuple(
    fc.array(
      fc.oneof({ weight: 8, arbitrary: line }, { weight: 1, arbitrary: fc.constantFrom('', ' ') }),
    ),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  .map(([lines, end, last]) => new TextEncoder().encode(lines.join(end) + (last ? end : '')));

const constant = fc.constantFrom<string | number>(
  0,
  5,
  -5,
  5.5,
  1e21,
  123456789.25,
  'a',
  'ab',
  '',
  'x\ny',
  'é',
);
const path = fc.constantFrom(...names.map((name) => [name]), ['a', 'ab']);
const leaf = fc.oneof(
  fc.record({ op: fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte'), path, value: constant }),
  fc.record({ op: fc.constant('startsWith'), path, value: fc.constantFrom('', 'a', 'x\n') }),
  fc.record({ op: fc.constantFrom('exists', 'isNull'), path }),
  fc.record({ op: fc.constant('contains'), path, value: constant }),
  fc.record({ op: fc.constant('eq'), path, value: fc.constantFrom(true, false, null) }),
);
const where = fc.oneof(
  leaf,
  fc.record({ op: fc.constant('and'), terms: fc.array(leaf, { maxLength: 2 }) }),
  fc.record({ op: fc.constant('or'), terms: fc.array(leaf, { minLength: 1, maxLength: 2 }) }),
  fc.record({ op: fc.constant('not'), term: leaf }),
);

const twin = createTwinKernel();

describe.each(kernels)('trusted lines of the $name kernel', (kernel) => {
  it('are kept as if they had all been read', () => {
    fc.assert(
      fc.property(chunk, where, (bytes, predicate) => {
        const query = { where: predicate as never };
        const expected = twin.selector(query).filter(bytes);
        const trusting = kernel.selector({ ...query, trusted: true });
        const found = trusting.filter(bytes);
        expect(Array.from(found.records)).toEqual(Array.from(expected.records));
        expect(found.lineCount).toBe(expected.lineCount);
        expect(found.dense).toBe(expected.dense);
        expect(trusting.documents(bytes).documents).toEqual(
          twin.selector(query).documents(bytes).documents,
        );
        expect(trusting.project(bytes).bytes).toEqual(twin.selector(query).project(bytes).bytes);
      }),
      { numRuns: LONG ? 5000 : 300 },
    );
  });

  it('are kept by what a number is, however it is written and near whatever bound', () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,17})$/);
    const written = fc
      .tuple(
        fc.constantFrom('', '', '-'),
        digits,
        fc.option(fc.stringMatching(/^(\d{1,4}|9{1,18}|0{1,12}1)$/)),
        fc.constantFrom('', '', '', 'e0', 'E1', 'e-2', 'e+3'),
      )
      .map(([sign, whole, part, power]) => `${sign}${whole}${part ? `.${part}` : ''}${power}`);
    const near = fc.constantFrom<(n: number) => number>(
      (n) => n,
      Math.floor,
      Math.ceil,
      (n) => Math.floor(n) - 1,
      (n) => Math.ceil(n) + 1,
      (n) => n + 0.5,
      (n) => n * (1 + Number.EPSILON),
      () => 42,
    );
    const tests = {
      eq: (a: number, b: number) => a === b,
      lt: (a: number, b: number) => a < b,
      lte: (a: number, b: number) => a <= b,
      gt: (a: number, b: number) => a > b,
      gte: (a: number, b: number) => a >= b,
    };
    fc.assert(
      fc.property(written, near, fc.constantFrom(' ', ''), (text, move, space) => {
        const bytes = new TextEncoder().encode(`{"score":${space}${text}${space}}\n`);
        const number = JSON.parse(text) as number;
        const bound = move(number);
        for (const [op, holds] of Object.entries(tests)) {
          const where = { op, path: ['score'], value: bound } as never;
          const { count } = kernel.selector({ where, trusted: true }).filter(bytes);
          expect([text, op, bound, count]).toEqual([text, op, bound, Number(holds(number, bound))]);
        }
      }),
      { numRuns: LONG ? 20_000 : 500 },
    );
  });

  it('are cut where reading them cuts them', () => {
    fc.assert(
      fc.property(chunk, (bytes) => {
        const read = twin.lines(bytes);
        const cut = kernel.split(bytes);
        const places = (records: Uint32Array) => Array.from(records).filter((_, i) => i % 8 < 3);
        expect(places(cut.records)).toEqual(places(read.records));
        expect([cut.count, cut.lineCount, cut.dense]).toEqual([
          read.count,
          read.lineCount,
          read.dense,
        ]);
      }),
      { numRuns: LONG ? 2000 : 150 },
    );
  });
});
