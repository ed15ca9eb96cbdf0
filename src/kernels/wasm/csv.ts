// The "csv" module: reads CSV rows and writes each as a line of JSON, with its record and its site; or
// as a row of a table that objects are made from (csv-table.ts), with its site.
// One pass, a field at a time: 16 bytes are loaded, their first byte that ends or alters the field is
// found, and the same 16 bytes are stored behind the column's key. A call ends when the chunk ends,
// in front of a row that is not whole, or when the loader must make room; it goes on where it ended.
import {
  afterLine, columnsEnd, comment, cuts, delimiter, dropBlanks, escape, findLineEnd, findPlainEnd,
  hasNulls, inputEnd, isLast, keyColumn, longestKey, maxRow, outStart, pads, quote, setChunk, setColumns,
  setDialect, setRoom, skipBlanks, trims,
} from './csv-dialect';
import {
  beginRow, closeQuoted, countMisfits, dropLines, embedded, fault, faultAt, keyFrom, keyHash, keyKind,
  keyTo, misfit, misfits, note, noteKey, overrule, quotedEnd, quotedFull, readQuoted, writeNull,
  writePlain,
} from './csv-fields';
import {
  BAD, BAD_END, BAD_SIZE, BOOLEAN, COLUMNS, COLUMN_SIZE, ENTRY_SIZE, INPUT, INTEGER, MISFITS, RECORDS,
  RECORDS_END, R_CLOSING, R_LONG, R_MISSING, R_SURPLUS, R_UNCLOSED, R_UTF8, SITES, STATE, STRING,
} from './csv-layout';
import { noteAbsent, noteEscaped, noteLong, noteShort, sawEscape, setAscii, skipQuoted } from './csv-table';
import { isBoolean, isNullText, isShortNumber, writeBoolean } from './csv-values';
import { findIllFormed, isAscii } from './scan';

export { setColumns, setDialect };

/** Why a call ended. */
const DONE: u32 = 0;
/** The loader must take what there is, or make room if there is nothing. */
const FULL: u32 = 1;
/** The row at which it ended is longer than allowed, and its first line has no end in this chunk. */
const OVERLONG: u32 = 2;

/** The first ill-formed sequence at or behind the row under way. */
let nextIll: usize = 0;
let line: u32 = 0;

/** Starts on a chunk of `length` bytes at INPUT; `last` if nothing of the source follows it. */
export function begin(length: usize, last: bool, out: usize): void {
  setChunk(INPUT + length, last, out);
  memory.fill(inputEnd, 0, 64);
  store<u8>(inputEnd, 0x0a);
  const ascii = isAscii(INPUT, inputEnd);
  setAscii(ascii);
  nextIll = ascii ? inputEnd : findIllFormed(INPUT, inputEnd);
  line = 0;
  for (let column = COLUMNS; column < columnsEnd; column += COLUMN_SIZE) store<u32>(column, 0, 12);
}

/** Goes on at `p` with room for output up to `end`. Returns where the next call must go on. */
export function run(p: usize, end: usize): usize {
  return readRows(p, end, false);
}

/** As `run`, to a table instead of JSON. */
export function runTable(p: usize, end: usize): usize {
  return readRows(p, end, true);
}

