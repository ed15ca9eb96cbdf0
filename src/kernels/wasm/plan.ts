// Plans: lines of a shape met before, read without looking anything up. Machine-written lines repeat
// their shape, so what stands between two values is known beforehand; a plan is the list of those
// literals with the kind of value behind each. Its steps follow one another in memory, so nothing that
// is loaded hangs on what was read before, and several values are in the processor at once.
//
// Only a cache: a line that no plan fits is read by the general reader, from its start. A plan fits
// where all literals stand; a value of another kind than expected, and containers in arrays, are given
// to the general reader alone. Plans are made from the tape of a line that it has read, so every
// path of a plan is in the graph. Its ancestors are Mison (VLDB 2017) and FAD.js (VLDB 2017).
//
// Plan: u32 end of its steps, u32 room on the tape that it takes, then steps from byte 64 on. Step, 96
// bytes: a transition as in graph.ts (its literal ends where the value begins, and takes in the
// bracket of OPEN, LIST and CLOSE), u32 kind, u32 tape type and shape of an object's keys.
import {
  PLANS, PLAN_COUNT, PLAN_OPENINGS, PLAN_ORDER, PLAN_SIZE, T_ARRAY, T_END, T_FALSE, T_NULL, T_NUMBER,
  T_NUMBER_SLOW, T_OBJECT, T_TRUE, TAPE_END,
} from './layout';
import { ELEMENT, NUMBER, ROOT, SLOT, elementNode, nodeOf, stands, writeTransition } from './graph';
import { isDigit, skipSpace } from './scan';
import {
  allAscii, maxDepth, readAndCount, readPlain, readToTape, readToTapeOnly, setTape, tapeAt,
} from './parse';
import {
  beginDocument, endSlot, fillSlot, sawUntracked, takeNumber, takeString, takeWord,
} from './values';

/** What reading a document leaves behind. */
export const READ_SLOTS: u32 = 0;
export const READ_TAPE: u32 = 1;
export const READ_TAPE_AND_SLOTS: u32 = 2;
export const READ_COUNTS: u32 = 3;

const KIND: usize = 80;
const SHAPE: usize = 84;
const STEP_SIZE: usize = 96;
const FIRST_STEP: usize = 64;

const TEXT: u32 = 0;
const DIGITS: u32 = 1;
const WORD: u32 = 2;
const OPEN: u32 = 3;
const CLOSE: u32 = 4;
const LIST: u32 = 5;

/** Brackets open at once in a plan. */
const PLAN_DEPTH: u32 = 32;
/** Of this, a fitting line gives back one and one that fits nowhere takes `MISS_COST`. */
const FULL_TRUST: i32 = 64;
const MISS_COST: i32 = 4;
/** Lines that are read without trying plans, once those are no longer trusted. */
const REST_LINES: u32 = 256;
/** Lines that fitted nowhere between two that a plan is made of, once there are as many as can be. */
const PAUSE_LINES: u32 = 16;

let plans: u32 = 0;
let trust: i32 = FULL_TRUST;
let rest: u32 = 0;
let pause: u32 = 0;

/** Forgets all plans; they hold nodes of the graph. */
export function resetPlans(): void {
  for (let i: usize = 0; i < PLAN_COUNT; i++) store<u32>(PLAN_ORDER + (i << 2), <u32>(PLANS + i * PLAN_SIZE));
  plans = 0;
  trust = FULL_TRUST;
  rest = 0;
  pause = 0;
}

/** Reads the document at `p`. Returns the byte after it, or 0 on a fault. */
export function readDocument(p: usize, how: u32): usize {
  if (how == READ_COUNTS) {
    beginDocument();
    return readAndCount(p, ROOT, 0);
  }
  // A plan was made where it might go deeper.
  if (maxDepth < PLAN_DEPTH) return readGenerally(p, how);
  if (rest) {
    if (--rest == 0) trust = FULL_TRUST >> 1;
    return readGenerally(p, how);
  }
  for (let i: u32 = 0; i < plans; i++) {
    const at = PLAN_ORDER + (<usize>i << 2);
    const plan = <usize>load<u32>(at);
    beginDocument();
    const end =
      how == READ_SLOTS ? planSlots(p, plan) : how == READ_TAPE ? planTape(p, plan) : planBoth(p, plan);
    if (end) {
      if (i) {
        memory.copy(PLAN_ORDER + 4, PLAN_ORDER, <usize>i << 2);
        store<u32>(PLAN_ORDER, <u32>plan);
      }
      if (trust < FULL_TRUST) trust++;
      return end;
    }
  }
  if (plans) {
    trust -= MISS_COST;
    if (trust < 0) rest = REST_LINES;
  }
  if (pause) pause--;
  else makePlan(p);
  return readGenerally(p, how);
}

