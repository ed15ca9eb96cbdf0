// Entry of the "rows" module: lines of JSON to rows of CSV.
//
// A line whose members are the columns in their order, without spaces, is written as it is read: each
// key is compared with its literal, 16 bytes at a time, and its value goes straight to the output. Any
// other line is read first, to find where each column's value starts, and then written. A line with an
// escape in a key, or with a field that is no column where that is an error, is left to the caller.
//
// The lines are validated JSON; behind the last there are 16 bytes that may be read, and a row may
// write 16 bytes behind its end.
import { LONE_REPLACE, decodeEscapes } from './text';

/** Results of the last call, u32 words: why it ended, where output ended, fields left out. */
export const STATE: usize = 0x10000;
/** The text of null. */
export const NULL: usize = 0x11000;
export const NULL_END: usize = 0x12000;
/** Columns, 16 bytes each: address and length of the key's literal (`,"name":`), where its value starts. */
export const COLUMNS: usize = 0x20000;
export const COLUMNS_END: usize = 0x40000;
/** The literals, each padded to a multiple of 16 bytes. */
export const KEYS: usize = 0x40000;
export const KEYS_END: usize = 0x140000;
/** The lines; behind them their records and the output, where the caller says. */
export const INPUT: usize = 0x140000;

/** Why a call ended: all lines are written, there is no room for the next, or it is left to the caller. */
const DONE: u32 = 0;
const FULL: u32 = 1;
export const LEFT: u32 = 2;

const COLUMN_SIZE: usize = 16;
const RECORD_SIZE: usize = 32;
const QUOTE: u32 = 0x22;
const BACKSLASH: u32 = 0x5c;
const COMMA: u32 = 0x2c;

let delimiter: u32 = COMMA;
let columnsEnd: usize = COLUMNS;
let nullLength: usize = 0;
let lineEnd: u32 = 10;
let quotesAll: bool = false;
let dropsExtra: bool = false;
/** Bytes that a row may need beside twice its line. */
let rowExtra: usize = 0;

let out: usize = 0;
let dropped: u32 = 0;

/** Columns, their literals and the text of null stand in memory; `end` is LF, or CR and LF. */
export function setColumns(
  count: u32, by: u32, nullBytes: usize, end: u32, quoteAll: bool, drop: bool, extra: usize,
): void {
  columnsEnd = COLUMNS + <usize>count * COLUMN_SIZE;
  delimiter = by;
  nullLength = nullBytes;
  lineEnd = end;
  quotesAll = quoteAll;
  dropsExtra = drop;
  rowExtra = extra;
}

/**
 * Writes the lines of the records [record, recordsEnd), whose offsets are from `base`; answers the
 * record at which it ended.
 */
export function run(base: usize, record: usize, recordsEnd: usize, outStart: usize, outEnd: usize): usize {
  let status = DONE;
  out = outStart;
  dropped = 0;
  for (; record < recordsEnd; record += RECORD_SIZE) {
    const start = base + <usize>load<u32>(record);
    const end = base + <usize>load<u32>(record, 4);
    if (out + 2 * (end - start) + rowExtra > outEnd) {
      status = FULL;
      break;
    }
    const rowStart = out;
    if (!writeInOrder(start)) {
      out = rowStart;
      if (!findValues(start)) {
        status = LEFT;
        break;
      }
      writeFound();
    }
    if (out == rowStart) {
      // An empty line is no row.
      store<u16>(out, 0x2222);
      out += 2;
    }
    if (lineEnd > 0xff) store<u8>(out++, lineEnd >> 8);
    store<u8>(out++, lineEnd);
  }
  store<u32>(STATE, status);
  store<u32>(STATE, <u32>out, 4);
  store<u32>(STATE, dropped, 8);
  return record;
}

/** False if the members are not columns in their order, or there are spaces between them. */
function writeInOrder(start: usize): bool {
  let p = start + 1;
  for (let column = COLUMNS; column < columnsEnd; column += COLUMN_SIZE) {
    const key = <usize>load<u32>(column);
    const size = <usize>load<u32>(column, 4);
    const isFirst = column == COLUMNS;
    if (!isFirst) {
      if (load<u8>(p) == 0x7d) {
        writeMissing(column);
        return true;
      }
      store<u8>(out++, delimiter);
    }
    // The literal of the first member begins behind its comma.
    if (!matches(isFirst ? p - 1 : p, key, size)) return false;
    p = writeValue(p + size - (isFirst ? 1 : 0));
  }
  return load<u8>(p) == 0x7d;
}

