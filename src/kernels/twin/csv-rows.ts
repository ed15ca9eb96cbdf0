/** Lines of JSON to rows of CSV, in plain TypeScript. */
import { type EncodedLines, RECORD_WORDS } from '../../core/batch.ts';
import type { CsvRowProgram, CsvRowWriter, OnUnwritable } from '../csv-types.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Readers drop it at the beginning of a file. */
const UTF8_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** What a value is; how it is to be written. */
const Kind = { missing: 0, raw: 1, text: 2, quoted: 3, escaped: 4, nested: 5, null: 6 } as const;

export class TwinCsvRowWriter implements CsvRowWriter {
  readonly name = 'typescript';
  dropped = 0;
  readonly #delimiter: number;
  readonly #null: Uint8Array;
  readonly #lineEnd: Uint8Array;
  readonly #quotesAll: boolean;
  readonly #dropsExtra: boolean;
  /** Each column's key as it stands in a line: `"name"`. */
  readonly #keys: readonly Uint8Array[];
  readonly #ordinals: ReadonlyMap<string, number>;
  readonly #kinds: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  #out: Uint8Array = new Uint8Array(1 << 16);
  #at = 0;
  #reason: string | undefined;

  constructor(program: CsvRowProgram) {
    const { columns } = program;
    this.#delimiter = program.delimiter;
    this.#null = encoder.encode(program.null);
    this.#lineEnd = encoder.encode(program.lineEnd);
    this.#quotesAll = program.quotesAll;
    this.#dropsExtra = program.dropsExtra;
    this.#keys = columns.map((name) => encoder.encode(JSON.stringify(name)));
    this.#ordinals = new Map(columns.map((name, i) => [name, i]));
    this.#kinds = new Uint8Array(columns.length);
    this.#starts = new Uint32Array(columns.length);
    this.#ends = new Uint32Array(columns.length);
  }

  rows(lines: EncodedLines, onUnwritable: OnUnwritable): Uint8Array {
    for (let i = 0; i < lines.count; i++) this.#add(lines, i, onUnwritable);
    return this.#take();
  }

  /** The row of line `ordinal` alone. */
  row(lines: EncodedLines, ordinal: number, onUnwritable: OnUnwritable): Uint8Array {
    this.#add(lines, ordinal, onUnwritable);
    return this.#take();
  }

  #add({ bytes, records }: EncodedLines, ordinal: number, onUnwritable: OnUnwritable): void {
    const start = records[ordinal * RECORD_WORDS]!;
    const end = records[ordinal * RECORD_WORDS + 1]!;
    this.#reserve(2 * (end - start) + this.#keys.length * (this.#null.length + 4) + 8);
    this.#readLine(bytes, start, end);
    if (this.#reason !== undefined) onUnwritable(ordinal, this.#reason);
    else this.#writeRow(bytes);
  }