function readGenerally(p: usize, how: u32): usize {
  beginDocument();
  if (how == READ_SLOTS) return readPlain(p, ROOT, 0);
  if (how == READ_TAPE) return readToTapeOnly(p, ROOT, 0);
  return readToTape(p, ROOT, 0);
}

function planSlots(p: usize, plan: usize): usize {
  return readByPlan(p, plan, false, true);
}

function planTape(p: usize, plan: usize): usize {
  return readByPlan(p, plan, true, false);
}

function planBoth(p: usize, plan: usize): usize {
  return readByPlan(p, plan, true, true);
}

// @ts-ignore: decorator
@inline
function readByPlan(p: usize, plan: usize, withTape: bool, withSlots: bool): usize {
  const end = <usize>load<u32>(plan);
  const before = tapeAt;
  // Everything that the plan itself may still write fits behind this.
  const tapeEnd = TAPE_END - <usize>load<u32>(plan, 4);
  const ascii = allAscii;
  let tape = before;
  let sp = PLAN_OPENINGS;
  for (let step = plan + FIRST_STEP; step < end; step += STEP_SIZE) {
    if (withTape && tape > tapeEnd) return giveUp(before);
    if (!stands(step, p)) return giveUp(before);
    p += load<u32>(step);
    const node = <usize>load<u32>(step, 4);
    const kind = load<u32>(step, KIND);
    if (kind <= WORD) {
      const c = <u32>load<u8>(p);
      if (kind == TEXT && c == 0x22) p = takeString(p, node, tape, ascii, 0, withTape, false, withSlots);
      else if (kind == DIGITS && (isDigit(c) || c == 0x2d)) {
        p = takeNumber(p, node, tape, 0, withTape, false, withSlots);
      } else if (kind == WORD && c - 0x61 < 26) {
        p = takeWord(p, node, tape, 0, withTape, false, withSlots);
      } else {
        p = readOther(p, node, tape, sp, withTape, withSlots);
        if (withTape) tape = tapeAt - 16;
      }
      if (!p) return giveUp(before);
      if (withTape) tape += 16;
    } else if (kind != CLOSE) {
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      const type = kind == OPEN ? T_OBJECT : T_ARRAY;
      if (slot) fillSlot(slot, type, p - 1, p - 1, 0);
      if (withTape) {
        store<u32>(tape, type | (load<u32>(node, NUMBER) << 8));
        store<u32>(tape, load<u32>(step, SHAPE), 4);
        store<u32>(tape, <u32>p - 1, 12);
      }
      if (kind == OPEN) {
        if (withTape) {
          store<u32>(sp, <u32>tape);
          tape += 16;
        }
        sp += 4;
        continue;
      }
      const opening = tape;
      if (withTape) tape += 16;
      const element = load<u32>(node, ELEMENT) ? <usize>load<u32>(node, ELEMENT) : elementNode(node);
      let c = behindSpace(p);
      if (c != 0x5d) {
        while (true) {
          p = at;
          if (c == 0x22) p = takeString(p, element, tape, ascii, 0, withTape, false, withSlots);
          else if (isDigit(c) || c == 0x2d) {
            p = takeNumber(p, element, tape, 0, withTape, false, withSlots);
          } else {
            p = readOther(p, element, tape, sp + 4, withTape, withSlots);
            if (withTape) tape = tapeAt - 16;
          }
          if (!p) return giveUp(before);
          if (withTape) {
            tape += 16;
            if (tape > tapeEnd) return giveUp(before);
          }
          c = behindSpace(p);
          if (c != 0x2c) break;
          c = behindSpace(at + 1);
        }
        if (c != 0x5d) return giveUp(before);
      }
      p = at + 1;
      if (withTape) {
        store<u32>(tape, T_END);
        store<u32>(tape, <u32>at, 4);
        tape += 16;
        store<u32>(opening, <u32>tape, 8);
      }
      if (slot) endSlot(slot, p);
    } else {
      sp -= 4;
      if (withTape) {
        store<u32>(tape, T_END);
        store<u32>(tape, <u32>p - 1, 4);
        tape += 16;
        store<u32>(<usize>load<u32>(sp), <u32>tape, 8);
      }
      const slot: u32 = withSlots ? load<u32>(node, SLOT) : 0;
      if (slot) endSlot(slot, p);
    }
  }
  if (withTape) setTape(tape);
  return p;
}