/** True if the literal stands at `p`; what stands for its comma is not looked at. */
// @ts-ignore: decorator
@inline
function matches(p: usize, key: usize, size: usize): bool {
  let equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(key))) | 1;
  if (size <= 16) return ctz(~equal) >= <u32>size;
  if (equal != 0xffff) return false;
  let at: usize = 16;
  for (; at + 16 <= size; at += 16) {
    if (i8x16.bitmask(i8x16.eq(v128.load(p + at), v128.load(key + at))) != 0xffff) return false;
  }
  equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(p + at), v128.load(key + at)));
  return ctz(~equal) >= <u32>(size - at);
}

/** Notes where each column's value starts, 0 if nowhere; false if the line is left to the caller. */
function findValues(start: usize): bool {
  for (let column = COLUMNS; column < columnsEnd; column += COLUMN_SIZE) store<u32>(column, 0, 8);
  let extra: u32 = 0;
  let expected = COLUMNS;
  let p = skipSpace(start + 1);
  while (load<u8>(p) == QUOTE) {
    const key = p + 1;
    const keyEnd = endOfText(key);
    if (isEscaped(key, keyEnd)) return false;
    const column = findColumn(key, keyEnd - key, expected);
    p = skipSpace(skipSpace(keyEnd + 1) + 1);
    if (column != 0) {
      store<u32>(column, <u32>p, 8);
      expected = column + COLUMN_SIZE;
    } else {
      if (!dropsExtra) return false;
      extra++;
    }
    p = skipSpace(skipValue(p));
    if (load<u8>(p) == COMMA) p = skipSpace(p + 1);
  }
  dropped += extra;
  return true;
}

/** The column whose name is the `size` bytes at `name`, looked for from `expected` on; 0 if none. */
function findColumn(name: usize, size: usize, expected: usize): usize {
  for (let column = expected; column < columnsEnd; column += COLUMN_SIZE) {
    if (isNamed(column, name, size)) return column;
  }
  for (let column = COLUMNS; column < expected; column += COLUMN_SIZE) {
    if (isNamed(column, name, size)) return column;
  }
  return 0;
}

function isNamed(column: usize, name: usize, size: usize): bool {
  return <usize>load<u32>(column, 4) == size + 4 && memory.compare(<usize>load<u32>(column) + 2, name, size) == 0;
}

function writeFound(): void {
  for (let column = COLUMNS; column < columnsEnd; column += COLUMN_SIZE) {
    if (column != COLUMNS) store<u8>(out++, delimiter);
    const at = <usize>load<u32>(column, 8);
    if (at != 0) writeValue(at);
    else writeNull();
  }
}

/** The columns from `column` on, none of which the line has. */
function writeMissing(column: usize): void {
  for (; column < columnsEnd; column += COLUMN_SIZE) {
    store<u8>(out++, delimiter);
    writeNull();
  }
}

function writeNull(): void {
  memory.copy(out, NULL, nullLength);
  out += nullLength;
}

/** Writes the value at `p`; answers its end. */
// @ts-ignore: decorator
@inline
function writeValue(p: usize): usize {
  const first = <u32>load<u8>(p);
  if (first == QUOTE) return writeText(p + 1);
  if (first == 0x7b || first == 0x5b) return writeNested(p);
  if (first == 0x6e) {
    if (nullLength != 0) writeNull();
    return p + 4;
  }
  while (true) {
    const v = v128.load(p);
    const mask = scalarEnds(v);
    v128.store(out, v);
    if (mask != 0) {
      const n = <usize>ctz(mask);
      out += n;
      return p + n;
    }
    p += 16;
    out += 16;
  }
}

/** Bits of the bytes that end a number or a word. */
// @ts-ignore: decorator
@inline
function scalarEnds(v: v128): u32 {
  const ends = v128.or(i8x16.eq(v, i8x16.splat(0x2c)), i8x16.eq(v, i8x16.splat(0x7d)));
  return <u32>i8x16.bitmask(v128.or(ends, i8x16.le_u(v, i8x16.splat(0x20))));
}

/** Writes the text at `p`, behind its opening quote; answers what is behind the closing one. */
// @ts-ignore: decorator
@inline
function writeText(p: usize): usize {
  const v = v128.load(p);
  const marks = v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c)));
  const mask = <u32>i8x16.bitmask(v128.or(marks, i8x16.eq(v, i8x16.splat(<i8>delimiter))));
  if (mask != 0) {
    const n = <usize>ctz(mask);
    if (load<u8>(p + n) == QUOTE && !needsQuotes(p, p + n)) {
      v128.store(out, v);
      out += n;
      return p + n + 1;
    }
  }
  return writeLongText(p);
}

