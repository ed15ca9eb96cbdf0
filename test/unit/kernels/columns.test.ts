import { describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/kernels/index.ts';
import { kernels } from '../../support/kernels.ts';
import { readRows } from '../../support/read-column.ts';

const ms: ColumnType = { kind: 'timestamp', unit: 'ms' };
const us: ColumnType = { kind: 'timestamp', unit: 'us' };
const int32: ColumnType = { kind: 'int32' };
const int64: ColumnType = { kind: 'int64' };
const float64: ColumnType = { kind: 'float64' };
const utf8: ColumnType = { kind: 'utf8' };
const json: ColumnType = { kind: 'json' };
const bool: ColumnType = { kind: 'bool' };
const texts: ColumnType = { kind: 'list', element: utf8 };
const at = (text: string) => BigInt(Date.parse(text));

/** A type, a value as it stands in the line, and what the column then holds. */
const fits: readonly (readonly [ColumnType, string, unknown])[] = [
  [int32, '2147483647', 2147483647],
  [int32, '-2147483648', -2147483648],
  [int32, '-0', 0],
  [int64, '9223372036854775807', 2n ** 63n - 1n],
  [int64, '-9223372036854775808', -(2n ** 63n)],
  [int64, '9007199254740993', 9007199254740993n],
  [int64, '-0', 0n],
  [float64, '9007199254740993', 9007199254740992],
  [float64, '-0', -0],
  [float64, '1e400', Infinity],
  [float64, '0.1', 0.1],
  [float64, '123456789012345678901234567890', Number('123456789012345678901234567890')],
  [float64, '2.2250738585072011e-308', Number('2.2250738585072011e-308')],
  [bool, 'true', true],
  [bool, 'false', false],
  [utf8, '"\\u00e9\\ud83d\\ude00\\n"', 'é😀\n'],
  [utf8, '"\\ud800x"', '\ufffdx'],
  [utf8, '""', ''],
  [json, '{"a" : [1.0]}', '{"a" : [1.0]}'],
  [json, '"\\u0041"', '"\\u0041"'],
  [json, '1E5', '1E5'],
  [texts, '["a",null,"\\u0062"]', ['a', null, 'b']],
  [texts, '[]', []],
  [ms, '"1970-01-01"', 0n],
  [ms, '"2024-02-29"', at('2024-02-29T00:00:00Z')],
  [ms, '"2000-02-29T12:34"', at('2000-02-29T12:34:00Z')],
  [ms, '"2024-01-02 03:04:05"', at('2024-01-02T03:04:05Z')],
  [ms, '"2024-01-02T03:04:05Z"', at('2024-01-02T03:04:05Z')],
  [ms, '"2024-01-02T03:04:05.1Z"', at('2024-01-02T03:04:05.100Z')],
  [ms, '"2024-01-02T03:04:05.1239999"', at('2024-01-02T03:04:05.123Z')],
  [ms, '"2024-01-02T03:04:05+05:30"', at('2024-01-01T21:34:05Z')],
  [ms, '"2024-01-02T03:04-0100"', at('2024-01-02T04:04:00Z')],
  [ms, '"1969-12-31T23:59:59.999"', -1n],
  [ms, '"0000-01-01"', at('0000-01-01T00:00:00Z')],
  [ms, '"0001-01-01T00:00:00Z"', at('0001-01-01T00:00:00Z')],
  [ms, '"9999-12-31T23:59:59.999Z"', at('9999-12-31T23:59:59.999Z')],
  [ms, '"2024-01\\u002d02"', at('2024-01-02T00:00:00Z')],
  [us, '"2024-01-02T03:04:05.123456789Z"', at('2024-01-02T03:04:05.123Z') * 1000n + 456n],
  [us, '"1969-12-31T23:59:59.9999999"', -1n],
  [us, '"9999-12-31T23:59:59.999999"', at('9999-12-31T23:59:59.999Z') * 1000n + 999n],
  [us, '1700000000000000', 1700000000000000n],
  [ms, '-5', -5n],
];

const misfits: readonly (readonly [ColumnType, string])[] = [
  ...['2147483648', '-2147483649', '1.0', '1e2', '"1"', 'true', '[]', '{}'].map(
    (v) => [int32, v] as const,
  ),
  ...['9223372036854775808', '-9223372036854775809', '1.5', '1e0', '"1"'].map(
    (v) => [int64, v] as const,
  ),
  ...['"1"', 'true', '[1]', '{}'].map((v) => [float64, v] as const),
  ...['0', '"true"', '[]'].map((v) => [bool, v] as const),
  ...['1', 'false', '["a"]', '{}'].map((v) => [utf8, v] as const),
  ...['"a"', '{}', '[1]', '[["a"]]'].map((v) => [texts, v] as const),
  ...['1.5', 'true', '9223372036854775808', '""', '"2024"', '"2024-1-2"', '"2024-13-01"'].map(
    (v) => [ms, v] as const,
  ),
  ...['"2024-00-10"', '"2023-02-29"', '"1900-02-29"', '"2024-04-31"', '"2024-01-00"'].map(
    (v) => [ms, v] as const,
  ),
  ...['"2024-01-01T24:00"', '"2024-01-01T23:60"', '"2024-01-01T23:59:60"'].map(
    (v) => [ms, v] as const,
  ),
  ...['"2024-01-01T10"', '"2024-01-01T10:00:00."', '"2024-01-01T10:00+1"'].map(
    (v) => [ms, v] as const,
  ),
  ...['"2024-01-01Z"', '" 2024-01-01"', '"2024-01-01T10:00z"', '"2024-01-01T10:00+24:00"'].map(
    (v) => [ms, v] as const,
  ),
  ...['"２０２４-01-01"', '"2024-01-01\\n"', '"2024-01-01T10:00+10:60"'].map(
    (v) => [us, v] as const,
  ),
];

describe.each(kernels)('columns of the $name kernel', (kernel) => {
  it.each(fits)('%j holds %s', (type, value, expected) => {
    const builder = kernel.columns([{ name: 'v', type }]);
    const bytes = Buffer.from(`{"v":${value}}\n{"v":null}\n{}\n{"v":1,"w":0,"v":${value}}\n`);
    expect(builder.fill(bytes)).toEqual({ rows: 4, bad: [] });
    const [data] = builder.take();
    expect(readRows(type, data!)).toEqual([expected, null, null, expected]);
  });

  it.each(misfits)('%j refuses %s', (type, value) => {
    const good = type.kind === 'list' ? '[]' : 'null';
    const builder = kernel.columns([
      { name: 'n', type: { kind: 'float64' } },
      {
        name: 'inner',
        type: {
          kind: 'struct',
          fields: [
            { name: 's', type: texts },
            { name: 'v', type },
          ],
        },
      },
    ]);
    const line = (v: string) => `{"n":1,"inner":{"s":["x","y"],"v":${v}}}\n`;
    const bytes = Buffer.from(`\n${line(good)}not json\n${line(value)}${line(good)}`);
    const { rows, misfit, bad } = builder.fill(bytes);
    expect([rows, bad.length, builder.rows]).toEqual([1, 1, 1]);
    expect(misfit).toMatchObject({ line: 3, start: bytes.indexOf(line(value)), path: 'inner.v' });
    expect(misfit!.reason).toMatch(/^expected .+, found .+/);
    expect(builder.fill(Buffer.from(line(good))).rows).toBe(1);
    const [numbers, inner] = builder.take();
    expect(numbers!.values).toEqual(Float64Array.of(1, 1));
    expect([...inner!.children![0]!.offsets!]).toEqual([0, 2, 4]);
    expect(builder.take()[0]!.length).toBe(0);
  });

  it('hold nulls in a struct that is null, and in lists of structs', () => {
    const type: ColumnType = {
      kind: 'list',
      element: {
        kind: 'struct',
        fields: [
          { name: 'a', type: int32 },
          { name: 'b', type: utf8 },
        ],
      },
    };
    const builder = kernel.columns([{ name: 'x', type, path: ['deep', 'x'] }]);
    const rows = ['[{"a":1,"b":"t"},null,{}]', 'null', '[]', '[{"b":"u","c":9}]'];
    builder.fill(Buffer.from(rows.map((row) => `{"deep":{"x":${row}}}\n`).join('')));
    builder.fill(Buffer.from('{"deep":[]}\n{"x":[]}'));
    expect(readRows(type, builder.take()[0]!)).toEqual([
      [[1, 't'], null, [null, null]],
      null,
      [],
      [[null, 'u']],
      null,
      null,
    ]);
  });

  it('keep every row through growth', () => {
    const types = [int32, int64, float64, bool, utf8];
    const columns = types.map((type, i) => ({ name: `c${i}`, type }));
    const builder = kernel.columns(columns);
    const rows = Array.from({ length: 3000 }, (_, i) =>
      i % 7 === 0 ? {} : { c0: i, c1: i * 5, c2: i / 4, c3: i % 3 === 0, c4: `é${i}` },
    );
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const cut = bytes.indexOf('\n', bytes.length / 2) + 1;
    expect(builder.fill(bytes.subarray(0, cut)).rows + builder.fill(bytes.subarray(cut)).rows).toBe(
      3000,
    );
    expect(builder.byteLength).toBeGreaterThan(3000 * 20);
    const taken = builder.take();
    const expected = (name: string, convert: (value: never) => unknown = (value) => value) =>
      rows.map((row) => (name in row ? convert((row as Record<string, never>)[name]!) : null));
    expect(readRows(int32, taken[0]!)).toEqual(expected('c0'));
    expect(readRows(int64, taken[1]!)).toEqual(expected('c1', BigInt));
    expect(readRows(float64, taken[2]!)).toEqual(expected('c2'));
    expect(readRows(bool, taken[3]!)).toEqual(expected('c3'));
    expect(readRows(utf8, taken[4]!)).toEqual(expected('c4'));
  });
});
