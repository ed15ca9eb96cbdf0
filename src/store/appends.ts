/**
 * The appends of one handle, in the order of their calls. Lines are taken in the turn of the call, so that they
 * are visible at once. Only a schema that answers with a promise makes an append wait, and then what is to come
 * behind it (later appends, commits, the end) waits too.
 */
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import type { Kernel } from '../kernels/index.ts';
import {
  createIdRule,
  type IdOptions,
  type IdRule,
  type PreparedLines,
  prepareLines,
} from './prepare.ts';
import { prepareValidated } from './prepare-validated.ts';

export class Appends {
  readonly #kernel: Kernel;
  readonly #schema: StandardSchema<object> | undefined;
  readonly #rules: WeakMap<IdOptions, IdRule> = new WeakMap();
  /** Resolves when everything called so far has had its turn; undefined while nothing waits. */
  #waiting: Promise<void> | undefined;
  #isGivenUp = false;

  constructor(kernel: Kernel, schema: StandardSchema<object> | undefined) {
    this.#kernel = kernel;
    this.#schema = schema;
  }

  /**
   * Hands the lines of a batch to `take`, or nothing of it. Errors: as `FastStore.append`; CLOSED where the
   * handle was abandoned meanwhile.
   */
  append<R>(
    batch: Batch,
    options: IdOptions,
    take: (lines: PreparedLines) => Promise<R>,
  ): Promise<R> {
    const [rule, kernel, schema] = [this.#rule(options), this.#kernel, this.#schema];
    const lines = schema
      ? prepareValidated(batch, schema, rule, kernel)
      : prepareLines(batch, rule, kernel);
    return this.#inTurn(lines, take);
  }

  /** Does the work behind the appends called before. */
  after<R>(work: () => Promise<R>): Promise<R> {
    return this.#inTurn(undefined, work);
  }

  /** What waits is not done any more. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** What `work` does before it waits itself has its turn; the next need not wait for the rest. */
  async #inTurn<T, R>(ready: T | Promise<T>, work: (ready: T) => Promise<R>): Promise<R> {
    const before = this.#waiting;
    if (!(ready instanceof Promise) && before === undefined) return work(ready);
    let end = (): void => {};
    const turn = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#waiting = turn;
    const [made] = await Promise.allSettled([ready, before]);
    try {
      if (this.#isGivenUp) throw new EtlError('CLOSED', 'the store is closed');
      if (made.status === 'rejected') throw made.reason;
      return work(made.value);
    } finally {
      if (this.#waiting === turn) this.#waiting = undefined;
      end();
    }
  }

  /** A rule lives as long as its options: generated ids go on counting from batch to batch. */
  #rule(options: IdOptions): IdRule {
    const rule = this.#rules.get(options) ?? createIdRule(options);
    this.#rules.set(options, rule);
    return rule;
  }
}
