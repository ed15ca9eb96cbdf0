/** What a transform does when a kernel refuses a line that an earlier stage accepted. */
import { assert } from '../core/assert.ts';
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { BadLine } from '../kernels/types.ts';

/**
 * Nothing is dropped silently: a source with a higher `maxDepth` than the kernels' own lets documents
 * through that a query cannot look into. Errors: the line's code with its place.
 */
export function refuseBad(batch: Batch, bad: readonly BadLine[]): void {
  const first = bad[0];
  if (!first) return;
  assert(first.line < batch.length, 'a line of the batch');
  throw new EtlError(first.code, first.reason, { place: batch.place(first.line) });
}
