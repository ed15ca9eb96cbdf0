/**
 * A column of an Arrow record batch as views of its buffers; nothing is copied but what is compressed,
 * unaligned, or has 64-bit offsets.
 *
 * What is handed out has been checked against its buffers: lengths, offsets, dictionary keys, union
 * types, views. So whoever reads values needs no checks. Not checked: that text is UTF-8.
 */
import { DataType, type Dictionary, type Field, type Union } from 'apache-arrow';
import {
  bigOffsets,
  checkOffsets,
  checkViews,
  fixedWidth,
  typedView,
  type Values,
  valuesClass,
} from './buffers.ts';
import type { Body, BodyCodec, BodyLayout } from './ipc-message.ts';

export interface ColumnView {
  readonly type: DataType;
  /** JSON text, by Arrow's extension type `arrow.json`. */
  readonly isJson: boolean;
  readonly name: string;
  readonly length: number;
  /** A bit per row, 1 for a value; absent where there are no nulls. Empty: all are null. */
  readonly validity: Uint8Array | undefined;
  /** `length` + 1 of them, for text, binary, lists and maps; `length` for dense unions. */
  readonly offsets?: Int32Array | undefined;
  /** By type: numbers; Int32 words for what is wider than 32 bits; bits; bytes. */
  readonly values?: Values;
  readonly children: readonly ColumnView[];
  /** Chunks of the dictionary; values are keys into them as if they were one. */
  readonly dictionary?: readonly ColumnView[];
  /** Of a column of views: where what is longer than 12 bytes lies. */
  readonly viewBuffers?: readonly Uint8Array[];
  /** Of a union: the child of each row. */
  readonly childOf?: Uint8Array;
}

/** Undoes the compression of one buffer; `size` is that of the result. Throws on damage. */
export type Decompress = (codec: BodyCodec, bytes: Uint8Array, size: number) => Uint8Array;

/** What is needed beside a body to make columns of it. */
export interface LoadContext {
  readonly decompress: Decompress;
  readonly dictionaries: ReadonlyMap<number, readonly ColumnView[]>;
  /** Most bytes that the buffers of a body may have together once they are decompressed. */
  readonly maxBytes: number;
  /** Metadata of version 4: unions have a bitmap of their own. */
  readonly unionBitmaps: boolean;
  /** Tells which columns to load; all if absent. The others are passed over unread. */
  readonly wants?: (field: Field) => boolean;
}

/** Most that may lie between two buffers. */
const ALIGNMENT = 64;
const ALL_NULL = new Uint8Array(0);
const JSON_EXTENSION = 'arrow.json';

/** The columns of a body, all of `layout.rows` rows. Errors: RangeError for what cannot be. */
export function loadColumns(
  fields: readonly Field[],
  layout: BodyLayout,
  body: Body,
  context: LoadContext,
): ColumnView[] {
  const loader = new ColumnLoader(layout, body, context);
  const columns: ColumnView[] = [];
  for (const field of fields) {
    if (context.wants && !context.wants(field)) {
      loader.skip(field.type);
      continue;
    }
    const column = loader.load(field);
    if (column.length !== layout.rows) throw new RangeError(`${field.name}: another length`);
    columns.push(column);
  }
  return columns;
}

/** Begin and end of bytes in a body. */
export type Stretch = readonly [begin: number, end: number];

/** Where in a body the columns lie that are wanted, neighbours as one: unchecked, as the layout tells it. */
export function findStretches(
  fields: readonly Field[],
  layout: BodyLayout,
  context: LoadContext,
): Stretch[] {
  const loader = new ColumnLoader(layout, ALL_NULL, context);
  const found: Stretch[] = [];
  for (const field of fields) {
    const [begin, end] = loader.skip(field.type);
    if (begin === end || (context.wants && !context.wants(field))) continue;
    const last = found.at(-1);
    const isNext = last && begin >= last[1] && begin - last[1] < ALIGNMENT;
    if (isNext) found[found.length - 1] = [last[0], end];
    else found.push([begin, end]);
  }
  return found;
}

/**
 * Where in a body the values of the last of these columns lie, if there is one for every row and all have the
 * same number of bytes; undefined where not.
 */
export function findPlainValues(
  fields: readonly Field[],
  layout: BodyLayout,
  context: LoadContext,
): Stretch | undefined {
  const loader = new ColumnLoader(layout, ALL_NULL, context);
  for (const { type } of fields.slice(0, -1)) loader.skip(type);
  return loader.plain(fields.at(-1)!.type);
}

class ColumnLoader {
  readonly #layout: BodyLayout;
  readonly #body: Body;
  readonly #context: LoadContext;
  #node = 0;
  #region = 0;
  #viewColumn = 0;
  #room: number;

  constructor(layout: BodyLayout, body: Body, context: LoadContext) {
    this.#layout = layout;
    this.#body = body;
    this.#context = context;
    this.#room = context.maxBytes;
  }

