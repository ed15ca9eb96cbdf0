/**
 * Queries and columns that meet arrays: the WebAssembly kernel reads elements with code of their own,
 * which must answer as the twin does. Documents here are all arrays, in and out of each other.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../../src/core/path.ts';
import type { Predicate, Scalar } from '../../src/core/predicate.ts';
import type { Column, ColumnType, Kernel, Query } from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const [twin, ...others] = kernels;
const numRuns = others.length > 0 ? runs(300) : 5;

const numbers = [
  ...['0', '-0', '1', '1.0', '10e-1', '2', '-1', '0.1', '9007199254740993', '9007199254740992.5'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775809', '1e300', '12345678.9'],
  ...[
    '12345678901234567890',
    '36893488147419103232',
    '0.1234567890123456',
    '0.12345678901234567',
    '123456789012345.25',
  ],
];
const texts = ['""', '"x"', '"\\u0078"', '"xy"', '"]"', '"{,"', '"\\"["', '"ünï"', '"1"'];
const space = fc.constantFrom('', '', '', ' ', '\t');
const key = fc.constantFrom(
  'a',
  'a',
  'b',
  'b',
  'c',
  '0',
  '\\u0061',
  '1',
  'a key longer than 16 bytes',
);

const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 5 },
    fc.constantFrom(...numbers, ...texts, 'true', 'false', 'null'),
    { weight: 2, arbitrary: tie('object') },
    { weight: 2, arbitrary: tie('array') },
  ),
  object: fc
    .array(fc.tuple(key, tie('value'), space), { maxLength: 4 })
    .map((members) => `{${members.map(([k, v, s]) => `${s}"${k}"${s}:${s}${v}${s}`).join()}}`),
  array: fc
    .array(fc.tuple(tie('value'), space), { maxLength: 5 })
    .map((elements) => `[${elements.map(([v, s]) => `${s}${v}${s}`).join()}]`),
}));

const document = fc
  .tuple(fc.array(value, { maxLength: 5 }), fc.array(value, { maxLength: 3 }), value)
  .map(([a, b, c]) => `{"a":[${a.join()}],"b":[ ${b.join(' , ')} ],"c":${c}}`);
const chunk = fc
  .array(document, { maxLength: 12 })
  .map((lines) => encoder.encode(lines.map((line) => `${line}\n`).join('')));

const path: fc.Arbitrary<Path> = fc
  .tuple(
    fc.constantFrom('a', 'a', 'b', 'c'),
    fc.array(fc.constantFrom('a', 'b', 'c', '0', '1', '00', '4294967297'), { maxLength: 4 }),
  )
  .map(([first, rest]) => [first, ...rest]);
const constants: readonly Scalar[] = [
  ...[0, 1, 2, -1, 0.1, 9007199254740992, 1e300, 0.1234567890123456, 2 ** 63],
  ...['', 'x', 'xy', ']', '1', 'ünï', true, false, null, 0n, 1n, -1n],
  ...[9007199254740993n, 9223372036854775807n, 9223372036854775808n, -9223372036854775809n],
  ...[9007199254740992n, 12345678901234567890n, 2n ** 65n, -(2n ** 53n)],
];
const scalar: fc.Arbitrary<Scalar> = fc.constantFrom(...constants);
const test = fc.oneof(
  fc.record({ op: fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte'), path, value: scalar }),
  fc.record({ op: fc.constant('in'), path, values: fc.array(scalar, { maxLength: 12 }) }),
  fc.record({ op: fc.constant('contains'), path, value: scalar }),
  fc.record({ op: fc.constantFrom('exists', 'isNull'), path }),
  fc.record({ op: fc.constantFrom('startsWith', 'endsWith'), path, value: fc.constant('x') }),
) as fc.Arbitrary<Predicate>;
const where = fc.oneof(
  test,
  test.map((term): Predicate => ({ op: 'not', term })),
  fc.array(test, { maxLength: 3 }).map((terms): Predicate => ({ op: 'and', terms })),
);

const columnType: fc.Arbitrary<ColumnType> = fc.letrec<{ type: ColumnType }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom('json', 'json', 'utf8', 'float64', 'int32', 'int64', 'bool')
        .map((kind): ColumnType => ({ kind: kind as 'json' })),
    },
    { weight: 3, arbitrary: tie('type').map((element) => ({ kind: 'list', element }) as const) },
    {
      weight: 2,
      arbitrary: fc
        .uniqueArray(fc.constantFrom('a', 'b', 'c', '0', 'a key longer than 16 bytes'), {
          maxLength: 3,
        })
        .chain((names) =>
          fc.tuple(...names.map((name) => tie('type').map((type) => ({ name, type })))),
        )
        .map((fields): ColumnType => ({ kind: 'struct', fields })),
    },
  ),
})).type;

describe.runIf(others.length > 0)('arrays', () => {
  it('are tested and projected as by the twin', () => {
    const query = fc.record(
      { where, select: fc.array(path, { maxLength: 5 }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(chunk, query, (bytes, query) => {
        const expected = project(twin!, query, bytes);
        for (const kernel of others) expect(project(kernel, query, bytes)).toBe(expected);
      }),
      { numRuns: numRuns * 3 },
    );
  });

  it('compare every number with every constant, in a field, an element and an array', () => {
    const bytes = encoder.encode(
      numbers
        .map((each) => `{"a":${each},"b":[{"c":[]},{"c":${each}},{}],"d":[{},${each}]}\n`)
        .join(''),
    );
    const tests = constants.flatMap((value): Predicate[] =>
      [['a'], ['b', 'c'], ['b', '1', 'c'], ['d', '1']].flatMap((path): Predicate[] => [
        ...(['eq', 'lt', 'lte', 'gt', 'gte'] as const).map((op) => ({ op, path, value })),
        { op: 'in', path, values: [value, 'x', 2 ** 53, 2n ** 61n] },
        { op: 'contains', path: ['d'], value },
      ]),
    );
    for (const where of tests) {
      const expected = project(twin!, { where }, bytes);
      for (const kernel of others) expect(project(kernel, { where }, bytes)).toBe(expected);
    }
  });

  it('fill columns as by the twin', () => {
    const columns = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), columnType), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 3 }), columns, (chunks, layout) => {
        const described = layout.map(([name, type]): Column => ({ name, type }));
        const expected = fill(twin!, described, chunks);
        for (const kernel of others) {
          expect(fill(kernel, described, chunks)).toEqual(expected);
        }
      }),
      { numRuns },
    );
  });

  it('fill columns whose types follow the values, so that most rows fit', () => {
    const fitting = columnType.chain((type) =>
      fc.record({
        type: fc.constant(type),
        chunks: fc.array(
          fc
            .array(fitted(type), { maxLength: 10 })
            .map((values) =>
              encoder.encode(values.map((each) => `{"a":${each},"n":1}\n`).join('')),
            ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
    );
    fc.assert(
      fc.property(fitting, ({ type, chunks }) => {
        const columns: Column[] = [
          { name: 'a', type },
          { name: 'n', type: { kind: 'int32' } },
        ];
        const expected = fill(twin!, columns, chunks);
        for (const kernel of others) expect(fill(kernel, columns, chunks)).toEqual(expected);
      }),
      { numRuns: numRuns * 2 },
    );
  });

  it('fill columns where arrays are larger than what the module holds at a time', () => {
    const list = (length: number, from: number) =>
      `[${Array.from({ length }, (_, i) => `{"a":${from + i},"b":["x${i % 7}",null]}`).join()}]`;
    const sizes = [3, 0, 26_000, 1, 9000, 9001, 9002, 2, 5];
    const lines = sizes.map((size, i) => `{"a":${list(size, i)},"n":${i}}\n`);
    lines.splice(5, 0, `{"a":${list(9000, 1).replace('"x6"', '6')},"n":1}\n`);
    const type: ColumnType = {
      kind: 'list',
      element: {
        kind: 'struct',
        fields: [
          { name: 'a', type: { kind: 'int32' } },
          { name: 'b', type: { kind: 'list', element: { kind: 'utf8' } } },
        ],
      },
    };
    const columns: Column[] = [
      { name: 'n', type: { kind: 'float64' } },
      { name: 'a', type },
      { name: 'm', path: ['a'], type: { kind: 'json' } },
    ];
    const chunks = [encoder.encode(lines.join('')), encoder.encode(lines.slice(0, 2).join(''))];
    const [expected, ...answers] = kernels.map((kernel) => fill(kernel, columns, chunks));
    for (const answer of answers) expect(isDeepStrictEqual(answer, expected)).toBe(true);
  });

  it('find one of thousands of values, whatever their kinds', () => {
    const values: Scalar[] = Array.from({ length: 900 }, (_, i) => [
      `text ${i * 3}`,
      i * 2,
      2n ** 60n + BigInt(i),
    ]).flat();
    const lines = Array.from({ length: 3000 }, (_, i) => {
      const exact = 2n ** 60n + BigInt(i * 2 - 1000);
      return `{"a":"text ${i}","b":[${i - 10},"text ${i - 5}"],"c":${exact},"d":{"e":[${i}]}}\n`;
    });
    const bytes = encoder.encode(lines.join(''));
    for (const at of [['a'], ['b', '0'], ['b', '1'], ['c'], ['d', 'e', '0'], ['b']]) {
      for (const many of [values, [...values, ...values.map((each) => `${each} and more`)]]) {
        const query: Query = { where: { op: 'in', path: at, values: many } };
        const [expected, ...answers] = kernels.map((kernel) => project(kernel, query, bytes));
        for (const answer of answers) expect(answer).toBe(expected);
      }
    }
  });
});

/** Values as text that fit the type, now and then with one that does not. */
function fitted(type: ColumnType): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fittedWell(type) },
    { weight: 2, arbitrary: fc.constant('null') },
    { weight: 1, arbitrary: fc.oneof({ weight: 8, arbitrary: fittedWell(type) }, value) },
  );
}

