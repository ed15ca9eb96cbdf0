/**
 * The writes of one handle, one after the other. After one that failed nobody knows what the disk holds,
 * so nothing more is done: what was asked for before fails with that failure, what comes later with POISONED.
 */
import { EtlError } from '../core/errors.ts';

export class WriteQueue {
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();
  #poison: { readonly cause: unknown } | undefined;

  /** `path`: what errors name. */
  constructor(path: string) {
    this.#path = path;
  }

  get poisoned(): boolean {
    return this.#poison !== undefined;
  }

  /** Makes every later call fail; the first cause stays. */
  poison(cause: unknown): void {
    this.#poison ??= { cause };
  }

  /** Errors: POISONED. */
  check(): void {
    if (this.#poison === undefined) return;
    const { cause } = this.#poison;
    throw new EtlError('POISONED', `an earlier write failed: ${String(cause)}`, {
      place: { path: this.#path },
      cause,
    });
  }

  /** Does the work when all before it is done. Errors: its own, or the first failure before it. */
  take<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#last.then(async () => {
      // Asked for before the failure, so the failure itself is the answer.
      if (this.#poison !== undefined) throw this.#poison.cause;
      try {
        return await work();
      } catch (cause) {
        this.poison(cause);
        throw cause;
      }
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Makes what is asked for from now on wait for `other` too, which must not fail. */
  holdFor(other: Promise<void>): void {
    this.#last = this.#last.then(() => other);
  }

  /** Resolves when all that was asked for so far is done or has failed. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
