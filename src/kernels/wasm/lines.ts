// The "lines" module: goes over a chunk line by line and does one piece of work with each document.
// A call ends when the chunk ends or when the loader must act (room, a document that needs the slow
// way, a misfit), and goes on from where it returned.
import {
  BAD, BAD_LIMIT, INPUT, RECORDS, RECORDS_END, R_END, R_NOT_OBJECT,
  R_TRAILING, R_UTF8, STACK_LIMIT, STATE, STATS, STAT_SIZE, TAPE,
} from './layout';
import { ROOT, SLOT, childNode, graphIsFull, graphNodes, resetGraph } from './graph';
import { prepare, setTape, tapeAt, tapeFull } from './parse';
import { READ_COUNTS, READ_SLOTS, READ_TAPE, READ_TAPE_AND_SLOTS, readDocument, resetPlans } from './plan';
import { UNSURE, YES, evaluate } from './predicate';
import { writeProjection } from './project';
import { writeEntries, writeKey } from './keys';
import { FITS, MISFITS, NO_ROOM, fillRow, gatherText, notePlaces, packBits } from './columns';
import { fail, faultAt, faultReason, findIllFormed, findNewline, isAscii, skipSpace } from './scan';
import { passedBlank, passedLines, skim } from './skim';
import {
  MODE_LINES, MODE_PROJECT, MODE_TAPE, MODE_COLUMNS, MODE_OBSERVE, MODE_PLACES, DONE, FULL, SLOW, MISFIT,
  AT_STATUS, AT_COUNT, AT_BAD, AT_LINE, AT_GOOD, AT_DENSE, AT_CANONICAL, AT_OUT, AT_DOC_START,
  AT_DOC_END, AT_DOC_LINE,
} from './state';
import { resetStats, sawTwice, sawUntracked } from './values';
import { gatherTexts, textEpoch } from './texts';
import { xxh3 } from './xxh3';

export { childNode, gatherText, gatherTexts, graphIsFull, graphNodes, packBits, textEpoch, writeEntries };

let mode: u32 = 0;
let keySlot: u32 = 0;
let hasPredicate: bool = false;
/** A document with a repeated key on a watched path takes the slow way. */
let slowIfTwice: bool = false;
/** The lines are known to be good: those that cannot be kept are passed over unread. */
let skims: bool = false;
let program: usize = 0;
let entries: u32 = 0;
let rowLimit: u32 = 0;
let skips: usize = 0;

let inputEnd: usize = 0;
let scratch: usize = 0;
let outStart: usize = 0;
let outEnd: usize = 0;
let outSlack: usize = 0;
let ascii: bool = true;
let nextIll: usize = 0;
let depthLimit: u32 = 0;

let line: u32 = 0;
let good: u32 = 0;
let expected: usize = 0;
let dense: bool = true;
let canonical: bool = true;

/** Names a node's slot (1-based; 0 takes it away). */
export function bind(node: usize, slot: u32): void {
  store<u32>(node, slot, SLOT);
}

/** Forgets everything that was learned of shapes. Slots must be bound anew. */
export function forgetShapes(): void {
  resetGraph();
  resetPlans();
}

export function root(): usize {
  return ROOT;
}

export function configure(
  newMode: u32, key: u32, predicate: bool, twice: bool, programAt: usize, count: u32, limit: u32, slack: usize,
  skimming: bool,
): void {
  skims = skimming;
  mode = newMode;
  keySlot = key;
  hasPredicate = predicate;
  slowIfTwice = twice;
  program = programAt;
  entries = count;
  rowLimit = limit;
  outSlack = slack;
}

/** Starts on a chunk of `length` bytes at INPUT. Memory up to `end` is the call's. */
export function begin(length: usize, maxDepth: u32, scratchAt: usize, out: usize, end: usize, skipsAt: usize): void {
  inputEnd = INPUT + length;
  memory.fill(inputEnd, 0, 64);
  store<u8>(inputEnd, 0x0a);
  scratch = scratchAt;
  outStart = out;
  outEnd = end;
  skips = skipsAt;
  ascii = isAscii(INPUT, inputEnd);
  nextIll = ascii ? inputEnd : findIllFormed(INPUT, inputEnd);
  depthLimit = min(maxDepth, STACK_LIMIT);
  line = 0;
  good = 0;
  expected = INPUT;
  dense = true;
  canonical = true;
  if (mode == MODE_OBSERVE) {
    memory.fill(STATS, 0, <usize>graphNodes() * STAT_SIZE);
    resetStats();
  }
}

