/**
 * Documents into a collection, as bytes where they are fit for it. Commits as it goes, each with the
 * source's position after the documents in it, so that a run that dies can go on from there.
 *
 * While one commit is synced the next documents are taken in: at most one commit and a few MiB of
 * writes are under way. After a failure nothing more is written; what was committed stays.
 *
 * In a run commits stand only where the documents written are exactly those that a cursor covers, so
 * that going on from it neither repeats nor misses one. The run's history goes to meta/runs.jsonl.
 *
 * Opened again after a failure, it goes back to the last commit that the disk has, also if that is the
 * one that failed, which its cursor tells; its counts go back with it. For another run they begin anew.
 */
import type { Batch, Document } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { OnReject } from '../core/reject.ts';
import type { RunInfo, RunTotals } from '../core/run-info.ts';
import type { RunJournal, Sink, Wants } from '../core/stage.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import { timerMs } from '../core/timer.ts';
import { sharedKernel } from '../kernels/index.ts';
import { FastStore } from '../store/fast-store.ts';
import { createIdRule, type IdOptions } from '../store/prepare.ts';
import type { ZdsRoot } from '../store/root.ts';
import { openRunJournal } from '../store/run-journal.ts';
import { RunLog } from '../store/run-log.ts';
import type { AppendResult, CommitOptions } from '../store/writer.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { appendBatch } from './append-batch.ts';
import {
  Clearing,
  checkDisposition,
  commitsOnce,
  type WriteDisposition,
} from './zds-disposition.ts';

export interface ZdsSinkOptions extends Omit<IdOptions, 'refuseExisting'> {
  /** How documents meet those in the collection already. Default 'merge'. */
  readonly write?: WriteDisposition | undefined;
  /** Commit after this many bytes of documents. Default 32 MiB. */
  readonly commitBytes?: number | undefined;
  /** Commit after this many documents. Default: no such limit. */
  readonly commitDocuments?: number | undefined;
  /** Commit what is older than this. Default 10,000 ms. */
  readonly commitIntervalMs?: number | undefined;
  /** Names the load in every commit. Default: the run's own. */
  readonly loadId?: string | undefined;
  /** Checks every document; what it returns is what is stored, under the id from before. Not for a store handed in. */
  readonly schema?: StandardSchema | undefined;
  /** Make the store and the collection when they are missing. Default true. */
  readonly createIfMissing?: boolean | undefined;
  /** Stops the work with ABORTED; what is not committed is left out. */
  readonly signal?: AbortSignal | undefined;
}

export interface ZdsSinkSummary {
  readonly collection: string;
  /** Documents taken in. */
  readonly documents: number;
  /** Bytes added to the collection's data file. */
  readonly bytes: number;
  readonly commits: number;
  /** Documents that took the place of an older version, `duplicates` included. */
  readonly replaced: number;
  /** Documents whose id came again later in the same batch. */
  readonly duplicates: number;
  /** Documents in the collection now. */
  readonly total: number;
}

/**
 * Writes documents to a collection. `finish` means committed and synced; a path or root given is
 * opened here and closed again, a store handed in is only committed. After an error the documents
 * since the last commit are left out (in a store handed in they stay pending), and so they are when a
 * run is stopped that was to commit once, at its end.
 *
 * Errors: MISSING_ID, INVALID_ID, ID_MISMATCH, INVALID_DOCUMENT naming the record; LOCKED,
 * NOT_A_STORE, INVALID_PATH, COLLECTION_NOT_FOUND, IO_ERROR, POISONED, ABORTED.
 */
