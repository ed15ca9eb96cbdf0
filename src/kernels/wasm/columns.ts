// Fills columns from the current document, a row at a time, into scratch arrays that the loader copies
// out. Values at the top and in structs come from slots; the elements of lists, with all that is in
// them, are read from the bytes. Text is only noted (place and length) and gathered column by column
// later.
//
// Column, 32 bytes, before the columns below it (a struct's fields, a list's element): u32 kind, slot + 1
// (not of what is inside a list), address of a validity byte per row, address of the values (f64,
// i64, i32 or u8 per row; text: u32 place and u32 length per row, top bit set if escaped; list: u32
// end in its element's rows), number of columns below it, then for columns inside lists: rows so far,
// room for rows, and for a struct the address of its fields' names (see cursor.ts).
//
// Rows inside lists have no number of their own: what a document added is taken back, where it does not
// fit, by counting again from the ends that the lists around them had before.
import {
  COLUMNS, INPUT, PLACES, SLOTS, T_ARRAY, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_OBJECT, T_STRING,
  T_STRING_ESCAPED, T_TRUE,
} from './layout';
import { VALUE, copyBytes, firstElement, locate, nextElement, readValueAt, skipValue } from './cursor';
import { integer, readInteger, readTimestamp } from './integers';
import { stamp } from './values';
import { skipSpace } from './scan';
import { LONE_REPLACE, decodeEscapes } from './text';

const KIND_FLOAT64: u32 = 1;
const KIND_INT32: u32 = 2;
const KIND_INT64: u32 = 3;
const KIND_BOOL: u32 = 4;
const KIND_UTF8: u32 = 5;
const KIND_TIMESTAMP_MS: u32 = 6;
const KIND_JSON: u32 = 8;
const KIND_STRUCT: u32 = 9;
const KIND_LIST: u32 = 10;

const COLUMN_SIZE: usize = 32;
const ESCAPED: u32 = 0x80000000;

export const FITS: u32 = 0;
export const MISFITS: u32 = 1;
/** A column needs the exact conversion that only the caller has. */
const NEEDS_CALLER: u32 = 2;
/** There is no room for the elements of a list beside those of the rows before. */
export const NO_ROOM: u32 = 3;

/** Free memory as long as the chunk. */
let scratch: usize = 0;
/** Why `fillElement` gave up. */
let refusal: u32 = 0;

/** Writes row `row` of every column, or says why it cannot and leaves the rows before it as they were. */
export function fillRow(program: usize, columns: u32, row: usize, scratchAt: usize): u32 {
  scratch = scratchAt;
  if (row == 0) rewind(program, columns, 0);
  const end = program + <usize>columns * COLUMN_SIZE;
  for (let column = program; column < end; column += COLUMN_SIZE) {
    const kind = load<u32>(column);
    const slot = SLOTS + (<usize>load<u32>(column, 4) << 5) - 32;
    const valid = <usize>load<u32>(column, 8) + row;
    const values = <usize>load<u32>(column, 12);
    const isNull = load<u32>(slot) != stamp || load<u32>(slot, 4) == T_NULL;
    store<u8>(valid, !isNull);
    if (kind >= KIND_STRUCT) {
      const type = load<u32>(slot, 4);
      if (kind == KIND_STRUCT) {
        if (isNull || type == T_OBJECT) continue;
        rewind(program, columns, row);
        return MISFITS;
      }
      if (!isNull && (type != T_ARRAY || !fillElements(column, load<u32>(slot, 8), PLACES))) {
        const reason = type != T_ARRAY ? MISFITS : refusal;
        rewind(program, columns, row);
        return reason;
      }
      store<u32>(values + (row << 2), load<u32>(column + COLUMN_SIZE, 20));
      column += <usize>load<u32>(column, 16) * COLUMN_SIZE;
    } else if (isNull) clearValue(kind, values, row);
    else {
      const answer = writeValue(kind, values, row, slot);
      if (answer != FITS) {
        rewind(program, columns, row);
        return answer;
      }
    }
  }
  return FITS;
}

/**
 * Writes where the value of each column lies in the chunk: u32 first byte and one past the last, quotes
 * included; both 0 where there is none.
 */
export function notePlaces(program: usize, columns: u32, row: usize): void {
  let out = COLUMNS + ((row * <usize>columns) << 3);
  const end = program + <usize>columns * COLUMN_SIZE;
  for (let column = program; column < end; column += COLUMN_SIZE) {
    const slot = SLOTS + (<usize>load<u32>(column, 4) << 5) - 32;
    const type = load<u32>(slot, 4);
    const isText = <u32>(type >= T_STRING && type <= T_STRING_ESCAPED);
    const isThere = load<u32>(slot) == stamp;
    store<u32>(out, isThere ? load<u32>(slot, 8) - <u32>INPUT - isText : 0);
    store<u32>(out, isThere ? load<u32>(slot, 12) - <u32>INPUT + isText : 0, 4);
    out += 8;
  }
}

