/**
 * Values of Arrow columns as JSON text, straight from the columns' buffers: one function per column,
 * made when its record batch is bound. No value becomes a JavaScript object, but 64-bit integers beyond
 * 2^53, decimals and fractions of many digits, which go through text.
 *
 * | type | JSON |
 * |---|---|
 * | integers, booleans, null | as such, 64-bit integers exact |
 * | floats | shortest text of the double; NaN and infinities are null |
 * | decimal | a number with all its digits, or a string |
 * | text | string; the raw JSON where the field is of the extension type `arrow.json` |
 * | binary | base64 |
 * | date, time, timestamp | ISO 8601; Z where there is a time zone |
 * | duration | the count of its units |
 * | interval | `{months}`, `{days, milliseconds}` or `{months, days, nanoseconds}` |
 * | list, struct, map | array, object, object with keys as text |
 * | dictionary, union | the value |
 */
import { DataType, type Int, type Interval, IntervalUnit } from 'apache-arrow';
import { EtlError } from '../core/errors.ts';
import { type ColumnView, isValid } from './column-view.ts';
import { decimalWriter } from './decimal-text.ts';
import { isoWriter } from './iso-text.ts';
import { isClean, type JsonOut } from './json-out.ts';
import { embedJson } from './raw-json.ts';

export interface CellOptions {
  /** What becomes of nulls in objects: written, or left out. */
  readonly nulls: 'null' | 'absent';
  readonly decimals: 'number' | 'string';
}

/** Writes the value of a row that is not null. */
export type CellWriter = (row: number) => void;
type TextWriter = (text: Uint8Array, from: number, to: number) => void;

const encoder = new TextEncoder();

/** `,"name":` as bytes. */
export function fieldPrefix(name: string): Uint8Array {
  return encoder.encode(`,${JSON.stringify(name)}:`);
}

/** Errors: UNSUPPORTED for maps with keys that have no text. */
export function cellWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const { type, dictionary } = column;
  if (dictionary) return dictionaryWriter(column, dictionary, out, options);
  if (DataType.isNull(type)) return () => out.ascii('null');
  if (DataType.isBool(type)) return boolWriter(column, out);
  if (DataType.isInt(type)) return integerWriter(column, out);
  if (DataType.isDuration(type)) return wideWriter(column.values as Int32Array, out, true);
  if (DataType.isFloat(type)) return floatWriter(column, out);
  if (DataType.isDecimal(type)) return decimalWriter(column, out, options.decimals === 'string');
  if (DataType.isDate(type) || DataType.isTime(type) || DataType.isTimestamp(type)) {
    return isoWriter(column, out);
  }
  if (DataType.isInterval(type)) return intervalWriter(column, out);
  if (DataType.isStruct(type)) return structWriter(column, out, options);
  if (DataType.isUnion(type)) return unionWriter(column, out, options);
  if (DataType.isMap(type)) return mapWriter(column, out, options);
  if (DataType.isFixedSizeBinary(type)) {
    const width = type.byteWidth;
    return (row) => out.base64(column.values as Uint8Array, row * width, (row + 1) * width);
  }
  if (column.viewBuffers) return viewWriter(column, textWriter(column, out), column.viewBuffers);
  if (column.values) return textCells(column, out);
  return listWriter(column, out, options);
}

function boolWriter({ values }: ColumnView, out: JsonOut): CellWriter {
  return (row) => out.ascii(isValid(values as Uint8Array, row) ? 'true' : 'false');
}

function integerWriter({ type, values }: ColumnView, out: JsonOut): CellWriter {
  const { bitWidth, isSigned } = type as Int;
  if (bitWidth === 64) return wideWriter(values as Int32Array, out, isSigned);
  return (row) => out.integer(values![row]!);
}

function wideWriter(words: Int32Array, out: JsonOut, signed: boolean): CellWriter {
  return (row) => out.wide(words[row * 2]!, words[row * 2 + 1]!, signed);
}

function floatWriter({ values }: ColumnView, out: JsonOut): CellWriter {
  if (values instanceof Uint16Array) return (row) => out.double(halfToDouble(values[row]!));
  return (row) => out.double(values![row]!);
}

/** IEEE 754 binary16. */
function halfToDouble(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function intervalWriter({ type, values }: ColumnView, out: JsonOut): CellWriter {
  const words = values as Int32Array;
  const { unit } = type as Interval;
  const field = (text: string, value: number): void => {
    out.ascii(text);
    out.integer(value);
  };
  if (unit === IntervalUnit.YEAR_MONTH) {
    return (row) => {
      field('{"months":', words[row]!);
      out.byte(0x7d);
    };
  }
  if (unit === IntervalUnit.DAY_TIME) {
    return (row) => {
      field('{"days":', words[row * 2]!);
      field(',"milliseconds":', words[row * 2 + 1]!);
      out.byte(0x7d);
    };
  }
  return (row) => {
    field('{"months":', words[row * 4]!);
    field(',"days":', words[row * 4 + 1]!);
    out.ascii(',"nanoseconds":');
    out.wide(words[row * 4 + 2]!, words[row * 4 + 3]!, true);
    out.byte(0x7d);
  };
}

/** How text, or what stands for it, is written: base64, raw JSON, or a string. */
function textWriter({ type, isJson }: ColumnView, out: JsonOut): TextWriter {
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isBinaryView(type)) {
    return (text, from, to) => out.base64(text, from, to);
  }
  if (isJson) return (text, from, to) => embedJson(out, text, from, to);
  return (text, from, to) => out.string(text, from, to);
}

