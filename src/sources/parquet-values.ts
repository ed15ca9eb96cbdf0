/**
 * Values of Parquet columns as JSON text. Columns come in their physical types; what they mean is in
 * the schema, and is written as `arrowSource` writes the same Arrow type: each value is laid into a
 * column of one row, which the writer of that type then writes.
 */
import {
  DataType,
  DateDay,
  Decimal,
  Float16,
  Time,
  Timestamp,
  TimeUnit,
  Uint32,
  Uint64,
} from 'apache-arrow';
import type { SchemaElement, SchemaTree } from 'hyparquet';
import { typedView, valuesClass } from '../arrow/buffers.ts';
import { type CellOptions, cellWriter, closeObject, fieldPrefix } from '../arrow/cell-writers.ts';
import type { JsonOut } from '../arrow/json-out.ts';
import { embedJson } from '../arrow/raw-json.ts';

/** Writes a value that may be null. */
export type ValueWriter = (value: unknown) => void;

const UNITS = {
  MILLIS: TimeUnit.MILLISECOND,
  MICROS: TimeUnit.MICROSECOND,
  NANOS: TimeUnit.NANOSECOND,
};
const TEXT_TYPES = new Set(['STRING', 'ENUM', 'UTF8']);

/** What the values of a leaf mean, whichever generation of annotations says so. */
interface Meaning {
  readonly kind: string;
  readonly type?: DataType;
}

/** True for leaves that are text. */
export function isText(element: SchemaElement): boolean {
  return TEXT_TYPES.has(element.logical_type?.type ?? element.converted_type ?? '');
}

/** A writer for the values of a node of the schema, as hyparquet assembles them. */
export function valueWriter(node: SchemaTree, out: JsonOut, options: CellOptions): ValueWriter {
  const { element, children } = node;
  const write =
    children.length > 0 ? nestedWriter(node, out, options) : leafWriter(element, out, options);
  const orNull: ValueWriter = (value) => {
    if (value === null || value === undefined) out.ascii('null');
    else write(value);
  };
  return element.repetition_type === 'REPEATED' && children.length === 0
    ? arrayWriter(orNull, out)
    : orNull;
}

function nestedWriter(node: SchemaTree, out: JsonOut, options: CellOptions): ValueWriter {
  const { element, children } = node;
  const annotation = element.logical_type?.type ?? element.converted_type ?? '';
  const [only] = children;
  if (annotation === 'LIST' && only) {
    const item = only.children.length === 1 ? only.children[0]! : only;
    return arrayWriter(valueWriter(item, out, options), out);
  }
  if (annotation.startsWith('MAP') && only?.children.length === 2) {
    return entriesWriter(valueWriter(only.children[1]!, out, options), out, options);
  }
  const fields = children.map((child) => ({
    name: child.element.name,
    prefix: fieldPrefix(child.element.name),
    write: valueWriter(child, out, options),
  }));
  return (value) => {
    const begin = out.at;
    for (const { name, prefix, write } of fields) {
      const inner = (value as Record<string, unknown>)[name] ?? null;
      if (inner === null && options.nulls === 'absent') continue;
      out.raw(prefix);
      write(inner);
    }
    closeObject(out, begin);
  };
}

function arrayWriter(write: ValueWriter, out: JsonOut): ValueWriter {
  return (value) => {
    out.byte(0x5b);
    const items = value as ArrayLike<unknown>;
    for (let i = 0; i < items.length; i++) {
      if (i > 0) out.byte(0x2c);
      write(items[i]);
    }
    out.byte(0x5d);
  };
}

function entriesWriter(write: ValueWriter, out: JsonOut, options: CellOptions): ValueWriter {
  return (value) => {
    const begin = out.at;
    for (const [key, inner] of Object.entries(value as object)) {
      if ((inner === null || inner === undefined) && options.nulls === 'absent') continue;
      out.raw(fieldPrefix(key));
      write(inner);
    }
    closeObject(out, begin);
  };
}

function leafWriter(element: SchemaElement, out: JsonOut, options: CellOptions): ValueWriter {
  const { kind, type } = meaningOf(element);
  if (type) return slotWriter(type, out, options);
  switch (kind) {
    case 'text':
      return (value) => out.string(value as Uint8Array, 0, (value as Uint8Array).length);
    case 'json':
      return (value) => embedJson(out, value as Uint8Array, 0, (value as Uint8Array).length);
    case 'BOOLEAN':
      return (value) => out.ascii(value ? 'true' : 'false');
    case 'FLOAT':
    case 'DOUBLE':
    case 'INT32':
      return (value) => out.double(Number(value));
    case 'INT64':
      return (value) => out.ascii(String(value));
    default:
      return (value) => out.base64(value as Uint8Array, 0, (value as Uint8Array).length);
  }
}

function meaningOf(element: SchemaElement): Meaning {
  const { type = '', converted_type: old = '', logical_type: logical } = element;
  if (isText(element)) return { kind: 'text' };
  if (logical?.type === 'JSON' || old === 'JSON') return { kind: 'json' };
  if (logical?.type === 'DATE' || old === 'DATE') return { kind: type, type: new DateDay() };
  if (logical?.type === 'DECIMAL' || old === 'DECIMAL') {
    const bits = type === 'INT32' ? 32 : type === 'INT64' ? 64 : 256;
    return { kind: type, type: new Decimal(element.scale ?? 0, element.precision ?? 76, bits) };
  }
  if (logical?.type === 'TIMESTAMP') {
    const zone = logical.isAdjustedToUTC ? 'UTC' : null;
    return { kind: type, type: new Timestamp(UNITS[logical.unit], zone) };
  }
  if (logical?.type === 'TIME') {
    return { kind: type, type: new Time(UNITS[logical.unit], type === 'INT32' ? 32 : 64) };
  }
  const unit = old.endsWith('_MILLIS') ? TimeUnit.MILLISECOND : TimeUnit.MICROSECOND;
  if (old.startsWith('TIMESTAMP_')) return { kind: type, type: new Timestamp(unit, 'UTC') };
  if (old.startsWith('TIME_'))
    return { kind: type, type: new Time(unit, type === 'INT32' ? 32 : 64) };
  if (type === 'INT96') return { kind: type, type: new Timestamp(TimeUnit.NANOSECOND, null) };
  const unsigned = logical?.type === 'INTEGER' ? !logical.isSigned : old.startsWith('UINT_');
  if (unsigned) return { kind: type, type: type === 'INT32' ? new Uint32() : new Uint64() };
  if (logical?.type === 'FLOAT16') return { kind: type, type: new Float16() };
  return { kind: type };
}

/** Lays each value into a column of one row. Decimals as bytes are big-endian, all else is little. */
function slotWriter(type: DataType, out: JsonOut, options: CellOptions): ValueWriter {
  const bytes = new Uint8Array(32);
  const words = new Int32Array(bytes.buffer);
  const longs = new BigInt64Array(bytes.buffer);
  const values = typedView(bytes, valuesClass(type));
  const column = { name: '', type, isJson: false, length: 1, validity: undefined, children: [] };
  const write = cellWriter({ ...column, values }, out, options);
  const isDecimal = DataType.isDecimal(type);
  return (value) => {
    if (typeof value === 'bigint') longs[0] = value;
    else if (value instanceof Uint8Array) {
      if (isDecimal) {
        bytes.fill(value[0]! & 0x80 ? 255 : 0);
        for (let i = 0; i < value.length && i < 32; i++) bytes[i] = value[value.length - 1 - i]!;
      } else bytes.set(value.subarray(0, 32));
    } else words[0] = Number(value);
    write(0);
  };
}
