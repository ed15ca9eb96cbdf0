/**
 * An index.bin that another program wrote, and what it says about deletes: a document that it does
 * not have was deleted by that program, if the index covers the document's place at all.
 *
 * It covers no more than it reaches. A program that read the index before our last sessions, or wrote
 * an old one back, knows nothing of what they committed, and nothing may be lost by that: so an index
 * that has no document behind the end of some earlier state (one of our checkpoints, or what another
 * program had left when we adopted it) is taken for as old as that state. Compaction moves documents,
 * and entries of before may fit them all the same: so the log tells, of each state before it, how far those
 * can lead, and where what stood there ends now.
 *
 * What other programs added behind our last session is their own affair: of that the index tells all up
 * to the last document that it has, having been written later.
 */
import { LineRecord, RECORD_WORDS } from '../core/batch.ts';
import type { IdIndex, LineTable } from '../kernels/index.ts';
import type { LogRecord } from './commit-log.ts';
import { keyText } from './indexer.ts';
import { type LogState, statesOf } from './log-state.ts';

/** Broken lines remembered; behind more of them nothing is taken for deleted. */
const MOST_BROKEN = 10_000;

/** A document's newest line as far as was read, which the other index does not have. */
export interface MissingLine {
  readonly id: string;
  readonly offset: number;
}

/** What our log ends in. */
export type LogEnd = Pick<LogState, 'checkpoint' | 'last'>;

/** Takes all lines of the data in order, then tells. */
export class ForeignIndex {
  readonly #index: IdIndex;
  readonly #end: number;
  /** Where the lines begin that others added, and where the last one ends that the index could have. */
  readonly #added: number;
  readonly #addedEnd: number;
  readonly #missing: MissingLine[] = [];
  #confirmed = 0;
  #reach = 0;
  /** Where lines begin that are no documents any more. */
  readonly #broken: Set<number> = new Set();

  /** `end`: the largest offset + length in the index. */
  constructor(index: IdIndex, end: number, { checkpoint, last }: LogEnd) {
    this.#index = index;
    this.#end = Math.min(end, checkpoint?.end ?? end);
    this.#added = last?.end ?? 0;
    // Behind a session that did not end there may be lines of ours.
    this.#addedEnd = last === undefined || last.op === 'close' ? end : 0;
  }

  take({ bytes, records, count, bad }: LineTable, base: number): void {
    for (const { start } of bad.slice(0, MOST_BROKEN - this.#broken.size)) {
      this.#broken.add(base + start);
    }
    const dead = this.#index.live(records, count, base);
    for (let i = 0; i < count; i++) {
      const word = i * RECORD_WORDS;
      const offset = base + records[word]!;
      if (dead[i] === 0) {
        this.#confirmed++;
        if (offset < this.#end) this.#reach = base + records[word + LineRecord.end]! + 1;
      } else if (offset < this.#end || this.#isAdded(offset)) {
        const low = records[word + LineRecord.hashLow]!;
        const high = records[word + LineRecord.hashHigh]!;
        const id = this.#index.find(low, high) < 0 ? keyText(bytes, records, i) : undefined;
        if (id !== undefined) this.#missing.push({ id, offset });
      }
    }
  }

  /** It has entries that lead to no line of theirs, broken or not: what it lacks proves nothing. */
  get damaged(): boolean {
    let lost = this.#index.size - this.#confirmed;
    if (lost > 0 && lost <= this.#broken.size) {
      for (const offset of this.#index.entries().offsets) if (this.#broken.has(offset)) lost--;
    }
    return lost > 0;
  }

  /** The lines that it covers and does not have. */
  async missing(
    log: AsyncIterable<LogRecord> | Iterable<LogRecord>,
  ): Promise<readonly MissingLine[]> {
    let covered = this.#end;
    let before: LogRecord | undefined;
    for await (const record of log) {
      const state = statesOf(record, before).find(([end]) => end >= this.#reach);
      before = record;
      if (state === undefined) continue;
      covered = Math.min(covered, state[1]);
      break;
    }
    return this.#missing.filter(({ offset }) => offset < covered || this.#isAdded(offset));
  }

  #isAdded(offset: number): boolean {
    return offset >= this.#added && offset < this.#addedEnd;
  }
}
