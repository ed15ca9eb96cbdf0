/**
 * What becomes, where a collection is written anew, of the states that other programs may have read an
 * index.bin of (log-state.ts): up to where the entries of such an index can fit the new data, and where
 * what stood in the old data then ends now.
 *
 * An entry fits where a line of its id stands as far from the beginning as one did before: up to the first
 * line that was dropped all do, behind that few, such as the newer version of a document that has moved to
 * where the older one was. Memory: 16 bytes for each line that stood between the two places of one.
 */
import type { IndexState } from './commit-log.ts';
import { mergeStates } from './log-state.ts';

/** Entries passed that are let go of together. */
const TRIM_COUNT = 1 << 16;

export class MovedStates {
  readonly #states: readonly IndexState[];
  readonly #ends: number[] = [];
  readonly #places: number[] = [];
  /** Where the last line ends that an entry of before fits. */
  #fit = 0;
  /** Old lines that a moved one may come to stand for, from `#head` on. */
  #starts: number[] = [];
  #hashes: (number | undefined)[] = [];
  #head = 0;

  constructor(states: readonly IndexState[]) {
    this.#states = mergeStates(states);
  }

  /**
   * Takes a line of the old data, in order: where it stood, where it stands now, or the next one would if
   * it is dropped (`length` 0), its length, and half of its id's hash, if that is known.
   */
  take(old: number, now: number, length: number, hash: number | undefined): void {
    const states = this.#states;
    if (states.length === 0) return;
    while (this.#places.length < states.length && states[this.#places.length]![1] <= old) {
      this.#places.push(now);
    }
    if (length === 0 || now < old) {
      this.#starts.push(old);
      this.#hashes.push(hash);
    }
    if (length > 0 && (now === old || this.#stoodAt(now, hash))) this.#fitUpTo(now, now + length);
  }

  /** The states in the new data, which ends at `end`. */
  finish(end: number): IndexState[] {
    const moved = this.#states.map(
      (_, i) => [this.#ends[i] ?? this.#fit, this.#places[i] ?? end] as const,
    );
    return mergeStates(moved);
  }

  #stoodAt(start: number, hash: number | undefined): boolean {
    while (this.#starts[this.#head]! < start) this.#head++;
    if (this.#head >= TRIM_COUNT && this.#head * 2 > this.#starts.length) {
      this.#starts = this.#starts.slice(this.#head);
      this.#hashes = this.#hashes.slice(this.#head);
      this.#head = 0;
    }
    const stood = this.#hashes[this.#head];
    return this.#starts[this.#head] === start && (stood === undefined || stood === hash);
  }

  #fitUpTo(start: number, end: number): void {
    const states = this.#states;
    while (this.#ends.length < states.length && states[this.#ends.length]![0] <= start) {
      this.#ends.push(this.#fit);
    }
    this.#fit = end;
  }
}
