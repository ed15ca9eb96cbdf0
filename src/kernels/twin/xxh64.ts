/**
 * XXH64 with seed 0, after the xxHash specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), in its two
 * parts: rounds over the whole stripes, and the end, which takes what remains. In BigInt: the rounds are for where
 * WebAssembly SIMD is missing, and the end comes once.
 */

/** Bytes that a round takes: a word of 64 bits for each of four lanes. */
export const STRIPE = 32;

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

/** The lanes before the first stripe. */
export function startLanes(): BigUint64Array {
  return BigUint64Array.of(P1 + P2, P2, 0n, -P1);
}

/** Takes `bytes`, whole stripes, into the lanes. */
export function takeStripes(lanes: BigUint64Array, bytes: Uint8Array): void {
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; at += 8) {
    const lane = (at / 8) % 4;
    lanes[lane] = round(lanes[lane]!, view.getBigUint64(at, true));
  }
}

/** The hash of `count` bytes in all, of which `rest`, shorter than a stripe, is in no lane yet. */
export function finish(lanes: BigUint64Array, rest: Uint8Array, count: number): bigint {
  const view = viewOf(rest);
  let sum = P5;
  if (count >= STRIPE) {
    const [a, b, c, d] = lanes as unknown as [bigint, bigint, bigint, bigint];
    sum = rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n);
    for (const lane of lanes) sum = (sum ^ round(0n, lane)) * P1 + P4;
  }
  sum = trim(sum + BigInt(count));
  let at = 0;
  for (; at + 8 <= rest.length; at += 8) {
    sum = trim(rotate(sum ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
  }
  for (; at + 4 <= rest.length; at += 4) {
    sum = trim(rotate(sum ^ trim(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
  }
  for (; at < rest.length; at++) sum = trim(rotate(sum ^ trim(BigInt(rest[at]!) * P5), 11n) * P1);
  sum = trim((sum ^ (sum >> 33n)) * P2);
  sum = trim((sum ^ (sum >> 29n)) * P3);
  return sum ^ (sum >> 32n);
}

function round(lane: bigint, word: bigint): bigint {
  return trim(rotate(lane + word * P2, 31n) * P1);
}

function rotate(value: bigint, bits: bigint): bigint {
  const low = trim(value);
  return trim(low << bits) | (low >> (64n - bits));
}

function trim(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