/** Sets the rows of everything inside lists to what belongs to the first `rows` rows. */
function rewind(program: usize, columns: u32, rows: usize): void {
  const end = program + <usize>columns * COLUMN_SIZE;
  for (let column = program; column < end; column += COLUMN_SIZE) {
    if (load<u32>(column) != KIND_LIST) continue;
    rewindElements(column, rows);
    column += <usize>load<u32>(column, 16) * COLUMN_SIZE;
  }
}

/** The same for the elements of the first `rows` rows of a list; ends at the columns below it. */
function rewindElements(list: usize, rows: usize): void {
  const ends = <usize>load<u32>(list, 12);
  rewindColumn(list + COLUMN_SIZE, rows ? load<u32>(ends + ((rows - 1) << 2)) : 0);
}

function rewindColumn(column: usize, rows: u32): void {
  store<u32>(column, rows, 20);
  const kind = load<u32>(column);
  if (kind == KIND_LIST) return rewindElements(column, rows);
  if (kind != KIND_STRUCT) return;
  const last = column + <usize>load<u32>(column, 16) * COLUMN_SIZE;
  for (let field = column + COLUMN_SIZE; field <= last; field = behind(field)) rewindColumn(field, rows);
}

/** The column after this one and all below it. */
// @ts-ignore: decorator
@inline
function behind(column: usize): usize {
  return column + COLUMN_SIZE + <usize>load<u32>(column, 16) * COLUMN_SIZE;
}

/** Appends the elements of the array at `p` to the column below `list`; the byte after it, or 0. */
function fillElements(list: usize, p: usize, places: usize): usize {
  let end = p + 1;
  for (let at = firstElement(p); at; at = nextElement(end)) {
    end = fillElement(list + COLUMN_SIZE, at, places);
    if (!end) return 0;
  }
  return skipSpace(end) + 1;
}

/** Appends the value at `p` to a column inside a list. Returns the byte after it, or 0 and leaves why. */
function fillElement(column: usize, p: usize, places: usize): usize {
  const row = <usize>load<u32>(column, 20);
  const kind = load<u32>(column);
  const c = <u32>load<u8>(p);
  if (c == 0x6e) return appendNull(column) ? p + 4 : 0;
  if (row >= <usize>load<u32>(column, 24)) return refuse(NO_ROOM);
  let end: usize;
  const values = <usize>load<u32>(column, 12);
  if (kind < KIND_JSON) {
    end = readValueAt(p);
    const answer = writeValue(kind, values, row, VALUE);
    if (answer != FITS) return refuse(answer);
  } else if (kind == KIND_JSON) {
    end = skipValue(p);
    noteText(values, row, p, end, false);
  } else if (kind == KIND_LIST) {
    if (c != 0x5b) return refuse(MISFITS);
    end = fillElements(column, p, places);
    if (!end) return 0;
    store<u32>(values + (row << 2), load<u32>(column + COLUMN_SIZE, 20));
  } else {
    if (c != 0x7b) return refuse(MISFITS);
    end = fillFields(column, p, places);
    if (!end) return 0;
  }
  store<u8>(<usize>load<u32>(column, 8) + row, 1);
  store<u32>(column, <u32>row + 1, 20);
  return end;
}

/** Appends the members of the object at `p` to the fields of a struct inside a list. */
function fillFields(column: usize, p: usize, places: usize): usize {
  const names = <usize>load<u32>(column, 28);
  const end = locate(p, names, places, scratch);
  const free = places + (<usize>load<u32>(names) << 2);
  const last = column + <usize>load<u32>(column, 16) * COLUMN_SIZE;
  for (let field = column + COLUMN_SIZE; field <= last; field = behind(field)) {
    const value = <usize>load<u32>(places);
    if (!(value ? fillElement(field, value, free) != 0 : appendNull(field))) return 0;
    places += 4;
  }
  return end;
}

