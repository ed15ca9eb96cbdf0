/**
 * Ctrl-C as a wish: the first one asks the work to stop at the next safe place, the second one ends
 * the process at once. Work asks `requested` between batches, and is woken by it while it waits.
 */
export class Interrupt {
  readonly #waiting = new Set<() => void>();
  readonly #controller = new AbortController();

  get requested(): boolean {
    return this.signal.aborted;
  }

  /** For work that ends with ABORTED, leaving all as it was; see `Command.whenStopped`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Makes the wish known; again is harmless. */
  request(): void {
    this.#controller.abort();
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /**
   * What the work gives, or undefined as soon as the wish comes. Not `Promise.race` against one
   * promise that outlives the work: that would keep every result alive until the end.
   */
  orWish<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const wake = () => resolve(undefined);
      this.#waiting.add(wake);
      work.finally(() => this.#waiting.delete(wake)).then(resolve, reject);
    });
  }
}

/**
 * What `source` gives, up to its end or the wish, also while the next item is awaited. A source left
 * waiting is closed behind the caller's back: what it waits for (a silent standard input) may never
 * come.
 */
export async function* untilInterrupt<T>(
  source: AsyncIterable<T>,
  interrupt: Interrupt,
): AsyncGenerator<T, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    while (!interrupt.requested) {
      const step = await interrupt.orWish(iterator.next());
      if (step === undefined) break;
      ended = step.done === true;
      if (step.done) return;
      yield step.value;
    }
  } catch (error) {
    ended = true;
    throw error;
  } finally {
    const closing = ended ? undefined : iterator.return?.();
    if (interrupt.requested) closing?.catch(() => {});
    else await closing;
  }
}
