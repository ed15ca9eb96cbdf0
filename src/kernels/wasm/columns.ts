// Fills columns from the slots of the current document, a row at a time, into scratch arrays that
// the loader copies out. Text is only noted (place and length) and gathered column by column later.
//
// Column, 32 bytes: u32 kind, slot + 1, address of a validity byte per row, address of the values
// (f64, i64, i32 or u8 per row; text: u32 place and u32 length per row, top bit set if escaped),
// then 16 spare. A struct has validity only; its fields are columns of their own.
import {
  SLOTS, T_FALSE, T_NULL, T_NUMBER, T_NUMBER_SLOW, T_OBJECT, T_STRING, T_STRING_ESCAPED, T_TRUE,
} from './layout';
import { integer, readInteger, readTimestamp } from './integers';
import { stamp } from './parse';
import { LONE_REPLACE, decodeEscapes } from './text';

const KIND_FLOAT64: u32 = 1;
const KIND_INT32: u32 = 2;
const KIND_INT64: u32 = 3;
const KIND_BOOL: u32 = 4;
const KIND_UTF8: u32 = 5;
const KIND_TIMESTAMP_MS: u32 = 6;
const KIND_TIMESTAMP_US: u32 = 7;
const KIND_JSON: u32 = 8;
const KIND_STRUCT: u32 = 9;

const COLUMN_SIZE: usize = 32;
const ESCAPED: u32 = 0x80000000;

export const FITS: u32 = 0;
/** The column needs the exact conversion that only the caller has. */
export const NEEDS_CALLER: u32 = 0xffffffff;

/** Writes row `row` of every column. FITS, NEEDS_CALLER, or 1 + the column that cannot hold its value. */
export function fillRow(program: usize, columns: u32, row: usize, scratch: usize): u32 {
  for (let i: u32 = 0; i < columns; i++) {
    const column = program + <usize>i * COLUMN_SIZE;
    const kind = load<u32>(column);
    const slot = SLOTS + (<usize>load<u32>(column, 4) << 5) - 32;
    const valid = <usize>load<u32>(column, 8) + row;
    const values = <usize>load<u32>(column, 12);
    if (load<u32>(slot) != stamp || load<u32>(slot, 4) == T_NULL) {
      store<u8>(valid, 0);
      clearValue(kind, values, row);
      continue;
    }
    store<u8>(valid, 1);
    const type = load<u32>(slot, 4);
    const start = <usize>load<u32>(slot, 8);
    const end = <usize>load<u32>(slot, 12);
    const isText = type >= T_STRING && type <= T_STRING_ESCAPED;
    if (kind == KIND_UTF8) {
      if (!isText) return i + 1;
      noteText(values, row, start, end, type == T_STRING_ESCAPED);
    } else if (kind == KIND_FLOAT64) {
      if (type == T_NUMBER_SLOW) return NEEDS_CALLER;
      if (type != T_NUMBER) return i + 1;
      store<f64>(values + (row << 3), load<f64>(slot, 16));
    } else if (kind == KIND_BOOL) {
      if (type != T_TRUE && type != T_FALSE) return i + 1;
      store<u8>(values + row, type == T_TRUE);
    } else if (kind == KIND_STRUCT) {
      if (type != T_OBJECT) return i + 1;
    } else if (kind == KIND_JSON) {
      noteText(values, row, start - <usize>isText, end + <usize>isText, false);
    } else if (isText && kind != KIND_INT32 && kind != KIND_INT64) {
      let from = start;
      let to = end;
      if (type == T_STRING_ESCAPED) {
        from = scratch;
        to = decodeEscapes(start, end, scratch, LONE_REPLACE);
      }
      if (!readTimestamp(from, to, kind == KIND_TIMESTAMP_MS ? 3 : 6)) return i + 1;
      store<i64>(values + (row << 3), integer);
    } else {
      if (type != T_NUMBER && type != T_NUMBER_SLOW) return i + 1;
      if (!readInteger(start, end)) return i + 1;
      if (kind == KIND_INT32) {
        if (integer != <i64>(<i32>integer)) return i + 1;
        store<i32>(values + (row << 2), <i32>integer);
      } else store<i64>(values + (row << 3), integer);
    }
  }
  return FITS;
}

function clearValue(kind: u32, values: usize, row: usize): void {
  if (kind == KIND_INT32) store<i32>(values + (row << 2), 0);
  else if (kind == KIND_BOOL) store<u8>(values + row, 0);
  else if (kind != KIND_STRUCT) store<u64>(values + (row << 3), 0);
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
    else {
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(p + i));
      out += length;
    }
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
