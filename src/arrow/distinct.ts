/**
 * How many different values there were, in 4 KiB: HyperLogLog with linear counting below (Flajolet,
 * Fusy, Gandouet, Meunier: "HyperLogLog", 2007). The standard error is 1.6 percent.
 */
const BITS = 12;
const REGISTERS = 1 << BITS;
const BIAS = 0.7213 / (1 + 1.079 / REGISTERS);

export class DistinctCounter {
  readonly #registers = new Uint8Array(REGISTERS);
  readonly #number = new Float64Array(1);
  readonly #integer = new BigInt64Array(this.#number.buffer);
  readonly #words = new Uint32Array(this.#number.buffer);

  addNumber(value: number): void {
    // Both zeros are one number.
    this.#number[0] = value === 0 ? 0 : value;
    this.#addWords();
  }

  addInteger(value: bigint): void {
    this.#integer[0] = value;
    this.#addWords();
  }

  addBytes(bytes: Uint8Array): void {
    let hash = 0x811c9dc5;
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    this.#add(mix(hash));
  }

  /** A whole number. */
  estimate(): number {
    let sum = 0;
    let empty = 0;
    for (const rank of this.#registers) {
      sum += 2 ** -rank;
      if (rank === 0) empty++;
    }
    const raw = (BIAS * REGISTERS * REGISTERS) / sum;
    if (raw <= 2.5 * REGISTERS && empty > 0) {
      return Math.round(REGISTERS * Math.log(REGISTERS / empty));
    }
    // Hashes have 32 bits, which many values fill.
    const space = 2 ** 32;
    return Math.round(raw <= space / 30 ? raw : -space * Math.log(1 - raw / space));
  }

  #addWords(): void {
    this.#add(mix(Math.imul(mix(this.#words[0]!), 0x9e3779b1) ^ this.#words[1]!));
  }

  #add(hash: number): void {
    const register = hash >>> (32 - BITS);
    const rank = Math.min(Math.clz32(hash << BITS), 32 - BITS) + 1;
    if (rank > this.#registers[register]!) this.#registers[register] = rank;
  }
}

/** The finaliser of MurmurHash3: every bit of the result hangs on every bit of the input. */
function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
