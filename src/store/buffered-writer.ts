/**
 * Puts documents into a collection of either kind and commits on its own: after so many operations,
 * so many bytes, or so long. `await put()` waits while a commit is behind, so memory stays bounded
 * however fast the caller is. A failure of a commit made in the background comes out of the next
 * call and of `close`.
 */
import type { Document } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { timerMs } from '../core/timer.ts';
import { EngineWriter, type EngineWriterOptions } from './engine/engine-writer.ts';
import type { ZdsRoot } from './root.ts';

/** What a BufferedWriter writes to: a FastStore, or the EngineWriter of a collection of files. */
export interface BufferedTarget<T extends object = Document> {
  put(id: string, document: T): void;
  delete(id: string): boolean;
  /** Bytes put that no commit covers yet. */
  readonly uncommittedBytes: number;
  flush(): Promise<unknown>;
}

/** When to commit. */
export interface WriteConfig {
  /** Commit after this many puts and deletes. Default 1,000. */
  readonly maxPendingOps?: number;
  /** Commit after this many bytes. Default 100 MiB. */
  readonly maxPendingBytes?: number;
  /** Commit when the oldest pending operation is this old; the process need not stay for it. Default 60,000. */
  readonly flushIntervalMs?: number;
}

/** How often each cause has made a commit. */
export interface FlushStats {
  readonly ops: number;
  readonly bytes: number;
  readonly interval: number;
  readonly explicit: number;
  readonly close: number;
}

type Cause = keyof FlushStats;

export class BufferedWriter<T extends object = Document> {
  readonly #store: BufferedTarget<T>;
  readonly #end: () => Promise<void>;
  readonly #maxOps: number;
  readonly #maxBytes: number;
  readonly #intervalMs: number;
  readonly #stats: { [cause in Cause]: number } = {
    ops: 0,
    bytes: 0,
    interval: 0,
    explicit: 0,
    close: 0,
  };
  #pendingOps = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Writes to what stays open, and the caller's, when this is closed; `ending` runs at the end of
   * `close`. Errors: INVALID_ARGUMENT for a limit below 1.
   */
  constructor(
    store: BufferedTarget<T>,
    options: WriteConfig = {},
    ending: () => Promise<void> = async () => undefined,
  ) {
    const { maxPendingOps = 1000, maxPendingBytes = 100 << 20, flushIntervalMs = 60_000 } = options;
    checkLimits({ maxPendingOps, maxPendingBytes, flushIntervalMs });
    this.#store = store;
    this.#end = ending;
    this.#maxOps = maxPendingOps;
    this.#maxBytes = maxPendingBytes;
    this.#intervalMs = flushIntervalMs;
  }

  /**
   * Opens a collection with a file per document, to be closed with this writer.
   * Errors: as `EngineWriter.open`, and INVALID_ARGUMENT for a limit below 1.
   */
  static async open<T extends object = Document>(
    root: ZdsRoot | string,
    collection: string,
    options: WriteConfig & EngineWriterOptions = {},
  ): Promise<BufferedWriter<T>> {
    const engine = await EngineWriter.open<T>(root, collection, options);
    try {
      return new BufferedWriter<T>(engine, options, () => engine.close());
    } catch (error) {
      await engine.abandon();
      throw error;
    }
  }

  /** Documents put so far. */
  get count(): number {
    return this.#count;
  }

  /** Operations that no commit covers yet. */
  get pendingOps(): number {
    return this.#pendingOps;
  }

  /** What caused the commits. */
  get stats(): FlushStats {
    return { ...this.#stats };
  }

  /** As the target's `put`; resolves when the next may come. */
  put(id: string, document: T): Promise<void> {
    return this.#apply(() => {
      this.#store.put(id, document);
      this.#count++;
    });
  }

  /** As the target's `delete`. Answers whether the document was there. */
  async delete(id: string): Promise<boolean> {
    let found = false;
    await this.#apply(() => {
      found = this.#store.delete(id);
    });
    return found;
  }

  /** Everything put and deleted so far is committed once this resolves. */
  async flush(): Promise<void> {
    this.#check();
    await this.#commitPending('explicit');
    this.#rethrow();
  }

  /**
   * Commits and ends; a store given to the constructor stays open. Errors: those of commits not yet heard of.
   * Called again it is the same closing, with the same outcome.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #apply(operation: () => void): Promise<void> {
    this.#check();
    operation();
    this.#pendingOps++;
    this.#timer ??= setTimeout(() => this.#tick(), timerMs(this.#intervalMs)).unref();
    // The commit before this one has to be done: at most one runs while the next is gathered.
    for (let cause = this.#reached(); cause !== undefined; cause = this.#reached()) {
      if (this.#flushing === undefined) this.#startFlush(cause);
      else await this.#flushing;
    }
  }

  /** The limit that what is pending has come to; none once commits have failed. */
  #reached(): Cause | undefined {
    if (this.#pendingOps === 0 || this.#failure !== undefined) return undefined;
    if (this.#pendingOps >= this.#maxOps) return 'ops';
    return this.#store.uncommittedBytes >= this.#maxBytes ? 'bytes' : undefined;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#commitPending('close');
    try {
      this.#rethrow();
    } catch (error) {
      // What failed here fails there again, and the first failure is the answer.
      await this.#end().catch(() => undefined);
      throw error;
    }
    await this.#end();
  }

  #tick(): void {
    this.#timer = undefined;
    void this.#commitPending('interval');
  }

  /** Resolves when what is pending now is committed, or commits have failed. */
  async #commitPending(cause: Cause): Promise<void> {
    await this.#flushing;
    // One that another caller has begun since takes all of it.
    if (this.#flushing === undefined && this.#pendingOps > 0 && this.#failure === undefined) {
      this.#startFlush(cause);
    }
    await this.#flushing;
  }

  /** Begins to commit all that is pending; no other commit may be under way. */
  #startFlush(cause: Cause): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pendingOps = 0;
    this.#stats[cause]++;
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  async #flush(): Promise<void> {
    try {
      await this.#store.flush();
    } catch (cause) {
      this.#failure ??= { cause };
    }
  }

  #check(): void {
    if (this.#closing) throw new EtlError('CLOSED', 'the writer is closed');
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.cause;
  }
}