export function zdsSink(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: ZdsSinkOptions = {},
): SinkStream<ZdsSinkSummary> {
  const { signal, ...rest } = options;
  const sink = createZdsSink(root, collection, rest);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. Errors: INVALID_ARGUMENT at once for bad options. */
export function createZdsSink(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: Omit<ZdsSinkOptions, 'signal'> = {},
): Sink<ZdsSinkSummary> {
  return new ZdsSink(root, collection, options);
}

const NOTHING = { documents: 0, bytes: 0, commits: 0, replaced: 0, duplicates: 0 };

class ZdsSink implements Sink<ZdsSinkSummary> {
  readonly name = 'zdsSink';
  readonly afterFailure: 'reopen' | undefined;
  readonly atomic: boolean;
  /** None for what begins anew each time. */
  readonly openJournal: ((name: string) => Promise<RunJournal>) | undefined;
  readonly wants: Wants;
  readonly #root: string | ZdsRoot | FastStore<object>;
  readonly #collection: string;
  readonly #options: Omit<ZdsSinkOptions, 'signal'>;
  readonly #limits: { readonly bytes: number; readonly documents: number; readonly ms: number };
  readonly #write: WriteDisposition;
  readonly #ids: IdOptions;
  #run: RunInfo | undefined;
  #history: RunLog | undefined;
  #clearing: Clearing | undefined;
  #store: FastStore<object> | undefined;
  #total = NOTHING;
  #since = { documents: 0, bytes: 0 };
  /** Counts at the last commit acknowledged, and at the one begun last. */
  #done = NOTHING;
  #doing: { readonly cursor: unknown; readonly total: typeof NOTHING } | undefined;
  #cursor: unknown;
  /** What was written is what the cursor covers, so that a commit may stand here. */
  #settled = true;
  /** There is a cursor that no commit has. */
  #moved = false;
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #committing: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(
    root: string | ZdsRoot | FastStore<object>,
    collection: string,
    options: Omit<ZdsSinkOptions, 'signal'>,
  ) {
    const {
      commitBytes: bytes = 32 << 20,
      commitDocuments: documents = Number.POSITIVE_INFINITY,
      commitIntervalMs: ms = 10_000,
    } = options;
    checkLimits({ commitBytes: bytes, commitDocuments: documents, commitIntervalMs: ms });
    if (root instanceof FastStore && root.collection !== collection) {
      throw new EtlError('INVALID_ARGUMENT', `the store is of collection ${root.collection}`);
    }
    const { write = 'merge' } = options;
    checkDisposition(write);
    if ((write === 'replace' || options.schema) && root instanceof FastStore) {
      throw new EtlError('INVALID_ARGUMENT', 'a store handed in is open already; give its path');
    }
    this.#write = write;
    this.atomic = write === 'replace' || commitsOnce(write);
    this.openJournal =
      write === 'replace'
        ? undefined
        : (name) => {
            const { disk, root } = this.#store!;
            return openRunJournal(disk, root, collection, name);
          };
    this.#ids = write === 'append' ? { ...options, refuseExisting: true } : options;
    const rule = createIdRule(options);
    const key = rule.make === undefined ? { key: rule.path } : {};
    this.wants = { ...key, releases: true };
    // A store handed in is its owner's to open.
    this.afterFailure = root instanceof FastStore ? undefined : 'reopen';
    this.#root = root;
    this.#collection = collection;
    this.#options = options;
    this.#limits = { bytes, documents, ms };
  }

  async open(_signal: AbortSignal, run?: RunInfo): Promise<void> {
    const { schema, createIfMissing } = this.#options;
    // First: if it cannot be opened, what is given up is this run and not the one before.
    if (run === undefined || run.loadId !== this.#run?.loadId) {
      this.#total = { ...NOTHING };
      this.#done = NOTHING;
      this.#doing = undefined;
      this.#history = undefined;
    }
    this.#run = run;
    this.#store = undefined;
    if (this.#root instanceof FastStore) this.#store = this.#root;
    else {
      const validated = schema as StandardSchema<Document> | undefined;
      this.#store = await FastStore.open(this.#root, this.#collection, {
        mode: 'write',
        schema: validated,
        createIfMissing,
        replace: this.#write === 'replace',
      });
    }
    this.#since = { documents: 0, bytes: 0 };
    this.#cursor = undefined;
    this.#settled = true;
    this.#moved = false;
    this.#due = false;
    this.#failure = undefined;
    await this.#tellStart();
    if (typeof this.#write === 'object') {
      this.#clearing = new Clearing(this.#store, this.#write);
    }
  }

  /** None for what begins anew each time. */
  async lastCursor(name: string): Promise<unknown> {
    if (this.#write === 'replace') {
      this.#total = { ...NOTHING };
      return undefined;
    }
    const cursor = await this.#store!.cursor(name);
    const doing = this.#doing;
    const arrived = doing !== undefined && JSON.stringify(doing.cursor) === JSON.stringify(cursor);
    if (arrived) this.#done = doing.total;
    this.#total = { ...this.#done };
    // What a commit has cleared and written is not to be cleared again.
    if (arrived) this.#clearing = undefined;
    return cursor;
  }

  async write(batch: Batch, onReject?: OnReject): Promise<void> {
    this.#rethrow();
    this.#settled = false;
    const added = await appendBatch(batch, (part) => this.#append(part), onReject);
    const { documents, bytes, replaced, duplicates } = added;
    this.#total.documents += documents;
    this.#total.bytes += bytes;
    this.#total.replaced += replaced;
    this.#total.duplicates += duplicates;
    this.#since.documents += documents;
    this.#since.bytes += bytes;
    if (batch.cursor !== undefined) {
      this.#cursor = batch.cursor;
      this.#moved = true;
    }
    this.#settled = this.#run === undefined || batch.cursor !== undefined;
    this.#timer ??= setTimeout(() => this.#commitInTime(), timerMs(this.#limits.ms)).unref();
    const full =
      this.#since.bytes >= this.#limits.bytes || this.#since.documents >= this.#limits.documents;
    if (!full && !this.#due) return;
    await this.#committing;
    this.#rethrow();
    this.#commitWhenSettled();
  }

  async finish(run?: RunTotals): Promise<ZdsSinkSummary> {
    this.#clearTimer();
    await this.#committing;
    this.#rethrow();
    await this.#clearing?.begin();
    if (this.#since.documents > 0 || this.#moved || this.#clearing) await this.#commit();
    this.#rethrow();
    const store = this.#store!;
    const total = store.count;
    await this.#tellEnd(run);
    if (store !== this.#root) await store.close();
    return { collection: this.#collection, ...this.#total, total };
  }

  async abort(reason?: unknown, run?: RunTotals): Promise<void> {
    this.#clearTimer();
    await this.#committing;
    try {
      await this.#tellEnd(run, reason);
    } finally {
      if (this.#store !== this.#root) await this.#store?.abandon();
    }
  }

  async #append(batch: Batch): Promise<AppendResult> {
    await this.#clearing?.admit(batch);
    return this.#store!.append(batch, this.#ids);
  }

  async #tellStart(): Promise<void> {
    if (!this.#run || this.#history) return;
    const { disk, root } = this.#store!;
    const history = new RunLog(disk, root, this.#collection);
    try {
      await history.start(this.#run.name, this.#run.loadId);
    } catch (error) {
      if (this.#store !== this.#root) await this.#store!.abandon();
      throw error;
    }
    this.#history = history;
  }

  async #tellEnd(totals: RunTotals | undefined, reason?: unknown): Promise<void> {
    if (!this.#run || !totals) return;
    const error = totals.outcome === 'failed' ? reason : undefined;
    await this.#history?.end(this.#run.name, this.#run.loadId, totals, error);
  }

  /** Of what the commit under way does not have, when that has ended. */
  async #commitInTime(): Promise<void> {
    const timer = this.#timer;
    await this.#committing;
    // Else there was another commit, or this is the end.
    if (timer === this.#timer) this.#commitWhenSettled();
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #commitWhenSettled(): void {
    this.#due = !this.#settled || commitsOnce(this.#write);
    if (!this.#due) this.#commit();
  }

  /** Begins a commit of everything taken in; its failure comes out of the next call. */
  #commit(): Promise<void> {
    this.#clearTimer();
    if (this.#committing) return this.#committing;
    const counts = this.#since;
    this.#since = { documents: 0, bytes: 0 };
    this.#moved = false;
    const { loadId = this.#run?.loadId } = this.#options;
    const cursor = this.#cursor;
    const total = { ...this.#total, commits: this.#total.commits + 1 };
    this.#doing = { cursor, total };
    this.#committing = this.#flush({ cursor, loadId, run: this.#run?.name, counts }).then(
      () => {
        this.#total.commits++;
        this.#done = total;
        this.#committing = undefined;
      },
      (cause: unknown) => {
        this.#failure ??= { cause };
        this.#committing = undefined;
      },
    );
    return this.#committing;
  }

  async #flush(options: CommitOptions): Promise<void> {
    this.#run?.beforeCommit();
    await this.#store!.flush(options);
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.cause;
  }
}
