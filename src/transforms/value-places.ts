/**
 * Where the values at some paths lie in the documents of a batch, told by the kernel. Of a repeated key
 * only the last counts. A document in which a path leads through an array must be walked.
 */
import type { Path } from '../core/path.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Locator } from '../kernels/types.ts';
import { OPEN_BRACKET } from './members.ts';

export class ValuePlaces {
  readonly #locator: Locator;
  /** How many of the paths located are those asked for; behind them come those that lead there. */
  readonly #asked: number;
  readonly #width: number;
  /** The paths asked for in the order in which their values lay last. */
  readonly #order: number[];
  #bytes: Uint8Array = new Uint8Array(0);
  #places: Uint32Array = new Uint32Array(0);
  #count = 0;

  constructor(paths: readonly Path[]) {
    const leading = paths.flatMap((path) => path.slice(1).map((_, i) => path.slice(0, i + 1)));
    const all = [...paths, ...leading];
    this.#locator = sharedKernel().locator(all);
    this.#asked = paths.length;
    this.#width = all.length * 2;
    this.#order = paths.map((_, i) => i);
  }

  /** Looks into the documents of a batch, given as its dense bytes. */
  read(bytes: Uint8Array): void {
    const { places, count, bad } = this.#locator.locate(bytes);
    this.#bytes = bytes;
    this.#places = places;
    // With documents too deep for the kernel, nothing says which row is whose.
    this.#count = bad.length === 0 ? count : 0;
  }

  /**
   * Calls `visit` for the values of document `index` in the order of the bytes. False, and nothing
   * visited, where it must be walked.
   */
  visit(index: number, visit: (path: number, start: number, end: number) => void): boolean {
    if (index >= this.#count) return false;
    const places = this.#places;
    const row = index * this.#width;
    for (let at = row + this.#asked * 2; at < row + this.#width; at += 2) {
      if (this.#bytes[places[at]!] === OPEN_BRACKET && places[at + 1]! > 0) return false;
    }
    const order = this.#order;
    for (let i = 1; i < order.length; i++) {
      const path = order[i]!;
      const start = places[row + path * 2]!;
      let to = i;
      for (; to > 0 && places[row + order[to - 1]! * 2]! > start; to--) order[to] = order[to - 1]!;
      order[to] = path;
    }
    for (let i = 0; i < order.length; i++) {
      const at = row + order[i]! * 2;
      if (places[at + 1]! > 0) visit(order[i]!, places[at]!, places[at + 1]!);
    }
    return true;
  }
}
