/**
 * Appending to a collection with bad records set aside. A store refuses a batch whole; here it is
 * then halved until the bad records stand alone, so that a batch without any costs nothing more and
 * one of n records with few bad ones a few times log n.
 */
import type { Batch } from '../core/batch.ts';
import { type ErrorCode, isEtlError } from '../core/errors.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { AppendResult } from '../store/index.ts';

/** Faults of a record, not of the store. */
const RECORD_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID_ID',
  'MISSING_ID',
  'ID_MISMATCH',
  'DUPLICATE_ID',
  'INVALID_DOCUMENT',
  'NESTING_TOO_DEEP',
  'FUNCTION_FAILED',
]);

/**
 * Appends a batch by a function that takes it whole or not at all. Bad records go to `onReject`; without
 * it the first one is thrown. Errors: those of the function.
 */
export async function appendBatch(
  batch: Batch,
  append: (batch: Batch) => Promise<AppendResult>,
  onReject: OnReject | undefined,
): Promise<AppendResult> {
  try {
    return await append(batch);
  } catch (error) {
    if (!onReject || !isEtlError(error) || !RECORD_FAULTS.has(error.code)) throw error;
    if (batch.length === 1) {
      rejectDocument(batch, 0, error, onReject);
      return { documents: 0, bytes: 0, replaced: 0, duplicates: 0 };
    }
  }
  const middle = batch.length >> 1;
  const first = await appendBatch(batch.slice(0, middle), append, onReject);
  const rest = await appendBatch(batch.slice(middle, batch.length), append, onReject);
  return {
    documents: first.documents + rest.documents,
    bytes: first.bytes + rest.bytes,
    replaced: first.replaced + rest.replaced,
    duplicates: first.duplicates + rest.duplicates,
  };
}
