// The fields of the "csv" module: everything about a value but the fast way of short ones, which
// csv.ts has; and what is known of the row under way.
import { emptyAs, escape, hasNulls, inputEnd, misfitAs, outEnd, outStart, quote } from './csv-dialect';
import {
  BOOLEAN, EMPTY_OMIT, EMPTY_STRING, INPUT, MISFITS, MISFIT_ERROR, MISFIT_NULL, R_MISFIT, STRING,
} from './csv-layout';
import { fitsType, isNullText, writeBoolean, writeByte, writeText } from './csv-values';
import { LONE_REPLACE, decodeEscapes } from './text';
import { xxh3 } from './xxh3';

/** Of the current row: its fault, its line ends in quotes, its misfits. */
export let fault: u32 = 0;
export let faultAt: usize = 0;
export let embedded: u32 = 0;
export let misfits: usize = 0;
/** Of the current row: what goes into its record about the key. */
export let keyFrom: usize = 0;
export let keyTo: usize = 0;
export let keyKind: u32 = 0;
export let keyHash: u64 = 0;

export function beginRow(): void {
  fault = 0;
  embedded = 0;
  misfits = MISFITS;
  keyKind = 0;
  keyHash = 0;
  keyFrom = outStart;
  keyTo = outStart;
}

/** Notes the row's first fault. */
export function note(at: usize, reason: u32): void {
  if (fault) return;
  fault = reason;
  faultAt = at;
}

/** Notes a fault that counts for more than any before. */
export function overrule(at: usize, reason: u32): void {
  fault = reason;
  faultAt = at;
}

/** The row is given up after its first line, so no other is part of it. */
export function dropLines(): void {
  embedded = 0;
}

/** Counts a line end inside quotes. */
export function embedLine(): void {
  embedded++;
}

/** Takes back the key's literal at `start`, or makes it end in null or the empty text. */
export function writeNull(type: u32, start: usize, text: usize): usize {
  if (emptyAs == EMPTY_OMIT) return start;
  if (emptyAs == EMPTY_STRING && type == STRING) {
    store<u8>(text, 0x22);
    return text + 1;
  }
  store<u32>(text - 1, 0x6c6c756e);
  return text + 3;
}

/** Notes that the value at `at` does not fit its column; true if null takes its place. */
export function noteMisfit(column: usize, at: usize): bool {
  if (misfitAs == MISFIT_ERROR) note(at, R_MISFIT);
  store<u32>(misfits, <u32>column);
  misfits += 4;
  return misfitAs == MISFIT_NULL;
}

/** Makes of the text written at [text, end), which does not fit its column, what is asked. */
export function misfit(column: usize, at: usize, text: usize, end: usize): usize {
  if (noteMisfit(column, at)) {
    store<u32>(text - 1, 0x6c6c756e);
    return text + 3;
  }
  store<u8>(end, 0x22);
  return end + 1;
}

/** Adds the row's misfits to their columns. */
export function countMisfits(rowStart: usize, line: u32): void {
  for (let at = MISFITS; at < misfits; at += 4) {
    const column = <usize>load<u32>(at);
    const count = load<u32>(column, 12);
    if (!count) {
      store<u32>(column, <u32>(rowStart - INPUT), 16);
      store<u32>(column, line, 20);
    }
    store<u32>(column, count + 1, 12);
  }
}

/** A field without quotes that is long, or holds what JSON escapes. */
export function writePlain(column: usize, from: usize, to: usize, start: usize, text: usize): usize {
  const type = load<u32>(column, 8);
  const n = to - from;
  if (n == 0 || (hasNulls && isNullText(from, n))) return writeNull(type, start, text);
  if (type != STRING && fitsType(type, from, to)) {
    if (type == BOOLEAN) return writeBoolean(text - 1, n);
    memory.copy(text - 1, from, n);
    return text - 1 + n;
  }
  const end = writeText(from, to, text);
  if (type != STRING) return misfit(column, from, text, end);
  store<u8>(end, 0x22);
  return end + 1;
}

/** What follows the closing quote that `readQuoted` found. */
export let quotedEnd: usize = 0;
/** True if `readQuoted` answered 0 for want of room. */
export let quotedFull: bool = false;

/** Writes a quoted field's text; returns its end, 0 where the quote is not closed or room is short. */
export function readQuoted(p: usize, out: usize): usize {
  const quotes = i8x16.splat(<i8>quote);
  const escapes = i8x16.splat(<i8>escape);
  const marks = i8x16.splat(0x22);
  const backslashes = i8x16.splat(0x5c);
  const controls = i8x16.splat(0x1f);
  const limit = outEnd - 128;
  quotedFull = false;
  while (true) {
    if (out > limit) {
      quotedFull = true;
      return 0;
    }
    const v = v128.load(p);
    v128.store(out, v);
    const own = v128.or(i8x16.eq(v, quotes), i8x16.eq(v, escapes));
    const json = v128.or(i8x16.eq(v, marks), i8x16.eq(v, backslashes));
    const m = i8x16.bitmask(v128.or(v128.or(own, json), i8x16.eq(i8x16.min_u(v, controls), v)));
    if (!m) {
      p += 16;
      out += 16;
      continue;
    }
    const n = <usize>ctz(m);
    p += n;
    out += n;
    if (p >= inputEnd) return 0;
    const c = <u32>load<u8>(p);
    const d = <u32>load<u8>(p, 1);
    if (c == escape && (d == quote || d == escape) && p + 1 < inputEnd) {
      out = writeByte(out, d);
      p += 2;
      continue;
    }
    if (c == quote) {
      quotedEnd = p + 1;
      return out;
    }
    if (c == 0x0a || (c == 0x0d && d != 0x0a)) embedded++;
    out = writeByte(out, c);
    p++;
  }
}

/** Ends the value whose text `readQuoted` has written at [text, end). */
export function closeQuoted(column: usize, from: usize, text: usize, end: usize): usize {
  const type = load<u32>(column, 8);
  if (type != STRING) {
    if (!fitsType(type, text, end)) return misfit(column, from, text, end);
    if (type == BOOLEAN) return writeBoolean(text - 1, end - text);
    memory.copy(text - 1, text, end - text);
    return end - 1;
  }
  store<u8>(end, 0x22);
  return end + 1;
}

/** Notes place, kind and hash of the key, written at [start, end); false if there is no room to. */
export function noteKey(start: usize, text: usize, end: usize): bool {
  if (end == start) return true;
  const c = <u32>load<u8>(text - 1);
  keyFrom = text - 1;
  keyTo = end;
  keyKind = c == 0x2d || c - 0x30 <= 9 ? 3 : 4;
  if (c != 0x22) return true;
  keyFrom = text;
  keyTo = end - 1;
  let p = text;
  while (p < keyTo && load<u8>(p) != 0x5c) p++;
  keyKind = p == keyTo ? 1 : 2;
  if (keyKind == 1) keyHash = xxh3(text, keyTo - text);
  else {
    const scratch = end + 64;
    if (scratch + (end - text) > outEnd) return false;
    keyHash = xxh3(scratch, decodeEscapes(text, keyTo, scratch, LONE_REPLACE) - scratch);
  }
  return true;
}
