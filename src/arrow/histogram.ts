/**
 * How numbers are spread, exactly, without knowing their bounds beforehand: counts in ranges whose width
 * is a power of two, doubled whenever more than 64 of them would be needed.
 */
const MOST_BINS = 64;
const BARS = 16;
/** Narrowest range beside the first number, as a share of it. */
const FINEST = 2 ** -40;

export class Histogram {
  #width = 0;
  #counts = new Map<number, number>();
  #low = 0;
  #high = 0;

  /** What is not finite lies in no range. */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    if (this.#width === 0) this.#begin(value);
    let bin = Math.floor(value / this.#width);
    while (Math.max(bin, this.#high) - Math.min(bin, this.#low) >= MOST_BINS) {
      this.#widen();
      bin = Math.floor(value / this.#width);
    }
    this.#low = Math.min(this.#low, bin);
    this.#high = Math.max(this.#high, bin);
    this.#counts.set(bin, (this.#counts.get(bin) ?? 0) + 1);
  }

  /** At most 16 ranges, the first beginning at `from`; empty without numbers. */
  bars(): { from: number; width: number; counts: number[] } {
    if (this.#width === 0) return { from: 0, width: 0, counts: [] };
    while (this.#high - this.#low >= BARS) this.#widen();
    const counts = Array.from(
      { length: this.#high - this.#low + 1 },
      (_, i) => this.#counts.get(this.#low + i) ?? 0,
    );
    return { from: this.#low * this.#width, width: this.#width, counts };
  }

  #begin(value: number): void {
    const size = Math.max(Math.abs(value) * FINEST, 2 ** -1000);
    this.#width = 2 ** Math.floor(Math.log2(size));
    this.#low = Math.floor(value / this.#width);
    this.#high = this.#low;
  }

  #widen(): void {
    const before = this.#counts;
    this.#width *= 2;
    this.#low = Math.floor(this.#low / 2);
    this.#high = Math.floor(this.#high / 2);
    this.#counts = new Map();
    for (const [bin, count] of before) {
      const wide = Math.floor(bin / 2);
      this.#counts.set(wide, (this.#counts.get(wide) ?? 0) + count);
    }
  }
}
