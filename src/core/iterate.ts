/** Anybody's iterable or stream, step by step. */
import { unlessAborted } from './abort.ts';

type Steps<T> = Iterator<T, unknown> | AsyncIterator<T, unknown>;

/** What is asked of a Node stream, and of a Web stream, in a module that browsers load too. */
interface NodeStream<T> extends AsyncIterable<T> {
  destroy(): unknown;
  pipe(to: never): unknown;
}
interface WebStream<T> {
  getReader(): {
    read(): Promise<IteratorResult<T, unknown>>;
    cancel(): Promise<void>;
    releaseLock(): void;
  };
}

/**
 * An iterator over `items`. Its `return` ends a stream at once, and with it a step under way that may
 * never come; that of anything else is the iterable's own, and generators keep it until such a step is done.
 */
export function iterate<T>(items: Iterable<T> | AsyncIterable<T>): Steps<T> {
  if (isWebStream<T>(items)) return iterateWeb(items);
  if (!(Symbol.asyncIterator in items)) return items[Symbol.iterator]();
  const iterator = items[Symbol.asyncIterator]();
  if (!isNodeStream<T>(items)) return iterator;
  return {
    next: () => iterator.next(),
    async return() {
      items.destroy();
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
  };
}

/** True for what cannot be begun anew: streams, generators, and whatever else is stepped through or listened to. */
export function isReadOnce(items: object): boolean {
  const { next, on } = items as { next?: unknown; on?: unknown };
  return typeof next === 'function' || typeof on === 'function' || isWebStream(items);
}

/**
 * The items until the signal fires, also while the next is awaited; then its reason is thrown. Items left
 * waiting are told to end, and that is not waited for: it may never come. Errors: those of the iterable too.
 */
export async function* iterateUntil<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  const steps = iterate(items);
  let ended = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await unlessAborted(steps.next(), signal);
      ended = done === true;
      if (done) return;
      yield value;
    }
  } catch (error) {
    ended = !signal.aborted;
    throw error;
  } finally {
    const closing = ended ? undefined : Promise.resolve(steps.return?.());
    if (signal.aborted) closing?.catch(() => {});
    else await closing;
  }
}

function isWebStream<T>(items: object): items is WebStream<T> {
  return typeof (items as Partial<WebStream<T>>).getReader === 'function';
}

function isNodeStream<T>(items: object): items is NodeStream<T> {
  const { destroy, pipe } = items as Partial<NodeStream<T>>;
  return typeof destroy === 'function' && typeof pipe === 'function';
}

/** The iterator that a Web stream has of its own cancels it only when a step under way is done. */
function iterateWeb<T>(stream: WebStream<T>): AsyncIterator<T, unknown> {
  const reader = stream.getReader();
  return {
    async next() {
      const step = await reader.read();
      if (step.done) reader.releaseLock();
      return step;
    },
    async return() {
      await reader.cancel();
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}
