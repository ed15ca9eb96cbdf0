/** What an AbortSignal can end. */
import { EtlError } from './errors.ts';

/** Errors: ABORTED with this message where the signal has fired, its reason being the cause. */
export function checkSignal(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted) throw new EtlError('ABORTED', message, { cause: signal.reason });
}

/**
 * The value, or a rejection with the signal's reason as soon as that fires. What was waited for goes
 * on unheard. Lets go of the signal when the value is there.
 */
export function unlessAborted<T>(value: T | PromiseLike<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return Promise.resolve(value);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const done = (): void => signal.removeEventListener('abort', abort);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(value).then(
      (result) => {
        done();
        resolve(result);
      },
      (error) => {
        done();
        reject(error);
      },
    );
  });
}
