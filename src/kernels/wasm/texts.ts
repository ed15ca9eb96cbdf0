// What becomes of the strings on a tape of documents that will be kept.
//
// Short ones that come again are made once by the loader: there is an entry for each place that a string's
// bytes lead to, the bytes and, from the second sight on, a stamp. A stamp tells the place in its lower bits
// and is given once, so the loader knows by it whether what it keeps under that place is this string,
// whatever became of the documents before. The others are gathered, so that the text which the loader's
// strings are cut from holds nothing else.
import { STAMPS, TAPE, TEXTS, TEXT_BITS, T_OBJECT, T_STRING } from './layout';
import { copyBytes } from './cursor';
import { tapeAt } from './parse';

/** Sixteen bytes of ones, then as many of zeros: read from 16 - n on, a mask of n bytes. */
const MASKS: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);
/** Half of all stamps: a tape has far fewer strings than the other half. */
const MANY_STAMPS: u32 = 1 << (31 - TEXT_BITS);

let given: u32 = 1;
let epoch: u32 = 0;

/** How often stamps were begun anew. */
export function textEpoch(): u32 {
  return epoch;
}

/**
 * Writes into the tape's entries of plain strings their stamps, or 0 and where they are gathered from `out` on (room
 * as for the chunk), and into those of objects where theirs begin. Returns the end of what was gathered.
 */
export function gatherTexts(out: usize): usize {
  if (given > MANY_STAMPS) {
    memory.fill(TEXTS, 0, <usize>16 << TEXT_BITS);
    given = 1;
    epoch++;
  }
  for (let entry = TAPE; entry < tapeAt; entry += 16) {
    const type = load<u32>(entry) & 0xff;
    if (type == T_OBJECT) store<u32>(entry, <u32>out, 12);
    if (type != T_STRING) continue;
    const start = <usize>load<u32>(entry, 4);
    const length = <usize>load<u32>(entry, 8) - start;
    const stamp: u32 = length - 1 < 16 ? stampOf(start, length) : 0;
    store<u32>(entry, stamp, 12);
    if (stamp) continue;
    store<u32>(entry, <u32>out, 4);
    out = copyBytes(out, start, length);
    store<u32>(entry, <u32>out, 8);
  }
  return out;
}

function stampOf(p: usize, length: usize): u32 {
  const text = v128.and(v128.load(p), v128.load(MASKS + 16 - length));
  const low = <u64>i64x2.extract_lane(text, 0) * 0x9e3779b185ebca87;
  const mixed = low ^ (<u64>i64x2.extract_lane(text, 1) * 0xc2b2ae3d27d4eb4f);
  const place = <usize>((mixed ^ (mixed << 23)) >> (64 - TEXT_BITS));
  const entry = TEXTS + (place << 4);
  const at = STAMPS + (place << 2);
  if (i8x16.bitmask(i8x16.eq(v128.load(entry), text)) != 0xffff) {
    v128.store(entry, text);
    store<u32>(at, 0);
    return 0;
  }
  if (!load<u32>(at)) store<u32>(at, (given++ << TEXT_BITS) | <u32>place);
  return load<u32>(at);
}
