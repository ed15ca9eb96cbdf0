/**
 * A set of 128-bit fingerprints of texts in 32 to 64 bytes each, without garbage. Two texts of one
 * fingerprint would be taken for the same: among 10^9 texts the odds of any such pair are 10^-21.
 */
import type { Kernel } from '../kernels/types.ts';

/** Words of 32 bits in a fingerprint. */
export const KEY_WORDS = 4;
const FIRST_SLOTS = 1 << 10;

export class Fingerprints {
  size = 0;
  readonly #kernel: Kernel;
  #slots: Uint32Array = new Uint32Array(FIRST_SLOTS * KEY_WORDS);
  readonly #key = new Uint32Array(KEY_WORDS);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  has(text: string): boolean {
    this.#take(text);
    return this.#slots[this.#find(this.#slots)] !== 0;
  }

  /** The fingerprint of the text asked for last: a view that the next call changes. */
  get last(): Uint32Array {
    return this.#key;
  }

  /** True if the text was not in the set. */
  add(text: string): boolean {
    this.#take(text);
    return this.addKey(this.#key);
  }

  /** The same for a fingerprint. */
  addKey(key: Uint32Array): boolean {
    this.#key.set(key);
    const at = this.#find(this.#slots);
    if (this.#slots[at] !== 0) return false;
    this.#slots.set(this.#key, at);
    if (++this.size * KEY_WORDS * 2 > this.#slots.length) this.#grow();
    return true;
  }

  /** Two hashes of 64 bits; the first word is never 0, which marks a free slot. */
  #take(text: string): void {
    const kernel = this.#kernel;
    kernel.hashKey(text);
    this.#key[2] = kernel.keyHash[0]!;
    this.#key[3] = kernel.keyHash[1]!;
    kernel.hashKey(`\u0000${text}`);
    this.#key[0] = kernel.keyHash[0]! || 1;
    this.#key[1] = kernel.keyHash[1]!;
  }

  #find(slots: Uint32Array): number {
    const mask = slots.length - 1;
    const key = this.#key;
    let at = (key[0]! * KEY_WORDS) & mask;
    while (slots[at] !== 0) {
      const same =
        slots[at] === key[0] &&
        slots[at + 1] === key[1] &&
        slots[at + 2] === key[2] &&
        slots[at + 3] === key[3];
      if (same) return at;
      at = (at + KEY_WORDS) & mask;
    }
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    const added = this.#key.slice();
    const grown = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += KEY_WORDS) {
      if (old[at] === 0) continue;
      this.#key.set(old.subarray(at, at + KEY_WORDS));
      grown.set(this.#key, this.#find(grown));
    }
    this.#slots = grown;
    this.#key.set(added);
  }
}
