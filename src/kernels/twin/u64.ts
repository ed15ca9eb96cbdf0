/**
 * Unsigned 64-bit arithmetic modulo 2^64 in registers: a `Uint32Array` of two words, low and high.
 * Words, not BigInt, because hashing every id must leave no garbage. Operands given as numbers are
 * the low and high word, each taken modulo 2^32.
 */

/** A register: [low, high]. */
export type U64 = Uint32Array;

/** r = value */
export function set(r: U64, low: number, high: number): void {
  r[0] = low;
  r[1] = high;
}

/** r += value */
export function add(r: U64, low: number, high: number): void {
  const sum = r[0]! + (low >>> 0);
  r[1] = r[1]! + high + (sum > 0xffff_ffff ? 1 : 0);
  r[0] = sum;
}

/** r -= value */
export function subtract(r: U64, low: number, high: number): void {
  const borrow = r[0]! < low >>> 0 ? 1 : 0;
  r[0] = r[0]! - low;
  r[1] = r[1]! - high - borrow;
}

/** r *= value */
export function multiply(r: U64, low: number, high: number): void {
  const ownLow = r[0]!;
  r[1] = multiplyHigh(ownLow, low) + Math.imul(ownLow, high) + Math.imul(r[1]!, low);
  r[0] = Math.imul(ownLow, low);
}

/** r ^= r >> bits, for bits in 1..63 */
export function xorShift(r: U64, bits: number): void {
  const high = r[1]!;
  if (bits >= 32) {
    r[0] = r[0]! ^ (high >>> (bits - 32));
    return;
  }
  r[0] = r[0]! ^ ((r[0]! >>> bits) | (high << (32 - bits)));
  r[1] = high ^ (high >>> bits);
}

/** r += (low half ^ high half) of the 128-bit product a * b */
export function addFolded(r: U64, aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  const second =
    multiplyHigh(aLow, bLow) + (Math.imul(aLow, bHigh) >>> 0) + (Math.imul(aHigh, bLow) >>> 0);
  const carry = second > 0x1_ffff_ffff ? 2 : second > 0xffff_ffff ? 1 : 0;
  const third =
    multiplyHigh(aLow, bHigh) + multiplyHigh(aHigh, bLow) + (Math.imul(aHigh, bHigh) >>> 0) + carry;
  const last =
    multiplyHigh(aHigh, bHigh) + (third > 0x1_ffff_ffff ? 2 : third > 0xffff_ffff ? 1 : 0);
  add(r, Math.imul(aLow, bLow) ^ third, second ^ last);
}

/** The high word of the product of two u32. */
export function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + (middle >>> 16) + (((middle & 0xffff) + aLow * bHigh) >>> 16);
}

/** The register's value. */
export function toBigInt(r: U64): bigint {
  return (BigInt(r[1]!) << 32n) | BigInt(r[0]!);
}
