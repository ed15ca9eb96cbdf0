/** A record that cannot be used, and what is to become of it. */
import type { Batch } from './batch.ts';
import { type ErrorCode, EtlError, isEtlError, type Place } from './errors.ts';
import { refusePromise } from './is-promise.ts';
import type { Wants } from './stage.ts';

/** A record that a stage refuses, with all there is to say about it. */
export interface Reject {
  readonly code: ErrorCode;
  /** What is wrong, for a person. */
  readonly reason: string;
  /** Where the fault is; `offset` and `column` point at the faulty byte. */
  readonly place: Place;
  /**
   * The record as it came, without its line end; of one that is too long only the beginning. A copy.
   */
  readonly bytes: Uint8Array;
}

/**
 * Takes a bad record, so that the work goes on without it. What it throws stops the work; so does a promise, as
 * nobody waits for it (INVALID_ARGUMENT).
 */
export type OnReject = (reject: Reject) => void;

/** What to do with a bad record: stop with its error, pass over it, or pass over it and tell. */
export type OnError = 'stop' | 'skip' | OnReject;

/**
 * What was asked for, default 'stop'. Errors: INVALID_ARGUMENT, which names what is `wanted`, for anything else:
 * a misspelt 'stop' must not pass bad records over.
 */
export function readOnError(
  given: OnError | undefined,
  wanted = "'stop', 'skip' or a function",
): OnError {
  if (given === undefined) return 'stop';
  if (given === 'stop' || given === 'skip') return given;
  if (typeof given === 'function') return (reject) => void refusePromise('onError', given(reject));
  throw new EtlError('INVALID_ARGUMENT', `onError must be ${wanted}`);
}

/** Why a document is refused. */
export interface Rejection {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly cause?: unknown;
}

/** Hands document `index` of the batch to `onReject`; without that, its error is thrown. */
export function rejectDocument(
  batch: Batch,
  index: number,
  rejection: Rejection,
  onReject: OnReject | undefined,
): void {
  const { code, reason, cause } = rejection;
  const place = batch.place(index);
  if (!onReject) {
    throw new EtlError(code, reason, cause === undefined ? { place } : { place, cause });
  }
  onReject({ code, reason, place, bytes: documentBytes(batch, index) });
}

/**
 * The batch, for a receiver that may ask for its bytes: documents that JSON cannot hold go to `onReject` first.
 * Encodes what is not encoded. Without `onReject`, and for one that wants objects, the batch as it is.
 */
export function withoutUnwritable(
  batch: Batch,
  wants: Wants | undefined,
  onReject: OnReject | undefined,
): Batch {
  if (wants?.documents || wants?.objects || !onReject || batch.keepsBytes) return batch;
  if (whyRefused(batch) === undefined) return batch;
  const kept: number[] = [];
  for (let i = 0; i < batch.length; i++) {
    const refused = whyRefused(batch.slice(i, i + 1));
    if (refused) rejectDocument(batch, i, refused, onReject);
    else kept.push(i);
  }
  return batch.pick(kept);
}

function whyRefused(batch: Batch): Rejection | undefined {
  try {
    batch.lines();
    return undefined;
  } catch (error) {
    if (isEtlError(error)) return error;
    throw error;
  }
}

/** A copy of the document as it came; of one that JSON cannot hold what comes closest, if anything. */
function documentBytes(batch: Batch, index: number): Uint8Array {
  if (batch.keepsBytes) {
    const { start, end } = batch.span(index);
    return batch.lines().bytes.slice(start, end);
  }
  try {
    return new TextEncoder().encode(JSON.stringify(batch.documents()[index], withoutBigInt) ?? '');
  } catch {
    return new Uint8Array(0);
  }
}

function withoutBigInt(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
