// The general reader: validates one JSON value and reports what was found on the way. One pass, an
// explicit stack, the next key guessed from the graph. Accepts exactly what JSON.parse accepts on UTF-8
// checked by the caller, except for nesting deeper than `maxDepth`.
//
// What it writes: slots (values at the paths that a query names), the tape (every value, for
// materialising) and counts per node (for schema inference), each only where asked for; values.ts has
// their form. Tape entries of T_OBJECT and T_ARRAY: u32 hash of the keys' order, u32 address after
// their T_END, u32 place of the bracket; of T_END: u32 place of its bracket.
import {
  R_COMMA_OR_BRACE, R_COMMA_OR_BRACKET, R_DEPTH, R_KEY, R_COLON, STACK, TAPE_END, T_ARRAY, T_END, T_OBJECT,
} from './layout';
import {
  AFTER, ELEMENT, ENTRY, GENERIC, NUMBER, SLOT, childNode, elementNode, findOther, learn, stands,
} from './graph';
import { fail, isDigit, sawEscape, skipSpace, skipString } from './scan';
import { LONE_KEEP, decodeEscapes } from './text';
import {
  STAT_ARRAY, STAT_OBJECT, count, endSlot, fillSlot, nextObject, noteUntracked, takeNumber, takeString, takeWord,
} from './values';

export let tapeAt: usize = 0;
/** The tape has no room; the document was given up. */
export let tapeFull: bool = false;

export let allAscii: bool = true;
export let maxDepth: u32 = 512;
/** Free memory for decoding a key; as long as the chunk. */
let scratch: usize = 0;

/** Result of `readKey` beside the value's place: the key's node. */
let keyNode: usize = 0;

export function prepare(ascii: bool, depth: u32, scratchAt: usize): void {
  allAscii = ascii;
  maxDepth = depth;
  scratch = scratchAt;
}

export function setTape(at: usize): void {
  tapeAt = at;
  tapeFull = false;
}

/** How the order of an object's keys is hashed: the hash so far, and the node of the next key. */
// @ts-ignore: decorator
@inline
export function nextShape(shape: u32, node: usize): u32 {
  return rotl<u32>(shape ^ load<u32>(node, NUMBER), 5) * 0x9e3779b1;
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

/**
 * Reads the value of `node` at `p` (no space before it), inside `depth` brackets. Returns the byte after
 * it, or 0 on a fault.
 */
export function readPlain(p: usize, node: usize, depth: u32): usize {
  return readValue(p, node, depth, false, false, true);
}

/** The same, and every value goes to the tape. */
export function readToTape(p: usize, node: usize, depth: u32): usize {
  return readValue(p, node, depth, true, false, true);
}

/** The same, where no query names a path. */
export function readToTapeOnly(p: usize, node: usize, depth: u32): usize {
  return readValue(p, node, depth, true, false, false);
}

/** Reads without slots and tape; every value is counted at its node. */
export function readAndCount(p: usize, node: usize, depth: u32): usize {
  return readValue(p, node, depth, false, true, false);
}

// Inlined several times, so that the plain reader pays nothing for the others.
// @ts-ignore: decorator
@inline
function readValue(p: usize, node: usize, depth: u32, withTape: bool, withStats: bool, withSlots: bool): usize {
  let sp: usize = STACK;
  let container: usize = 0;
  let inObject = false;
  let shape: u32 = 0;
  let instance: u32 = 0;
  let tape = tapeAt;
  const ascii = allAscii;

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
      p = takeString(p, node, tape, ascii, instance, withTape, withStats, withSlots);
      if (!p) return 0;
      if (withTape) tape += 16;
    } else if (isDigit(c) || c == 0x2d) {
      p = takeNumber(p, node, tape, instance, withTape, withStats, withSlots);
      if (!p) return 0;
      if (withTape) tape += 16;
    } else if (c == 0x7b || c == 0x5b) {
      if (++depth > maxDepth) return fail(p, R_DEPTH);
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      const type = c == 0x7b ? T_OBJECT : T_ARRAY;
      if (slot) fillSlot(slot, type, start, start, 0);
      if (withStats) count(node, c == 0x7b ? STAT_OBJECT : STAT_ARRAY, instance);
      if (node == GENERIC) noteUntracked();
      store<u32>(sp, <u32>container | <u32>inObject);
      if (withTape) {
        store<u32>(sp, shape, 4);
        store<u32>(sp, <u32>tape, 8);
      }
      if (withStats) store<u32>(sp, instance, 12);
      sp += 16;
      if (withTape) {
        store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
        store<u32>(tape, <u32>start, 12);
        tape += 16;
      }
      container = node;
      inObject = c == 0x7b;
      if (withStats) instance = inObject ? nextObject() : 0;
      shape = 0;
      opened = true;
      p++;
    } else if (c == 0x20 || c == 0x09 || c == 0x0d) {
      // A learned literal that ends in front of space.
      p = skipSpace(p);
      continue;
    } else {
      p = takeWord(p, node, tape, instance, withTape, withStats, withSlots);
      if (!p) return 0;
      if (withTape) tape += 16;
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
          if (withTape) shape = nextShape(shape, node);
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
          if (withTape && node == GENERIC) noteUntracked();
          if (withTape) shape = nextShape(shape, node);
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
        store<u32>(tape, <u32>p - 1, 4);
        tape += 16;
        store<u32>(opening, shape, 4);
        store<u32>(opening, <u32>tape, 8);
      }
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      if (slot) endSlot(slot, p);
      const saved = load<u32>(sp);
      container = saved & ~1;
      inObject = (saved & 1) != 0;
      if (withTape) shape = load<u32>(sp, 4);
      if (withStats) instance = load<u32>(sp, 12);
    }
  }
}
