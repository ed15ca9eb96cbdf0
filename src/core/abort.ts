/** Waiting that an AbortSignal can end. */

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

/**
 * The items of a source until the signal fires, also while the next is awaited; then its reason is thrown.
 * A source left waiting is told to end, and that is not waited for: it may never come.
 */
export async function* untilAborted<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let ended = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const step = await unlessAborted(iterator.next(), signal);
      ended = step.done === true;
      if (step.done) return;
      yield step.value;
    }
  } catch (error) {
    ended = !signal.aborted;
    throw error;
  } finally {
    const closing = ended ? undefined : Promise.resolve(iterator.return?.());
    if (signal.aborted) closing?.catch(() => {});
    else await closing;
  }
}
