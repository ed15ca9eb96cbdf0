// The other output of the "csv" module: a table of rows by columns that objects are made from at once,
// without any JSON between. It says where texts stand in the chunk and what numbers are worth.
import { emptyAs, escape, hasNulls, inputEnd, quote } from './csv-dialect';
import { embedLine, noteMisfit } from './csv-fields';
import {
  BOOLEAN, EMPTY_OMIT, EMPTY_STRING, ENTRY_ASCII, ENTRY_DIGITS, ENTRY_DOUBLE, ENTRY_ESCAPED,
  ENTRY_FALSE, ENTRY_INTEGER, ENTRY_NULL, ENTRY_OMIT, ENTRY_TRUE, ENTRY_UTF8, INTEGER, STRING,
} from './csv-layout';
import { fitsType, isBoolean, isNullText, isShortNumber } from './csv-values';
import { digitMask, hasHighByte, readDigits } from './scan';

const POW10: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
]);

/** The chunk has no byte above 0x7f, so its texts need not be looked at. */
let isAllAscii: bool = false;

export function setAscii(all: bool): void {
  isAllAscii = all;
}

/** Notes a field of `n` bytes, up to 15, that are in `v` and have no escapes. */
// @ts-ignore: decorator
@inline
export function noteShort(column: usize, out: usize, from: usize, n: usize, v: v128, isQuoted: bool): void {
  const type = load<u32>(column, 8);
  if (isAbsent(type, from, n, isQuoted)) {
    noteAbsent(type, out, from);
  } else if (type == STRING) {
    const high = i8x16.bitmask(v) & ((1 << <i32>n) - 1);
    noteText(high ? ENTRY_UTF8 : ENTRY_ASCII, out, from, from + n);
  } else if (type != BOOLEAN && isShortNumber(v, from, n, type == INTEGER)) {
    noteNumber(v, out, from, n);
  } else {
    noteRest(type, column, out, from, from + n);
  }
}

/** Notes a field of any length without escapes. */
export function noteLong(column: usize, out: usize, from: usize, to: usize, isQuoted: bool): void {
  const n = to - from;
  if (n < 16) return noteShort(column, out, from, n, v128.load(from), isQuoted);
  const type = load<u32>(column, 8);
  if (hasNulls && !isQuoted && isNullText(from, n)) noteAbsent(type, out, from);
  else noteRest(type, column, out, from, to);
}

/** Notes a field with escapes, which no value but a text has. */
export function noteEscaped(column: usize, out: usize, from: usize, to: usize): void {
  if (load<u32>(column, 8) != STRING && noteMisfit(column, from)) store<u32>(out, ENTRY_NULL);
  else noteText(ENTRY_ESCAPED, out, from, to);
}

/** Notes a field that has no value; an empty text stands at `at`. */
export function noteAbsent(type: u32, out: usize, at: usize): void {
  if (emptyAs == EMPTY_STRING && type == STRING) noteText(ENTRY_ASCII, out, at, at);
  else store<u32>(out, emptyAs == EMPTY_OMIT ? ENTRY_OMIT : ENTRY_NULL);
}

// @ts-ignore: decorator
@inline
function isAbsent(type: u32, from: usize, n: usize, isQuoted: bool): bool {
  return (n == 0 && !(isQuoted && type == STRING)) || (hasNulls && !isQuoted && isNullText(from, n));
}

// @ts-ignore: decorator
@inline
function noteText(entry: u32, out: usize, from: usize, to: usize): void {
  store<u32>(out, entry);
  store<u32>(out, <u32>from, 4);
  store<u32>(out, <u32>to, 8);
}

/** A text, a boolean, or a number that is not short. */
function noteRest(type: u32, column: usize, out: usize, from: usize, to: usize): void {
  if (type != STRING && fitsType(type, from, to)) {
    if (type == BOOLEAN) store<u32>(out, to - from == 4 ? ENTRY_TRUE : ENTRY_FALSE);
    else noteText(ENTRY_DIGITS, out, from, to);
  } else if (type != STRING && noteMisfit(column, from)) store<u32>(out, ENTRY_NULL);
  else noteText(isAllAscii || !hasHighByte(from, to) ? ENTRY_ASCII : ENTRY_UTF8, out, from, to);
}

/** The number of up to 15 bytes at `p`; they are in `v`. */
// @ts-ignore: decorator
@inline
function noteNumber(v: v128, out: usize, p: usize, n: usize): void {
  const sign: usize = load<u8>(p) == 0x2d ? 1 : 0;
  const digits = <u32>digitMask(v) >> <u32>sign;
  const whole = <usize>ctz(~digits);
  const start = p + sign;
  const point = start + whole;
  let fraction: usize = 0;
  if (sign + whole != n) {
    fraction = <usize>ctz(~(digits >> (<u32>whole + 1)));
    if (load<u8>(point) != 0x2e || sign + whole + 1 + fraction != n) {
      return noteText(ENTRY_DIGITS, out, p, p + n);
    }
  }
  const integer = digitsAt(start, whole);
  if (!fraction && integer < 0x80000000 && (integer || !sign)) {
    store<u32>(out, ENTRY_INTEGER);
    store<i32>(out, sign ? -<i32>integer : <i32>integer, 4);
    return;
  }
  let value = <f64>integer;
  if (fraction) {
    const power = load<f64>(POW10 + (fraction << 3));
    // Fewer than 16 digits and a power of ten below 10^22: the division rounds as it should.
    value = (value * power + <f64>digitsAt(point + 1, fraction)) / power;
  }
  store<u32>(out, ENTRY_DOUBLE);
  store<f64>(out, sign ? -value : value, 8);
}

// @ts-ignore: decorator
@inline
function digitsAt(p: usize, n: usize): u64 {
  if (n <= 8) return readDigits(p, <u32>n);
  return readDigits(p, <u32>n - 8) * 100000000 + readDigits(p + n - 8, 8);
}

/** True if the field that `skipQuoted` went over last has escapes. */
export let sawEscape: bool = false;

/** From behind an opening quote to the closing one; 0 if there is none. */
export function skipQuoted(p: usize): usize {
  const quotes = i8x16.splat(<i8>quote);
  const escapes = i8x16.splat(<i8>escape);
  const feeds = i8x16.splat(0x0a);
  const returns = i8x16.splat(0x0d);
  sawEscape = false;
  while (true) {
    const v = v128.load(p);
    const own = v128.or(i8x16.eq(v, quotes), i8x16.eq(v, escapes));
    const m = i8x16.bitmask(v128.or(own, v128.or(i8x16.eq(v, feeds), i8x16.eq(v, returns))));
    if (!m) {
      p += 16;
      continue;
    }
    p += <usize>ctz(m);
    if (p >= inputEnd) return 0;
    const c = <u32>load<u8>(p);
    const d = <u32>load<u8>(p, 1);
    if (c == escape && (d == quote || d == escape) && p + 1 < inputEnd) {
      sawEscape = true;
      p += 2;
      continue;
    }
    if (c == quote) return p;
    if (c == 0x0a || (c == 0x0d && d != 0x0a)) embedLine();
    p++;
  }
}
