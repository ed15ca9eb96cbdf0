// The reader: validates one JSON value and reports what was found on the way. One pass, an explicit
// stack, the next key guessed from the graph. Accepts exactly what JSON.parse accepts on UTF-8
// checked by the caller, except for nesting deeper than `maxDepth`.
//
// What it writes: slots (values at the paths that a query names), the tape (every value, for
// materialising) and counts per node (for schema inference), each only where asked for.
//
// Slot, 32 bytes: u32 document stamp, type, start, end; f64 number; u32 found twice; u32 spare.
// Tape entry, 16 bytes: u32 type | node number << 8; u32 start; then an f64 for T_NUMBER, else u32
// end. T_OBJECT and T_ARRAY: u32 hash of the keys' order, u32 address after their T_END. Strings
// start and end inside the quotes. Stats, 48 bytes: see `Stat`.
import {
  R_COMMA_OR_BRACE, R_COMMA_OR_BRACKET, R_DEPTH, R_KEY, R_COLON,
  SLOTS, STACK, STATS, STAT_SIZE, TAPE_END, T_ARRAY, T_END, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW,
  T_OBJECT, T_STRING, T_STRING_ESCAPED, T_STRING_UTF8, T_TRUE,
} from './layout';
import {
  AFTER, ELEMENT, ENTRY, GENERIC, NUMBER, ROOT, SLOT, childNode, elementNode, findOther, learn, stands,
} from './graph';
import {
  careMask, digitMask, fail, failLiteral, hasHighByte, isDigit, sawEscape, skipSpace, skipString, SPLATS,
} from './scan';
import { inexact, longInteger, longValue, readLongNumber, shortValue } from './numbers';
import { LONE_KEEP, decodeEscapes } from './text';

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

export let tapeAt: usize = 0;
/** The tape has no room; the document was given up. */
export let tapeFull: bool = false;
/** A slot of this document was filled more than once. */
export let sawTwice: bool = false;
/** A value could not be told apart: the graph has no room for its path, or it was counted twice. */
export let sawUntracked: bool = false;
export let stamp: u32 = 0;

let allAscii: bool = true;
let maxDepth: u32 = 512;
/** Free memory for decoding a key; as long as the chunk. */
let scratch: usize = 0;
let statOrder: u32 = 0;
let objects: u32 = 0;

/** Result of `readKey` beside the value's place: the key's node. */
let keyNode: usize = 0;

export function prepare(ascii: bool, depth: u32, scratchAt: usize): void {
  allAscii = ascii;
  maxDepth = depth;
  scratch = scratchAt;
}

export function resetStats(): void {
  statOrder = 0;
  objects = 0;
}

export function setTape(at: usize): void {
  tapeAt = at;
  tapeFull = false;
}

/** Forgets what the last document left in the flags. */
export function clearFlags(): void {
  sawUntracked = false;
}

