// The values of the "csv" module: which texts are numbers, and how a text is written in JSON.
import { BOOLEAN, INTEGER, NULLS } from './csv-layout';
import { careMask, digitMask, isDigit } from './scan';

/** True if [p, end) is a JSON number as it stands; with `whole`, one without fraction and exponent. */
export function isNumber(p: usize, end: usize, whole: bool): bool {
  if (p < end && load<u8>(p) == 0x2d) p++;
  if (p >= end || !isDigit(load<u8>(p))) return false;
  const zero = load<u8>(p) == 0x30;
  p++;
  if (!zero) p = skipDigits(p, end);
  if (p < end && load<u8>(p) == 0x2e) {
    if (whole) return false;
    const from = p + 1;
    p = skipDigits(from, end);
    if (p == from) return false;
  }
  if (p < end && (load<u8>(p) | 0x20) == 0x65) {
    if (whole) return false;
    p++;
    if (p < end && (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d)) p++;
    const from = p;
    p = skipDigits(from, end);
    if (p == from) return false;
  }
  return p == end;
}

function skipDigits(p: usize, end: usize): usize {
  while (p < end && isDigit(load<u8>(p))) p++;
  return p;
}

/** As `isNumber`, for up to 15 bytes that lie in `v` with something behind them that is no digit. */
// @ts-ignore: decorator
@inline
export function isShortNumber(v: v128, p: usize, n: usize, whole: bool): bool {
  const sign: usize = load<u8>(p) == 0x2d ? 1 : 0;
  const digits = <u32>digitMask(v) >> <u32>sign;
  const run = <usize>ctz(~digits);
  if (run == 0 || (run > 1 && load<u8>(p + sign) == 0x30)) return false;
  if (sign + run == n) return true;
  if (whole) return false;
  if (load<u8>(p + sign + run) == 0x2e) {
    const fraction = <usize>ctz(~(digits >> (<u32>run + 1)));
    if (fraction > 0 && sign + run + 1 + fraction == n) return true;
  }
  return isNumber(p, p + n, false);
}

/** 4 or 5 for `true` or `false` in any case at `p`, `n` bytes long; else 0. */
// @ts-ignore: decorator
@inline
export function isBoolean(p: usize, n: usize): bool {
  const word = load<u32>(p) | 0x20202020;
  return n == 4 ? word == 0x65757274 : n == 5 && word == 0x736c6166 && (load<u8>(p, 4) | 0x20) == 0x65;
}

/** True if [p, end) is a value of the type, which is no string. */
export function fitsType(type: u32, p: usize, end: usize): bool {
  return type == BOOLEAN ? isBoolean(p, end - p) : isNumber(p, end, type == INTEGER);
}

/** Writes `true` or `false` as JSON has it; returns the end. */
export function writeBoolean(out: usize, n: usize): usize {
  store<u32>(out, n == 4 ? 0x65757274 : 0x736c6166);
  store<u8>(out, 0x65, 4);
  return out + n;
}

/** Writes one byte of a string's text, escaped where JSON wants it. */
export function writeByte(out: usize, c: u32): usize {
  if (c >= 0x20 && c != 0x22 && c != 0x5c) {
    store<u8>(out, c);
    return out + 1;
  }
  let letter: u32 = 0;
  if (c == 0x22 || c == 0x5c) letter = c;
  else if (c == 0x0a) letter = 0x6e;
  else if (c == 0x0d) letter = 0x72;
  else if (c == 0x09) letter = 0x74;
  else if (c == 0x08) letter = 0x62;
  else if (c == 0x0c) letter = 0x66;
  store<u8>(out, 0x5c);
  if (letter) {
    store<u8>(out, letter, 1);
    return out + 2;
  }
  store<u32>(out, 0x30303075, 1);
  const low = c & 15;
  store<u8>(out, 0x30 + (c >> 4), 4);
  store<u8>(out, low < 10 ? 0x30 + low : 0x57 + low, 5);
  return out + 6;
}

/** Writes [p, end) as a string's text; up to six times as long, and 16 bytes beyond. */
export function writeText(p: usize, end: usize, out: usize): usize {
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  const control = i8x16.splat(0x1f);
  while (p < end) {
    const v = v128.load(p);
    v128.store(out, v);
    const m = careMask(v, backslash, control) | i8x16.bitmask(i8x16.eq(v, quote));
    const n = m ? <usize>ctz(m) : 16;
    if (p + n >= end) return out + (end - p);
    p += n;
    out += n;
    if (m) out = writeByte(out, load<u8>(p++));
  }
  return out;
}

/** True if the `n` bytes at `p` are one of the texts that mean null. */
export function isNullText(p: usize, n: usize): bool {
  let at = NULLS;
  while (true) {
    const length = load<u32>(at);
    if (length == 0xffffffff) return false;
    at += 4;
    if (<usize>length == n && memory.compare(at, p, n) == 0) return true;
    at += length;
  }
}
