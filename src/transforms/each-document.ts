/** Runs a user's function over the documents of a batch, in order where it is synchronous. */
import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { checkChoice, checkCount } from '../core/check-option.ts';
import { functionFailed } from '../core/errors.ts';
import { isPromise } from '../core/is-promise.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';

export type DocumentFunction<T extends object, R> = (document: T) => R | Promise<R>;

export interface CallOptions {
  /**
   * What becomes of a document that the function throws for: 'stop' ends the work with that error,
   * unchanged; 'reject' sets the document aside with FUNCTION_FAILED. Default 'stop'.
   */
  readonly onThrow?: 'stop' | 'reject';
}

export interface EachOptions extends CallOptions {
  /** Calls under way at a time. Default 1. */
  readonly concurrency?: number;
  /** Told of every result as it comes, `REJECTED` included. */
  readonly onResult?: (index: number, result: unknown) => void;
}

/** Before the first call. Errors: INVALID_ARGUMENT. */
export function checkCalls({ concurrency = 1, onThrow = 'stop' }: EachOptions): void {
  checkCount('concurrency', concurrency);
  checkChoice('onThrow', onThrow, ['stop', 'reject']);
}

/** Stands in the results for a document that was set aside. */
export const REJECTED: unique symbol = Symbol('rejected');

/**
 * The results in the documents' order. As long as the function answers without a promise, so does
 * this. Errors: the function's, unchanged (the first to come), and the signal's reason.
 */
export function runEach<T extends object, R>(
  batch: Batch,
  run: DocumentFunction<T, R>,
  options: EachOptions,
  signal: AbortSignal,
  onReject: OnReject | undefined,
): (R | typeof REJECTED)[] | Promise<(R | typeof REJECTED)[]> {
  const runner = new Runner(batch, run, options, signal, onReject);
  return runner.start() ? runner.results : runner.finish();
}

/** Runs for every item, so many at a time. Errors: the first to come, and the signal's reason. */
export async function forEachLimited<T>(
  items: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    try {
      while (next < items.length) {
        signal.throwIfAborted();
        await run(items[next++]!);
      }
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  const working = Array.from({ length: Math.min(concurrency, items.length) }, work);
  // One listener for all that are under way.
  await unlessAborted(Promise.all(working), signal);
}

class Runner<T extends object, R> {
  readonly results: (R | typeof REJECTED)[] = [];
  readonly #batch: Batch;
  readonly #run: DocumentFunction<T, R>;
  readonly #options: EachOptions;
  readonly #signal: AbortSignal;
  readonly #onReject: OnReject | undefined;
  #next = 0;
  #first: Promise<R> | undefined;

  constructor(
    batch: Batch,
    run: DocumentFunction<T, R>,
    options: EachOptions,
    signal: AbortSignal,
    onReject: OnReject | undefined,
  ) {
    this.#batch = batch;
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
    this.#onReject = onReject;
  }

  /** Runs up to the first promise; true if there was none. */
  start(): boolean {
    const documents = this.#batch.documents();
    for (; this.#next < documents.length; this.#next++) {
      try {
        const result = this.#run(documents[this.#next] as T);
        if (isPromise(result)) {
          this.#first = Promise.resolve(result);
          // The work may end before anybody waits for it.
          this.#first.catch(() => {});
          return false;
        }
        this.#settle(this.#next, result);
      } catch (error) {
        this.#refuse(this.#next, error);
      }
    }
    return true;
  }

  async finish(): Promise<(R | typeof REJECTED)[]> {
    const documents = this.#batch.documents();
    const from = this.#next;
    const rest = Array.from({ length: documents.length - from }, (_, i) => from + i);
    await forEachLimited(rest, this.#options.concurrency ?? 1, this.#signal, async (index) => {
      try {
        const result = index === from ? this.#first! : this.#run(documents[index] as T);
        this.#settle(index, await result);
      } catch (error) {
        this.#refuse(index, error);
      }
    });
    return this.results;
  }

  #settle(index: number, result: R | typeof REJECTED): void {
    this.results[index] = result;
    this.#options.onResult?.(index, result);
  }

  #refuse(index: number, cause: unknown): void {
    if (this.#options.onThrow !== 'reject' || this.#signal.aborted) throw cause;
    rejectDocument(this.#batch, index, functionFailed(cause), this.#onReject);
    this.#settle(index, REJECTED);
  }
}
