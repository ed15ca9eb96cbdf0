/**
 * CSV as fields, byte by byte: the grammar of `csv-types.ts` in its plainest form, for the TypeScript
 * kernel, for headers and for sniffing.
 */
import { type CsvDialect, CsvReason } from '../csv-types.ts';

/** A field of a row. Offsets are from the start of the bytes. */
export interface CsvField {
  /** Its first byte, the opening quote included. */
  readonly start: number;
  readonly quoted: boolean;
  /** Its bytes, without quotes and escapes. */
  readonly value: Uint8Array;
}

export interface CsvRow {
  readonly fields: readonly CsvField[];
  /** One past the last byte, line end excluded. */
  readonly end: number;
  /** Where the next row starts; -1 where the bytes end before that is known. */
  readonly next: number;
  /** Line ends inside of quotes. */
  readonly embedded: number;
  /** A number of `CsvReason`, and where. */
  readonly fault: number;
  readonly faultAt: number;
}

const LF = 10;
const CR = 13;

/** What follows the line end at `at`; -1 where the bytes end before that is known. */
export function afterLine(bytes: Uint8Array, at: number, last: boolean): number {
  if (at < bytes.length) {
    if (bytes[at] === LF) return at + 1;
    if (at + 1 < bytes.length) return bytes[at + 1] === LF ? at + 2 : at + 1;
  }
  return last ? bytes.length : -1;
}

/** The next CR or LF at or after `at`, or the end. */
export function findLineEnd(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end] !== LF && bytes[end] !== CR) end++;
  return end;
}

/** Reads the row that starts at `start`; `last` if nothing follows the bytes. */
export function readCsvRow(
  bytes: Uint8Array,
  start: number,
  last: boolean,
  dialect: CsvDialect,
): CsvRow {
  const { delimiter, quote, trim } = dialect;
  const isBlank = (byte: number | undefined) =>
    trim && (byte === 0x20 || byte === 0x09) && byte !== delimiter;
  const fields: CsvField[] = [];
  let embedded = 0;
  let at = start;
  const row = (end: number, next: number, fault: number, faultAt: number): CsvRow => {
    return { fields, end, next, embedded, fault, faultAt };
  };
  for (;;) {
    while (isBlank(bytes[at])) at++;
    const quoted = quote !== undefined && bytes[at] === quote;
    let value: Uint8Array;
    const from = at;
    if (quoted) {
      const text = readQuoted(bytes, at + 1, dialect);
      embedded += text.lines;
      value = text.value;
      if (text.end < 0) {
        fields.push({ start: from, quoted, value });
        return row(bytes.length, -1, CsvReason.unclosed, from);
      }
      at = text.end;
      while (isBlank(bytes[at])) at++;
    } else {
      while (at < bytes.length && bytes[at] !== delimiter && !isLineEnd(bytes[at])) at++;
      let end = at;
      while (end > from && isBlank(bytes[end - 1])) end--;
      value = bytes.subarray(from, end);
    }
    fields.push({ start: from, quoted, value });
    if (at < bytes.length && bytes[at] === delimiter) {
      at++;
      continue;
    }
    const ends = at >= bytes.length || isLineEnd(bytes[at]);
    const end = ends ? at : findLineEnd(bytes, at);
    return row(end, afterLine(bytes, end, last), ends ? 0 : CsvReason.afterQuote, at);
  }
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

/** The text behind an opening quote, and what follows the closing one; -1 if there is none. */
function readQuoted(bytes: Uint8Array, start: number, dialect: CsvDialect) {
  const { quote } = dialect;
  const escapeBy = dialect.escape ?? quote;
  const parts: number[] = [];
  let lines = 0;
  let plain = true;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const next = bytes[at + 1];
    if (byte === escapeBy && at + 1 < bytes.length && (next === quote || next === escapeBy)) {
      if (plain) for (const each of bytes.subarray(start, at)) parts.push(each);
      plain = false;
      parts.push(next!);
      at++;
      continue;
    }
    if (byte === quote) {
      const value = plain ? bytes.subarray(start, at) : Uint8Array.from(parts);
      return { value, end: at + 1, lines };
    }
    if (byte === LF || (byte === CR && next !== LF)) lines++;
    if (!plain) parts.push(byte);
  }
  return { value: bytes.subarray(0, 0), end: -1, lines };
}
