/** Runs a user's function over the documents of a batch, in order where it is synchronous. */
import { unlessAborted } from '../core/abort.ts';
import type { Document } from '../core/batch.ts';

export type DocumentFunction<T extends object, R> = (document: T) => R | Promise<R>;

/**
 * The results in the documents' order. As long as the function answers without a promise, so does
 * this. At most `concurrency` calls are under way at a time. Errors: the function's, unchanged (the
 * first to come), and the signal's reason.
 */
export function runEach<T extends object, R>(
  documents: readonly Document[],
  run: DocumentFunction<T, R>,
  concurrency: number,
  signal: AbortSignal,
): R[] | Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < documents.length; i++) {
    const result = run(documents[i] as T);
    if (isPromise(result)) return runRest(documents, run, concurrency, signal, results, result);
    results.push(result);
  }
  return results;
}

async function runRest<T extends object, R>(
  documents: readonly Document[],
  run: DocumentFunction<T, R>,
  concurrency: number,
  signal: AbortSignal,
  results: R[],
  first: PromiseLike<R>,
): Promise<R[]> {
  let at = results.length;
  let failed = false;
  const work = async (started?: PromiseLike<R>): Promise<void> => {
    try {
      if (started) {
        const index = at++;
        results[index] = await unlessAborted(started, signal);
      }
      while (at < documents.length && !failed) {
        signal.throwIfAborted();
        const index = at++;
        results[index] = await unlessAborted(run(documents[index] as T), signal);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const workers = [work(first)];
  while (workers.length < Math.min(concurrency, documents.length)) workers.push(work());
  await Promise.all(workers);
  return results;
}

function isPromise<R>(value: R | PromiseLike<R>): value is PromiseLike<R> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
