/**
 * Schemas: what columns to build. Users give an apache-arrow `Schema`, the short form
 * (`{ id: 'utf8', tags: ['utf8'], meta: { a: 'float64' } }`) or the kernels' own `Column[]`; inside,
 * all of them are a `Plan`: the columns for the kernel and the Schema for whoever reads.
 *
 * Every field is nullable, whatever the given Schema says: JSON can leave out any of them.
 */
import {
  Bool,
  DataType,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  Schema,
  Struct,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimeUnit,
  Utf8,
} from 'apache-arrow';
import { EtlError } from '../core/errors.ts';
import type { Column, ColumnType } from '../kernels/types.ts';

/** The names of the scalar types in the short form. */
export type ScalarName =
  | 'utf8'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bool'
  | 'json'
  | 'timestamp[ms]'
  | 'timestamp[us]';

/** A scalar's name, `[element]` for a list, or an object of fields for a struct. */
export type ShortType = ScalarName | readonly [ShortType] | ShortSchema;

/** Field names with their types, in order (JavaScript puts names like "1" first: use `Column[]`). */
export interface ShortSchema {
  readonly [field: string]: ShortType;
}

/** Any form of a schema that users may give. */
export type SchemaInput = Schema | ShortSchema | readonly Column[];

/** Columns for the kernel and, field by field the same, the Arrow schema. */
export interface Plan {
  readonly columns: readonly Column[];
  readonly schema: Schema;
}

/** Field metadata that marks text as JSON: Arrow's canonical extension type `arrow.json`. */
const EXTENSION_NAME = 'ARROW:extension:name';
const JSON_EXTENSION = 'arrow.json';

const scalars: { readonly [name in ScalarName]: ColumnType } = {
  utf8: { kind: 'utf8' },
  int32: { kind: 'int32' },
  int64: { kind: 'int64' },
  float64: { kind: 'float64' },
  bool: { kind: 'bool' },
  json: { kind: 'json' },
  'timestamp[ms]': { kind: 'timestamp', unit: 'ms' },
  'timestamp[us]': { kind: 'timestamp', unit: 'us' },
};

/** Makes a plan of any form of schema. Errors: INVALID_ARGUMENT for types that no column can have. */
export function resolveSchema(input: SchemaInput): Plan {
  if (input instanceof Schema) {
    return makePlan(input.fields.map(fieldToColumn), input.metadata);
  }
  if (Array.isArray(input)) return makePlan(input as readonly Column[]);
  return makePlan(shortToColumns(input as ShortSchema, ''));
}

/** Columns with their Arrow schema. Errors: INVALID_ARGUMENT for a name that is there twice. */
export function makePlan(columns: readonly Column[], metadata?: ReadonlyMap<string, string>): Plan {
  checkNames(columns, '');
  const fields = columns.map(columnToField);
  return { columns, schema: new Schema(fields, new Map(metadata ?? [])) };
}

/** The Arrow field of a column. */
export function columnToField(column: Column): Field {
  const metadata =
    column.type.kind === 'json'
      ? new Map([
          [EXTENSION_NAME, JSON_EXTENSION],
          ['ARROW:extension:metadata', ''],
        ])
      : null;
  return new Field(column.name, toDataType(column.type), true, metadata);
}

/** The column of an Arrow field. Errors: INVALID_ARGUMENT where no column can have its type. */
export function fieldToColumn(field: Field): Column {
  return { name: field.name, type: toColumnType(field, field.name) };
}

function toDataType(type: ColumnType): DataType {
  switch (type.kind) {
    case 'utf8':
    case 'json':
      return new Utf8();
    case 'int32':
      return new Int32();
    case 'int64':
      return new Int64();
    case 'float64':
      return new Float64();
    case 'bool':
      return new Bool();
    case 'timestamp':
      return type.unit === 'ms' ? new TimestampMillisecond('UTC') : new TimestampMicrosecond('UTC');
    case 'list':
      return new List(columnToField({ name: 'item', type: type.element }));
    case 'struct':
      return new Struct(type.fields.map(columnToField));
  }
}

function toColumnType(field: Field, path: string): ColumnType {
  const type: DataType = field.type;
  if (DataType.isUtf8(type)) {
    return field.metadata.get(EXTENSION_NAME) === JSON_EXTENSION ? scalars.json : scalars.utf8;
  }
  if (DataType.isInt(type) && type.isSigned && type.bitWidth === 32) return scalars.int32;
  if (DataType.isInt(type) && type.isSigned && type.bitWidth === 64) return scalars.int64;
  if (DataType.isFloat(type) && type.ArrayType === Float64Array) return scalars.float64;
  if (DataType.isBool(type)) return scalars.bool;
  // Values are counted in UTC; another zone would change what they mean to a reader.
  if (DataType.isTimestamp(type) && (type.timezone ?? 'UTC') === 'UTC') {
    if (type.unit === TimeUnit.MILLISECOND) return scalars['timestamp[ms]'];
    if (type.unit === TimeUnit.MICROSECOND) return scalars['timestamp[us]'];
  }
  if (DataType.isList(type)) {
    return { kind: 'list', element: toColumnType(type.children[0]!, `${path}[]`) };
  }
  if (DataType.isStruct(type)) {
    const fields = type.children.map((child) => ({
      name: child.name,
      type: toColumnType(child, `${path}.${child.name}`),
    }));
    return { kind: 'struct', fields };
  }
  throw new EtlError(
    'INVALID_ARGUMENT',
    `schema field ${path}: ${type} is not supported; use ${Object.keys(scalars).join(', ')} ` +
      '(timestamps in UTC), or a list or struct of these',
  );
}

function shortToColumns(schema: ShortSchema, prefix: string): Column[] {
  return Object.entries(schema).map(([name, type]) => ({
    name,
    type: shortToType(type, `${prefix}${name}`),
  }));
}

function shortToType(type: ShortType, path: string): ColumnType {
  if (typeof type === 'string' && Object.hasOwn(scalars, type)) return scalars[type];
  if (Array.isArray(type) && type.length === 1) {
    return { kind: 'list', element: shortToType(type[0], `${path}[]`) };
  }
  if (typeof type === 'object' && type !== null && !Array.isArray(type)) {
    return { kind: 'struct', fields: shortToColumns(type as ShortSchema, `${path}.`) };
  }
  throw new EtlError(
    'INVALID_ARGUMENT',
    `schema field ${path}: ${JSON.stringify(type)} is no type; use ` +
      `${Object.keys(scalars).join(', ')}, [element] or { field: type }`,
  );
}

function checkNames(columns: readonly Column[], prefix: string): void {
  const seen = new Set<string>();
  for (const { name, type } of columns) {
    if (seen.has(name)) {
      throw new EtlError('INVALID_ARGUMENT', `schema field ${prefix}${name} is there twice`);
    }
    seen.add(name);
    let inner = type;
    while (inner.kind === 'list') inner = inner.element;
    if (inner.kind === 'struct') checkNames(inner.fields, `${prefix}${name}.`);
  }
}
