/** What of a scan's documents is wanted, by their number. */
import { type EncodedLines, RECORD_WORDS } from '../core/batch.ts';

/** The lines from ordinal `from` to `to`; the bytes stay. */
export function cutLines(lines: EncodedLines, from: number, to: number): EncodedLines {
  const { bytes, key } = lines;
  const records = lines.records.slice(from * RECORD_WORDS, to * RECORD_WORDS);
  return { bytes, records, count: to - from, dense: false, ...(key === undefined ? {} : { key }) };
}

/** Counts documents through `offset` and `limit`. */
export class Window {
  #offset: number;
  #limit: number;

  constructor(offset: number, limit: number) {
    this.#offset = offset;
    this.#limit = limit;
  }

  /** True when nothing more is wanted. */
  get full(): boolean {
    return this.#limit === 0;
  }

  take(count: number): { readonly from: number; readonly to: number } {
    const from = Math.min(this.#offset, count);
    const to = Math.min(count, from + this.#limit);
    this.#offset -= from;
    this.#limit -= to - from;
    return { from, to };
  }
}