/** Goes on at `p`. Returns where the next call must go on. Results are in STATE. */
export function run(p: usize): usize {
  prepare(ascii, depthLimit, scratch);
  setTape(TAPE);
  let record = RECORDS;
  let bad: u32 = 0;
  let rows: u32 = 0;
  let out = outStart;
  let status = DONE;
  let how = READ_SLOTS;
  if (mode == MODE_TAPE) how = hasPredicate ? READ_TAPE_AND_SLOTS : READ_TAPE;
  else if (mode == MODE_OBSERVE) how = READ_COUNTS;
  while (p < inputEnd) {
    if (skims) {
      p = skim(p, inputEnd);
      line += passedLines;
      good += passedLines - passedBlank;
      if (p >= inputEnd) break;
    }
    const lineStart = p;
    const start = load<u8>(p) <= 0x20 ? skipSpace(p) : p;
    if (load<u8>(start) == 0x0a) {
      line++;
      p = start + 1;
      continue;
    }
    if (record >= RECORDS_END || bad >= BAD_LIMIT || (rowLimit && rows >= rowLimit)) {
      status = FULL;
      break;
    }
    const tapeBefore = tapeAt;
    let end = readDocument(start, how);
    if (!end && tapeFull && skips && load<u8>(skips + <usize>good)) {
      // Skipped if it is a document, which takes no tape to know.
      setTape(tapeBefore);
      end = readDocument(start, READ_SLOTS);
    }
    let after: usize = 0;
    let ok = false;
    if (end) {
      after = load<u8>(end) == 0x0a ? end : skipSpace(end);
      if (load<u8>(after) != 0x0a) fail(after, R_TRAILING);
      else if (load<u8>(start) != 0x7b) fail(start, R_NOT_OBJECT);
      else if (nextIll < after) fail(after, R_UTF8);
      else ok = true;
    } else if (tapeFull) {
      setTape(tapeBefore);
      if (tapeBefore != TAPE) {
        status = FULL;
        break;
      }
      p = leaveToCaller(lineStart, start);
      status = SLOW;
      break;
    }
    if (!ok) {
      setTape(tapeBefore);
      p = noteBad(lineStart, BAD + <usize>bad * 24);
      bad++;
      continue;
    }
    p = after + 1;
    if (skips && load<u8>(skips + <usize>good)) {
      setTape(tapeBefore);
      good++;
      line++;
      continue;
    }
    if ((slowIfTwice && sawTwice) || (sawUntracked && (mode == MODE_TAPE || mode == MODE_OBSERVE))) {
      setTape(tapeBefore);
      p = leaveToCaller(lineStart, start);
      status = SLOW;
      break;
    }
    if (hasPredicate) {
      const answer = evaluate(scratch);
      if (answer != YES) {
        setTape(tapeBefore);
        if (answer == UNSURE) {
          p = leaveToCaller(lineStart, start);
          status = SLOW;
          break;
        }
        good++;
        line++;
        continue;
      }
    }
    if (mode == MODE_LINES || mode == MODE_TAPE) {
      if (lineStart != expected || start != lineStart || end != after || after == inputEnd) dense = false;
      expected = p;
      store<u32>(record, <u32>(start - INPUT));
      store<u32>(record, <u32>(end - INPUT), 4);
      store<u32>(record, line, 8);
      if (mode == MODE_LINES) canonical = writeKey(record, start, keySlot, scratch) && canonical;
      else store<u32>(record, <u32>tapeBefore, 12);
      record += 32;
    } else if (mode == MODE_PROJECT) {
      if (out + (after - lineStart) + outSlack > outEnd) {
        p = lineStart;
        status = FULL;
        break;
      }
      const written = program
        ? writeProjection(program, entries, out, scratch)
        : copyWhole(start, end, out);
      store<u32>(record, <u32>(out - outStart));
      store<u32>(record, <u32>(written - outStart), 4);
      store<u32>(record, line, 8);
      store<u32>(record, 0, 12);
      v128.store(record, i8x16.splat(0), 16);
      record += 32;
      store<u8>(written, 0x0a);
      out = written + 1;
    } else if (mode == MODE_COLUMNS) {
      const answer = fillRow(program, entries, rows, scratch);
      if (answer == NO_ROOM && rows > 0) {
        p = lineStart;
        status = FULL;
        break;
      }
      if (answer != FITS) {
        p = leaveToCaller(lineStart, start);
        status = answer == MISFITS ? MISFIT : SLOW;
        break;
      }
      rows++;
    } else {
      if (mode == MODE_PLACES) notePlaces(program, entries, rows);
      rows++;
    }
    good++;
    line++;
  }
  store<u32>(AT_STATUS, status);
  store<u32>(AT_COUNT, mode >= MODE_COLUMNS ? rows : <u32>((record - RECORDS) >> 5));
  store<u32>(AT_BAD, bad);
  store<u32>(AT_LINE, line);
  store<u32>(AT_GOOD, good);
  store<u32>(AT_DENSE, dense && expected == inputEnd);
  store<u32>(AT_CANONICAL, canonical);
  store<u32>(AT_OUT, <u32>out);
  return p;
}

/**
 * Cuts lines that are known to be good documents at their ends, without reading them: records hold
 * places and no key. Goes on and answers as `run` does.
 */