// @ts-ignore: decorator
@inline
function fillSlot(slot: u32, type: u32, start: usize, end: usize, number: f64): void {
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

/** Counts a value; `instance` numbers the object it is a field of, 0 for elements. */
function count(node: usize, what: usize, instance: u32): void {
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

/** Reads a key and its colon; `p` is at the quote, `from` where the literal begins. Value's place or 0. */
function readKey(p: usize, from: usize, parent: usize, list: usize): usize {
  if (load<u8>(p) != 0x22) return fail(p, R_KEY);
  const start = p + 1;
  let end = skipString(start);
  if (!end) return 0;
  const escaped = sawEscape;
  p = skipSpace(end + 1);
  if (load<u8>(p) != 0x3a) return fail(p, R_COLON);
  p = skipSpace(p + 1);
  let key = start;
  if (escaped) {
    key = scratch;
    end = decodeEscapes(start, end, scratch, LONE_KEEP);
  }
  keyNode = childNode(parent, key, end - key);
  learn(list, from, p, keyNode);
  return p;
}

/** Reads the value at `p` (no space before it). Returns the byte after it, or 0 on a fault. */
export function readPlain(p: usize): usize {
  return readValue(p, false, false, true);
}

/** The same, and every value goes to the tape. */
export function readToTape(p: usize): usize {
  return readValue(p, true, false, true);
}

/** The same, where no query names a path. */
export function readToTapeOnly(p: usize): usize {
  return readValue(p, true, false, false);
}

/** Reads without slots and tape; every value is counted at its node. */
export function readAndCount(p: usize): usize {
  return readValue(p, false, true, false);
}

// Inlined three times, so that the plain reader pays nothing for the others.
// @ts-ignore: decorator
@inline
function readValue(p: usize, withTape: bool, withStats: bool, withSlots: bool): usize {
  let sp: usize = STACK;
  let node: usize = ROOT;
  let container: usize = 0;
  let inObject = false;
  let shape: u32 = 0;
  let instance: u32 = 0;
  let depth: u32 = 0;
  let tape = tapeAt;
  const ascii = allAscii;
  // Loaded, not written as constants: those would be built anew at every use.
  const quote = v128.load(SPLATS);
  const backslash = v128.load(SPLATS, 16);
  const control = v128.load(SPLATS, 32);
  sawTwice = false;
  stamp++;

  while (true) {
    const start = p;
    let c = <u32>load<u8>(p);
    let opened = false;
    // Room for this value and for every bracket still to be closed.
    if (withTape && tape + 64 + (<usize>depth << 4) > TAPE_END) {
      tapeFull = true;
      return fail(p, 0);
    }
    if (c == 0x22) {
      let type = T_STRING;
      p++;
      // Where the string ends hangs on the quotes alone; that nothing before them needs care is
      // checked beside, so that the next value's place is known early.
      const v = v128.load(p);
      const w = v128.load(p, 16);
      const quotes =
        i8x16.bitmask(i8x16.eq(v, quote)) | (i8x16.bitmask(i8x16.eq(w, quote)) << 16);
      const others = careMask(v, backslash, control) | (careMask(w, backslash, control) << 16);
      if (quotes && !(others & (quotes ^ (quotes - 1)))) p += <usize>ctz(quotes);
      else {
        p = skipString(p);
        if (!p) return 0;
        if (sawEscape) type = T_STRING_ESCAPED;
      }
      if (!ascii) {
        if (type == T_STRING && hasHighByte(start + 1, p)) type = T_STRING_UTF8;
      }
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      if (slot) fillSlot(slot, type, start + 1, p, 0);
      if (withTape) {
        store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
        store<u32>(tape, <u32>start + 1, 4);
        store<u32>(tape, <u32>p, 8);
        tape += 16;
      }
      if (withStats) count(node, STAT_STRING, instance);
      p++;
    } else if (isDigit(c) || c == 0x2d) {
      const negative = c == 0x2d;
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
        const number = simple
          ? shortValue(first, whole, fraction, negative)
          : longValue(negative);
        if (inexact) type = T_NUMBER_SLOW;
        if (slot) fillSlot(slot, type, start, p, number);
        if (withTape) {
          store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
          store<u32>(tape, <u32>start, 4);
          if (type == T_NUMBER) store<f64>(tape, number, 8);
          else store<u32>(tape, <u32>p, 8);
          tape += 16;
        }
      }
      if (withStats) countNumber(node, start, p, integer, instance);
    } else if (c == 0x7b || c == 0x5b) {
      if (++depth > maxDepth) return fail(p, R_DEPTH);
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      const type = c == 0x7b ? T_OBJECT : T_ARRAY;
      if (slot) fillSlot(slot, type, start, start, 0);
      if (withStats) count(node, c == 0x7b ? STAT_OBJECT : STAT_ARRAY, instance);
      if (node == GENERIC) sawUntracked = true;
      store<u32>(sp, <u32>container | <u32>inObject);
      if (withTape) {
        store<u32>(sp, shape, 4);
        store<u32>(sp, <u32>tape, 8);
      }
      if (withStats) store<u32>(sp, instance, 12);
      sp += 16;
      if (withTape) {
        store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
        tape += 16;
      }
      container = node;
      inObject = c == 0x7b;
      instance = inObject ? ++objects : 0;
      shape = 0;
      opened = true;
      p++;
    } else {
      let type: u32;
      const word = load<u32>(p);
      // Without a branch between the two, which no predictor could foresee.
      const isTrue = word == 0x65757274;
      const isFalse = word == 0x736c6166 && load<u8>(p, 4) == 0x65;
      if (isTrue | isFalse) {
        type = select<u32>(T_TRUE, T_FALSE, isTrue);
        p += 4 + <usize>isFalse;
      } else if (word == 0x6c6c756e) {
        type = T_NULL;
        p += 4;
      } else if (c == 0x20 || c == 0x09 || c == 0x0d) {
        // A learned literal that ends in front of space.
        p = skipSpace(p);
        continue;
      } else return failLiteral(p);
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      if (slot) fillSlot(slot, type, start, p, 0);
      if (withTape) {
        store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
        store<u32>(tape, <u32>start, 4);
        store<u32>(tape, <u32>p, 8);
        tape += 16;
      }
      if (withStats) count(node, type == T_NULL ? STAT_NULL : STAT_BOOL, instance);
    }

    // Behind a value, or behind an opening bracket: find the next value, closing what ends.
    while (true) {
      if (inObject) {
        const list = opened ? container + ENTRY : node + AFTER;
        let t = <usize>load<u32>(list);
        if (!stands(t, p)) t = findOther(list, p);
        if (t) {
          p += load<u32>(t);
          node = load<u32>(t, 4);
          if (withTape) shape = rotl<u32>(shape ^ load<u32>(node, NUMBER), 5) * 0x9e3779b1;
          break;
        }
        const from = p;
        c = load<u8>(p);
        if (c <= 0x20) {
          p = skipSpace(p);
          c = load<u8>(p);
        }
        if (c != 0x7d) {
          if (!opened) {
            if (c != 0x2c) return fail(p, R_COMMA_OR_BRACE);
            p = readKey(skipSpace(p + 1), from, container, list);
          } else p = readKey(p, from, container, list);
          if (!p) return 0;
          node = keyNode;
          if (withTape && node == GENERIC) sawUntracked = true;
          if (withTape) shape = rotl<u32>(shape ^ load<u32>(node, NUMBER), 5) * 0x9e3779b1;
          break;
        }
      } else {
        if (container == 0) {
          tapeAt = tape;
          return p;
        }
        c = load<u8>(p);
        if (c <= 0x20) {
          p = skipSpace(p);
          c = load<u8>(p);
        }
        if (c == 0x2c && !opened) {
          p++;
          if (load<u8>(p) <= 0x20) p = skipSpace(p);
          break;
        }
        if (c != 0x5d) {
          if (!opened) return fail(p, R_COMMA_OR_BRACKET);
          node = load<u32>(container, ELEMENT);
          if (!node) node = elementNode(container);
          break;
        }
      }
      // A closing bracket at p.
      p++;
      opened = false;
      depth--;
      node = container;
      sp -= 16;
      if (withTape) {
        const opening = <usize>load<u32>(sp, 8);
        store<u32>(tape, T_END);
        tape += 16;
        store<u32>(opening, shape, 4);
        store<u32>(opening, <u32>tape, 8);
      }
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      if (slot) store<u32>(SLOTS + (<usize>slot << 5) - 32, <u32>p, 12);
      const saved = load<u32>(sp);
      container = saved & ~1;
      inObject = (saved & 1) != 0;
      if (withTape) shape = load<u32>(sp, 4);
      if (withStats) instance = load<u32>(sp, 12);
    }
  }
}