/** Where `behindSpace` came to. */
let at: usize = 0;

/** The first byte at or after `p` that is no space; its place is left in `at`. */
// @ts-ignore: decorator
@inline
function behindSpace(p: usize): u32 {
  let c = <u32>load<u8>(p);
  if (c <= 0x20) {
    p = skipSpace(p);
    c = load<u8>(p);
  }
  at = p;
  return c;
}

/** Reads a value that the plan has no step for; the tape is left in `tapeAt`. */
function readOther(p: usize, node: usize, tape: usize, sp: usize, withTape: bool, withSlots: bool): usize {
  const depth = <u32>((sp - PLAN_OPENINGS) >> 2);
  if (withTape) setTape(tape);
  if (!withTape) return readPlain(p, node, depth);
  return withSlots ? readToTape(p, node, depth) : readToTapeOnly(p, node, depth);
}

/** Leaves the tape as it was. */
function giveUp(tape: usize): usize {
  setTape(tape);
  return 0;
}

/** Makes a plan of the document at `p`, if it is a good one and not out of all bounds. */
function makePlan(p: usize): void {
  const before = tapeAt;
  beginDocument();
  const end = readToTapeOnly(p, ROOT, 0);
  const spare = PLAN_ORDER + (<usize>plans << 2);
  const plan = <usize>load<u32>(spare);
  pause = PAUSE_LINES;
  if (end && !sawUntracked && load<u8>(p) == 0x7b && writePlan(plan, p, before, tapeAt)) {
    memory.copy(PLAN_ORDER + 4, PLAN_ORDER, <usize>plans << 2);
    store<u32>(PLAN_ORDER, <u32>plan);
    if (plans < PLAN_COUNT - 1) {
      plans++;
      pause = 0;
    }
  }
  setTape(before);
}

/** Writes the steps of the document at `p`, whose tape is [entry, stop). False if it has too many or too long ones. */
function writePlan(plan: usize, p: usize, entry: usize, stop: usize): bool {
  let step = plan + FIRST_STEP;
  let sp = PLAN_OPENINGS;
  let literal = p;
  while (entry < stop) {
    const word = load<u32>(entry);
    const type = word & 0xff;
    let node = nodeOf(word >> 8);
    let value = <usize>load<u32>(entry, 4);
    let kind = TEXT;
    let next = <usize>load<u32>(entry, 8) + 1;
    if (type == T_OBJECT || type == T_ARRAY) {
      kind = type == T_OBJECT ? OPEN : LIST;
      value = <usize>load<u32>(entry, 12) + 1;
      store<u32>(step, load<u32>(entry, 4), SHAPE);
      if (kind == OPEN) {
        if (sp >= PLAN_OPENINGS + (PLAN_DEPTH << 2)) return false;
        store<u32>(sp, <u32>node);
        sp += 4;
        next = value;
      } else {
        entry = <usize>load<u32>(entry, 8) - 16;
        next = <usize>load<u32>(entry, 4) + 1;
      }
    } else if (type == T_END) {
      kind = CLOSE;
      sp -= 4;
      node = <usize>load<u32>(sp);
      next = ++value;
    } else if (type == T_NUMBER || type == T_NUMBER_SLOW) {
      kind = DIGITS;
      next = numberEnd(value);
    } else if (type == T_TRUE || type == T_FALSE || type == T_NULL) {
      kind = WORD;
      next--;
    } else value--;
    if (step + STEP_SIZE > plan + PLAN_SIZE || !writeTransition(step, literal, value, node)) return false;
    store<u32>(step, kind, KIND);
    literal = next;
    step += STEP_SIZE;
    entry += 16;
  }
  store<u32>(plan, <u32>step);
  store<u32>(plan, <u32>((step - plan) / STEP_SIZE + 4) << 4, 4);
  return true;
}

function numberEnd(p: usize): usize {
  for (let c = <u32>load<u8>(p); isDigit(c) || c == 0x2d || c == 0x2b || c == 0x2e || (c | 0x20) == 0x65; ) c = load<u8>(++p);
  return p;
}