export function split(p: usize): usize {
  let record = RECORDS;
  while (p < inputEnd && record < RECORDS_END) {
    const newline = findNewline(p);
    const start = skipSpace(p);
    if (start < newline) {
      let end = newline;
      while (load<u8>(end - 1) <= 0x20) end--;
      if (p != expected || start != p || end != newline || newline == inputEnd) dense = false;
      expected = newline + 1;
      store<u32>(record, <u32>(start - INPUT));
      store<u32>(record, <u32>(end - INPUT), 4);
      store<u32>(record, line, 8);
      store<u32>(record, 0, 12);
      v128.store(record, i8x16.splat(0), 16);
      record += 32;
    }
    line++;
    p = newline + 1;
  }
  store<u32>(AT_STATUS, p < inputEnd ? FULL : DONE);
  store<u32>(AT_COUNT, <u32>((record - RECORDS) >> 5));
  store<u32>(AT_BAD, 0);
  store<u32>(AT_LINE, line);
  store<u32>(AT_GOOD, good);
  store<u32>(AT_DENSE, dense && expected == inputEnd);
  store<u32>(AT_CANONICAL, 0);
  store<u32>(AT_OUT, <u32>outStart);
  return p;
}

/** Reads the documents of records [from, to) onto the tape; their tape places go to word 3. Returns the record reached. */
export function readRecords(records: usize, from: u32, to: u32): u32 {
  prepare(ascii, STACK_LIMIT, scratch);
  setTape(TAPE);
  for (let i = from; i < to; i++) {
    const record = records + (<usize>i << 5);
    const before = tapeAt;
    const end = readDocument(INPUT + load<u32>(record), READ_TAPE);
    if (!end) {
      setTape(before);
      if (tapeFull && before != TAPE) return i;
      store<u32>(record, 0, 12);
    } else if (sawUntracked) {
      setTape(before);
      store<u32>(record, 0, 12);
    } else store<u32>(record, <u32>before, 12);
  }
  return to;
}

/**
 * Reads the `length` bytes at INPUT as one document onto the tape; `scratchAt` is free memory as long as
 * they are. Returns its tape place, or 0 where they are no document or `JSON.parse` must tell.
 */
export function readOne(length: usize, scratchAt: usize): usize {
  const end = INPUT + length;
  memory.fill(end, 0, 64);
  store<u8>(end, 0x0a);
  const plain = isAscii(INPUT, end);
  if (load<u8>(INPUT) != 0x7b || (!plain && findIllFormed(INPUT, end) != end)) return 0;
  prepare(plain, STACK_LIMIT, scratchAt);
  setTape(TAPE);
  return readDocument(INPUT, READ_TAPE) == end && !sawUntracked ? TAPE : 0;
}

function copyWhole(start: usize, end: usize, out: usize): usize {
  memory.copy(out, start, end - start);
  return out + (end - start);
}

/** Where the line that was left to the loader begins, and what follows it. */
let leftStart: usize = 0;
let leftNext: usize = 0;

/** Counts the line left to the loader, as a document if it is `1`; `whole` if it is kept from end to end. */
export function passed(document: u32, whole: bool): void {
  line++;
  good += document;
  if (whole && leftStart == expected && leftNext <= inputEnd) expected = leftNext;
}

/** Leaves the XXH3-64 of [p, p + length) in STATE at byte 64. */
export function hashAt(p: usize, length: usize): void {
  store<u64>(STATE, xxh3(p, length), 64);
}

/** Hands the current line to the loader and counts it as a good one. */
function leaveToCaller(lineStart: usize, start: usize): usize {
  const newline = findNewline(start);
  store<u32>(AT_DOC_START, <u32>(lineStart - INPUT));
  store<u32>(AT_DOC_END, <u32>(newline - INPUT));
  store<u32>(AT_DOC_LINE, line);
  leftStart = lineStart;
  leftNext = newline + 1;
  canonical = false;
  return newline + 1;
}

/** Writes the entry of a bad line, whose fault was noted, and returns the next line's start. */
function noteBad(lineStart: usize, entry: usize): usize {
  const newline = findNewline(lineStart);
  let end = newline;
  if (end > lineStart && load<u8>(end - 1) == 0x0d) end--;
  let at = faultAt;
  let reason = faultReason;
  if (at >= end) {
    at = end;
    reason = R_END;
  }
  if (nextIll < newline) {
    if (nextIll <= at || reason == R_NOT_OBJECT) {
      at = nextIll;
      reason = R_UTF8;
    }
    nextIll = findIllFormed(newline + 1, inputEnd);
  }
  store<u32>(entry, <u32>(lineStart - INPUT));
  store<u32>(entry, <u32>(end - INPUT), 4);
  store<u32>(entry, line, 8);
  store<u32>(entry, <u32>(at - INPUT), 12);
  store<u32>(entry, reason, 16);
  store<u32>(entry, good, 20);
  line++;
  return newline + 1;
}