  /** Notes where each column's value stands; `#reason` says why the document cannot be written. */
  #readLine(bytes: Uint8Array, start: number, end: number): void {
    this.#kinds.fill(Kind.missing);
    this.#reason = undefined;
    let expected = 0;
    let at = skipSpace(bytes, start + 1);
    while (at < end && bytes[at] === QUOTE) {
      const keyAt = at;
      let column = expected;
      const key = this.#keys[expected];
      let after = key && startsWith(bytes, at, key) ? at + key.length : 0;
      if (after === 0) {
        after = endOfString(bytes, at);
        column = this.#findColumn(bytes, at, after);
      }
      at = skipSpace(bytes, skipSpace(bytes, after) + 1);
      if (column < 0) {
        at = this.#endOfValue(bytes, at, -1);
        if (!this.#dropsExtra) {
          const name = decoder.decode(bytes.subarray(keyAt, after));
          this.#reason ??= `the field ${name} is no column of the file`;
        } else this.dropped++;
      } else {
        at = this.#endOfValue(bytes, at, column);
        expected = column + 1;
      }
      at = skipSpace(bytes, at);
      if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1);
    }
  }

  #findColumn(bytes: Uint8Array, start: number, end: number): number {
    const name = JSON.parse(decoder.decode(bytes.subarray(start, end))) as string;
    return this.#ordinals.get(name) ?? -1;
  }

  /** Goes over the value at `at`, and notes what it is for its column. */
  #endOfValue(bytes: Uint8Array, at: number, column: number): number {
    const first = bytes[at]!;
    let kind: number = Kind.raw;
    let end = at + 1;
    if (first === QUOTE) {
      kind = this.#quotesAll ? Kind.quoted : Kind.text;
      for (; bytes[end] !== QUOTE; end++) {
        const byte = bytes[end]!;
        if (byte === BACKSLASH) {
          kind = Kind.escaped;
          end++;
        } else if (byte === this.#delimiter && kind === Kind.text) kind = Kind.quoted;
      }
      end++;
    } else if (first === 0x7b || first === 0x5b) {
      kind = Kind.nested;
      end = endOfContainer(bytes, at);
    } else {
      end = endOfValue(bytes, at);
      if (first === 0x6e) kind = Kind.null;
    }
    if (column >= 0) {
      this.#kinds[column] = kind;
      this.#starts[column] = at;
      this.#ends[column] = end;
    }
    return end;
  }

  #writeRow(bytes: Uint8Array): void {
    const { length } = this.#kinds;
    const rowStart = this.#at;
    for (let i = 0; i < length; i++) {
      if (i > 0) this.#out[this.#at++] = this.#delimiter;
      const kind = this.#kinds[i]!;
      const start = this.#starts[i]!;
      const end = this.#ends[i]!;
      if (kind === Kind.raw) this.#copy(bytes, start, end);
      else if (kind === Kind.missing || kind === Kind.null)
        this.#copy(this.#null, 0, this.#null.length);
      else if (kind === Kind.text) this.#writePlain(bytes, start + 1, end - 1);
      else if (kind === Kind.quoted) this.#copy(bytes, start, end);
      else if (kind === Kind.nested) this.#writeQuoted(bytes.subarray(start, end));
      else this.#writeText(JSON.parse(decoder.decode(bytes.subarray(start, end))) as string);
    }
    // An empty line is no row.
    if (this.#at === rowStart) this.#writeQuoted(this.#null);
    this.#copy(this.#lineEnd, 0, this.#lineEnd.length);
  }

  /** A text without escapes and delimiters. */
  #writePlain(bytes: Uint8Array, start: number, end: number): void {
    if (this.#needsQuotes(bytes, start, end)) this.#copy(bytes, start - 1, end + 1);
    else this.#copy(bytes, start, end);
  }

  #writeText(text: string): void {
    const bytes = encoder.encode(text);
    const hasMark = bytes.includes(this.#delimiter) || /["\r\n]/.test(text);
    if (hasMark || this.#needsQuotes(bytes, 0, bytes.length)) this.#writeQuoted(bytes);
    else this.#copy(bytes, 0, bytes.length);
  }

  /** True if a text without marks in it is quoted all the same. */
  #needsQuotes(bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start || this.#quotesAll) return true;
    if (bytes[start]! <= 0x20 || bytes[end - 1]! <= 0x20) return true;
    return (
      startsWith(bytes, start, UTF8_MARK) ||
      (end - start === this.#null.length && startsWith(bytes, start, this.#null))
    );
  }

  #writeQuoted(bytes: Uint8Array): void {
    const out = this.#out;
    out[this.#at++] = QUOTE;
    for (const byte of bytes) {
      if (byte === QUOTE) out[this.#at++] = QUOTE;
      out[this.#at++] = byte;
    }
    out[this.#at++] = QUOTE;
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out;
    let at = this.#at;
    if (end - start > 64) {
      out.set(bytes.subarray(start, end), at);
      at += end - start;
    } else for (let i = start; i < end; i++) out[at++] = bytes[i]!;
    this.#at = at;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#out.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#out.length, this.#at + size));
    larger.set(this.#out.subarray(0, this.#at));
    this.#out = larger;
  }

  #take(): Uint8Array {
    const written = this.#out.slice(0, this.#at);
    this.#at = 0;
    return written;
  }
}

/** The fields of all these documents, in the order in which they first come. */
export function readFieldNames({ bytes, records, count }: EncodedLines): string[] {
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    let at = skipSpace(bytes, records[i * RECORD_WORDS]! + 1);
    while (bytes[at] === QUOTE) {
      const after = endOfString(bytes, at);
      names.add(JSON.parse(decoder.decode(bytes.subarray(at, after))) as string);
      at = skipSpace(bytes, endOfValue(bytes, skipSpace(bytes, skipSpace(bytes, after) + 1)));
      if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1);
    }
  }
  return [...names];
}

function startsWith(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! <= 0x20) at++;
  return at;
}

/** From an opening quote to what follows the closing one. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  for (; bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
  return at + 1;
}

function endOfContainer(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; ; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at) - 1;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at + 1;
  }
}

function endOfValue(bytes: Uint8Array, start: number): number {
  if (bytes[start] === QUOTE) return endOfString(bytes, start);
  if (bytes[start] === 0x7b || bytes[start] === 0x5b) return endOfContainer(bytes, start);
  let at = start;
  while (!isValueEnd(bytes[at]!)) at++;
  return at;
}

function isValueEnd(byte: number): boolean {
  return byte === 0x2c || byte === 0x7d || byte <= 0x20;
}