function textCells(column: ColumnView, out: JsonOut): CellWriter {
  const { length, isJson, type } = column;
  const values = column.values as Uint8Array;
  const offsets = column.offsets!;
  const isText = DataType.isUtf8(type) || DataType.isLargeUtf8(type);
  if (isText && !isJson && isClean(values, offsets[0]!, offsets[length]!)) {
    return (row) => out.cleanString(values, offsets[row]!, offsets[row + 1]!);
  }
  const write = textWriter(column, out);
  return (row) => write(values, offsets[row]!, offsets[row + 1]!);
}

function viewWriter(
  { values }: ColumnView,
  write: TextWriter,
  buffers: readonly Uint8Array[],
): CellWriter {
  const views = values as Int32Array;
  const bytes = new Uint8Array(views.buffer, views.byteOffset, views.byteLength);
  return (row) => {
    const size = views[row * 4]!;
    if (size <= 12) write(bytes, row * 16 + 4, row * 16 + 4 + size);
    else {
      const from = views[row * 4 + 3]!;
      write(buffers[views[row * 4 + 2]!]!, from, from + size);
    }
  };
}

function dictionaryWriter(
  { values, isJson }: ColumnView,
  dictionary: readonly ColumnView[],
  out: JsonOut,
  options: CellOptions,
): CellWriter {
  const chunks = dictionary.map((chunk) => ({
    length: chunk.length,
    write: cellWriter({ ...chunk, isJson }, out, options),
  }));
  const keys = values!;
  const only = chunks.length === 1 ? chunks[0]!.write : undefined;
  if (only) return (row) => only(keys[row]!);
  return (row) => {
    let key = keys[row]!;
    for (const { length, write } of chunks) {
      if (key < length) return write(key);
      key -= length;
    }
  };
}

/** Writes null where there is no value: for elements of lists. */
function nullableWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const write = cellWriter(column, out, options);
  const { validity } = column;
  if (validity === undefined) return write;
  return (row) => {
    if (isValid(validity, row)) write(row);
    else out.ascii('null');
  };
}

function listWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const { offsets, type } = column;
  const write = nullableWriter(column.children[0]!, out, options);
  const size = DataType.isFixedSizeList(type) ? type.listSize : 0;
  return (row) => {
    const from = offsets ? offsets[row]! : row * size;
    const to = offsets ? offsets[row + 1]! : from + size;
    out.byte(0x5b);
    for (let i = from; i < to; i++) {
      if (i > from) out.byte(0x2c);
      write(i);
    }
    out.byte(0x5d);
  };
}

function mapWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const [keys, values] = column.children[0]!.children as readonly [ColumnView, ColumnView];
  const key = keyWriter(keys, out, options);
  const value = nullableWriter(values, out, options);
  const offsets = column.offsets!;
  const skipsNull = options.nulls === 'absent' ? values.validity : undefined;
  return (row) => {
    const begin = out.at;
    for (let i = offsets[row]!; i < offsets[row + 1]!; i++) {
      if (skipsNull && !isValid(skipsNull, i)) continue;
      out.byte(0x2c);
      key(i);
      out.byte(0x3a);
      value(i);
    }
    closeObject(out, begin);
  };
}

/** Keys as strings: what is no string anyway is put in quotes. */
function keyWriter(keys: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const type = keys.dictionary?.[0]?.type ?? keys.type;
  const write = nullableWriter(keys, out, { ...options, decimals: 'string' });
  if (DataType.isBool(type) || DataType.isInt(type) || DataType.isFloat(type)) {
    return (row) => {
      out.byte(0x22);
      write(row);
      out.byte(0x22);
    };
  }
  const nested = keys.children.length > 0 || DataType.isNull(type);
  if (nested || keys.isJson || DataType.isInterval(type) || DataType.isDuration(type)) {
    throw new EtlError('UNSUPPORTED', `a map with keys of type ${type}`);
  }
  return write;
}

function unionWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  const writers = column.children.map((child) => cellWriter(child, out, options));
  const { offsets } = column;
  const childOf = column.childOf!;
  return (row) => writers[childOf[row]!]!(offsets ? offsets[row]! : row);
}

function structWriter(column: ColumnView, out: JsonOut, options: CellOptions): CellWriter {
  return objectWriter(column.children, out, options);
}

/** Writes a row of these columns as an object. Errors: UNSUPPORTED for two of one name. */
export function objectWriter(
  columns: readonly ColumnView[],
  out: JsonOut,
  options: CellOptions,
): CellWriter {
  const fields = columns.map((column) => ({
    prefix: fieldPrefix(column.name),
    validity: column.validity,
    write: cellWriter(column, out, options),
  }));
  refuseTwins(columns.map(({ name }) => name));
  const leavesOut = options.nulls === 'absent';
  return (row) => {
    const begin = out.at;
    for (let i = 0; i < fields.length; i++) {
      const { prefix, validity, write } = fields[i]!;
      if (isValid(validity, row)) {
        out.raw(prefix);
        write(row);
      } else if (!leavesOut) {
        out.raw(prefix);
        out.ascii('null');
      }
    }
    closeObject(out, begin);
  };
}

/** Errors: UNSUPPORTED for two fields of one name. */
export function refuseTwins(names: readonly string[]): void {
  const twin = findTwin(names);
  if (twin === undefined) return;
  throw new EtlError('UNSUPPORTED', `two fields are named ${twin}; choose columns without them`);
}

/** The first name that stands here for the second time. */
export function findTwin(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** The fields since `begin` each have a comma in front; the first becomes the bracket. */
export function closeObject(out: JsonOut, begin: number): void {
  if (out.at === begin) out.byte(0x7b);
  else out.bytes[begin] = 0x7b;
  out.byte(0x7d);
}
