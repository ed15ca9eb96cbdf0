import {
  DateDay,
  Dictionary,
  Field,
  Float32,
  Int32,
  Schema,
  TimestampMillisecond,
  TimestampNanosecond,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { findNewField, inferSchema } from '../../../src/arrow/infer.ts';
import { resolveSchema, type SchemaInput } from '../../../src/arrow/schema.ts';
import type { FieldStats } from '../../../src/kernels/types.ts';

const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' });

describe('resolveSchema', () => {
  const short = {
    id: 'utf8',
    n: 'int32',
    big: 'int64',
    x: 'float64',
    ok: 'bool',
    at: 'timestamp[ms]',
    exact: 'timestamp[us]',
    any: 'json',
    tags: ['utf8'],
    meta: { a: 'float64', deep: [{ raw: 'json' }] },
  } as const;

  it('goes from the short form to an Arrow schema and back', () => {
    const plan = resolveSchema(short);
    expect(plan.schema.fields.map((field) => `${field.name}: ${field.type}`)).toEqual([
      'id: Utf8',
      'n: Int32',
      'big: Int64',
      'x: Float64',
      'ok: Bool',
      'at: Timestamp<MILLISECOND, UTC>',
      'exact: Timestamp<MICROSECOND, UTC>',
      'any: Utf8',
      'tags: List<Utf8>',
      'meta: Struct<{a:Float64, deep:List<Struct<{raw:Utf8}>>}>',
    ]);
    expect(resolveSchema(plan.schema).columns).toEqual(plan.columns);
    expect(resolveSchema(plan.columns)).toEqual(plan);
  });

  it('keeps the metadata of a given schema and makes its fields nullable', () => {
    const given = new Schema([new Field('a', new Int32(), false)], new Map([['by', 'me']]));
    const { schema } = resolveSchema(given);
    expect(schema.metadata.get('by')).toBe('me');
    expect(schema.fields[0]!.nullable).toBe(true);
  });

  it.each([
    ['float32', new Float32()],
    ['uint64', new Uint64()],
    ['date', new DateDay()],
    ['nanoseconds', new TimestampNanosecond()],
    ['another time zone', new TimestampMillisecond('Europe/Vienna')],
    ['dictionary', new Dictionary(new Utf8(), new Int32())],
  ])('refuses %s, naming the field', (_name, type) => {
    const schema = new Schema([new Field('odd', type, true)]);
    expect(() => resolveSchema(schema)).toThrow(invalid);
    expect(() => resolveSchema(schema)).toThrow(/odd/);
  });

  it.each([
    { a: 'text' },
    { a: 'toString' },
    { a: null },
    { a: [] },
    { a: ['utf8', 'utf8'] },
    { a: { b: 5 } },
  ])('refuses %j', (schema) => {
    expect(() => resolveSchema(schema as unknown as SchemaInput)).toThrow(invalid);
  });

  it('refuses a field that is there twice, however deep', () => {
    const type = { kind: 'utf8' } as const;
    const twice = [
      { name: 'a', type },
      { name: 'a', type },
    ];
    expect(() => resolveSchema(twice)).toThrow(/a is there twice/);
    const deep = [
      { name: 's', type: { kind: 'list', element: { kind: 'struct', fields: twice } } },
    ];
    expect(() => resolveSchema(deep as SchemaInput)).toThrow(/s\.a is there twice/);
  });
});

const none = {
  element: false,
  nulls: 0,
  booleans: 0,
  integers: 0,
  int32: true,
  floats: 0,
  strings: 0,
  objects: 0,
  arrays: 0,
  children: [],
} as const;
const seen = (name: string, counts: Partial<FieldStats>): FieldStats => ({
  ...none,
  path: [name],
  ...counts,
});
const elements = (counts: Partial<FieldStats>): FieldStats =>
  seen('f', { element: true, ...counts });

describe('inferSchema', () => {
  it.each<[string, Partial<FieldStats>, string]>([
    ['integers', { integers: 2, int32: false }, 'Int64'],
    ['small integers', { integers: 2 }, 'Int64'],
    ['fractions', { floats: 1 }, 'Float64'],
    ['both', { floats: 1, integers: 1 }, 'Float64'],
    ['strings and nulls', { strings: 1, nulls: 4 }, 'Utf8'],
    ['booleans', { booleans: 1 }, 'Bool'],
    ['only nulls', { nulls: 1 }, 'Utf8'],
    ['strings and numbers', { strings: 1, integers: 1 }, 'json'],
    ['booleans and numbers', { booleans: 1, floats: 1 }, 'json'],
    ['objects and arrays', { objects: 1, arrays: 1 }, 'json'],
    ['empty objects', { objects: 1 }, 'json'],
    ['objects', { objects: 1, children: [seen('x', { integers: 1 })] }, 'Struct<{x:Int64}>'],
    ['empty arrays', { arrays: 1 }, 'List<Utf8>'],
    ['arrays', { arrays: 1, children: [elements({ floats: 1 })] }, 'List<Float64>'],
    ['mixed arrays', { arrays: 1, children: [elements({ floats: 1, strings: 1 })] }, 'List<Utf8>'],
  ])('%s', (_name, counts, expected) => {
    const { schema } = inferSchema([seen('f', counts)]);
    const field = schema.fields[0]!;
    const isJson = field.metadata.get('ARROW:extension:name') === 'arrow.json';
    expect(isJson ? 'json' : String(field.type)).toBe(expected);
  });

  it('keeps the order of the fields', () => {
    const { schema } = inferSchema([seen('z', { nulls: 1 }), seen('a', { nulls: 1 })]);
    expect(schema.names).toEqual(['z', 'a']);
  });

  it('makes text of what is too deep or too wide', () => {
    let deep = seen('leaf', { integers: 1 });
    for (let i = 0; i < 500; i++) deep = seen('n', { objects: 1, children: [deep] });
    const { columns } = inferSchema([deep]);
    expect(JSON.stringify(columns)).toContain('{"kind":"json"}');
    expect(JSON.stringify(columns).split('struct').length).toBeLessThan(40);
    const children = Array.from({ length: 1001 }, (_, i) => seen(`${i}`, { integers: 1 }));
    expect(inferSchema([seen('map', { objects: 1, children })]).columns[0]!.type.kind).toBe('json');
  });
});

describe('findNewField', () => {
  const object = (...children: FieldStats[]): FieldStats => seen('o', { objects: 1, children });
  const x = seen('x', { integers: 1 });
  const y: FieldStats = { ...seen('y', { integers: 1 }), path: ['o', 'y'] };
  const list = (child: FieldStats): FieldStats =>
    seen('l', { arrays: 1, children: [elements({ objects: 1, children: [child] })] });

  it('finds none where all is covered, whatever the order', () => {
    const fields = [x, object(x), list(x)];
    const { columns } = inferSchema(fields);
    expect(findNewField([...fields].reverse(), columns)).toBeUndefined();
  });

  it('finds fields at the top, in objects and in arrays', () => {
    const { columns } = inferSchema([x, object(x), list(x)]);
    expect(findNewField([x, seen('new', {})], columns)).toEqual(['new']);
    expect(findNewField([x, object(x, y)], columns)).toEqual(['o', 'y']);
    expect(findNewField([list(y)], columns)).toEqual(['o', 'y']);
  });

  it('does not look into json text', () => {
    const { columns } = inferSchema([seen('o', { objects: 1, strings: 1, children: [x] })]);
    expect(findNewField([object(x, y)], columns)).toBeUndefined();
  });
});