/** True if a text without marks in it is quoted all the same. */
// @ts-ignore: decorator
@inline
function needsQuotes(p: usize, end: usize): bool {
  if (p == end || quotesAll) return true;
  if (load<u8>(p) <= 0x20 || load<u8>(end - 1) <= 0x20) return true;
  // The mark of UTF-8, which readers drop at the beginning of a file.
  if (load<u8>(p) == 0xef && load<u16>(p, 1) == 0xbfbb) return true;
  return end - p == nullLength && memory.compare(p, NULL, nullLength) == 0;
}

function writeLongText(p: usize): usize {
  let at = p;
  let delimiters: u32 = 0;
  while (true) {
    const v = v128.load(at);
    const ends = v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c)));
    const end = <u32>i8x16.bitmask(ends);
    const found = <u32>i8x16.bitmask(i8x16.eq(v, i8x16.splat(<i8>delimiter)));
    if (end != 0) {
      delimiters |= found & (end ^ (end - 1));
      at += <usize>ctz(end);
      break;
    }
    delimiters |= found;
    at += 16;
  }
  if (load<u8>(at) == BACKSLASH) return writeEscaped(p, endOfText(at));
  if (delimiters != 0 || needsQuotes(p, at)) copy(p - 1, at + 1);
  else copy(p, at);
  return at + 1;
}

/** Writes the text [p, end), which has escapes; answers what is behind its closing quote. */
function writeEscaped(p: usize, end: usize): usize {
  const text = out + 1;
  const textEnd = decodeEscapes(p, end, text, LONE_REPLACE);
  let quotes: usize = 0;
  let quoted = needsQuotes(text, textEnd);
  for (let at = text; at < textEnd; at++) {
    const c = <u32>load<u8>(at);
    if (c == QUOTE) quotes++;
    if (c == 10 || c == 13 || c == delimiter) quoted = true;
  }
  if (!quoted && quotes == 0) {
    memory.copy(out, text, textEnd - text);
    out += textEnd - text;
    return end + 1;
  }
  // From behind, so that room is made for the second of each two quotes.
  let to = textEnd + quotes;
  store<u8>(out, QUOTE);
  store<u8>(to, QUOTE);
  out = to + 1;
  for (let at = textEnd; to > at; ) {
    const c = <u32>load<u8>(--at);
    store<u8>(--to, c);
    if (c == QUOTE) store<u8>(--to, c);
  }
  return end + 1;
}

/** Writes the object or array at `p` as it stands, quoted; answers its end. */
function writeNested(p: usize): usize {
  const end = skipValue(p);
  store<u8>(out++, QUOTE);
  for (; p < end; p++) {
    const c = <u32>load<u8>(p);
    if (c == QUOTE) store<u8>(out++, QUOTE);
    store<u8>(out++, c);
  }
  store<u8>(out++, QUOTE);
  return end;
}

/** Copies [from, end) to the output, and up to 15 bytes more. */
function copy(from: usize, end: usize): void {
  let to = out;
  for (let p = from; p < end; p += 16, to += 16) v128.store(to, v128.load(p));
  out += end - from;
}

// @ts-ignore: decorator
@inline
function skipSpace(p: usize): usize {
  while (load<u8>(p) <= 0x20) p++;
  return p;
}

/** From inside a text to its closing quote. */
function endOfText(p: usize): usize {
  while (true) {
    const v = v128.load(p);
    const marks = v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c)));
    const mask = <u32>i8x16.bitmask(marks);
    if (mask == 0) {
      p += 16;
      continue;
    }
    p += <usize>ctz(mask);
    if (load<u8>(p) == QUOTE) return p;
    p += 2;
  }
}

function isEscaped(p: usize, end: usize): bool {
  for (; p < end; p++) if (load<u8>(p) == BACKSLASH) return true;
  return false;
}

/** The end of the value at `p`. */
function skipValue(p: usize): usize {
  let depth: u32 = 0;
  while (true) {
    const c = <u32>load<u8>(p);
    if (c == QUOTE) {
      p = endOfText(p + 1) + 1;
      if (depth == 0) return p;
    } else if (c == 0x7b || c == 0x5b) {
      depth++;
      p++;
    } else if (c == 0x7d || c == 0x5d) {
      p++;
      if (--depth == 0) return p;
    } else if (depth == 0) {
      while (scalarEnds(v128.load(p)) == 0) p += 16;
      return p + <usize>ctz(scalarEnds(v128.load(p)));
    } else p++;
  }
}
