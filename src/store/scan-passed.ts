/** Tells of the documents that a predicate has left out of a scan: piece by piece, and at the end of all. */
import { countLiving } from './liveness.ts';
import type { Gone } from './scan-tally.ts';

export class Passed {
  readonly #tell: ((count: number) => void) | undefined;
  #told = 0;
  #given = 0;

  /** Without somebody to tell nothing is counted. */
  constructor(tell: ((count: number) => void) | undefined) {
    this.#tell = tell;
  }

  /** Takes note of what was kept of a piece; `skip`: which of its documents are dead. */
  take({ lineCount, bad }: Gone, kept: number, skip: Uint8Array | undefined): void {
    this.#given += kept;
    if (!this.#tell) return;
    this.#say((skip ? countLiving(skip) : lineCount - bad.length) - kept);
  }

  /** All was gone through, or passed over as statistics rule it out, of so many living documents. */
  finish(documents: number): void {
    this.#say(documents - this.#given - this.#told);
  }

  #say(count: number): void {
    if (count === 0) return;
    this.#told += count;
    this.#tell?.(count);
  }
}
