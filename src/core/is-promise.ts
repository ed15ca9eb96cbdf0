/** Whether a function that a user gave answered with a promise. */
import { EtlError } from './errors.ts';

/** True for whatever can be awaited, of any library. */
export function isPromise<R>(value: R | PromiseLike<R>): value is PromiseLike<R> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/**
 * Answers `value`. Errors: INVALID_ARGUMENT, saying of `what`, for a promise where nobody waits for
 * one; what that promise rejects with is not heard.
 */
export function refusePromise<R>(what: string, value: R): R {
  if (!isPromise(value)) return value;
  value.then(undefined, () => {});
  throw new EtlError('INVALID_ARGUMENT', `${what} must not be async: it answered with a promise`);
}