  load(field: Field, wanted = 0): ColumnView {
    const { type, metadata } = field;
    // A field may have none.
    const name = field.name ?? '';
    const { nodes } = this.#layout;
    if (this.#node + 2 > nodes.length) throw new RangeError(`${name}: no such column`);
    const length = nodes[this.#node++]!;
    const nulls = nodes[this.#node++]!;
    if (length < wanted || length >= 2 ** 31) throw new RangeError(`${name}: ${length} values`);
    const isJson = metadata.get('ARROW:extension:name') === JSON_EXTENSION;
    const common = { name, type, isJson, length, children: [] };
    if (DataType.isNull(type)) return { ...common, validity: ALL_NULL };
    if (DataType.isUnion(type)) return this.#union(type, common);
    const bitmap = this.#bytes();
    let validity: Uint8Array | undefined;
    if (nulls !== 0 && length > 0 && (nulls > 0 || bitmap.length > 0)) {
      validity = sized(bitmap, Math.ceil(length / 8), name);
    }
    if (DataType.isDictionary(type)) return this.#dictionary(type, { ...common, validity });
    return { ...common, validity, ...this.#contents(type, length, validity, name) };
  }

  /** Passes over the nodes and buffers of a type, and answers where the latter lie. */
  skip(type: DataType): Stretch {
    const first = this.#region;
    this.#skip(type);
    const { regions } = this.#layout;
    const last = this.#region - 2;
    return last < first ? [0, 0] : [regions[first]!, regions[last]! + regions[last + 1]!];
  }

  /** Passes over a column, and answers where its values lie if they are plain. */
  plain(type: DataType): Stretch | undefined {
    const [node, region] = [this.#node, this.#region];
    this.#skip(type);
    const { nodes, regions, rows, codec } = this.#layout;
    const isWhole = nodes[node] === rows && nodes[node + 1] === 0 && codec === undefined;
    if (!isWhole || !isPlain(type)) return undefined;
    const size = (rows * fixedWidth(type)) / 8;
    const begin = regions[region + 2]!;
    return regions[region + 3]! >= size ? [begin, begin + size] : undefined;
  }

  #skip(type: DataType): void {
    this.#node += 2;
    if (DataType.isNull(type)) return;
    const isDense = DataType.isUnion(type) && DataType.isDenseUnion(type);
    let buffers = isDense ? 2 : 1;
    if (DataType.isUnion(type)) buffers += this.#context.unionBitmaps ? 1 : 0;
    else if (DataType.isDictionary(type)) buffers = 2;
    else if (hasViews(type)) buffers = 2 + (this.#layout.viewBuffers[this.#viewColumn++] ?? 0);
    else if (!DataType.isStruct(type) && !DataType.isFixedSizeList(type)) {
      buffers = type.children?.length ? 2 : hasOffsets(type) ? 3 : 2;
    }
    this.#region += buffers * 2;
    if (DataType.isDictionary(type)) return;
    for (const child of type.children ?? []) this.#skip(child.type);
  }

  #contents(
    type: DataType,
    length: number,
    validity: Uint8Array | undefined,
    name: string,
  ): Partial<ColumnView> {
    if (hasOffsets(type)) {
      const large = DataType.isLargeUtf8(type) || DataType.isLargeBinary(type);
      return this.#text(length, large);
    }
    if (hasViews(type)) {
      const values = typedView(sized(this.#bytes(), length * 16, name), Int32Array);
      const count = this.#layout.viewBuffers[this.#viewColumn++] ?? 0;
      const viewBuffers: Uint8Array[] = [];
      while (viewBuffers.length < count) viewBuffers.push(this.#bytes());
      checkViews(values, length, validity, viewBuffers);
      return { values, viewBuffers };
    }
    if (DataType.isStruct(type)) {
      return { children: type.children.map((child) => this.load(child, length)) };
    }
    const child = type.children?.[0];
    if (DataType.isFixedSizeList(type)) {
      if (type.listSize < 0) throw new RangeError(`${name}: lists of ${type.listSize}`);
      return { children: [this.load(child!, length * type.listSize)] };
    }
    if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isMap(type)) {
      const offsets = this.#offsets(length, DataType.isLargeList(type));
      const inner = this.load(child!, offsets[length]);
      if (DataType.isMap(type) && inner.children.length !== 2) throw new RangeError('no map');
      return { offsets, children: [inner] };
    }
    const bytes = sized(this.#bytes(), Math.ceil((length * fixedWidth(type)) / 8), name);
    return { values: typedView(bytes, valuesClass(type)) };
  }

  #text(length: number, large: boolean): Partial<ColumnView> {
    const offsets = this.#offsets(length, large);
    const values = this.#bytes();
    if (offsets[length]! > values.length) throw new RangeError('offsets go past the values');
    return { offsets, values };
  }

  /** Checked to ascend from zero or more; an empty buffer will do where there are no values. */
  #offsets(length: number, large: boolean): Int32Array {
    const bytes = this.#bytes();
    if (length === 0) return new Int32Array(1);
    const whole = sized(bytes, (length + 1) * (large ? 8 : 4), 'offsets');
    const offsets = large ? bigOffsets(whole) : typedView(whole, Int32Array);
    checkOffsets(offsets, length);
    return offsets;
  }

  #dictionary(type: Dictionary, common: Omit<ColumnView, 'values'>): ColumnView {
    const { name, length } = common;
    const width: number = type.indices.bitWidth;
    const bytes = sized(this.#bytes(), (length * width) / 8, name);
    const make = valuesClass(type.indices);
    const values = width === 64 ? bigOffsets(bytes) : typedView(bytes, make);
    const dictionary = this.#context.dictionaries.get(type.id) ?? [];
    const count = dictionary.reduce((sum, chunk) => sum + chunk.length, 0);
    const nullable = dictionary.some((chunk) => chunk.validity !== undefined);
    const merged = nullable ? new Uint8Array(Math.ceil(length / 8)) : undefined;
    for (let i = 0; i < length; i++) {
      if (!isValid(common.validity, i)) continue;
      const key = values[i]!;
      if (key < 0 || key >= count) throw new RangeError(`${name}: no dictionary entry ${key}`);
      if (merged && entryIsValid(dictionary, key)) merged[i >> 3]! |= 1 << (i & 7);
    }
    return { ...common, validity: merged ?? common.validity, values, dictionary };
  }

  #union(type: Union, common: Omit<ColumnView, 'validity'>): ColumnView {
    const { length, name } = common;
    if (this.#context.unionBitmaps) this.#bytes();
    const ids = sized(this.#bytes(), length, name);
    const dense = DataType.isDenseUnion(type);
    const offsets = dense
      ? typedView(sized(this.#bytes(), length * 4, name), Int32Array)
      : undefined;
    const children = type.children.map((child) => this.load(child, dense ? 0 : length));
    const childOf = new Uint8Array(length);
    const validity = new Uint8Array(Math.ceil(length / 8));
    const places = new Int16Array(256).fill(-1);
    for (const [at, id] of type.typeIds.entries()) places[id & 255] = at;
    for (let i = 0; i < length; i++) {
      const place = places[ids[i]!]!;
      const child = children[place];
      const at = offsets ? offsets[i]! : i;
      if (!child || at < 0 || at >= child.length) throw new RangeError(`${name}: no such value`);
      childOf[i] = place;
      if (isValid(child.validity, at)) validity[i >> 3]! |= 1 << (i & 7);
    }
    return { ...common, validity, offsets, children, childOf };
  }

  /** The next buffer, decompressed. */
  #bytes(): Uint8Array {
    const { regions, codec } = this.#layout;
    if (this.#region + 2 > regions.length) throw new RangeError('a buffer is missing');
    const offset = regions[this.#region++]!;
    const size = regions[this.#region++]!;
    if (offset + size > this.#body.length) throw new RangeError('a buffer goes past its body');
    const bytes = this.#body.subarray(offset, offset + size);
    if (codec === undefined || size === 0) return bytes;
    const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const plain = Number(head.getBigInt64(0, true));
    if (plain === -1) return bytes.subarray(8);
    // Java's writer puts nothing behind the size, which is no whole frame.
    if (plain === 0) return bytes.subarray(0, 0);
    this.#room -= plain;
    if (plain < 0 || this.#room < 0) throw new RangeError(`a buffer of ${plain} bytes`);
    return this.#context.decompress(codec, bytes.subarray(8), plain);
  }
}

/** True where row `i` has a value. */
export function isValid(validity: Uint8Array | undefined, i: number): boolean {
  return validity === undefined || ((validity[i >> 3]! >> (i & 7)) & 1) === 1;
}

function hasViews(type: DataType): boolean {
  return DataType.isUtf8View(type) || DataType.isBinaryView(type);
}

/** A number of whole bytes a value and nothing else. */
function isPlain(type: DataType): boolean {
  return (
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isDate(type) ||
    DataType.isTime(type) ||
    DataType.isTimestamp(type)
  );
}

/** Text and binary with offsets. */
function hasOffsets(type: DataType): boolean {
  return (
    DataType.isUtf8(type) ||
    DataType.isBinary(type) ||
    DataType.isLargeUtf8(type) ||
    DataType.isLargeBinary(type)
  );
}

function entryIsValid(dictionary: readonly ColumnView[], key: number): boolean {
  let at = key;
  for (const { length, validity } of dictionary) {
    if (at < length) return isValid(validity, at);
    at -= length;
  }
  return false;
}

function sized(bytes: Uint8Array, size: number, name: string): Uint8Array {
  if (bytes.length >= size) return bytes.length === size ? bytes : bytes.subarray(0, size);
  throw new RangeError(`${name}: ${bytes.length} bytes where ${size} are needed`);
}
