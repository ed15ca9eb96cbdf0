/**
 * One writer per column, in Arrow's layout, growing as rows come. A missing value or JSON `null` is
 * a null. A value that does not fit is refused, and its row may then be half there: the builder takes
 * it back with `truncate`.
 */
import { EtlError } from '../../core/errors.ts';
import type { Path } from '../../core/path.ts';
import type { Column, ColumnData, ColumnType } from '../types.ts';
import { parseTimestamp, readInt32, readInt64 } from './numbers.ts';
import { Kind, type Scanner } from './scanner.ts';
import { type FieldName, fieldName, findMember, sourceText, stringValue } from './text.ts';

const MAX_OFFSET = 0x7fff_ffff;
const FIRST_ROWS = 64;
const encoder = new TextEncoder();

/** A value that does not fit: of which column, what was expected, and the value's node. */
export interface Refusal {
  readonly path: Path;
  readonly expected: string;
  readonly node: number;
}

/** A column being filled. */
export abstract class ColumnWriter {
  length = 0;
  protected nullCount = 0;
  readonly #path: Path;
  #validity = new Uint8Array(FIRST_ROWS / 8);

  constructor(path: Path) {
    this.#path = path;
  }

  /** Bytes held. */
  get byteLength(): number {
    return this.#validity.byteLength + this.valueBytes();
  }

  /** Appends the value at `node`, or a null where `node` is -1. */
  append(scanner: Scanner, node: number): Refusal | undefined {
    if (node < 0 || scanner.kind[node] === Kind.null) {
      this.appendNull();
      return undefined;
    }
    const refusal = this.write(scanner, node);
    if (refusal === undefined) this.#close(true);
    return refusal;
  }

  appendNull(): void {
    this.writeNull();
    this.#close(false);
  }

