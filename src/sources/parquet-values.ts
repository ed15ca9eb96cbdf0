/**
 * Values of Parquet columns as JSON text. Columns come in their physical types; what they mean is in
 * the schema, and is written as `arrowSource` writes the same Arrow type: each value is laid into a
 * column of one row, which the writer of that type then writes.
 *
 * Groups come as objects by the keys of their nodes, what is repeated as arrays, or null where a leaf is
 * repeated no times.
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
import type { SchemaElement } from 'hyparquet';
import { typedView, valuesClass } from '../arrow/buffers.ts';
import {
  type CellOptions,
  cellWriter,
  closeObject,
  fieldPrefix,
  refuseTwins,
} from '../arrow/cell-writers.ts';
import type { JsonOut } from '../arrow/json-out.ts';
import { embedJson } from '../arrow/raw-json.ts';
import { EtlError } from '../core/errors.ts';
import { annotationOf, type ParquetNode } from './parquet-schema.ts';

type ValueWriter = (value: unknown) => void;

/** Writes a field of an object with its name and a comma in front; leaves out nulls where these are absent. */
export interface FieldWriter {
  readonly key: string;
  readonly write: ValueWriter;
}

const UNITS = {
  MILLIS: TimeUnit.MILLISECOND,
  MICROS: TimeUnit.MICROSECOND,
  NANOS: TimeUnit.NANOSECOND,
};
const TEXT_TYPES = new Set(['STRING', 'ENUM', 'UTF8']);
/** In nanoseconds. */
const DAY = 86_400_000_000_000n;
/** Kinds of leaves without a type that are written without quotes. */
const BARE_KINDS = new Set(['BOOLEAN', 'INT32', 'INT64', 'FLOAT', 'DOUBLE']);

/** A group as the library gives it: its fields by the keys of their nodes. */
type Group = Readonly<Record<string, unknown>>;

/** What the values of a leaf mean, whichever generation of annotations says so. */
interface Meaning {
  readonly kind: string;
  readonly type?: DataType;
}

/** Errors: UNSUPPORTED for two fields of one name, maps with keys that have no text, and variants. */
export function fieldWriters(
  nodes: readonly ParquetNode[],
  out: JsonOut,
  options: CellOptions,
): FieldWriter[] {
  refuseTwins(nodes.map(({ element }) => element.name));
  return nodes.map((node) => {
    const { element, key } = node;
    const prefix = fieldPrefix(element.name);
    const inner = nodeWriter(node, out, options);
    const leavesOut = mayBeAbsent(node, options);
    const write: ValueWriter = (value) => {
      if (leavesOut && isNull(value)) return;
      out.raw(prefix);
      inner(value);
    };
    return { key, write };
  });
}

/** Writes all that a node has at its place. */
function nodeWriter(node: ParquetNode, out: JsonOut, options: CellOptions): ValueWriter {
  const write = valueWriter(node, out, options);
  return node.element.repetition_type === 'REPEATED' ? arrayWriter(write, out) : write;
}

/** Writes one value of a node. */
function valueWriter(node: ParquetNode, out: JsonOut, options: CellOptions): ValueWriter {
  const write =
    node.children.length > 0
      ? groupWriter(node, out, options)
      : leafWriter(node.element, out, options);
  return (value) => {
    if (isNull(value)) out.ascii('null');
    else write(value);
  };
}

function groupWriter(node: ParquetNode, out: JsonOut, options: CellOptions): ValueWriter {
  const { element, children, isPlainList } = node;
  const annotation = annotationOf(element);
  const [only] = children;
  if (annotation === 'VARIANT') {
    throw new EtlError('UNSUPPORTED', `${element.name} holds variants; choose columns without it`);
  }
  if (isPlainList) return arrayWriter(nodeWriter(only!.children[0]!, out, options), out);
  if (children.length === 1 && only!.element.repetition_type === 'REPEATED') {
    const { key } = only!;
    const write =
      annotation === 'LIST'
        ? nodeWriter(only!, out, options)
        : annotation.startsWith('MAP') && only!.children.length === 2
          ? entriesWriter(only!.children, out, options)
          : undefined;
    if (write) return (value) => write((value as Group)[key]);
  }
  const fields = fieldWriters(children, out, options);
  return (value) => {
    const begin = out.at;
    for (const { key, write } of fields) write((value as Group)[key]);
    closeObject(out, begin);
  };
}

