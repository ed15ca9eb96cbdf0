/**
 * The source's side of a run: one batch is read ahead while the one before is worked on, as long as
 * both fit the memory allowed. A source that failed for a reason that passes is opened again behind
 * the last cursor it gave, and what it has told of since, bad records above all, is not counted twice.
 */
import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { copyJson } from '../core/copy-json.ts';
import { isTransientError, type RetryOptions, retry } from '../core/retry.ts';
import type { Source, Wants } from '../core/stage.ts';
import { type Ledger, readBytesOf, type SourceTold } from './ledger.ts';
import { waitForEnd } from './wait-for-end.ts';

type Step = IteratorResult<Batch, void>;

export interface FeedOptions {
  readonly source: Source;
  readonly wants: Wants;
  /** Where what the source tells of beside its batches is counted. */
  readonly ledger: Ledger;
  /** Cursor to begin behind; undefined for the start. */
  readonly from: unknown;
  readonly maxMemory: number;
  readonly retry: RetryOptions | undefined;
  /** Ends everything. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown, attempt: number, waitMs: number) => void;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #reading = new AbortController();
  #iterator: AsyncGenerator<Batch, void, void>;
  /** Where an iterator begins that is opened now; undefined once a batch came without a cursor. */
  #position: { readonly from: unknown } | undefined;
  /** What it had told of up to there. */
  #told: SourceTold;
  #ahead: Promise<Step> | undefined;
  #largest = 0;
  #ended = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#position = { from: options.from };
    this.#told = options.ledger.told;
    options.signal.addEventListener('abort', this.#stopReading, { once: true });
    if (options.signal.aborted) this.#stopReading();
    this.#iterator = this.#open();
  }

  /** The source has been read to its end, or was closed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next batch, undefined at the end. Errors: the source's own. */
  async next(): Promise<Batch | undefined> {
    const ahead = this.#ahead ?? this.#pull();
    this.#ahead = undefined;
    const step = await unlessAborted(ahead, this.#options.signal);
    this.#ended = step.done === true;
    return step.done ? undefined : step.value;
  }

  /** Begins to read the batch behind `batch`, if both fit. */
  readAhead(batch: Batch): void {
    const bytes = readBytesOf(batch);
    this.#largest = Math.max(this.#largest, bytes);
    if (bytes + this.#largest > this.#options.maxMemory) return;
    this.#ahead = this.#pull();
    this.#ahead.catch(() => {});
  }

  /** Closes the source, also while it is waited for. What it says then is not heard. */
  async close(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#stopReading);
    if (this.#ended) return;
    this.#ended = true;
    this.#stopReading();
    await waitForEnd(this.#iterator.return());
  }

  readonly #stopReading = (): void => this.#reading.abort(this.#options.signal.reason);

  #open(): AsyncGenerator<Batch, void, void> {
    const { source, wants } = this.#options;
    return source.batches(this.#reading.signal, wants, this.#position?.from);
  }

  #pull(): Promise<Step> {
    const { retry: options, signal, onRetry } = this.#options;
    if (!options) return this.#step();
    const judge = (error: unknown): number | false =>
      this.#position && !this.#options.source.spent && isTransientError(error) ? 0 : false;
    const again = async (attempt: number): Promise<Step> => {
      if (attempt > 0) {
        await this.#iterator.return().catch(() => {});
        this.#options.ledger.takeBack(this.#told);
        this.#iterator = this.#open();
      }
      return this.#step();
    };
    return retry(again, options, { signal, judge, onRetry });
  }

  async #step(): Promise<Step> {
    const step = await this.#iterator.next();
    if (step.done) return step;
    const batch = step.value;
    if (batch.cursor === undefined) {
      this.#position = undefined;
      return step;
    }
    // The source may use the object for its next cursor, which is asked for before this one is committed.
    const cursor = copyJson('the cursor', batch.cursor);
    this.#position = { from: cursor };
    this.#told = this.#options.ledger.told;
    return { done: false, value: batch.withCursor(cursor) };
  }
}
