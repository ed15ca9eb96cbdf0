/** Documents one by one from batches: a resolved promise for each, where a generator would cost more. */
import type { Batch, Document } from './batch.ts';

/** What a loop over documents takes: no type of Node's, which versions of its types name differently. */
export interface Documents<T> extends AsyncIterableIterator<T>, AsyncDisposable {
  [Symbol.asyncIterator](): Documents<T>;
}

export class DocumentIterator<T extends object> implements Documents<T> {
  readonly #batches: AsyncIterator<Batch, unknown>;
  #documents: readonly Document[] = [];
  #at = 0;
  #refilling: Promise<IteratorResult<T, undefined>> | undefined;

  /** Closes `batches` when it is left early. */
  constructor(batches: AsyncIterator<Batch, unknown>) {
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#refilling === undefined && this.#at < this.#documents.length) {
      return Promise.resolve({ done: false, value: this.#documents[this.#at++] as T });
    }
    // Calls that do not wait for each other line up behind the refill.
    const refilled = this.#refilling?.then(() => this.#refill()) ?? this.#refill();
    const mine = refilled.finally(() => {
      if (this.#refilling === mine) this.#refilling = undefined;
    });
    this.#refilling = mine;
    return mine;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#documents = [];
    await this.#batches.return?.();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #refill(): Promise<IteratorResult<T, undefined>> {
    while (this.#at >= this.#documents.length) {
      const step = await this.#batches.next();
      if (step.done) {
        this.#documents = [];
        return { done: true, value: undefined };
      }
      this.#documents = step.value.documents();
      this.#at = 0;
    }
    return { done: false, value: this.#documents[this.#at++] as T };
  }
}
