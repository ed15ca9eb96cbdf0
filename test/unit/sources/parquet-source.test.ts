import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { type ParquetSourceOptions, parquetSource } from '../../../src/sources/parquet-source.ts';
import { temporaryFolder } from '../../support/stages.ts';

type Type = NonNullable<SchemaElement['type']>;
type Annotation = Pick<SchemaElement, 'converted_type' | 'logical_type' | 'scale' | 'precision'>;

const root = (children: number): SchemaElement => ({ name: 'root', num_children: children });

function leaf(
  name: string,
  type: Type,
  kind: SchemaElement['repetition_type'] = 'OPTIONAL',
  annotation: Annotation & { type_length?: number } = {},
): SchemaElement {
  return { name, type, repetition_type: kind, ...annotation };
}

function group(
  name: string,
  children: number,
  kind: SchemaElement['repetition_type'] = 'OPTIONAL',
  annotation: Annotation = {},
): SchemaElement {
  return { name, num_children: children, repetition_type: kind, ...annotation };
}

/** The same schema with other elements at these places. */
function swap(
  schema: readonly SchemaElement[],
  others: Readonly<Record<number, SchemaElement>>,
): SchemaElement[] {
  return schema.map((element, i) => others[i] ?? element);
}

const LIST = { converted_type: 'LIST' } as const;
const MAP = { converted_type: 'MAP' } as const;
const UTF8 = { converted_type: 'UTF8' } as const;

/**
 * A file of a row group with these columns. With `told` its footer gives that as the schema, whose leaves must
 * have the levels of those written.
 */
async function writeParquet(
  written: readonly SchemaElement[],
  columns: Readonly<Record<string, unknown[]>>,
  told: readonly SchemaElement[] = written,
  encoding?: 'DELTA_BINARY_PACKED',
): Promise<string> {
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({ writer, schema: [...written], codec: 'UNCOMPRESSED' });
  const columnData = Object.entries(columns).map(([name, data]) => ({
    name,
    data,
    ...(encoding ? { encoding } : {}),
  }));
  await parquet.write({ columnData });
  parquet.schema = [...told];
  for (const [i, path] of leafPaths(told).entries()) {
    const meta = parquet.row_groups[0]!.columns[i]!.meta_data!;
    meta.path_in_schema = path.map(({ name }) => name);
    meta.type = path.at(-1)!.type!;
    delete meta.statistics;
  }
  await parquet.finish();
  const path = join(temporaryFolder(), 'a.parquet');
  writeFileSync(path, writer.getBytes());
  return path;
}

/** The elements down to each leaf. */
function leafPaths(schema: readonly SchemaElement[]): SchemaElement[][] {
  const found: SchemaElement[][] = [];
  let at = 0;
  const visit = (above: SchemaElement[]): void => {
    const element = schema[at++]!;
    const path = [...above, element];
    if (!element.num_children) found.push(path.slice(1));
    for (let i = 0; i < (element.num_children ?? 0); i++) visit(path);
  };
  visit([]);
  return found;
}

/** The lines read. */
async function textOf(path: string, options?: ParquetSourceOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of parquetSource(path, options).batches()) {
    lines.push(...Buffer.from(batch.bytes()).toString().trimEnd().split('\n'));
  }
  return lines;
}

