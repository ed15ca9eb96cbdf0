// One scalar: validated, and written where it is asked for: to the slot of its node, to the tape, to
// the counts. Shared by both readers (parse.ts, plan.ts), which inline it with constant flags.
//
// Slot, 32 bytes: u32 document stamp, type, start, end; f64 number; u32 found twice; u32 spare.
// Tape entry, 16 bytes: u32 type | node number << 8; u32 start; then an f64 for T_NUMBER, else u32
// end. What texts.ts writes there stands in its comment. Strings start and end inside the quotes. Stats, 48 bytes: see `Stat`.
import {
  SLOTS, STATS, STAT_SIZE, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_STRING, T_STRING_ESCAPED,
  T_STRING_UTF8, T_TRUE,
} from './layout';
import { GENERIC, NUMBER, SLOT } from './graph';
import { SPLATS, careMask, digitMask, failLiteral, hasHighByte, sawEscape, skipString } from './scan';
import { inexact, longInteger, longValue, readLongNumber, shortValue } from './numbers';

/** Offsets in a node's counts. */
export const STAT_NULL: usize = 0;
export const STAT_BOOL: usize = 4;
export const STAT_INTEGER: usize = 8;
export const STAT_WIDE: usize = 12;
export const STAT_FLOAT: usize = 16;
export const STAT_STRING: usize = 20;
export const STAT_OBJECT: usize = 24;
export const STAT_ARRAY: usize = 28;
/** 1-based order of first sight; 0 if unseen. */
export const STAT_ORDER: usize = 32;
/** Number of the object in which the path was counted last. */
const STAT_OBJECT_AT: usize = 36;

/** A slot of this document was filled more than once. */
export let sawTwice: bool = false;
/** A value could not be told apart: the graph has no room for its path, or it was counted twice. */
export let sawUntracked: bool = false;
export let stamp: u32 = 0;

let statOrder: u32 = 0;
let objects: u32 = 0;

/** Forgets what the last document, or the last try at this one, left in slots and flags. */
export function beginDocument(): void {
  sawTwice = false;
  sawUntracked = false;
  stamp++;
}

export function noteUntracked(): void {
  sawUntracked = true;
}

export function resetStats(): void {
  statOrder = 0;
  objects = 0;
}

/** A number for an object, from 1 on. */
export function nextObject(): u32 {
  return ++objects;
}

// @ts-ignore: decorator
@inline
export function fillSlot(slot: u32, type: u32, start: usize, end: usize, number: f64): void {
  const at = SLOTS + (<usize>slot << 5) - 32;
  if (load<u32>(at) == stamp) {
    sawTwice = true;
    store<u32>(at, stamp, 24);
  }
  store<u32>(at, stamp);
  store<u32>(at, type, 4);
  store<u32>(at, <u32>start, 8);
  store<u32>(at, <u32>end, 12);
  store<f64>(at, number, 16);
}

/** Notes where the value of a container's slot ends. */
// @ts-ignore: decorator
@inline
export function endSlot(slot: u32, end: usize): void {
  store<u32>(SLOTS + (<usize>slot << 5) - 32, <u32>end, 12);
}

/** Counts a value; `instance` numbers the object it is a field of, 0 for elements. */
export function count(node: usize, what: usize, instance: u32): void {
  const at = STATS + <usize>load<u32>(node, NUMBER) * STAT_SIZE;
  store<u32>(at + what, load<u32>(at + what) + 1);
  // A second value of a key in the same object: only the last counts.
  if (instance) {
    if (load<u32>(at, STAT_OBJECT_AT) == instance) sawUntracked = true;
    store<u32>(at, instance, STAT_OBJECT_AT);
  }
  if (!load<u32>(at, STAT_ORDER)) store<u32>(at, ++statOrder, STAT_ORDER);
  if (node == GENERIC) sawUntracked = true;
}

function countNumber(node: usize, start: usize, end: usize, integer: bool, instance: u32): void {
  if (!integer) return count(node, STAT_FLOAT, instance);
  const negative = load<u8>(start) == 0x2d;
  const digits = end - start - <usize>negative;
  if (digits > 19) return count(node, STAT_FLOAT, instance);
  let value: u64 = 0;
  for (let p = start + <usize>negative; p < end; p++) value = value * 10 + <u64>(load<u8>(p) - 0x30);
  const limit: u64 = 0x7fffffffffffffff + <u64>negative;
  if (value > limit) return count(node, STAT_FLOAT, instance);
  count(node, STAT_INTEGER, instance);
  if (value > <u64>0x7fffffff + <u64>negative) {
    const at = STATS + <usize>load<u32>(node, NUMBER) * STAT_SIZE;
    store<u32>(at, load<u32>(at, STAT_WIDE) + 1, STAT_WIDE);
  }
}

