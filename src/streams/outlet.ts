/**
 * The sending half of a stage decides once what it sends: batches if everybody who reads when the first
 * chunk leaves is a destination piped to that has asked for them, documents otherwise.
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
  #piping = false;
  readonly #stream: Readable;
  readonly #stop: () => void;

  /** `stop` ends the stream as if it had no more. */
  constructor(stream: Readable, stop: () => void) {
    this.#stream = stream;
    this.#stop = stop;
    outlets.set(stream, this);
    stream.on('newListener', (event) => {
      const reads = event === 'data' || event === 'readable';
      if (reads && !this.#piping && this.#sends === 'batches') throw tooLate();
    });
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
  watchPipe<D extends NodeJS.WritableStream>(destination: D, pipe: () => D): D {
    const before = this.#requests;
    this.#piping = true;
    try {
      pipe();
    } finally {
      this.#piping = false;
    }
    if (this.#requests > before) return destination;
    if (this.#sends === 'batches') {
      this.#stream.unpipe(destination);
      throw tooLate();
    }
    this.#foreign = true;
    return destination;
  }

  /** True once chunks have left, or are about to. */
  get decided(): boolean {
    return this.#sends !== undefined;
  }

  /** Fixes the decision; called when the first chunk leaves. */
  sendsBatches(): boolean {
    this.#sends ??= this.#decide();
    return this.#sends === 'batches';
  }

  #decide(): 'batches' | 'documents' {
    // Each pipe listens to 'data' once.
    const listeners = this.#stream.listenerCount('data') - this.#requests;
    if (listeners > 0 || this.#stream.listenerCount('readable') > 0) this.#foreign = true;
    return this.#requests > 0 && !this.#foreign ? 'batches' : 'documents';
  }
}

function tooLate(): EtlError {
  const what = 'pipe to every destination, and listen, before the data flows';
  return new EtlError('INVALID_ARGUMENT', what);
}