describe('names of fields', () => {
  it('may be key, have dots, and be those of objects', async () => {
    const schema = [
      root(2),
      leaf('key', 'BYTE_ARRAY', 'OPTIONAL', UTF8),
      group('s', 5),
      leaf('key', 'BYTE_ARRAY', 'REQUIRED', UTF8),
      leaf('b.c', 'INT32'),
      group('b', 1),
      leaf('c', 'INT32'),
      leaf('__proto__', 'INT32'),
      leaf('constructor', 'INT32'),
    ];
    const s = { key: 'x', 'b.c': 1, b: { c: 2 }, ['__proto__']: 3, constructor: 4 };
    const path = await writeParquet(schema, { key: ['abc', null], s: [s, null] });
    const text = '{"key":"x","b.c":1,"b":{"c":2},"__proto__":3,"constructor":4}';
    expect(await textOf(path)).toEqual([`{"key":"abc","s":${text}}`, '{"key":null,"s":null}']);
    expect(await textOf(path, { columns: ['key'] })).toEqual(['{"key":"abc"}', '{"key":null}']);
  });

  it('are refused where two are the same, in columns and in groups', async () => {
    const numbers = [root(2), leaf('a', 'INT32'), leaf('b', 'INT32')];
    const same = [root(2), leaf('a', 'INT32'), leaf('a', 'INT32')];
    const columns = await writeParquet(numbers, { a: [1], b: [2] }, same);
    const told = [root(1), group('s', 2), ...same.slice(1)];
    const written = [root(1), group('s', 2), ...numbers.slice(1)];
    const fields = await writeParquet(written, { s: [{ a: 1, b: 2 }] }, told);
    for (const path of [columns, fields]) {
      const failure = { code: 'UNSUPPORTED', place: { path } };
      await expect(textOf(path)).rejects.toMatchObject(failure);
    }
  });

  it('are told apart by their columns where the names of others are the same', async () => {
    const numbers = [root(3), leaf('a', 'INT32'), leaf('b', 'INT32'), leaf('c', 'INT32')];
    const told = swap(numbers, { 2: leaf('a', 'INT32') });
    const path = await writeParquet(numbers, { a: [1], b: [2], c: [3] }, told);
    expect(await textOf(path, { columns: ['c'] })).toEqual(['{"c":3}']);
    await expect(textOf(path, { columns: ['c', 'c'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      place: { path },
    });
  });
});

describe('a file that is compressed as a whole', () => {
  it('is refused, and not taken for damage', async () => {
    const path = await writeParquet([root(1), leaf('a', 'INT32')], { a: [1] });
    writeFileSync(path, gzipSync(readFileSync(path)));
    await expect(textOf(path)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('compressed as a whole'),
      place: { path },
    });
  });
});

describe('variants', () => {
  it('are refused, and may be left out', async () => {
    const written = [
      root(2),
      leaf('n', 'INT32'),
      group('v', 2),
      leaf('metadata', 'BYTE_ARRAY', 'REQUIRED'),
      leaf('value', 'BYTE_ARRAY'),
    ];
    const told = swap(written, {
      2: group('v', 2, 'OPTIONAL', { logical_type: { type: 'VARIANT' } }),
    });
    const v = { metadata: Uint8Array.of(1), value: Uint8Array.of(0) };
    const path = await writeParquet(written, { n: [1], v: [v] }, told);
    await expect(textOf(path)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('v holds variants'),
      place: { path },
    });
    expect(await textOf(path, { columns: ['n'] })).toEqual(['{"n":1}']);
  });
});