function fittedWell(type: ColumnType): fc.Arbitrary<string> {
  switch (type.kind) {
    case 'list':
      return fc.array(fitted(type.element), { maxLength: 4 }).map((all) => `[${all.join()}]`);
    case 'struct':
      return fc
        .tuple(...type.fields.map((field) => fc.option(fitted(field.type), { freq: 6 })))
        .map((values) => {
          const members = values.map((each, i) => `"${type.fields[i]!.name}": ${each ?? 'null'}`);
          return `{"z":[{}],${members.reverse().join()}}`.replace(',}', '}');
        });
    case 'utf8':
      return fc.constantFrom(...texts);
    case 'json':
      return value;
    case 'bool':
      return fc.constantFrom('true', 'false');
    case 'float64':
      return fc.constantFrom(...numbers);
    default:
      return fc.constantFrom('0', '-0', '5', '-17', '2147483647');
  }
}

function project(kernel: Kernel, query: Query, bytes: Uint8Array): string {
  const selector = kernel.selector(query);
  const { count } = selector.filter(bytes);
  return `${count}\n${decoder.decode(selector.project(bytes).bytes)}`;
}

/** What the columns hold; goes on behind each document that does not fit. */
function fill(kernel: Kernel, columns: readonly Column[], chunks: readonly Uint8Array[]): unknown {
  const builder = kernel.columns(columns);
  const misfits: unknown[] = [];
  for (const bytes of chunks) {
    for (let rest = bytes; ; ) {
      const { misfit, rows } = builder.fill(rest);
      misfits.push(rows, misfit);
      if (!misfit) break;
      rest = rest.subarray(rest.indexOf(0x0a, misfit.start) + 1);
    }
  }
  return { rows: builder.rows, taken: builder.take(), misfits };
}
