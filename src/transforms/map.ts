/** A document for each document, by a function. */

import { type Batch, type Document, isDocument } from '../core/batch.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import {
  type CallOptions,
  checkCalls,
  type DocumentFunction,
  REJECTED,
  runEach,
} from './each-document.ts';

export interface MapOptions extends CallOptions {
  /** Calls of an async function under way at a time, within a batch. Default 1. */
  readonly concurrency?: number;
  /**
   * False: documents go on as soon as they are done, those of one batch in any order, so that a slow
   * one holds back only itself. Default true.
   */
  readonly ordered?: boolean;
}

/**
 * The function may change the document it is given and return it.
 * Errors: the function's own, unchanged, unless `onThrow` is 'reject'. Rejects: INVALID_DOCUMENT for a
 * result that is no object.
 */
export function mapTransform<T extends object = Document, U extends object = T>(
  run: DocumentFunction<T, U>,
  options: MapOptions = {},
): Transform {
  const { ordered = true } = options;
  checkCalls(options);
  return {
    name: 'map',
    wants: { objects: true },
    apply(batch, signal, onReject) {
      if (!ordered) return mapUnordered(batch, run, options, signal, onReject);
      const results = runEach(batch, run, options, signal, onReject);
      return Array.isArray(results)
        ? derive(batch, results, onReject)
        : results.then((settled) => derive(batch, settled, onReject));
    },
  };
}

/** A batch of what is done each time that one is asked for; the last has the cursor. */
async function* mapUnordered<T extends object, U extends object>(
  batch: Batch,
  run: DocumentFunction<T, U>,
  options: MapOptions,
  signal: AbortSignal,
  onReject: OnReject | undefined,
): AsyncGenerator<Batch, void, void> {
  let results: unknown[] = [];
  let from: number[] = [];
  let wake = (): void => {};
  const onResult = (index: number, result: unknown): void => {
    results.push(result);
    from.push(index);
    wake();
  };
  const running = Promise.resolve(runEach(batch, run, { ...options, onResult }, signal, onReject));
  // It may fail while the one before is worked on, and nobody waits for it.
  running.catch(() => {});
  for (let left = batch.length; left > 0; ) {
    if (results.length === 0) {
      const some = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([some, running]);
    }
    left -= results.length;
    const [mapped] = derive(batch, results, onReject, from);
    results = [];
    from = [];
    if (mapped) yield left > 0 ? mapped.withCursor(undefined) : mapped;
  }
  await running;
}

/** The batch of the results that are documents; `from[i]` is what result i was made from. */
function derive(
  batch: Batch,
  results: readonly unknown[],
  onReject: OnReject | undefined,
  from?: readonly number[],
): Batch[] {
  const good: Document[] = [];
  const origins: number[] = [];
  for (const [i, result] of results.entries()) {
    const index = from ? from[i]! : i;
    if (isDocument(result)) {
      good.push(result);
      origins.push(index);
    } else if (result !== REJECTED) {
      const reason = 'map must return an object';
      rejectDocument(batch, index, { code: 'INVALID_DOCUMENT', reason }, onReject);
    }
  }
  return good.length === 0 ? [] : [batch.deriveDocuments(good, origins)];
}