/** Takes the string whose opening quote is at `p`. Returns the byte after it, or 0 on a fault. */
// @ts-ignore: decorator
@inline
export function takeString(
  p: usize, node: usize, tape: usize, ascii: bool, instance: u32,
  withTape: bool, withStats: bool, withSlots: bool,
): usize {
  // Loaded, not written as constants: those would be built anew at every use.
  const quote = v128.load(SPLATS);
  const backslash = v128.load(SPLATS, 16);
  const control = v128.load(SPLATS, 32);
  let type = T_STRING;
  const start = ++p;
  // Where the string ends hangs on the quotes alone; that nothing before them needs care is
  // checked beside, so that the next value's place is known early.
  const v = v128.load(p);
  const w = v128.load(p, 16);
  const quotes = i8x16.bitmask(i8x16.eq(v, quote)) | (i8x16.bitmask(i8x16.eq(w, quote)) << 16);
  const others = careMask(v, backslash, control) | (careMask(w, backslash, control) << 16);
  if (quotes && !(others & (quotes ^ (quotes - 1)))) p += <usize>ctz(quotes);
  else {
    p = skipString(p);
    if (!p) return 0;
    if (sawEscape) type = T_STRING_ESCAPED;
  }
  if (!ascii) {
    if (type == T_STRING && hasHighByte(start, p)) type = T_STRING_UTF8;
  }
  const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
  if (slot) fillSlot(slot, type, start, p, 0);
  if (withTape) writeTape(tape, type, node, start, p);
  if (withStats) count(node, STAT_STRING, instance);
  return p + 1;
}

/** Takes the number at `p`, which begins with a digit or a minus. */
// @ts-ignore: decorator
@inline
export function takeNumber(
  p: usize, node: usize, tape: usize, instance: u32, withTape: bool, withStats: bool, withSlots: bool,
): usize {
  const start = p;
  const negative = load<u8>(p) == 0x2d;
  const first = p + <usize>negative;
  // One look finds the end; whether what lies before is a number is checked beside.
  const v = v128.load(first);
  const points = i8x16.bitmask(i8x16.eq(v, i8x16.splat(0x2e)));
  const length = ctz(~(digitMask(v) | points) | 0x10000);
  const within = points & ((1 << length) - 1);
  const whole: u32 = within ? ctz(within) : length;
  const fraction: u32 = within ? length - whole - 1 : 0;
  p = first + length;
  const simple =
    length < 16 &&
    whole - 1 < 8 &&
    fraction <= 8 &&
    (within == 0 || (fraction != 0 && !(within & (within - 1)))) &&
    !(whole > 1 && load<u8>(first) == 0x30) &&
    (load<u8>(p) | 0x20) != 0x65;
  let integer = within == 0;
  if (!simple) {
    p = readLongNumber(first);
    if (!p) return 0;
    integer = longInteger;
  }
  const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
  if (slot || withTape) {
    let type = T_NUMBER;
    const number = simple ? shortValue(first, whole, fraction, negative) : longValue(negative);
    if (inexact) type = T_NUMBER_SLOW;
    if (slot) fillSlot(slot, type, start, p, number);
    if (withTape) {
      writeTape(tape, type, node, start, p);
      if (type == T_NUMBER) store<f64>(tape, number, 8);
    }
  }
  if (withStats) countNumber(node, start, p, integer, instance);
  return p;
}

/** Takes `true`, `false` or `null` at `p`; anything else is a fault. */
// @ts-ignore: decorator
@inline
export function takeWord(
  p: usize, node: usize, tape: usize, instance: u32, withTape: bool, withStats: bool, withSlots: bool,
): usize {
  const start = p;
  let type = T_NULL;
  const word = load<u32>(p);
  // Without a branch between the two, which no predictor could foresee.
  const isTrue = word == 0x65757274;
  const isFalse = word == 0x736c6166 && load<u8>(p, 4) == 0x65;
  if (isTrue | isFalse) {
    type = select<u32>(T_TRUE, T_FALSE, isTrue);
    p += 4 + <usize>isFalse;
  } else if (word == 0x6c6c756e) p += 4;
  else return failLiteral(p);
  const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
  if (slot) fillSlot(slot, type, start, p, 0);
  if (withTape) writeTape(tape, type, node, start, p);
  if (withStats) count(node, type == T_NULL ? STAT_NULL : STAT_BOOL, instance);
  return p;
}

// @ts-ignore: decorator
@inline
export function writeTape(tape: usize, type: u32, node: usize, start: usize, end: usize): void {
  store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
  store<u32>(tape, <u32>start, 4);
  store<u32>(tape, <u32>end, 8);
}
