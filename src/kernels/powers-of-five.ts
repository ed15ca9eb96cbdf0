/**
 * The table of wasm/decimal.ts: the upper 128 bits of 5^q for q from -342 to 308, normalised so that
 * the top bit is set; rounded down for q >= 0, up for q < 0, as the algorithm's proof wants it.
 */

const SMALLEST = -342;
const LARGEST = 308;
const LIMIT = 1n << 128n;

let table: BigUint64Array | undefined;

/** Two words a power, the high one first. Made once, in a few milliseconds. */
export function powersOfFive(): BigUint64Array {
  if (table) return table;
  table = new BigUint64Array((LARGEST - SMALLEST + 1) * 2);
  let power = 1n;
  for (let q = 0; q <= LARGEST; q++, power *= 5n) put(table, q, normalised(power));
  power = 5n;
  for (let q = -1; q >= SMALLEST; q--, power *= 5n) {
    const size = BigInt(power.toString(2).length);
    const shift = q >= -27 ? size + 127n : 2n * size + 128n;
    put(table, q, normalised((1n << shift) / power + 1n));
  }
  return table;
}

function normalised(value: bigint): bigint {
  const excess = value.toString(2).length - 128;
  return excess > 0 ? value >> BigInt(excess) : value << BigInt(-excess);
}

function put(into: BigUint64Array, q: number, value: bigint): void {
  into[(q - SMALLEST) * 2] = (value % LIMIT) >> 64n;
  into[(q - SMALLEST) * 2 + 1] = value & 0xffff_ffff_ffff_ffffn;
}
