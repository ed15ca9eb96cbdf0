/**
 * The sink's side of a run, and what becomes of its failures.
 *
 * Who decides. The run's `retry` says whether and how often to try again, `isTransientError` which
 * failures may pass by themselves, and the sink's `afterFailure` what is safe then:
 *
 * - `'repeat'`: `write` with the same batch, or `finish`, is called again.
 * - `'reopen'`: nothing is called again. Whether what failed reached the disk only the sink can tell, and
 *   only by being opened anew: it is aborted and opened, and the run goes back to the cursor it then has,
 *   be it the commit before the failure or the very one whose answer was lost (`Runner`).
 * - neither: the failure ends the run.
 *
 * Opening is tried again in any case, also while the sink is locked: nothing has been written then.
 */
import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { EtlError, isEtlError } from '../core/errors.ts';
import { withoutUnwritable } from '../core/reject.ts';
import { isTransientError, type RetryHooks, type RetryOptions, retry } from '../core/retry.ts';
import type { RunInfo, RunTotals } from '../core/run-info.ts';
import type { Sink } from '../core/stage.ts';
import { bytesOf, type Ledger } from './ledger.ts';
import type { RejectGate } from './reject-gate.ts';
import { waitForEnd } from './wait-for-end.ts';

export interface DeliveryOptions<Summary> {
  readonly sink: Sink<Summary>;
  readonly info: RunInfo;
  readonly ledger: Ledger;
  readonly gate: RejectGate;
  readonly retry: RetryOptions | undefined;
  /** Ends everything. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown, attempt: number, waitMs: number) => void;
}

export class Delivery<Summary> {
  readonly #options: DeliveryOptions<Summary>;
  /** Of a sink that is open or is being opened. */
  #opening: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(options: DeliveryOptions<Summary>) {
    this.#options = options;
  }

  /** True if the run may go back after a failure that passes. */
  get reopens(): boolean {
    const { sink, retry: retrying } = this.#options;
    return retrying !== undefined && sink.afterFailure === 'reopen';
  }

  /** Opens the sink; answers the cursor committed last. */
  async open(): Promise<unknown> {
    const { sink, info, signal } = this.#options;
    signal.throwIfAborted();
    const open = () => {
      this.#opening = (async () => sink.open(signal, info))();
      return unlessAborted(this.#opening, signal);
    };
    await this.#retrying(open, true, (error) => isEtlError(error, 'LOCKED'));
    return unlessAborted(sink.lastCursor?.(info.name), signal);
  }

  /** Writes a batch and counts it. */
  async write(batch: Batch): Promise<void> {
    const { sink, gate, ledger } = this.#options;
    const { sink: counts } = ledger;
    const before = counts.rejected;
    counts.in += batch.length;
    // Afterwards the sink may have made the bytes, or released them.
    const bytes = bytesOf(batch);
    const since = performance.now();
    await this.#work(() => {
      ledger.reject(counts, before - counts.rejected);
      const onReject = gate.takerFor(counts);
      return sink.write(withoutUnwritable(batch, sink.wants, onReject), onReject);
    });
    counts.seconds += (performance.now() - since) / 1000;
    counts.bytes += Math.max(bytes, bytesOf(batch));
    counts.out = counts.in - counts.rejected;
  }

  async finish(totals: () => RunTotals): Promise<Summary> {
    const { sink, ledger } = this.#options;
    const since = performance.now();
    const summary = await this.#work(() => sink.finish(totals()));
    this.#opening = undefined;
    ledger.sink.seconds += (performance.now() - since) / 1000;
    ledger.settle(summary);
    return summary;
  }

  /** In place of `finish`, for a run that was stopped: all is left as it was before. Errors: the sink's. */
  async leave(totals: () => RunTotals): Promise<undefined> {
    const { sink, ledger } = this.#options;
    ledger.leaveOut();
    this.#opening = undefined;
    await sink.abort(new EtlError('ABORTED', 'the run was stopped'), totals());
  }

  /** True for a failure of the sink behind which the run can go back. */
  canReopen(error: unknown): boolean {
    return this.reopens && this.#failure?.cause === error && isTransientError(error);
  }

  /** Gives the sink up; without totals it is opened again. What closing says is not heard. */
  async abort(cause: unknown, totals?: RunTotals): Promise<void> {
    if (!this.#opening) return;
    // What it opens while it is being closed it would leave open.
    await waitForEnd(this.#opening);
    this.#opening = undefined;
    await this.#options.sink.abort(cause, totals).catch(() => {});
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    const { sink, signal } = this.#options;
    try {
      const again = () => unlessAborted(work(), signal);
      return await this.#retrying(again, sink.afterFailure === 'repeat');
    } catch (cause) {
      this.#failure = { cause };
      throw cause;
    }
  }

  #retrying<T>(
    work: () => Promise<T>,
    isSafe: boolean,
    passes: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    const { retry: retrying, signal, onRetry } = this.#options;
    if (!retrying || !isSafe) return work();
    const judge: RetryHooks['judge'] = (error) =>
      passes(error) || isTransientError(error) ? 0 : false;
    return retry(work, retrying, { signal, judge, onRetry });
  }
}
