/**
 * Which lines of data.jsonl somebody sees who began to read at some moment, while a writer goes on:
 * those that the index leads to now, and those that it led to then.
 */
import { RECORD_WORDS } from '../core/batch.ts';
import type { IdIndex, LineTable } from '../kernels/index.ts';

export interface Liveness {
  readonly index: IdIndex;
  /** Offsets of lines that were alive at that moment and are not any more. */
  readonly retired: ReadonlySet<number>;
}

/** A byte per document: 0 for those that are alive. */
export function deadLines(
  { index, retired }: Liveness,
  { records, count }: LineTable,
  base: number,
): Uint8Array {
  const dead = index.live(records, count, base);
  if (retired.size > 0) {
    for (let i = 0; i < count; i++) {
      if (retired.has(base + records[i * RECORD_WORDS]!)) dead[i] = 0;
    }
  }
  return dead;
}

/** How many documents are alive, by what `deadLines` gives. */
export function countLiving(dead: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < dead.length; i++) if (dead[i] === 0) count++;
  return count;
}
