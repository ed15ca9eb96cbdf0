// Passing over lines that a predicate cannot keep, without reading them. For bytes that are known to
// be good documents only, and for one test on one top-level field: the key's text is searched with
// SIMD, and where it stands right behind the document's opening bracket level the value is looked at.
//
// What makes this sound: in a valid line `"key"` followed by a colon is a key and nothing else, as
// long as the line has no backslash; and it is a top-level one if only one `{` or `[` stands before
// it (brackets in strings can only add to the count). Whenever a line has a backslash, more brackets,
// or the key more than once, it is left to the reader: passing over happens only where all is plain.
//
// Setting, in the program's header: u32 address of `"key"`, its length, u32 test, u32 address and
// length of the constant (an f64, or the bytes of a string between its quotes).
import { PROGRAM } from './layout';
import { VALUE, equalBytes, readNumber } from './cursor';
import { digitMask, isDigit, readDigits, skipSpace } from './scan';
import { inexact } from './numbers';

const AT_KEY: usize = PROGRAM + 4;
const AT_KEY_LENGTH: usize = PROGRAM + 8;
const AT_TEST: usize = PROGRAM + 12;
const AT_CONSTANT: usize = PROGRAM + 16;
const AT_CONSTANT_LENGTH: usize = PROGRAM + 20;

/** Tests. PRESENT keeps every line that has the key. */
const PRESENT: u32 = 0;
const EQ: u32 = 1;
const LT: u32 = 2;
const LTE: u32 = 3;
const GT: u32 = 4;
const GTE: u32 = 5;
const TEXT_EQ: u32 = 6;
const TEXT_STARTS: u32 = 7;

/** Lines passed over by the last call. */
export let passedLines: u32 = 0;
/** Of these, blank ones. */
export let passedBlank: u32 = 0;

/** True if the program has a setting. */
export function canSkim(): bool {
  return load<u32>(AT_KEY) != 0;
}

/** The start of the first line at or after `p` that must be read; `end` or behind it if none. */
export function skim(p: usize, end: usize): usize {
  const key = <usize>load<u32>(AT_KEY);
  const keyLength = <usize>load<u32>(AT_KEY_LENGTH);
  const newline = i8x16.splat(0x0a);
  const backslash = i8x16.splat(0x5c);
  const bracket = i8x16.splat(0x7b);
  const lower = i8x16.splat(0x20);
  const quote = i8x16.splat(0x22);
  const second = i8x16.splat(load<i8>(key, 1));
  passedLines = 0;
  passedBlank = 0;
  let line = p;
  let opened: u32 = 0;
  let found = false;
  // The padding begins with a newline, so the last line ends like the others.
  while (true) {
    const v = v128.load(p);
    const special = v128.or(
      v128.or(i8x16.eq(v, newline), i8x16.eq(v, backslash)),
      i8x16.eq(v128.or(v, lower), bracket),
    );
    const named = v128.and(i8x16.eq(v, quote), i8x16.eq(v128.load(p, 1), second));
    let m = i8x16.bitmask(v128.or(special, named));
    while (m) {
      const at = p + <usize>ctz(m);
      m &= m - 1;
      const c = load<u8>(at);
      if (c == 0x0a) {
        if (line < end) {
          passedLines++;
          if (!opened) passedBlank++;
        }
        if (at >= end) return end;
        line = at + 1;
        opened = 0;
        found = false;
      } else if (c == 0x22) {
        if (!equalBytes(at, key, keyLength)) continue;
        let value = at + keyLength;
        if (load<u8>(value) <= 0x20) value = skipSpace(value);
        if (load<u8>(value) != 0x3a) continue;
        if (found || opened != 1) return line;
        value++;
        if (load<u8>(value) <= 0x20) value = skipSpace(value);
        if (mayHold(value)) return line;
        found = true;
      } else if (c == 0x5c) return line;
      else opened++;
    }
    p += 16;
  }
}

/**
 * What the digits before the point say of the test on the number at `p`, which is not negative: 1 it holds,
 * 0 it fails, -1 the others are needed. Short numbers only: of a long one the others may round it up.
 */
// @ts-ignore: decorator
@inline
function byWholePart(p: usize, test: u32, bound: f64): i32 {
  const v = v128.load(p);
  const points = i8x16.bitmask(i8x16.eq(v, i8x16.splat(0x2e)));
  const length = ctz(~(digitMask(v) | points) | 0x10000);
  const whole = min(ctz(points | 0x10000), length);
  if (length > 15 || whole > 8 || (load<u8>(p + <usize>length) | 0x20) == 0x65) return -1;
  const low = <f64>readDigits(p, whole);
  if (low <= bound && bound < low + 1) return -1;
  if (test == EQ) return 0;
  return <i32>((test == LT || test == LTE) == low < bound);
}

/** False only if the value at `p` surely fails the test. */
function mayHold(p: usize): bool {
  const test = load<u32>(AT_TEST);
  if (test == PRESENT) return true;
  const constant = <usize>load<u32>(AT_CONSTANT);
  const first = <u32>load<u8>(p);
  // Strings and numbers never hold each other's tests; objects and arrays hold none of these.
  if (test >= TEXT_EQ) {
    if (first != 0x22) return false;
    const length = <usize>load<u32>(AT_CONSTANT_LENGTH);
    if (!equalBytes(p + 1, constant, length)) return false;
    return test == TEXT_STARTS || load<u8>(p + 1 + length) == 0x22;
  }
  if (!isDigit(first) && first != 0x2d) return false;
  const bound = load<f64>(constant);
  if (first != 0x2d) {
    const answer = byWholePart(p, test, bound);
    if (answer >= 0) return answer == 1;
  }
  readNumber(p);
  if (inexact) return true;
  const value = load<f64>(VALUE, 16);
  if (test == EQ) return value == bound;
  if (test == LT) return value < bound;
  if (test == LTE) return value <= bound;
  if (test == GT) return value > bound;
  return value >= bound;
}
