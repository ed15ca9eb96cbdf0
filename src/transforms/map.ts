/** A document for each document, by a function. */
import { assert } from '../core/assert.ts';
import { type Batch, type Document, isDocument } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Transform } from '../core/stage.ts';
import { type DocumentFunction, runEach } from './each-document.ts';

export interface MapOptions {
  /** Calls of an async function under way at a time, within a batch. Default 1. */
  readonly concurrency?: number;
}

/**
 * Order is kept. The function may change the document it is given and return it.
 * Errors: INVALID_DOCUMENT with the place of the record for a result that is no object; the
 * function's own, unchanged.
 */
export function mapTransform<T extends object = Document, U extends object = T>(
  run: DocumentFunction<T, U>,
  options: MapOptions = {},
): Transform {
  const { concurrency = 1 } = options;
  assert(Number.isInteger(concurrency) && concurrency > 0, 'concurrency is a positive integer');
  const derive = (batch: Batch, results: readonly U[]): Batch[] => {
    for (let i = 0; i < results.length; i++) {
      if (isDocument(results[i])) continue;
      const place = batch.place(i);
      throw new EtlError('INVALID_DOCUMENT', 'map must return an object', { place });
    }
    return [batch.deriveDocuments(results as readonly Document[])];
  };
  return {
    name: 'map',
    apply(batch, signal) {
      const results = runEach(batch.documents(), run, concurrency, signal);
      return Array.isArray(results)
        ? derive(batch, results)
        : results.then((settled) => derive(batch, settled));
    },
  };
}
