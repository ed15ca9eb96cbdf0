// Evaluates a compiled predicate on the slots of the current document. The program is a graph of
// tests, each naming where to go when it holds and when not, so that and, or and not cost nothing.
// Where a path leads through an array, slots end and the elements are read from the bytes.
//
// Test, 32 bytes: u32 op, slot + 1, address of the path's steps (0 for a path of one step), next if
// true, next if false, constant address, constant length, u32 op for elements (OP_CONTAINS only).
// Steps: u32 count, then 20 bytes each: u32 slot + 1 of the path up to here, u32 index (NO_INDEX if the
// step is not of digits), then its name as a list of one (see cursor.ts).
// Constants: numbers an f64; strings their decoded bytes; big integers an i64, as near as can be, a
// sign byte and the digits; sets as described where they are searched. The image begins with the
// number of the first test to run; the tests follow at byte 64.
import {
  PLACES, PROGRAM, SLOTS, T_ARRAY, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_STRING,
  T_STRING_ESCAPED, T_TRUE,
} from './layout';
import { VALUE, equalBytes, firstElement, locate, nextElement, readValueAt, skipValue } from './cursor';
import { compareInteger, integer, isInteger, readInteger } from './integers';
import { stamp } from './values';
import { LONE_KEEP, decodeEscapes } from './text';

const OP_TRUE: u32 = 1;
const OP_FALSE: u32 = 2;
const OP_EXISTS: u32 = 4;
/** Five comparisons each: eq, lt, lte, gt, gte. */
const OP_EQ_NUMBER: u32 = 5;
const OP_EQ_INTEGER: u32 = 10;
const OP_GTE_INTEGER: u32 = 14;
const OP_IN_NUMBERS: u32 = 15;
const OP_IN_INTEGERS: u32 = 16;
const OP_CONTAINS: u32 = 17;
const OP_EQ_STRING: u32 = 18;
const OP_STARTS: u32 = 23;
const OP_ENDS: u32 = 24;
const OP_IN_STRINGS: u32 = 25;

const EQ: u32 = 0;
const LT: u32 = 1;
const LTE: u32 = 2;
const GT: u32 = 3;

const NO_INDEX: u32 = 0xffffffff;
const STEP_SIZE: usize = 20;

/** Program counters that end the evaluation. */
const HOLDS: u32 = 0xffffffff;

export const NO: u32 = 0;
export const YES: u32 = 1;
/** The tests cannot tell: the caller must evaluate this document otherwise. */
export const UNSURE: u32 = 2;

/** Bytes of the string looked at: in the input, or decoded in the scratch memory. */
let textStart: usize = 0;
let textEnd: usize = 0;
let scratch: usize = 0;

export function evaluate(scratchAt: usize): u32 {
  scratch = scratchAt;
  let pc = load<u32>(PROGRAM);
  while (true) {
    if (pc >= 0xfffffffe) return pc == HOLDS ? YES : NO;
    const test = PROGRAM + (<usize>pc << 5) + 64;
    const slot = SLOTS + (<usize>load<u32>(test, 4) << 5) - 32;
    const answer =
      load<u32>(slot) == stamp ? testValue(test, load<u32>(test), slot) : testElements(test);
    if (answer == UNSURE) return UNSURE;
    pc = answer ? load<u32>(test, 12) : load<u32>(test, 16);
  }
}

/** Tests what a path reaches through the first array on its way, if there is one. */
function testElements(test: usize): u32 {
  const steps = <usize>load<u32>(test, 8);
  if (!steps) return NO;
  const count = load<u32>(steps);
  for (let i: u32 = 0; i + 1 < count; i++) {
    const step = steps + 4 + <usize>i * STEP_SIZE;
    const slot = SLOTS + (<usize>load<u32>(step) << 5) - 32;
    if (load<u32>(slot) != stamp) return NO;
    if (load<u32>(slot, 4) == T_ARRAY) {
      return reach(test, load<u32>(slot, 8), step + STEP_SIZE, count - i - 1);
    }
  }
  return NO;
}

/** Whether the test holds for a value that the `count` steps at `step` reach from the value at `p`. */
function reach(test: usize, p: usize, step: usize, count: u32): u32 {
  if (count == 0) {
    readValueAt(p);
    return testValue(test, load<u32>(test), VALUE);
  }
  const c = load<u8>(p);
  if (c == 0x7b) return reachField(test, p, step, count);
  if (c != 0x5b) return NO;
  let at = firstElement(p);
  const index = load<u32>(step, 4);
  if (index != NO_INDEX) {
    for (let i: u32 = 0; at && i < index; i++) at = nextElement(skipValue(at));
    return at ? reach(test, at, step + STEP_SIZE, count - 1) : NO;
  }
  let answer = NO;
  while (at) {
    if (load<u8>(at) == 0x7b) {
      const found = reachField(test, at, step, count);
      if (found == YES) return YES;
      answer |= found;
      at = nextElement(objectEnd);
    } else at = nextElement(skipValue(at));
  }
  return answer;
}

/** The byte after the object that `reachField` looked into last. */
let objectEnd: usize = 0;

/** As `reach`, from the object at `p`. */
function reachField(test: usize, p: usize, step: usize, count: u32): u32 {
  const end = locate(p, step + 8, PLACES, scratch);
  const value = load<u32>(PLACES);
  const answer = value ? reach(test, value, step + STEP_SIZE, count - 1) : NO;
  objectEnd = end;
  return answer;
}

