// The key of a document: its place, kind and hash in the line's record, and whether the line may go
// into a collection as it is.
import { INPUT, SLOTS, T_NUMBER, T_NUMBER_SLOW, T_STRING, T_STRING_ESCAPED, T_STRING_UTF8 } from './layout';
import { copyBytes } from './cursor';
import { LONE_REPLACE, decodeEscapes } from './text';
import { stamp } from './values';
import { xxh3 } from './xxh3';

/** Longest id that a collection takes, in bytes. */
const MAX_ID: usize = 255;

/**
 * Writes place, kind and hash of the key in `slot` of the document at `start` to its record. True if the
 * line begins with it as `{"_id":"` and it is an ASCII id that a collection takes.
 */
export function writeKey(record: usize, start: usize, slot: u32, scratch: usize): bool {
  const at = SLOTS + (<usize>slot << 5) - 32;
  let kind: u32 = 0;
  let from: usize = INPUT;
  let to: usize = INPUT;
  let hash: u64 = 0;
  if (load<u32>(at) == stamp) {
    const type = load<u32>(at, 4);
    from = load<u32>(at, 8);
    to = load<u32>(at, 12);
    if (type == T_STRING || type == T_STRING_UTF8) {
      kind = 1;
      hash = xxh3(from, to - from);
    } else if (type == T_STRING_ESCAPED) {
      kind = 2;
      hash = xxh3(scratch, decodeEscapes(from, to, scratch, LONE_REPLACE) - scratch);
    } else kind = type == T_NUMBER || type == T_NUMBER_SLOW ? 3 : 4;
  }
  store<u32>(record, <u32>(from - INPUT), 12);
  store<u32>(record, <u32>(to - INPUT), 16);
  store<u32>(record, kind, 20);
  store<u64>(record, hash, 24);
  return kind == 1 && from == start + 8 && load<u64>(start) == 0x223a2264695f227b && isPlainId(from, to);
}

/**
 * Writes an entry of an index.bin body at `out` for each of the `count` records at `records`, which are of
 * the bytes at INPUT: u16 id bytes, id, u64 offset, u32 length. Returns where they end.
 */
export function writeEntries(records: usize, count: u32, base: f64, out: usize): usize {
  const shift = <u64>base;
  const end = records + (<usize>count << 5);
  for (let record = records; record < end; record += 32) {
    const start = load<u32>(record);
    const key = load<u32>(record, 12);
    const length = load<u32>(record, 16) - key;
    store<u16>(out, length);
    out = copyBytes(out + 2, INPUT + <usize>key, length);
    store<u64>(out, shift + <u64>start);
    store<u32>(out, load<u32>(record, 4) - start + 1, 8);
    out += 12;
  }
  return out;
}

/** True for 1 to 255 letters, digits, `_`, `-` and `.` of ASCII, the first no dot and no two dots together. */
function isPlainId(p: usize, end: usize): bool {
  if (p == end || end - p > MAX_ID) return false;
  // As if a dot stood in front.
  let dotBefore: u32 = 1;
  while (true) {
    const v = v128.load(p);
    const letters = i8x16.sub(v128.or(v, i8x16.splat(0x20)), i8x16.splat(0x61));
    const digits = i8x16.sub(v, i8x16.splat(0x30));
    const dot = i8x16.eq(v, i8x16.splat(0x2e));
    const good = v128.or(
      v128.or(
        i8x16.eq(i8x16.min_u(letters, i8x16.splat(25)), letters),
        i8x16.eq(i8x16.min_u(digits, i8x16.splat(9)), digits),
      ),
      v128.or(dot, v128.or(i8x16.eq(v, i8x16.splat(0x5f)), i8x16.eq(v, i8x16.splat(0x2d)))),
    );
    const left = end - p;
    const within: u32 = left >= 16 ? 0xffff : (1 << <u32>left) - 1;
    const dots = <u32>i8x16.bitmask(dot) & within;
    if ((~i8x16.bitmask(good) & within) || (dots & ((dots << 1) | dotBefore))) return false;
    if (left <= 16) return true;
    dotBefore = dots >> 15;
    p += 16;
  }
}
