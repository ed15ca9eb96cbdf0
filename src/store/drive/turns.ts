/**
 * One piece of work after the other, in the order they were asked for; at once when nothing is under way,
 * without waiting for a promise. One that fails does not keep the next from being done.
 */
export class Turns {
  #last: Promise<unknown> | undefined;

  /** Does the work on what it is given when its turn has come; answers what it does. */
  take<A, R>(work: (on: A) => R | Promise<R>, on: A): Promise<R> {
    let result: Promise<R>;
    if (this.#last === undefined) {
      try {
        const done = work(on);
        if (!(done instanceof Promise)) return Promise.resolve(done);
        result = done;
      } catch (error) {
        return Promise.reject(error);
      }
    } else result = this.#last.then(() => work(on));
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#last = settled;
    settled.then(() => {
      if (this.#last === settled) this.#last = undefined;
    });
    return result;
  }
}

/** Turns for each key: work waits for what was asked for before it under the same key, and for nothing else. */
export class KeyTurns {
  readonly #last = new Map<bigint, Promise<void>>();

  take<R>(key: bigint, work: () => Promise<R>): Promise<R> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const ended = (): void => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    };
    const settled = result.then(ended, ended);
    this.#last.set(key, settled);
    return result;
  }
}