// @ts-ignore: decorator
@inline
function readRows(p: usize, end: usize, toTable: bool): usize {
  setRoom(end);
  const outLimit = end - longestKey - 128;
  const rowBytes = ((columnsEnd - COLUMNS) / COLUMN_SIZE) * ENTRY_SIZE;
  const delimiters = i8x16.splat(<i8>delimiter);
  const quotes = i8x16.splat(<i8>quote);
  const escapes = i8x16.splat(<i8>escape);
  const marks = i8x16.splat(0x22);
  const backslashes = i8x16.splat(0x5c);
  const controls = i8x16.splat(0x1f);
  const feeds = i8x16.splat(0x0a);
  const returns = i8x16.splat(0x0d);
  let record = RECORDS;
  let site = SITES;
  let bad = BAD;
  let out = outStart;
  let status = DONE;
  let anyMisfit: u32 = 0;
  while (p < inputEnd) {
    const first = <u32>load<u8>(p);
    if (first == 0x0a || first == 0x0d || first == comment) {
      const after = afterLine(first == comment ? findLineEnd(p) : p);
      if (!after) break;
      line++;
      p = after;
      continue;
    }
    if (record >= RECORDS_END || bad >= BAD_END || (toTable && out + rowBytes > end)) {
      status = FULL;
      break;
    }
    const rowStart = p;
    const rowOut = out;
    let column = COLUMNS;
    let surplus: usize = 0;
    let surplusFields: u32 = 0;
    let next: usize = 0;
    beginRow();
    while (true) {
      if (!toTable && out > outLimit) {
        status = FULL;
        break;
      }
      if (trims) p = skipBlanks(p);
      if (column == columnsEnd && !surplus) {
        surplus = out;
        if (!cuts) note(p, R_SURPLUS);
      }
      const size = <usize>load<u32>(column, 4);
      if (!toTable) {
        const literal = <usize>load<u32>(column);
        v128.store(out, v128.load(literal));
        for (let i: usize = 16; i < size; i += 16) v128.store(out + i, v128.load(literal + i));
      }
      const text = out + size;
      const isQuoted = <u32>load<u8>(p) == quote;
      const from = isQuoted ? p + 1 : p;
      const v = v128.load(from);
      let m: i32;
      if (isQuoted) m = i8x16.bitmask(v128.or(i8x16.eq(v, quotes), i8x16.eq(v, escapes)));
      else m = i8x16.bitmask(i8x16.eq(v, delimiters));
      // In JSON every quote, backslash and control character needs care; in a table only line ends do.
      if (toTable) m |= i8x16.bitmask(v128.or(i8x16.eq(v, feeds), i8x16.eq(v, returns)));
      else {
        const json = v128.or(i8x16.eq(v, marks), i8x16.eq(v, backslashes));
        m |= i8x16.bitmask(v128.or(json, i8x16.eq(i8x16.min_u(v, controls), v)));
      }
      const n = m ? <usize>ctz(m) : 16;
      let at = from + n;
      const c = <u32>load<u8>(at);
      let isShort = m != 0;
      if (isQuoted) {
        isShort = isShort && c == quote && (<u32>load<u8>(at, 1) != quote || escape != quote);
        at++;
      } else isShort = isShort && (c == delimiter || c == 0x0a || c == 0x0d) && !trims;
      if (toTable) {
        let to = from + n;
        let isEscaped = false;
        if (!isShort && isQuoted) {
          to = skipQuoted(from);
          if (!to) {
            note(p, R_UNCLOSED);
            break;
          }
          at = to + 1;
          isEscaped = sawEscape;
        } else if (!isShort) {
          at = findPlainEnd(to);
          to = trims ? dropBlanks(from, at) : at;
        }
        if (!surplus) {
          if (isEscaped) noteEscaped(column, out, from, to);
          else if (isShort) noteShort(column, out, from, n, v, isQuoted);
          else noteLong(column, out, from, to, isQuoted);
          out += ENTRY_SIZE;
        }
      } else if (isShort) {
        const type = load<u32>(column, 8);
        if ((n == 0 && !(isQuoted && type == STRING)) || (hasNulls && !isQuoted && isNullText(from, n))) {
          out = writeNull(type, out, text);
        } else if (type == STRING) {
          v128.store(text, v);
          store<u8>(text + n, 0x22);
          out = text + n + 1;
        } else if (type != BOOLEAN && isShortNumber(v, from, n, type == INTEGER)) {
          v128.store(text - 1, v);
          out = text - 1 + n;
        } else if (type == BOOLEAN && isBoolean(from, n)) {
          out = writeBoolean(text - 1, n);
        } else {
          v128.store(text, v);
          out = misfit(column, from, text, text + n);
        }
      } else if (isQuoted) {
        const written = readQuoted(from, text);
        if (!written) {
          if (quotedFull) status = FULL;
          else note(p, R_UNCLOSED);
          break;
        }
        at = quotedEnd;
        out = closeQuoted(column, from, text, written);
      } else {
        at = findPlainEnd(from);
        if (text + (at - from) * 6 > outLimit) {
          status = FULL;
          break;
        }
        out = writePlain(column, from, trims ? dropBlanks(from, at) : at, out, text);
      }
      if (isQuoted && trims) at = skipBlanks(at);
      if (!toTable && column == keyColumn && !noteKey(text - size, text, out)) {
        status = FULL;
        break;
      }
      if (column != columnsEnd) column += COLUMN_SIZE;
      else surplusFields++;
      const stop = <u32>load<u8>(at);
      if (stop == delimiter) {
        p = at + 1;
        continue;
      }
      if (stop == 0x0a || stop == 0x0d) {
        next = at;
        break;
      }
      note(at, R_CLOSING);
      next = findLineEnd(at);
      break;
    }
    if (status == FULL) {
      p = rowStart;
      out = rowOut;
      break;
    }
    // `next` is where the row's line ends, or 0 where a quote was not closed.
    let rowEnd = next;
    let after = next ? afterLine(next) : 0;
    let isLong = after != 0 && rowEnd - rowStart > maxRow;
    if (!after) {
      const length = inputEnd - rowStart;
      if (isLast) isLong = length > maxRow;
      else if (length > maxRow + 1) isLong = true;
      else {
        p = rowStart;
        out = rowOut;
        break;
      }
    }
    if (isLong || !after) {
      // A row without an end, or one too long to be taken for a row: only its first line is given up.
      rowEnd = findLineEnd(rowStart);
      after = afterLine(rowEnd);
      dropLines();
      if (!after) {
        p = rowStart;
        out = rowOut;
        status = OVERLONG;
        break;
      }
    }
    if (nextIll < rowStart) nextIll = findIllFormed(rowStart, inputEnd);
    if (isLong) overrule(rowStart, R_LONG);
    else if (nextIll < rowEnd) overrule(nextIll, R_UTF8);
    else if (!fault && column < columnsEnd) {
      if (pads && toTable) {
        for (; column < columnsEnd; column += COLUMN_SIZE, out += ENTRY_SIZE) {
          noteAbsent(load<u32>(column, 8), out, rowEnd);
        }
      } else if (pads) {
        while (column < columnsEnd && out <= outLimit) {
          const literal = <usize>load<u32>(column);
          const size = <usize>load<u32>(column, 4);
          memory.copy(out, literal, size);
          const from = out;
          out = writeNull(load<u32>(column, 8), out, out + size);
          if (column == keyColumn) noteKey(from, from + size, out);
          column += COLUMN_SIZE;
        }
        if (column < columnsEnd) {
          p = rowStart;
          out = rowOut;
          status = FULL;
          break;
        }
      } else note(rowEnd, R_MISSING);
    }
    if (fault) {
      out = rowOut;
      store<u32>(bad, <u32>(rowStart - INPUT));
      store<u32>(bad, <u32>(rowEnd - INPUT), 4);
      store<u32>(bad, line, 8);
      store<u32>(bad, <u32>(faultAt - INPUT), 12);
      store<u32>(bad, fault, 16);
      store<u32>(bad, <u32>((record - RECORDS) >> 5), 20);
      const isRagged = fault == R_SURPLUS || fault == R_MISSING;
      const fields = <u32>((column - COLUMNS) / COLUMN_SIZE) + surplusFields;
      store<u32>(bad, isRagged ? fields : 0, 24);
      bad += BAD_SIZE;
    } else {
      if (surplus) out = surplus;
      const ordinal = <u32>((record - RECORDS) >> 5);
      if (!toTable) {
        if (out == rowOut) out++;
        store<u8>(rowOut, 0x7b);
        store<u8>(out, 0x7d);
        store<u8>(out, 0x0a, 1);
        store<u32>(record, <u32>(rowOut - outStart));
        store<u32>(record, <u32>(out + 1 - outStart), 4);
        store<u32>(record, ordinal, 8);
        store<u32>(record, <u32>(keyFrom - outStart), 12);
        store<u32>(record, <u32>(keyTo - outStart), 16);
        store<u32>(record, keyKind, 20);
        store<u64>(record, keyHash, 24);
        out += 2;
      }
      store<u32>(site, <u32>(rowStart - INPUT));
      store<u32>(site, line, 4);
      store<u32>(site, ordinal, 8);
      record += 32;
      site += 12;
      if (misfits != MISFITS) {
        countMisfits(rowStart, line);
        anyMisfit = 1;
      }
    }
    line += embedded + 1;
    p = after;
  }
  store<u32>(STATE, status);
  store<u32>(STATE, <u32>((record - RECORDS) >> 5), 4);
  store<u32>(STATE, <u32>((bad - BAD) / BAD_SIZE), 8);
  store<u32>(STATE, line, 12);
  store<u32>(STATE, <u32>out, 16);
  store<u32>(STATE, anyMisfit, 20);
  return p;
}