describe('what is repeated', () => {
  const pairs = [group('element', 2, 'REQUIRED'), leaf('x', 'INT32'), leaf('y', 'INT32')];
  const list = (kind: SchemaElement['repetition_type'], element: readonly SchemaElement[]) => [
    root(1),
    group('a', 1, kind, LIST),
    group('list', 1, 'REPEATED'),
    ...element,
  ];
  const structs = [
    [
      { x: 1, y: 2 },
      { x: 3, y: null },
    ],
    [],
    null,
  ];
  const numbers = [[1, 2], [], null];
  const text = {
    structs: ['{"a":[{"x":1,"y":2},{"x":3,"y":null}]}', '{"a":[]}', '{"a":null}'],
    numbers: ['{"a":[1,2]}', '{"a":[]}', '{"a":null}'],
  };
  const optional = list('OPTIONAL', [leaf('element', 'INT32', 'REQUIRED')]);

  it('is a list of groups in two levels', async () => {
    const told = [root(1), group('a', 1, 'OPTIONAL', LIST), group('array', 2, 'REPEATED')];
    const path = await writeParquet(list('OPTIONAL', pairs), { a: structs }, [
      ...told,
      ...pairs.slice(1),
    ]);
    expect(await textOf(path)).toEqual(text.structs);
  });

  it('is a list of values in two levels', async () => {
    const told = [root(1), group('a', 1, 'OPTIONAL', LIST), leaf('array', 'INT32', 'REPEATED')];
    const path = await writeParquet(optional, { a: numbers }, told);
    expect(await textOf(path)).toEqual(text.numbers);
    expect(await textOf(path, { nulls: 'absent' })).toEqual(['{"a":[1,2]}', '{"a":[]}', '{}']);
  });

  it('is a list that the newer annotation alone tells of', async () => {
    const told = swap(optional, {
      1: group('a', 1, 'OPTIONAL', { logical_type: { type: 'LIST' } }),
    });
    expect(await textOf(await writeParquet(optional, { a: numbers }, told))).toEqual(text.numbers);
  });

  it('is a group without annotation', async () => {
    const told = swap(optional, { 1: group('a', 1) });
    expect(await textOf(await writeParquet(optional, { a: numbers }, told))).toEqual([
      '{"a":{"list":[{"element":1},{"element":2}]}}',
      '{"a":{"list":[]}}',
      '{"a":null}',
    ]);
  });

  it('is a column of groups', async () => {
    const told = [root(1), group('a', 2, 'REPEATED'), ...pairs.slice(1)];
    const rows = structs.slice(0, 2);
    const path = await writeParquet(list('REQUIRED', pairs), { a: rows }, told);
    expect(await textOf(path, { nulls: 'absent' })).toEqual([
      '{"a":[{"x":1,"y":2},{"x":3}]}',
      '{"a":[]}',
    ]);
  });

  it('is a column of values', async () => {
    const required = list('REQUIRED', [leaf('element', 'INT32', 'REQUIRED')]);
    const told = [root(1), leaf('a', 'INT32', 'REPEATED')];
    const path = await writeParquet(required, { a: numbers.slice(0, 2) }, told);
    expect(await textOf(path)).toEqual(text.numbers.slice(0, 2));
    expect(await textOf(path, { nulls: 'absent' })).toEqual(text.numbers.slice(0, 2));
  });
});

describe('maps', () => {
  const map = (key: readonly SchemaElement[], value = 'value') => [
    root(1),
    group('m', 1, 'OPTIONAL', MAP),
    group('key_value', 2, 'REPEATED'),
    ...key,
    leaf(value, 'INT32'),
  ];
  const utf8 = map([leaf('key', 'BYTE_ARRAY', 'REQUIRED', UTF8)]);
  const entries = (key: unknown) => [[{ key, value: 1 }]];
  const day = { converted_type: 'DATE' } as const;
  const decimal = { converted_type: 'DECIMAL', scale: 2, precision: 5 } as const;

  it.each([
    ['true', leaf('key', 'BOOLEAN', 'REQUIRED'), true, {}],
    ['-2', leaf('key', 'INT32', 'REQUIRED'), -2, {}],
    ['9007199254740993', leaf('key', 'INT64', 'REQUIRED'), 9007199254740993n, {}],
    ['0.1', leaf('key', 'DOUBLE', 'REQUIRED'), 0.1, {}],
    ['4294967295', leaf('key', 'INT32', 'REQUIRED'), -1, { converted_type: 'UINT_32' }],
    ['18446744073709551615', leaf('key', 'INT64', 'REQUIRED'), -1n, { converted_type: 'UINT_64' }],
    ['1.50', leaf('key', 'INT32', 'REQUIRED'), 150, decimal],
    ['2020-01-01', leaf('key', 'INT32', 'REQUIRED'), 18_262, day],
    ['AQI=', leaf('key', 'BYTE_ARRAY', 'REQUIRED'), Uint8Array.of(1, 2), {}],
    ['__proto__', leaf('key', 'BYTE_ARRAY', 'REQUIRED'), '__proto__', UTF8],
  ] as const)('have the text of their keys: %s', async (text, key, value, annotation) => {
    const told = map([{ ...key, ...annotation }]);
    const path = await writeParquet(map([key]), { m: entries(value) }, told);
    expect(await textOf(path)).toEqual([`{"m":{"${text}":1}}`]);
    expect(await textOf(path, { decimals: 'string' })).toEqual([`{"m":{"${text}":1}}`]);
  });

  it('keep their entries in order, also those of one key', async () => {
    const twice = [
      { key: '2', value: 1 },
      { key: 'a', value: null },
      { key: '2', value: 3 },
    ];
    const told = swap(utf8, {
      3: leaf('keys', 'BYTE_ARRAY', 'REQUIRED', UTF8),
      4: leaf('values', 'INT32'),
    });
    const path = await writeParquet(utf8, { m: [twice, [], null] }, told);
    expect(await textOf(path)).toEqual(['{"m":{"2":1,"a":null,"2":3}}', '{"m":{}}', '{"m":null}']);
    expect(await textOf(path, { nulls: 'absent' })).toEqual([
      '{"m":{"2":1,"2":3}}',
      '{"m":{}}',
      '{}',
    ]);
  });

  it('are refused with keys that have no text', async () => {
    const written = map([group('key', 1, 'REQUIRED'), leaf('x', 'INT32')]);
    const path = await writeParquet(written, { m: entries({ x: 1 }) });
    await expect(textOf(path)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('a map with keys of type group'),
      place: { path },
    });
  });
});