function arrayWriter(write: ValueWriter, out: JsonOut): ValueWriter {
  return (value) => {
    out.byte(0x5b);
    const items = (value ?? []) as ArrayLike<unknown>;
    for (let i = 0; i < items.length; i++) {
      if (i > 0) out.byte(0x2c);
      write(items[i]);
    }
    out.byte(0x5d);
  };
}

/** Writes the entries of a map as fields of an object. */
function entriesWriter(
  [key, value]: readonly ParquetNode[],
  out: JsonOut,
  options: CellOptions,
): ValueWriter {
  const writeKey = keyWriter(key!, out, options);
  const writeValue = nodeWriter(value!, out, options);
  const leavesOut = mayBeAbsent(value!, options);
  return (entries) => {
    const begin = out.at;
    for (const entry of entries as readonly Group[]) {
      const inner = entry[value!.key];
      if (leavesOut && isNull(inner)) continue;
      out.byte(0x2c);
      writeKey(entry[key!.key]);
      out.byte(0x3a);
      writeValue(inner);
    }
    closeObject(out, begin);
  };
}

/** Keys as strings: what is no string anyway is put in quotes. */
function keyWriter(node: ParquetNode, out: JsonOut, options: CellOptions): ValueWriter {
  const { element, children } = node;
  const { kind, type } = meaningOf(element);
  if (children.length > 0 || element.repetition_type === 'REPEATED' || kind === 'json') {
    const what = children.length > 0 ? 'group' : kind;
    throw new EtlError('UNSUPPORTED', `a map with keys of type ${what}`);
  }
  const write = valueWriter(node, out, { ...options, decimals: 'string' });
  const isNumber = type && (DataType.isInt(type) || DataType.isFloat(type));
  if (!isNumber && (type || !BARE_KINDS.has(kind))) return write;
  return (value) => {
    out.byte(0x22);
    write(value);
    out.byte(0x22);
  };
}

/** True for a node whose nulls are left out: what is repeated no times is an empty array. */
function mayBeAbsent({ element }: ParquetNode, { nulls }: CellOptions): boolean {
  return nulls === 'absent' && element.repetition_type !== 'REPEATED';
}

function isNull(value: unknown): value is null | undefined {
  return value === null || value === undefined;
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
    case 'INT96':
      return instantWriter(out, options);
    default:
      return (value) => out.base64(value as Uint8Array, 0, (value as Uint8Array).length);
  }
}

function meaningOf(element: SchemaElement): Meaning {
  const { type = '', converted_type: old = '', logical_type: logical } = element;
  if (TEXT_TYPES.has(annotationOf(element))) return { kind: 'text' };
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
  const unsigned = logical?.type === 'INTEGER' ? !logical.isSigned : old.startsWith('UINT_');
  if (unsigned) return { kind: type, type: type === 'INT32' ? new Uint32() : new Uint64() };
  if (logical?.type === 'FLOAT16') return { kind: type, type: new Float16() };
  return { kind: type };
}

/** Writes nanoseconds since 1970 of any number, which in 64 bits would end with the year 2262. */
function instantWriter(out: JsonOut, options: CellOptions): ValueWriter {
  const date = slotWriter(new DateDay(), out, options);
  const time = slotWriter(new Time(TimeUnit.NANOSECOND, 64), out, options);
  return (value) => {
    const nanoseconds = value as bigint;
    const ofDay = ((nanoseconds % DAY) + DAY) % DAY;
    const days = (nanoseconds - ofDay) / DAY;
    if (days !== BigInt.asIntN(32, days)) throw new RangeError(`a time ${days} days from 1970`);
    date(Number(days));
    // The quote behind the date gives way to the time, and that in front of the time to a T.
    const between = --out.at;
    time(ofDay);
    out.bytes[between] = 0x54;
  };
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
