// Evaluates a compiled predicate on the slots of the current document. The program is a graph of
// tests, each naming where to go when it holds and when not, so that and, or and not cost nothing.
//
// Test, 32 bytes: u32 op, slot + 1, address of the slots of the steps before it (u32 count, then
// slot + 1 each), next if true, next if false, constant address, constant length, u32 spare.
// Numbers are an f64 at the constant's address; strings their decoded bytes. The image begins with
// the number of the first test to run; the tests follow at byte 64.
import {
  PROGRAM, SLOTS, T_ARRAY, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_STRING, T_STRING_ESCAPED,
  T_TRUE,
} from './layout';
import { sawEscape, skipSpace, skipString } from './scan';
import { stamp } from './parse';
import { LONE_KEEP, decodeEscapes } from './text';

const OP_TRUE: u32 = 1;
const OP_FALSE: u32 = 2;
const OP_NULL: u32 = 3;
const OP_EXISTS: u32 = 4;
const OP_EQ_NUMBER: u32 = 5;
const OP_LT_NUMBER: u32 = 6;
const OP_LTE_NUMBER: u32 = 7;
const OP_GT_NUMBER: u32 = 8;
const OP_GTE_NUMBER: u32 = 9;
const OP_EQ_STRING: u32 = 10;
const OP_LT_STRING: u32 = 11;
const OP_LTE_STRING: u32 = 12;
const OP_GT_STRING: u32 = 13;
const OP_GTE_STRING: u32 = 14;
const OP_STARTS: u32 = 15;
const OP_ENDS: u32 = 16;
const OP_CONTAINS_STRING: u32 = 17;
const OP_CONTAINS_NUMBER: u32 = 18;
const OP_CONTAINS_TRUE: u32 = 19;
const OP_CONTAINS_FALSE: u32 = 20;
const OP_CONTAINS_NULL: u32 = 21;

/** Program counters that end the evaluation. */
const HOLDS: u32 = 0xffffffff;

export const NO: u32 = 0;
export const YES: u32 = 1;
/** The tests cannot tell: the caller must evaluate this document otherwise. */
export const UNSURE: u32 = 2;

/** Bytes of the string looked at: in the input, or decoded at `scratch`. */
let textStart: usize = 0;
let textEnd: usize = 0;

export function evaluate(scratch: usize): u32 {
  let pc = load<u32>(PROGRAM);
  while (true) {
    if (pc >= 0xfffffffe) return pc == HOLDS ? YES : NO;
    const test = PROGRAM + (<usize>pc << 5) + 64;
    const answer = runTest(test, scratch);
    if (answer == UNSURE) return UNSURE;
    pc = answer ? load<u32>(test, 12) : load<u32>(test, 16);
  }
}

function runTest(test: usize, scratch: usize): u32 {
  const slot = SLOTS + (<usize>load<u32>(test, 4) << 5) - 32;
  if (load<u32>(slot) != stamp) return passesArray(load<u32>(test, 8)) ? UNSURE : NO;
  const type = load<u32>(slot, 4);
  const op = load<u32>(test);
  if (op <= OP_EXISTS) {
    if (op == OP_EXISTS) return YES;
    return <u32>(type == (op == OP_TRUE ? T_TRUE : op == OP_FALSE ? T_FALSE : T_NULL));
  }
  const constant = <usize>load<u32>(test, 20);
  if (op <= OP_GTE_NUMBER) {
    if (type != T_NUMBER) return type == T_NUMBER_SLOW ? UNSURE : NO;
    const number = load<f64>(slot, 16);
    const bound = load<f64>(constant);
    if (op == OP_EQ_NUMBER) return <u32>(number == bound);
    if (op == OP_LT_NUMBER) return <u32>(number < bound);
    if (op == OP_LTE_NUMBER) return <u32>(number <= bound);
    if (op == OP_GT_NUMBER) return <u32>(number > bound);
    return <u32>(number >= bound);
  }
  const start = <usize>load<u32>(slot, 8);
  const end = <usize>load<u32>(slot, 12);
  const length = <usize>load<u32>(test, 24);
  if (type == T_ARRAY) {
    if (op < OP_CONTAINS_STRING) return NO;
    return arrayContains(start, op, constant, length, scratch);
  }
  if (op > OP_CONTAINS_STRING || type < T_STRING || type > T_STRING_ESCAPED) return NO;
  setText(start, end, type == T_STRING_ESCAPED, scratch);
  return <u32>testText(op, constant, length);
}

/** True if one of the steps before a path's last is an array, where slots do not reach. */
function passesArray(steps: usize): bool {
  if (!steps) return false;
  const count = load<u32>(steps);
  for (let i: u32 = 1; i <= count; i++) {
    const slot = SLOTS + (<usize>load<u32>(steps + (<usize>i << 2)) << 5) - 32;
    if (load<u32>(slot) != stamp) return false;
    if (load<u32>(slot, 4) == T_ARRAY) return true;
  }
  return false;
}

function setText(start: usize, end: usize, escaped: bool, scratch: usize): void {
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
  if (op == OP_CONTAINS_STRING) return findBytes(constant, length);
  let order = memory.compare(textStart, constant, min(size, length));
  if (order == 0) order = <i32>(size > length) - <i32>(size < length);
  if (op == OP_LT_STRING) return order < 0;
  if (op == OP_LTE_STRING) return order <= 0;
  if (op == OP_GT_STRING) return order > 0;
  return order >= 0;
}

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

/** Looks for a scalar among the elements of the validated array at `p`. */
function arrayContains(p: usize, op: u32, constant: usize, length: usize, scratch: usize): u32 {
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x5d) return NO;
  while (true) {
    const c = load<u8>(p);
    if (c == 0x22) {
      const end = skipString(p + 1);
      if (op == OP_CONTAINS_STRING) {
        setText(p + 1, end, sawEscape, scratch);
        if (testText(OP_EQ_STRING, constant, length)) return YES;
      }
      p = end + 1;
    } else if (c == 0x74 || c == 0x66 || c == 0x6e) {
      const wanted: u32 =
        c == 0x74 ? OP_CONTAINS_TRUE : c == 0x66 ? OP_CONTAINS_FALSE : OP_CONTAINS_NULL;
      if (op == wanted) return YES;
      p += c == 0x66 ? 5 : 4;
    } else {
      // Numbers and nested values are rare here; the exact evaluator knows what to do with them.
      return UNSURE;
    }
    p = skipSpace(p);
    if (load<u8>(p) == 0x5d) return NO;
    p = skipSpace(p + 1);
  }
}
