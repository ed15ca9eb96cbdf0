/** Requests that are begun before their turn. */
import { EtlError } from '../core/errors.ts';
import { iterate } from '../core/iterate.ts';

/** A request, which one it is, and what came of it first. */
interface Started<R, P> {
  readonly request: R;
  readonly at: number;
  readonly first: Promise<P>;
}

/**
 * The requests from the one at `from` on, in order, each begun when it is known and some time before its turn: whoever
 * gives them may wait for what came of those before. Errors: those of the iterable, behind what it gave;
 * CURSOR_MISMATCH when it ends before `from`.
 */
export async function* startAhead<R, P>(
  requests: Iterable<R> | AsyncIterable<R>,
  from: number,
  concurrency: number,
  begin: (request: R, at: number) => Promise<P>,
): AsyncGenerator<Started<R, P>, void, void> {
  const ahead = concurrency === 1 ? 0 : 2 * concurrency - 1;
  const steps = iterate(requests);
  const started: Started<R, P>[] = [];
  let at = 0;
  let asking: Promise<void> | undefined;
  let failed: { readonly error: unknown } | undefined;
  let ended = false;
  const ask = async (): Promise<void> => {
    const { done, value: request } = await steps.next();
    if (ended) return;
    if (done && at < from)
      throw new EtlError('CURSOR_MISMATCH', 'there are fewer requests than before');
    if (done) ended = true;
    else if (at++ >= from) {
      started.push({ request, at: at - 1, first: begin(request, at - 1) });
    }
  };
  const fill = (): void => {
    if (asking || ended || started.length > ahead) return;
    asking = ask()
      .catch((error: unknown) => {
        failed = { error };
        ended = true;
      })
      .finally(() => {
        asking = undefined;
        fill();
      });
  };
  try {
    for (;;) {
      fill();
      while (started.length === 0 && asking) await asking;
      const next = started.shift();
      if (next) yield next;
      else if (failed) throw failed.error;
      else return;
    }
  } finally {
    const closing = ended ? undefined : quiet(Promise.resolve(steps.return?.()));
    ended = true;
    // A request that is waited for may never come.
    if (!asking) await closing;
  }
}

/** Whoever waits for it learns of its failure; nobody may be left to. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
