/**
 * Appending to a collection with bad records set aside. A store refuses a batch whole; here it is
 * then halved until the bad records stand alone, so that a batch without any costs nothing more and
 * one of n records with few bad ones a few times log n.
 */
import { type Batch, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { type ErrorCode, type EtlError, formatPlace, isEtlError } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';
import type { FastStore, IdOptions } from '../store/index.ts';

/** Faults of a record, not of the store. */
const RECORD_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID_ID',
  'MISSING_ID',
  'ID_MISMATCH',
  'INVALID_DOCUMENT',
]);

/** What became of a batch's documents. */
export interface Appended {
  readonly documents: number;
  readonly replaced: number;
}

/**
 * Appends a batch. Bad records go to `onReject`; without it the first one is thrown.
 * Errors: those of the store.
 */
export async function appendBatch(
  store: FastStore,
  batch: Batch,
  ids: IdOptions,
  onReject: ((reject: Reject) => void) | undefined,
): Promise<Appended> {
  try {
    return await store.append(batch, ids);
  } catch (error) {
    if (!onReject || !isEtlError(error) || !RECORD_FAULTS.has(error.code)) throw error;
    if (batch.length === 1) {
      onReject(toReject(error, batch));
      return { documents: 0, replaced: 0 };
    }
  }
  const middle = batch.length >> 1;
  const first = await appendBatch(store, sliceBatch(batch, 0, middle), ids, onReject);
  const rest = await appendBatch(store, sliceBatch(batch, middle, batch.length), ids, onReject);
  return {
    documents: first.documents + rest.documents,
    replaced: first.replaced + rest.replaced,
  };
}

/** Documents `from` to `to` (not included) of a batch; a view of its bytes. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  const lines = batch.denseLines();
  const start = lines.records[from * RECORD_WORDS + LineRecord.start]!;
  const end = lines.records[(to - 1) * RECORD_WORDS + LineRecord.end]! + 1;
  const records = lines.records.slice(from * RECORD_WORDS, to * RECORD_WORDS);
  for (let i = 0; i < to - from; i++) {
    const word = i * RECORD_WORDS;
    for (const offset of ['start', 'end', 'keyStart', 'keyEnd'] as const) {
      records[word + LineRecord[offset]]! -= start;
    }
    records[word + LineRecord.line] = from + i;
  }
  const bytes = lines.bytes.subarray(start, end);
  return batch.deriveLines({ ...lines, bytes, records, count: to - from });
}

function toReject(error: EtlError, batch: Batch): Reject {
  // The message begins with the place, which a reject has fields for.
  const at = formatPlace(error.place);
  const reason = at ? error.message.slice(at.length + 2) : error.message;
  return { code: error.code, reason, place: batch.place(0), bytes: batch.bytes().slice(0, -1) };
}
