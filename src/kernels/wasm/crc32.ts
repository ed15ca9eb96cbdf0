// CRC-32 as ZIP has it (reflected polynomial 0xEDB88320): eight bytes at a time by tables, and most of what is
// longer without any.

/** What the bytes were folded to. */
const FOLDED: usize = 0x3000;
/** Eight tables of 256 words. */
const CRC: usize = 0x4000;
/** Bytes that others are folded to, and from how many on that is worth it. */
const FOLD: usize = 48;
const WORTH_FOLDING: usize = 80;

/** Makes the tables, once. */
export function prepareCrc32(): void {
  if (load<u32>(CRC, 4) != 0) return;
  for (let byte: u32 = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    store<u32>(CRC + (<usize>byte << 2), sum);
  }
  for (let i: usize = 256; i < 2048; i++) {
    const before = load<u32>(CRC + ((i - 256) << 2));
    store<u32>(CRC + (i << 2), (before >> 8) ^ load<u32>(CRC + (<usize>(before & 255) << 2)));
  }
}

// @ts-ignore: decorator
@inline
function row(table: usize, byte: u32): u32 {
  return load<u32>(CRC + (table << 10) + (<usize>(byte & 255) << 2));
}

export function crc32(p: usize, length: usize): u32 {
  const end = p + length;
  if (length < WORTH_FOLDING) return ~sumBytes(0xffffffff, p, end);
  const rest = fold(p, end - FOLD);
  return ~sumBytes(sumBytes(0, FOLDED, FOLDED + FOLD), rest, end);
}

function sumBytes(before: u32, from: usize, end: usize): u32 {
  let sum = before;
  let p = from;
  for (; p + 8 <= end; p += 8) {
    const low = load<u32>(p) ^ sum;
    const high = load<u32>(p, 4);
    sum =
      row(7, low) ^ row(6, low >> 8) ^ row(5, low >> 16) ^ row(4, low >> 24) ^
      row(3, high) ^ row(2, high >> 8) ^ row(1, high >> 16) ^ row(0, high >> 24);
  }
  for (; p < end; p++) sum = (sum >> 8) ^ row(0, sum ^ load<u8>(p));
  return sum;
}

/**
 * Puts 48 bytes at FOLDED that have, summed from 0 on, the sum of all from `p` on; where what follows them
 * begins. The polynomial divides x^300 + x^155 + x^117 + x^89 + 1, so a bit may be cleared when those 145,
 * 183, 211 and 300 behind it are turned: two words at once, and no table. All are at least two words away.
 * Source: Russell, "Chorba: A novel CRC32 implementation", 2024.
 */
function fold(from: usize, last: usize): usize {
  const zero = i64x2.splat(0);
  // To be added to the next three blocks; the sum begins with ones.
  let next = i32x4.replace_lane(zero, 0, -1);
  let second = zero;
  let third = zero;
  let p = from;
  for (; p + 16 <= last; p += 16) {
    const block = v128.xor(v128.load(p), next);
    const a = v128.xor(i64x2.shl(block, 17), i64x2.shl(block, 55));
    const b = v128.xor(v128.xor(i64x2.shr_u(block, 47), i64x2.shr_u(block, 9)), i64x2.shl(block, 19));
    const c = v128.xor(i64x2.shr_u(block, 45), i64x2.shl(block, 44));
    const d = i64x2.shr_u(block, 20);
    next = v128.xor(v128.xor(second, a), v128.shuffle<i64>(zero, b, 0, 2));
    second = v128.xor(v128.xor(third, c), v128.shuffle<i64>(b, d, 1, 2));
    third = v128.shuffle<i64>(d, zero, 1, 2);
  }
  v128.store(FOLDED, v128.xor(v128.load(p), next));
  v128.store(FOLDED, v128.xor(v128.load(p, 16), second), 16);
  v128.store(FOLDED, v128.xor(v128.load(p, 32), third), 32);
  return p + FOLD;
}