/** Applies `op` with the test's constant to the value in a slot or record. */
function testValue(test: usize, op: u32, slot: usize): u32 {
  const type = load<u32>(slot, 4);
  if (op <= OP_EXISTS) {
    if (op == OP_EXISTS) return YES;
    return <u32>(type == (op == OP_TRUE ? T_TRUE : op == OP_FALSE ? T_FALSE : T_NULL));
  }
  const start = <usize>load<u32>(slot, 8);
  const constant = <usize>load<u32>(test, 20);
  const length = <usize>load<u32>(test, 24);
  if (op < OP_CONTAINS) {
    if (type != T_NUMBER && type != T_NUMBER_SLOW) return NO;
    const isSlow = type == T_NUMBER_SLOW;
    if (op == OP_IN_INTEGERS || (op >= OP_EQ_INTEGER && op <= OP_GTE_INTEGER)) {
      return testInteger(op, start, load<u32>(slot, 12), isSlow, load<f64>(slot, 16), constant, length);
    }
    if (isSlow) return UNSURE;
    const number = load<f64>(slot, 16);
    if (op == OP_IN_NUMBERS) return <u32>isAmong<f64>(number, constant, length);
    const bound = load<f64>(constant);
    return <u32>holds(op - OP_EQ_NUMBER, <i32>(number > bound) - <i32>(number < bound));
  }
  if (op == OP_CONTAINS && type == T_ARRAY) return testContains(test, start);
  if (type < T_STRING || type > T_STRING_ESCAPED) return NO;
  const inner = load<u32>(test, 28);
  if (op == OP_CONTAINS && inner != OP_EQ_STRING) return NO;
  setText(start, load<u32>(slot, 12), type == T_STRING_ESCAPED);
  return <u32>testText(op, constant, length);
}

/** Whether an element of the array at `p` is equal to the constant. */
function testContains(test: usize, p: usize): u32 {
  const op = load<u32>(test, 28);
  let answer = NO;
  for (let at = firstElement(p); at; ) {
    const c = load<u8>(at);
    if (c == 0x7b || c == 0x5b) {
      at = nextElement(skipValue(at));
      continue;
    }
    const end = readValueAt(at);
    const found = testValue(test, op, VALUE);
    if (found == YES) return YES;
    answer |= found;
    at = nextElement(end);
  }
  return answer;
}

// @ts-ignore: decorator
@inline
function holds(comparison: u32, order: i32): bool {
  if (comparison == EQ) return order == 0;
  if (comparison == LT) return order < 0;
  if (comparison == LTE) return order <= 0;
  if (comparison == GT) return order > 0;
  return order >= 0;
}

/** Compares the number token [p, end) with integers too large for a double: digits with digits. */
function testInteger(
  op: u32, p: usize, end: usize, isSlow: bool, number: f64, constant: usize, length: usize,
): u32 {
  const isMember = op == OP_IN_INTEGERS;
  if (isInteger(p, end)) {
    if (isMember) return <u32>(readInteger(p, end) && isAmong<i64>(integer, constant, length));
    return <u32>holds(op - OP_EQ_INTEGER, compareInteger(p, end, constant + 8, length - 8));
  }
  // Constants are beyond 2^53 (smaller ones are compared as doubles), so their nearest i64 will do.
  if (isSlow || abs(number) >= 9007199254740992) return UNSURE;
  return <u32>(!isMember && holds(op - OP_EQ_INTEGER, load<i64>(constant) < 0 ? 1 : -1));
}

/** Looks in ascending f64s or i64s, `length` bytes in all. */
function isAmong<T>(value: T, set: usize, length: usize): bool {
  let low: usize = 0;
  let high = length >> 3;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = load<T>(set + (middle << 3));
    if (other == value) return true;
    if (other < value) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Looks for the text among strings ordered by length, then bytes: u32 count, (u32 offset, u32 length) each. */
function isAmongStrings(set: usize): bool {
  const size = textEnd - textStart;
  let low: usize = 0;
  let high = <usize>load<u32>(set);
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = set + 4 + (middle << 3);
    const length = <usize>load<u32>(entry, 4);
    let order = <i32>(length > size) - <i32>(length < size);
    if (order == 0) order = memory.compare(set + load<u32>(entry), textStart, size);
    if (order == 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

function setText(start: usize, end: usize, escaped: bool): void {
  textStart = start;
  textEnd = end;
  if (escaped) {
    textStart = scratch;
    textEnd = decodeEscapes(start, end, scratch, LONE_KEEP);
  }
}

function testText(op: u32, constant: usize, length: usize): bool {
  const size = textEnd - textStart;
  if (op == OP_EQ_STRING) return size == length && equalBytes(textStart, constant, length);
  if (op == OP_STARTS) return size >= length && equalBytes(textStart, constant, length);
  if (op == OP_ENDS) return size >= length && equalBytes(textEnd - length, constant, length);
  if (op == OP_CONTAINS) return findBytes(constant, length);
  if (op == OP_IN_STRINGS) return isAmongStrings(constant);
  let order = memory.compare(textStart, constant, min(size, length));
  if (order == 0) order = <i32>(size > length) - <i32>(size < length);
  return holds(op - OP_EQ_STRING, order);
}

/** Finds the constant in the text: candidates by first byte, 16 positions at a time. */
function findBytes(constant: usize, length: usize): bool {
  if (length == 0) return true;
  const first = i8x16.splat(load<i8>(constant));
  for (let p = textStart; p + length <= textEnd; p += 16) {
    let m = i8x16.bitmask(i8x16.eq(v128.load(p), first));
    while (m) {
      const at = p + <usize>ctz(m);
      if (at + length > textEnd) return false;
      if (equalBytes(at, constant, length)) return true;
      m &= m - 1;
    }
  }
  return false;
}