  /** Drops the rows from `length` on. */
  truncate(length: number): void {
    while (this.length > length) {
      const row = --this.length;
      const bit = 1 << (row & 7);
      if (this.#validity[row >> 3]! & bit) this.#validity[row >> 3]! &= ~bit;
      else this.nullCount--;
    }
    this.drop(length);
  }

  /** The rows so far, as memory of their own. */
  take(): ColumnData {
    const { length, nullCount } = this;
    const validity =
      nullCount === 0 ? {} : { validity: this.#validity.slice(0, (length + 7) >> 3) };
    return { length, nullCount, ...validity, ...this.buffers() };
  }

  protected refuse(expected: string, node: number): Refusal {
    return { path: this.#path, expected, node };
  }

  protected abstract valueBytes(): number;
  protected abstract write(scanner: Scanner, node: number): Refusal | undefined;
  protected abstract writeNull(): void;
  protected abstract drop(length: number): void;
  protected abstract buffers(): Pick<ColumnData, 'values' | 'offsets' | 'children'>;

  #close(valid: boolean): void {
    const row = this.length++;
    if (row >> 3 === this.#validity.length) this.#validity = grow(this.#validity, row >> 3);
    if (valid) this.#validity[row >> 3]! |= 1 << (row & 7);
    else this.nullCount++;
  }
}

/** A writer for a column of this type; `path` is what misfits are reported under. */
export function createWriter(type: ColumnType, path: Path): ColumnWriter {
  switch (type.kind) {
    case 'float64':
      return new FixedWriter(path, 'a number', new Float64Array(FIRST_ROWS), 0, readFloat64);
    case 'int32':
      return new FixedWriter(path, 'an int32', new Int32Array(FIRST_ROWS), 0, readInt32);
    case 'int64':
      return new FixedWriter(path, 'an int64', new BigInt64Array(FIRST_ROWS), 0n, readInt64);
    case 'timestamp': {
      const read = (scanner: Scanner, node: number): bigint | undefined =>
        isText(scanner, node)
          ? parseTimestamp(stringValue(scanner, node), type.unit)
          : readInt64(scanner, node);
      return new FixedWriter(path, 'a timestamp', new BigInt64Array(FIRST_ROWS), 0n, read);
    }
    case 'bool':
      return new BoolWriter(path);
    case 'utf8':
    case 'json':
      return new TextWriter(path, type.kind);
    case 'list':
      return new ListWriter(path, type.element);
    case 'struct':
      return new StructWriter(path, type.fields);
  }
}

type Numbers = Float64Array | Int32Array | BigInt64Array;

class FixedWriter<T extends number | bigint> extends ColumnWriter {
  readonly #expected: string;
  readonly #zero: T;
  readonly #read: (scanner: Scanner, node: number) => T | undefined;
  #values: Numbers;

  constructor(
    path: Path,
    expected: string,
    values: Numbers,
    zero: T,
    read: (scanner: Scanner, node: number) => T | undefined,
  ) {
    super(path);
    this.#expected = expected;
    this.#values = values;
    this.#zero = zero;
    this.#read = read;
  }

  protected override valueBytes(): number {
    return this.#values.byteLength;
  }

  protected override write(scanner: Scanner, node: number): Refusal | undefined {
    const value = this.#read(scanner, node);
    if (value === undefined) return this.refuse(this.#expected, node);
    this.#store(value);
    return undefined;
  }

  protected override writeNull(): void {
    this.#store(this.#zero);
  }

  protected override drop(): void {}

  protected override buffers(): Pick<ColumnData, 'values'> {
    return { values: this.#values.slice(0, this.length) };
  }

  #store(value: T): void {
    if (this.length === this.#values.length) this.#values = grow(this.#values, this.length);
    this.#values[this.length] = value;
  }
}

class BoolWriter extends ColumnWriter {
  #bits = new Uint8Array(FIRST_ROWS / 8);

  protected override valueBytes(): number {
    return this.#bits.byteLength;
  }

  protected override write(scanner: Scanner, node: number): Refusal | undefined {
    const kind = scanner.kind[node];
    if (kind !== Kind.true && kind !== Kind.false) return this.refuse('true or false', node);
    this.#store(kind === Kind.true);
    return undefined;
  }

  protected override writeNull(): void {
    this.#store(false);
  }

  protected override drop(): void {}

  protected override buffers(): Pick<ColumnData, 'values'> {
    const values = this.#bits.slice(0, (this.length + 7) >> 3);
    // A row taken back may have left its bit.
    if (this.length & 7) values[values.length - 1]! &= (1 << (this.length & 7)) - 1;
    return { values };
  }

  #store(value: boolean): void {
    const at = this.length >> 3;
    if (at === this.#bits.length) this.#bits = grow(this.#bits, at);
    const bit = 1 << (this.length & 7);
    // Clears too: a row taken back may have left its bit.
    this.#bits[at] = value ? this.#bits[at]! | bit : this.#bits[at]! & ~bit;
  }
}

/** Offsets of rows into something that grows: text bytes or list elements. */
class Offsets {
  #offsets = new Int32Array(FIRST_ROWS);

  get byteLength(): number {
    return this.#offsets.byteLength;
  }

  at(row: number): number {
    return this.#offsets[row]!;
  }

  /** Ends row `row` at `end`. */
  close(row: number, end: number): void {
    if (end > MAX_OFFSET) {
      throw new EtlError('INVALID_ARGUMENT', 'a column holds at most 2 GiB; take rows more often');
    }
    if (row + 1 === this.#offsets.length) this.#offsets = grow(this.#offsets, row + 1);
    this.#offsets[row + 1] = end;
  }

  take(rows: number): Int32Array {
    return this.#offsets.slice(0, rows + 1);
  }
}

class TextWriter extends ColumnWriter {
  readonly #kind: 'utf8' | 'json';
  readonly #offsets = new Offsets();
  #text = new Uint8Array(FIRST_ROWS * 8);

  constructor(path: Path, kind: 'utf8' | 'json') {
    super(path);
    this.#kind = kind;
  }

  protected override valueBytes(): number {
    return this.#offsets.byteLength + this.#text.byteLength;
  }

  protected override write(scanner: Scanner, node: number): Refusal | undefined {
    const { bytes, kind, start, end } = scanner;
    if (this.#kind === 'json') this.#store(bytes.subarray(start[node]!, end[node]!));
    else if (kind[node] === Kind.plain)
      this.#store(bytes.subarray(start[node]! + 1, end[node]! - 1));
    else if (kind[node] === Kind.escaped) this.#store(encoder.encode(stringValue(scanner, node)));
    else return this.refuse('a string', node);
    return undefined;
  }

  protected override writeNull(): void {
    this.#offsets.close(this.length, this.#offsets.at(this.length));
  }

  protected override drop(): void {}

  protected override buffers(): Pick<ColumnData, 'values' | 'offsets'> {
    const offsets = this.#offsets.take(this.length);
    return { values: this.#text.slice(0, offsets[this.length]), offsets };
  }

  #store(text: Uint8Array): void {
    const from = this.#offsets.at(this.length);
    this.#offsets.close(this.length, from + text.length);
    if (from + text.length > this.#text.length) this.#text = grow(this.#text, from + text.length);
    this.#text.set(text, from);
  }
}

class ListWriter extends ColumnWriter {
  readonly #offsets = new Offsets();
  readonly #elements: ColumnWriter;

  constructor(path: Path, element: ColumnType) {
    super(path);
    this.#elements = createWriter(element, path);
  }

  protected override valueBytes(): number {
    return this.#offsets.byteLength + this.#elements.byteLength;
  }

  protected override write(scanner: Scanner, node: number): Refusal | undefined {
    if (scanner.kind[node] !== Kind.array) return this.refuse('an array', node);
    const end = scanner.next[node]!;
    for (let at = node + 1; at < end; at = scanner.next[at]!) {
      const refusal = this.#elements.append(scanner, at);
      if (refusal !== undefined) return refusal;
    }
    this.writeNull();
    return undefined;
  }

  /** Ends the row where the elements end: an empty list if none were written. */
  protected override writeNull(): void {
    this.#offsets.close(this.length, this.#elements.length);
  }

  protected override drop(length: number): void {
    this.#elements.truncate(this.#offsets.at(length));
  }

  protected override buffers(): Pick<ColumnData, 'offsets' | 'children'> {
    return { offsets: this.#offsets.take(this.length), children: [this.#elements.take()] };
  }
}

class StructWriter extends ColumnWriter {
  readonly #fields: readonly { readonly name: FieldName; readonly writer: ColumnWriter }[];

  constructor(path: Path, fields: readonly Column[]) {
    super(path);
    this.#fields = fields.map(({ name, type }) => ({
      name: fieldName(name),
      writer: createWriter(type, [...path, name]),
    }));
  }

  protected override valueBytes(): number {
    return this.#fields.reduce((sum, { writer }) => sum + writer.byteLength, 0);
  }

  protected override write(scanner: Scanner, node: number): Refusal | undefined {
    if (scanner.kind[node] !== Kind.object) return this.refuse('an object', node);
    for (const { name, writer } of this.#fields) {
      const refusal = writer.append(scanner, findMember(scanner, node, name));
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  protected override writeNull(): void {
    for (const { writer } of this.#fields) writer.appendNull();
  }

  protected override drop(length: number): void {
    for (const { writer } of this.#fields) writer.truncate(length);
  }

  protected override buffers(): Pick<ColumnData, 'children'> {
    return { children: this.#fields.map(({ writer }) => writer.take()) };
  }
}

function readFloat64(scanner: Scanner, node: number): number | undefined {
  const kind = scanner.kind[node];
  if (kind !== Kind.integer && kind !== Kind.decimal) return undefined;
  return Number(sourceText(scanner, node));
}

function isText(scanner: Scanner, node: number): boolean {
  return scanner.kind[node] === Kind.plain || scanner.kind[node] === Kind.escaped;
}

/** A copy with room for at least `length` + 1 values, at least twice as long. */
function grow<T extends Numbers | Uint8Array>(array: T, length: number): T {
  const make = array.constructor as new (length: number) => T;
  const larger = new make(Math.max(array.length * 2, length + 1));
  larger.set(array as never);
  return larger;
}
