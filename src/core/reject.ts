/** A record that cannot be used, and what is to become of it. */
import { type ErrorCode, EtlError, type Place } from './errors.ts';

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

/** Takes a bad record, so that the work goes on without it. What it throws stops the work. */
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
  if (given === 'stop' || given === 'skip' || typeof given === 'function') return given;
  throw new EtlError('INVALID_ARGUMENT', `onError must be ${wanted}`);
}
