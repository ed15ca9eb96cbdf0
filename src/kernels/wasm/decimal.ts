// From decimal digits to the nearest double, for up to 19 digits and any exponent: the algorithm of
// Eisel and Lemire ("Number Parsing at a Gigabyte per Second", Software: Practice and Experience 51,
// 2021). POWERS holds the upper 128 bits of 5^q for q from -342 to 308, high word first, written by
// the loader (powers-of-five.ts).
import { POWERS } from './layout';

const SMALLEST: i32 = -342;
const LARGEST: i32 = 308;

/** True if the last call could not decide; the caller must convert exactly. */
export let undecided: bool = false;

/** mantissa * 10^exponent, rounded to nearest, ties to even. */
export function decimalToDouble(mantissa: u64, exponent: i32): f64 {
  undecided = false;
  if (mantissa == 0 || exponent < SMALLEST) return 0;
  if (exponent > LARGEST) return f64.POSITIVE_INFINITY;
  const zeros = clz(mantissa);
  const w = mantissa << zeros;
  const entry = POWERS + (<usize>(exponent - SMALLEST) << 4);
  const power = load<u64>(entry);
  let high = mulHigh(w, power);
  let low = w * power;
  // The nine bits below the ones that count are all set: the second word may carry into them.
  if ((high & 0x1ff) == 0x1ff) {
    const more = mulHigh(w, load<u64>(entry, 8));
    low += more;
    if (more > low) high++;
  }
  if (low == u64.MAX_VALUE && (exponent < -27 || exponent > 55)) {
    undecided = true;
    return 0;
  }
  const upper = <i32>(high >> 63);
  const shift = upper + 64 - 52 - 3;
  let bits = high >> <u64>shift;
  let binary = (((152170 + 65536) * exponent) >> 16) + 63 + upper - <i32>zeros + 1023;
  if (binary <= 0) {
    if (1 - binary >= 64) return 0;
    bits >>= <u64>(1 - binary);
    bits += bits & 1;
    bits >>= 1;
    binary = bits < 0x10000000000000 ? 0 : 1;
  } else {
    // Exactly half-way: only these exponents can be, and then even wins.
    if (low <= 1 && exponent >= -4 && exponent <= 23 && (bits & 3) == 1 && bits << <u64>shift == high) {
      bits &= ~1;
    }
    bits += bits & 1;
    bits >>= 1;
    if (bits >= 0x20000000000000) {
      bits = 0x10000000000000;
      binary++;
    }
    if (binary >= 0x7ff) return f64.POSITIVE_INFINITY;
  }
  return reinterpret<f64>((bits & ~0x10000000000000) | (<u64>binary << 52));
}

function mulHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const cross = ((al * bl) >> 32) + ((ah * bl) & 0xffffffff) + al * bh;
  return ah * bh + ((ah * bl) >> 32) + (cross >> 32);
}
