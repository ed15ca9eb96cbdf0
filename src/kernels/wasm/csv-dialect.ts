// What the "csv" module was told about the file and the chunk, and the scanning that depends on it.
import { COLUMNS, COLUMN_SIZE } from './csv-layout';

/** A byte that no input has, for a dialect without it. */
const NO_BYTE: u32 = 0x100;

export let delimiter: u32 = 0x2c;
export let quote: u32 = 0x22;
export let escape: u32 = 0x22;
export let comment: u32 = NO_BYTE;
export let trims: bool = false;
export let pads: bool = false;
export let cuts: bool = false;
export let hasNulls: bool = false;
export let emptyAs: u32 = 0;
export let misfitAs: u32 = 0;
export let maxRow: usize = 0;
export let columnsEnd: usize = 0;
export let keyColumn: usize = 0;
export let longestKey: usize = 0;

export let inputEnd: usize = 0;
export let isLast: bool = false;
export let outStart: usize = 0;
export let outEnd: usize = 0;

export function setDialect(
  newDelimiter: u32, newQuote: u32, newEscape: u32, newComment: u32, trim: bool,
): void {
  delimiter = newDelimiter;
  quote = newQuote;
  escape = newEscape;
  comment = newComment;
  trims = trim;
}

/** Columns and their keys stand in memory. `key` is the ordinal of the key's column, or -1. */
export function setColumns(
  count: u32, key: i32, keyBytes: usize, empty: u32, misfit: u32, pad: bool, cut: bool, nulls: bool, max: usize,
): void {
  columnsEnd = COLUMNS + <usize>count * COLUMN_SIZE;
  keyColumn = key < 0 ? 0 : COLUMNS + <usize>key * COLUMN_SIZE;
  longestKey = keyBytes;
  emptyAs = empty;
  misfitAs = misfit;
  pads = pad;
  cuts = cut;
  hasNulls = nulls;
  maxRow = max;
}

/** Where the chunk ends, whether nothing of the source follows it, and where output begins. */
export function setChunk(end: usize, last: bool, out: usize): void {
  inputEnd = end;
  isLast = last;
  outStart = out;
}

/** Where output must end. */
export function setRoom(end: usize): void {
  outEnd = end;
}

/** What follows the line end at `p`; 0 where the chunk ends before that is known. */
export function afterLine(p: usize): usize {
  if (p < inputEnd) {
    if (load<u8>(p) == 0x0a) return p + 1;
    if (p + 1 < inputEnd) return load<u8>(p, 1) == 0x0a ? p + 2 : p + 1;
  }
  return isLast ? inputEnd : 0;
}

/** The next CR or LF at or after `p`; the padding begins with one. */
export function findLineEnd(p: usize): usize {
  const feeds = i8x16.splat(0x0a);
  const returns = i8x16.splat(0x0d);
  while (true) {
    const v = v128.load(p);
    const m = i8x16.bitmask(v128.or(i8x16.eq(v, feeds), i8x16.eq(v, returns)));
    if (m) return p + <usize>ctz(m);
    p += 16;
  }
}

/** The end of a field without quotes. */
export function findPlainEnd(p: usize): usize {
  const feeds = i8x16.splat(0x0a);
  const returns = i8x16.splat(0x0d);
  const delimiters = i8x16.splat(<i8>delimiter);
  while (true) {
    const v = v128.load(p);
    const lines = v128.or(i8x16.eq(v, feeds), i8x16.eq(v, returns));
    const m = i8x16.bitmask(v128.or(lines, i8x16.eq(v, delimiters)));
    if (m) return p + <usize>ctz(m);
    p += 16;
  }
}

// @ts-ignore: decorator
@inline
export function isBlank(c: u32): bool {
  return (c == 0x20 || c == 0x09) && c != delimiter;
}

export function skipBlanks(p: usize): usize {
  while (isBlank(load<u8>(p))) p++;
  return p;
}

export function dropBlanks(from: usize, to: usize): usize {
  while (to > from && isBlank(load<u8>(to - 1))) to--;
  return to;
}