/** Appends a null to a column inside a list, and to the fields of a struct. False if there is no room. */
function appendNull(column: usize): bool {
  const row = <usize>load<u32>(column, 20);
  if (row >= <usize>load<u32>(column, 24)) return refuse(NO_ROOM) != 0;
  const kind = load<u32>(column);
  const values = <usize>load<u32>(column, 12);
  if (kind == KIND_LIST) store<u32>(values + (row << 2), load<u32>(column + COLUMN_SIZE, 20));
  else if (kind == KIND_STRUCT) {
    const last = column + <usize>load<u32>(column, 16) * COLUMN_SIZE;
    for (let field = column + COLUMN_SIZE; field <= last; field = behind(field)) {
      if (!appendNull(field)) return false;
    }
  } else clearValue(kind, values, row);
  store<u8>(<usize>load<u32>(column, 8) + row, 0);
  store<u32>(column, <u32>row + 1, 20);
  return true;
}

function refuse(reason: u32): usize {
  refusal = reason;
  return 0;
}

/** Writes the value of a slot or record, which is not null, to a column of scalars. */
// @ts-ignore: decorator
@inline
function writeValue(kind: u32, values: usize, row: usize, slot: usize): u32 {
  const type = load<u32>(slot, 4);
  const start = <usize>load<u32>(slot, 8);
  const end = <usize>load<u32>(slot, 12);
  const isText = type >= T_STRING && type <= T_STRING_ESCAPED;
  if (kind == KIND_UTF8) {
    if (!isText) return MISFITS;
    noteText(values, row, start, end, type == T_STRING_ESCAPED);
  } else if (kind == KIND_FLOAT64) {
    if (type == T_NUMBER_SLOW) return NEEDS_CALLER;
    if (type != T_NUMBER) return MISFITS;
    store<f64>(values + (row << 3), load<f64>(slot, 16));
  } else if (kind == KIND_BOOL) {
    if (type != T_TRUE && type != T_FALSE) return MISFITS;
    store<u8>(values + row, type == T_TRUE);
  } else if (kind == KIND_JSON) {
    noteText(values, row, start - <usize>isText, end + <usize>isText, false);
  } else if (isText && kind != KIND_INT32 && kind != KIND_INT64) {
    let from = start;
    let to = end;
    if (type == T_STRING_ESCAPED) {
      from = scratch;
      to = decodeEscapes(start, end, scratch, LONE_REPLACE);
    }
    if (!readTimestamp(from, to, kind == KIND_TIMESTAMP_MS ? 3 : 6)) return MISFITS;
    store<i64>(values + (row << 3), integer);
  } else {
    if (type != T_NUMBER && type != T_NUMBER_SLOW) return MISFITS;
    if (!readInteger(start, end)) return MISFITS;
    if (kind == KIND_INT32) {
      if (integer != <i64>(<i32>integer)) return MISFITS;
      store<i32>(values + (row << 2), <i32>integer);
    } else store<i64>(values + (row << 3), integer);
  }
  return FITS;
}

function clearValue(kind: u32, values: usize, row: usize): void {
  if (kind == KIND_INT32) store<i32>(values + (row << 2), 0);
  else if (kind == KIND_BOOL) store<u8>(values + row, 0);
  else store<u64>(values + (row << 3), 0);
}

// @ts-ignore: decorator
@inline
function noteText(values: usize, row: usize, start: usize, end: usize, escaped: bool): void {
  store<u32>(values + (row << 3), <u32>start);
  store<u32>(values + (row << 3), <u32>(end - start) | (escaped ? ESCAPED : 0), 4);
}

/** Copies the noted text of a column to `out`, an end offset (from `base`) per row to `offsets`. */
export function gatherText(values: usize, rows: usize, out: usize, offsets: usize, base: i32): usize {
  const start = out;
  for (let row: usize = 0; row < rows; row++) {
    const p = <usize>load<u32>(values + (row << 3));
    const noted = load<u32>(values + (row << 3), 4);
    const length = <usize>(noted & ~ESCAPED);
    if (noted & ESCAPED) out = decodeEscapes(p, p + length, out, LONE_REPLACE);
    else out = copyBytes(out, p, length);
    store<i32>(offsets + (row << 2), base + <i32>(out - start));
  }
  return out;
}

/** Packs a byte per row into bits at `out`, beginning at bit `shift` of the first byte, which starts as `carry`. */
export function packBits(bytes: usize, rows: usize, out: usize, shift: u32, carry: u32): usize {
  let acc = carry;
  let bit = shift;
  let ones: usize = 0;
  for (let row: usize = 0; row < rows; row++) {
    const one = <u32>load<u8>(bytes + row);
    ones += <usize>one;
    acc |= one << bit;
    if (++bit == 8) {
      store<u8>(out++, acc);
      acc = 0;
      bit = 0;
    }
  }
  if (bit) store<u8>(out, acc);
  return ones;
}
