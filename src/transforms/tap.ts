/** Shows every document to a function and passes it on. */
import type { Document } from '../core/batch.ts';
import type { Transform } from '../core/stage.ts';
import { type DocumentFunction, runEach } from './each-document.ts';

/**
 * The function must not change the documents: where they travel as bytes, the bytes go on. A promise
 * it returns is waited for. Errors: the function's own, unchanged.
 */
export function tapTransform<T extends object = Document>(
  look: DocumentFunction<T, unknown>,
): Transform {
  return {
    name: 'tap',
    wants: { objects: true },
    apply(batch, signal) {
      const looked = runEach(batch, look, {}, signal, undefined);
      return Array.isArray(looked) ? [batch] : looked.then(() => [batch]);
    },
  };
}