describe('timestamps in 96 bits', () => {
  /** The day by the Julian calendar's count, and the nanoseconds in it. */
  function stamp(date: string, nanoseconds: bigint, offsetDays = 0): Uint8Array {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setBigInt64(0, nanoseconds, true);
    view.setInt32(8, Date.parse(date) / 86_400_000 + 2_440_588 + offsetDays, true);
    return bytes;
  }
  const write = (t: readonly (Uint8Array | null)[]) =>
    writeParquet(
      [root(1), leaf('t', 'FIXED_LEN_BYTE_ARRAY', 'OPTIONAL', { type_length: 12 })],
      { t: [...t] },
      [root(1), leaf('t', 'INT96')],
    );

  it('are of every year', async () => {
    const path = await write([
      stamp('9999-12-31', 1000n),
      stamp('1600-01-01', 0n),
      stamp('1969-12-31', 86_399_999_999_999n),
      stamp('2020-02-29', 1n),
      null,
    ]);
    expect(await textOf(path)).toEqual([
      '{"t":"9999-12-31T00:00:00.000001000"}',
      '{"t":"1600-01-01T00:00:00.000000000"}',
      '{"t":"1969-12-31T23:59:59.999999999"}',
      '{"t":"2020-02-29T00:00:00.000000001"}',
      '{"t":null}',
    ]);
  });

  it('are refused where there is no such day', async () => {
    const path = await write([null, stamp('1970-01-01', 0n, -(2 ** 31) - 2_440_588)]);
    await expect(textOf(path)).rejects.toMatchObject({
      code: 'CORRUPTED_INPUT',
      place: { path, ordinal: 1 },
    });
  });
});

describe('numbers as differences', () => {
  it('begin with one of 33 bits where a writer counts unsigned ones in more', async () => {
    const schema = [root(1), leaf('u', 'INT32', 'REQUIRED')];
    const told = [root(1), leaf('u', 'INT32', 'REQUIRED', { converted_type: 'UINT_32' })];
    // As text of the file: 4e9 less 2^32, and 4e9, both doubled for their sign, seven bits a byte.
    const [wrapped, unsigned] = ['ffdfa69902', '80a0d9e61d'];
    for (const last of [unsigned, 'ffffffff7f']) {
      const path = await writeParquet(
        schema,
        { u: [-294_967_296, 5, -1] },
        told,
        'DELTA_BINARY_PACKED',
      );
      const hex = readFileSync(path).toString('hex');
      expect(hex.split(wrapped)).toHaveLength(2);
      writeFileSync(path, Buffer.from(hex.replace(wrapped, last), 'hex'));
      const reading = textOf(path);
      if (last === unsigned) {
        expect(await reading).toEqual(['{"u":4000000000}', '{"u":5}', '{"u":4294967295}']);
      } else await expect(reading).rejects.toMatchObject({ code: 'CORRUPTED_INPUT' });
    }
  });
});
