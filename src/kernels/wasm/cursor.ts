// A reader over bytes that the walker (parse.ts) has found to be valid already: it skips, classifies
// and looks up, and checks nothing. It serves what slots cannot name: the values inside arrays.
//
// A value is read into a record laid out like a slot (see parse.ts), so that whoever works on slots
// works on elements too. A list of names is a u32 count, then a u32 address and u32 length each.
import {
  T_ARRAY, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_OBJECT, T_STRING, T_STRING_ESCAPED, T_TRUE,
} from './layout';
import { inexact, longValue, readLongNumber, shortValue } from './numbers';
import { sawEscape, skipSpace, skipString } from './scan';
import { LONE_KEEP, decodeEscapes } from './text';

/** The record that `readValueAt` fills; the stamp word is not used. */
export const VALUE: usize = memory.data(32, 16);

/** The byte after the value at `p`. */
export function skipValue(p: usize): usize {
  const c = <u32>load<u8>(p);
  if (c == 0x22) return skipString(p + 1) + 1;
  if (c == 0x7b || c == 0x5b) return skipContainer(p + 1);
  if (c == 0x66) return p + 5;
  if (c >= 0x61) return p + 4;
  return skipNumber(p);
}

/** From a number's first byte to the one after it. */
function skipNumber(p: usize): usize {
  let c: u32;
  do c = load<u8>(++p);
  while (c - 0x30 <= 9 || c == 0x2e || c == 0x2b || c == 0x2d || (c | 0x20) == 0x65);
  return p;
}

/** From behind an opening bracket to behind the bracket that closes it. */
function skipContainer(p: usize): usize {
  let depth: u32 = 1;
  while (depth) {
    const v = v128.load(p);
    // With this bit set, [ and { are one byte, ] and } another.
    const folded = v128.or(v, i8x16.splat(0x20));
    let m = i8x16.bitmask(
      v128.or(
        i8x16.eq(v, i8x16.splat(0x22)),
        v128.or(i8x16.eq(folded, i8x16.splat(0x7b)), i8x16.eq(folded, i8x16.splat(0x7d))),
      ),
    );
    let next = p + 16;
    while (m) {
      const at = p + <usize>ctz(m);
      const c = load<u8>(at) | 0x20;
      if (c == 0x22) {
        next = skipString(at + 1) + 1;
        break;
      }
      if (c == 0x7b) depth++;
      else if (--depth == 0) {
        next = at + 1;
        break;
      }
      m &= m - 1;
    }
    p = next;
  }
  return p;
}

/**
 * Reads the value at `p` into VALUE and returns the byte after it; for an array or object, which it
 * does not go through, the byte after the bracket.
 */
export function readValueAt(p: usize): usize {
  const c = <u32>load<u8>(p);
  let type: u32;
  let start = p;
  let end: usize;
  let after: usize;
  if (c == 0x22) {
    start = p + 1;
    end = skipString(start);
    type = sawEscape ? T_STRING_ESCAPED : T_STRING;
    after = end + 1;
  } else if (c == 0x7b || c == 0x5b) {
    type = c == 0x7b ? T_OBJECT : T_ARRAY;
    end = after = p + 1;
  } else if (c >= 0x61) {
    type = c == 0x74 ? T_TRUE : c == 0x66 ? T_FALSE : T_NULL;
    end = after = p + 4 + <usize>(c == 0x66);
  } else {
    end = after = readNumber(p);
    type = inexact ? T_NUMBER_SLOW : T_NUMBER;
  }
  store<u32>(VALUE, type, 4);
  store<u32>(VALUE, <u32>start, 8);
  store<u32>(VALUE, <u32>end, 12);
  return after;
}

/** Reads a number into VALUE (`inexact` tells if it could not) and returns the byte after it. */
export function readNumber(p: usize): usize {
  const negative = load<u8>(p) == 0x2d;
  const first = p + <usize>negative;
  const whole = digitRun(first);
  let fraction: u32 = 0;
  p = first + whole;
  if (load<u8>(p) == 0x2e) {
    fraction = digitRun(p + 1);
    p += 1 + fraction;
  }
  let number: f64;
  if (whole <= 8 && fraction <= 8 && (load<u8>(p) | 0x20) != 0x65) {
    number = shortValue(first, whole, fraction, negative);
  } else {
    p = readLongNumber(first);
    number = longValue(negative);
  }
  store<f64>(VALUE, number, 16);
  return p;
}

/** How many digits stand at `p`, at most 16. */
// @ts-ignore: decorator
@inline
function digitRun(p: usize): u32 {
  const v = i8x16.sub(v128.load(p), i8x16.splat(0x30));
  return ctz(~i8x16.bitmask(i8x16.eq(i8x16.min_u(v, i8x16.splat(9)), v)) | 0x10000);
}

/** The first element of the array at `p`, or 0. */
// @ts-ignore: decorator
@inline
export function firstElement(p: usize): usize {
  p = skipSpace(p + 1);
  return load<u8>(p) == 0x5d ? 0 : p;
}

/** The element behind one that ends at `p`, or 0. */
// @ts-ignore: decorator
@inline
export function nextElement(p: usize): usize {
  p = skipSpace(p);
  return load<u8>(p) == 0x5d ? 0 : skipSpace(p + 1);
}

/**
 * Looks the names up in the object at `p`: `places` gets a u32 for each, the address of its value
 * (of its last one, if the key is repeated) or 0. Returns the byte after the object. Keys are
 * compared decoded; `scratch` has room for one. Names must differ.
 */
export function locate(p: usize, names: usize, places: usize, scratch: usize): usize {
  const count = load<u32>(names);
  for (let i: u32 = 0; i < count; i++) store<u32>(places + (<usize>i << 2), 0);
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x7d) return p + 1;
  // Objects of one kind have their keys in one order, so the name after the last hit comes first.
  let likely: u32 = 0;
  while (true) {
    let key = p + 1;
    let end = skipString(key);
    const value = skipSpace(skipSpace(end + 1) + 1);
    if (sawEscape) {
      end = decodeEscapes(key, end, scratch, LONE_KEEP);
      key = scratch;
    }
    const length = end - key;
    let i = likely;
    for (let tries = count; tries > 0; tries--) {
      if (i == count) i = 0;
      const name = names + 4 + (<usize>i << 3);
      if (load<u32>(name, 4) == <u32>length && equalBytes(key, load<u32>(name), length)) {
        store<u32>(places + (<usize>i << 2), <u32>value);
        likely = i + 1;
        break;
      }
      i++;
    }
    p = skipSpace(skipValue(value));
    if (load<u8>(p) == 0x7d) return p + 1;
    p = skipSpace(p + 1);
  }
}

/** Reads up to 15 bytes past either end. */
export function equalBytes(a: usize, b: usize, length: usize): bool {
  while (length >= 16) {
    if (i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b))) != 0xffff) return false;
    a += 16;
    b += 16;
    length -= 16;
  }
  const mask = (1 << <i32>length) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b))) & mask) == mask;
}

/** Copies `length` bytes, and up to 15 more that mean nothing; returns the end of those asked for. */
// @ts-ignore: decorator
@inline
export function copyBytes(out: usize, p: usize, length: usize): usize {
  for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(p + i));
  return out + length;
}
