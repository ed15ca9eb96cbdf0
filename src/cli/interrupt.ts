/**
 * Ctrl-C as a wish: the first one asks the work to stop at the next safe place, the second one ends
 * the process at once. Work asks `requested` between batches, and races `wish` while it waits.
 */
export class Interrupt {
  /** Settles, with undefined, when the wish has come. */
  readonly wish: Promise<undefined>;
  #requested = false;
  #tell!: (value: undefined) => void;

  constructor() {
    this.wish = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  get requested(): boolean {
    return this.#requested;
  }

  /** Makes the wish known; again is harmless. */
  request(): void {
    this.#requested = true;
    this.#tell(undefined);
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
      const step = await Promise.race([iterator.next(), interrupt.wish]);
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
