// Byte-level scanning: strings, whitespace, UTF-8. Reads up to 63 bytes past what it is asked
// about; the loader pads the chunk. Faults are left in `faultAt` and `faultReason`.
import { R_CONTROL, R_ESCAPE, R_VALUE } from './layout';

export let faultAt: usize = 0;
export let faultReason: u32 = 0;

/** Notes a fault and returns 0, which every scanner returns for "no". */
export function fail(at: usize, reason: u32): usize {
  faultAt = at;
  faultReason = reason;
  return 0;
}

// @ts-ignore: decorator
@inline
export function isDigit(c: u32): bool {
  return c - 0x30 <= 9;
}

/** Sixteen quotes, sixteen backslashes, sixteen times the last control character. */
export const SPLATS: usize = memory.data<u8>([
  0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
  0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c,
  0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f,
]);

/** Bit i set: byte i of `v` is a backslash or a control character. */
// @ts-ignore: decorator
@inline
export function careMask(v: v128, backslash: v128, control: v128): i32 {
  return i8x16.bitmask(v128.or(i8x16.eq(v, backslash), i8x16.eq(i8x16.min_u(v, control), v)));
}

/** Bit i set: byte i of `v` is a digit. */
// @ts-ignore: decorator
@inline
export function digitMask(v: v128): i32 {
  const d = i8x16.sub(v, i8x16.splat(0x30));
  return i8x16.bitmask(i8x16.eq(i8x16.min_u(d, i8x16.splat(9)), d));
}

/** The value of the `n` digits at `p`, 1 to 8 of them: three multiplications, no loop. */
// @ts-ignore: decorator
@inline
export function readDigits(p: usize, n: u32): u64 {
  let v = (load<u64>(p) ^ 0x3030303030303030) << <u64>((8 - n) << 3);
  v = v * 10 + (v >> 8);
  return (
    ((v & 0xff000000ff) * 0xf424000000064 + ((v >> 16) & 0xff000000ff) * 0x271000000001) >> 32
  );
}

/** First byte at or after `p` that is not a space, tab or carriage return. */
export function skipSpace(p: usize): usize {
  let c = load<u8>(p);
  while (c == 0x20 || c == 0x09 || c == 0x0d) c = load<u8>(++p);
  return p;
}

/** From a backslash to the byte after the escape; 0 if it is none. */
export function skipEscape(p: usize): usize {
  const c = <u32>load<u8>(p, 1);
  if (c == 0x75) {
    for (let i: usize = 2; i < 6; i++) {
      const d = <u32>load<u8>(p + i);
      if (!isDigit(d) && (d | 0x20) - 0x61 > 5) return fail(p + i, R_ESCAPE);
    }
    return p + 6;
  }
  if (c == 0x22 || c == 0x5c || c == 0x2f || c == 0x62 || c == 0x66) return p + 2;
  if (c == 0x6e || c == 0x72 || c == 0x74) return p + 2;
  return fail(p + 1, R_ESCAPE);
}

/** True in `sawEscape` if the string that `skipString` went over last holds an escape. */
export let sawEscape: bool = false;

/** From the byte after an opening quote to the closing quote; 0 on a fault. */
export function skipString(p: usize): usize {
  const quote = v128.load(SPLATS);
  const backslash = v128.load(SPLATS, 16);
  const control = v128.load(SPLATS, 32);
  sawEscape = false;
  while (true) {
    const v = v128.load(p);
    const m = careMask(v, backslash, control) | i8x16.bitmask(i8x16.eq(v, quote));
    if (!m) {
      p += 16;
      continue;
    }
    p += <usize>ctz(m);
    const c = load<u8>(p);
    if (c == 0x22) return p;
    if (c != 0x5c) return fail(p, R_CONTROL);
    sawEscape = true;
    p = skipEscape(p);
    if (!p) return 0;
  }
}

/** True if a byte of [p, end) is above 0x7f. */
export function hasHighByte(p: usize, end: usize): bool {
  while (p + 16 <= end) {
    if (i8x16.bitmask(v128.load(p))) return true;
    p += 16;
  }
  const rest = end - p;
  return rest > 0 && (i8x16.bitmask(v128.load(p)) & ((1 << <i32>rest) - 1)) != 0;
}

/** Notes the first byte that is not as in `true`, `false` or `null`; always 0. */
export function failLiteral(p: usize): usize {
  const c = load<u8>(p);
  // The rest of the word, four bytes, little-endian.
  let rest: u32 = 0;
  if (c == 0x74) rest = 0x20657572;
  else if (c == 0x66) rest = 0x65736c61;
  else if (c == 0x6e) rest = 0x206c6c75;
  else return fail(p, R_VALUE);
  do {
    p++;
    if (load<u8>(p) != <u8>rest) return fail(p, R_VALUE);
    rest >>= 8;
  } while (true);
}

/**
 * First ill-formed UTF-8 sequence in [p, end), or `end`. After the Unicode standard's table of
 * well-formed sequences (3-7); the offset is that of the sequence's first byte.
 */
export function findIllFormed(p: usize, end: usize): usize {
  while (p < end) {
    if (p + 16 <= end && !i8x16.bitmask(v128.load(p))) {
      p += 16;
      continue;
    }
    const c = <u32>load<u8>(p);
    if (c < 0x80) {
      p++;
      continue;
    }
    let low: u32 = 0x80;
    let high: u32 = 0xbf;
    let more: usize = 0;
    if (c >= 0xc2 && c <= 0xdf) more = 1;
    else if (c >= 0xe0 && c <= 0xef) {
      more = 2;
      if (c == 0xe0) low = 0xa0;
      else if (c == 0xed) high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 3;
      if (c == 0xf0) low = 0x90;
      else if (c == 0xf4) high = 0x8f;
    } else return p;
    if (p + more >= end) return p;
    const second = <u32>load<u8>(p, 1);
    if (second < low || second > high) return p;
    for (let i: usize = 2; i <= more; i++) {
      if ((load<u8>(p + i) & 0xc0) != 0x80) return p;
    }
    p += more + 1;
  }
  return end;
}

/** True if every byte of [p, end) is below 0x80. */
export function isAscii(p: usize, end: usize): bool {
  let any = i8x16.splat(0);
  for (; p + 64 <= end; p += 64) {
    any = v128.or(any, v128.or(v128.load(p), v128.load(p, 16)));
    any = v128.or(any, v128.or(v128.load(p, 32), v128.load(p, 48)));
  }
  if (i8x16.bitmask(any)) return false;
  return p >= end || !hasHighByte(p, end);
}

/** The next newline at or after `p`; the padding after the chunk begins with one. */
export function findNewline(p: usize): usize {
  const newline = i8x16.splat(0x0a);
  while (true) {
    const m = i8x16.bitmask(i8x16.eq(v128.load(p), newline));
    if (m) return p + <usize>ctz(m);
    p += 16;
  }
}
