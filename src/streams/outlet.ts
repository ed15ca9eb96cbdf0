/**
 * The sending half of a stage decides once what it sends: batches if every destination piped to has
 * asked for them before the first chunk left, documents otherwise.
 */

import type { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import type { Wants } from '../core/stage.ts';

const outlets = new WeakMap<object, Outlet>();

/**
 * What a receiving stage does on 'pipe'. False for a stranger, a stage of another copy of the
 * package included (its batches are another class), and when documents already flow.
 */
export function askForBatches(source: object, wants: Wants): boolean {
  return outlets.get(source)?.request(wants) ?? false;
}

/** A destination needs no more: a source of ours with no other destination ends. */
export function stopEarly(source: object | undefined): void {
  if (source) outlets.get(source)?.stop();
}

export class Outlet {
  /** What the destination asked for; `{}` until one has. */
  wants: Wants = {};
  #requests = 0;
  #foreign = false;
  #sends: 'batches' | 'documents' | undefined;

  readonly #stop: () => void;

  /** `stop` ends the stream as if it had no more. */
  constructor(stream: Readable, stop: () => void) {
    this.#stop = stop;
    outlets.set(stream, this);
  }

  stop(): void {
    if (this.#requests === 1 && !this.#foreign) this.#stop();
  }

  /** A destination asks for batches; false when documents must go on. */
  request(wants: Wants): boolean {
    if (this.#sends === 'documents' || this.#foreign) return false;
    this.#requests++;
    this.wants = wants;
    return true;
  }

  /**
   * Wraps `pipe()`: a destination that did not ask during it is a stranger.
   * Errors: INVALID_ARGUMENT for a stranger who comes when batches are already under way.
   */
  watchPipe<T>(pipe: () => T): T {
    const before = this.#requests;
    const result = pipe();
    if (this.#requests === before) {
      if (this.#sends === 'batches') {
        throw new EtlError('INVALID_ARGUMENT', 'pipe to every destination before the data flows');
      }
      this.#foreign = true;
    }
    return result;
  }

  /** True once chunks have left, or are about to. */
  get decided(): boolean {
    return this.#sends !== undefined;
  }

  /** Fixes the decision; called when the first chunk leaves. */
  sendsBatches(): boolean {
    this.#sends ??= this.#requests > 0 && !this.#foreign ? 'batches' : 'documents';
    return this.#sends === 'batches';
  }
}
