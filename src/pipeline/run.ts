/**
 * Runs: a source, transforms and a sink, driven batch by batch without streams in between.
 *
 * Order of things: the sink is opened (a store is then locked, so no second run of it starts), the last
 * cursor is asked of it, the source begins, and every batch goes through all transforms to the sink
 * before the next. The first failure ends everything: source and sink are closed, what is committed
 * stays, and the failure comes out as it was thrown. A run whose counts do not add up fails, too.
 */
import { EventEmitter } from 'node:events';
import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { EtlError, isEtlError } from '../core/errors.ts';
import { createIdGenerator } from '../core/generate-id.ts';
import { isTransientError, retry } from '../core/retry.ts';
import type { RunInfo, RunOutcome, RunTotals } from '../core/run-info.ts';
import type { Sink, Source, Transform, Wants } from '../core/stage.ts';
import { Chain, positionOf } from './chain.ts';
import {
  type Checkpoint,
  cannotResume,
  makeCheckpoint,
  readCheckpoint,
  restoreStates,
  sourceCursor,
} from './checkpoint.ts';
import { Feed } from './feed.ts';
import { bytesOf, Ledger } from './ledger.ts';
import { Observer } from './observe.ts';
import type { RunOptions, RunProgress, RunSummary } from './options.ts';
import { RejectGate } from './reject-gate.ts';
import { RunTelemetry } from './telemetry.ts';

const DEFAULT_MAX_MEMORY = 64 << 20;
const DEFAULT_PROGRESS_MS = 250;

const newLoadId: () => string = createIdGenerator('ulid');

/** Stands for a cursor where the source has none: a place to commit at, not one to go on from. */
const NOWHERE = Symbol('no cursor');

export class Runner<Summary> {
  readonly loadId: string = newLoadId();
  readonly events: EventEmitter = new EventEmitter();
  readonly #options: RunOptions<Summary>;
  readonly #source: Source;
  readonly #transforms: readonly Transform[];
  readonly #sink: Sink<Summary>;
  readonly #ledger: Ledger;
  readonly #gate: RejectGate;
  readonly #observer: Observer;
  readonly #telemetry: RunTelemetry | undefined;
  readonly #controller = new AbortController();
  readonly #chain: Chain;
  #feed: Feed | undefined;
  #stopping: (() => void) | undefined;
  #isStopping = false;
  #opened = false;
  #finished = false;
  #resumed = false;
  /** Behind the batch taken last. */
  #cursor: unknown;
  /** The last checkpoint of a run that was cut short. */
  #frozen: Checkpoint | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** Errors: INVALID_ARGUMENT. */
  constructor(options: RunOptions<Summary>) {
    const { source, transforms = [], sink, name, onError = 'stop', maxErrors } = options;
    if (typeof name !== 'string' || name === '') {
      throw new EtlError('INVALID_ARGUMENT', 'a run needs a name');
    }
    this.#options = options;
    this.#source = 'source' in source ? source.source : source;
    this.#transforms = transforms.map((each) => ('transform' in each ? each.transform : each));
    this.#sink = 'sink' in sink ? sink.sink : sink;
    const names = this.#transforms.map((each) => each.name);
    this.#ledger = new Ledger(this.#source.name, names, this.#sink.name);
    this.#observer = new Observer({ run: name, loadId: this.loadId }, options.logger);
    this.#telemetry = options.telemetry && new RunTelemetry(options.telemetry, name, this.loadId);
    this.#gate = new RejectGate(onError, maxErrors, this.#ledger, (reject, stage) => {
      this.#observer.rejected(reject, stage);
      this.events.emit('reject', reject, stage);
    });
    const links = this.#transforms.map((transform, i) => {
      const counts = this.#ledger.transforms[i]!;
      return { transform, counts, onReject: this.#gate.takerFor(counts) };
    });
    this.#chain = new Chain(links, this.#controller.signal, (batch) => this.#deliver(batch));
  }

  get progress(): RunProgress {
    const { loadId } = this;
    const { name } = this.#options;
    const { counts, seconds, stages, source } = this.#ledger;
    return { name, loadId, ...counts, bytes: source.bytes, seconds, stages };
  }

  /** Asks the run to end in good order: no more is read, what was read is committed. */
  stop(): void {
    this.#isStopping = true;
    this.#stopping?.();
  }

  abort(cause: unknown): void {
    this.#controller.abort(cause);
  }

  /** Does it all. Errors: the first of any stage; ABORTED; TOO_MANY_REJECTS; INTERNAL. */
  async run(): Promise<RunSummary<Summary>> {
    try {
      const resumeFrom = await this.#open();
      await this.#drive(resumeFrom);
      return await this.#finish();
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  /** Opens the sink and answers where the source is to begin. */
  async #open(): Promise<unknown> {
    const { name, resume = false, reset = false, retry: retrying } = this.#options;
    const { signal } = this.#controller;
    const beforeCommit = () => this.#gate.deadLetter?.sync();
    const info: RunInfo = { name, loadId: this.loadId, beforeCommit };
    if (resume && !this.#sink.lastCursor) {
      throw new EtlError('UNSUPPORTED', `${this.#sink.name} keeps no cursors to resume from`);
    }
    signal.throwIfAborted();
    const open = () => {
      this.#opened = true;
      return unlessAborted(this.#sink.open(signal, info), signal);
    };
    const judge = (error: unknown) =>
      isEtlError(error, 'LOCKED') || isTransientError(error) ? 0 : (false as const);
    const onRetry = this.#retried(this.#sink.name);
    await (retrying ? retry(open, retrying, { signal, judge, onRetry }) : open());
    const committed = await unlessAborted(this.#sink.lastCursor?.(name), signal);
    const checkpoint = readCheckpoint(committed);
    if (checkpoint && !reset) restoreStates(checkpoint, this.#transforms);
    this.#resumed = resume && checkpoint !== undefined;
    const stages = this.#ledger.stages.map((stage) => stage.name);
    this.#observer.started(stages, this.#resumed);
    return this.#resumed ? sourceCursor(checkpoint!, this.#source, name) : undefined;
  }

  async #drive(from: unknown): Promise<void> {
    const { maxMemory = DEFAULT_MAX_MEMORY, resume = false, name } = this.#options;
    const { source } = this.#ledger;
    const feed = new Feed({
      source: this.#source,
      wants: this.#wants(),
      from,
      maxMemory,
      retry: this.#options.retry,
      signal: this.#controller.signal,
      onRetry: this.#retried(this.#source.name),
    });
    this.#feed = feed;
    this.#cursor = from;
    let last: Batch | undefined;
    while (!this.#isStopping && !this.#sink.satisfied) {
      const since = performance.now();
      const batch = await this.#orStop(feed.next());
      source.seconds += (performance.now() - since) / 1000;
      if (batch === undefined) break;
      if (resume && batch.cursor === undefined) throw cannotResume(this.#source, name);
      feed.readAhead(batch);
      this.#ledger.read(batch);
      this.#cursor = batch.cursor;
      last = batch.withCursor(batch.cursor ?? NOWHERE);
      await this.#chain.push(last);
      this.#tellProgress();
    }
    await feed.close();
    const cut = this.#isStopping || this.#sink.satisfied === true;
    // What transforms remember of an input that was not read to its end, they must not take for all.
    if (cut && last) this.#frozen = this.#checkpoint(last.cursor);
    // Documents held back are read again on resuming, and must not be written half-finished now.
    const rereads = cut && last !== undefined && last.cursor !== NOWHERE;
    if (rereads) return;
    await this.#chain.flush();
    if (last && this.#sink.lastCursor) await this.#deliver(positionOf(last));
  }

  async #finish(): Promise<RunSummary<Summary>> {
    this.#gate.checkAtEnd();
    this.#gate.deadLetter?.sync();
    const outcome: RunOutcome = this.#isStopping ? 'stopped' : 'done';
    const { sink: counts } = this.#ledger;
    const since = performance.now();
    // What the sink will have written is not known before it has finished.
    this.#ledger.settle(undefined);
    this.#ledger.check();
    const summary = await unlessAborted(
      this.#sink.finish(this.#totals(outcome)),
      this.#controller.signal,
    );
    this.#finished = true;
    counts.seconds += (performance.now() - since) / 1000;
    this.#ledger.settle(summary);
    this.#ledger.check();
    this.#gate.deadLetter?.close();
    const totals = this.#totals(outcome);
    this.#emitProgress();
    this.#observer.ended(totals);
    this.#telemetry?.ended(totals, outcome);
    const { deadLetter } = this.#gate;
    return {
      ...this.progress,
      ...totals,
      sink: summary,
      resumed: this.#resumed,
      cursor: this.#cursor,
      deadLetter: deadLetter && deadLetter.count > 0 ? deadLetter.path : undefined,
    };
  }

  /** Closes everything; answers the first cause. What closing says after it is its consequence. */
  async #fail(error: unknown): Promise<unknown> {
    const { signal } = this.#controller;
    if (!signal.aborted) this.#controller.abort(error);
    const cause = signal.reason;
    const totals = this.#totals('failed');
    await this.#feed?.close();
    if (this.#opened && !this.#finished) await this.#sink.abort(cause, totals).catch(() => {});
    try {
      this.#gate.deadLetter?.close();
    } catch {
      // As above.
    }
    this.#observer.ended(totals, cause);
    this.#telemetry?.ended(totals, 'failed', cause);
    return cause;
  }

  async #deliver(batch: Batch): Promise<void> {
    const { sink: counts } = this.#ledger;
    const commits = this.#sink.lastCursor !== undefined;
    if (batch.length === 0 && !commits) return;
    const { cursor } = batch;
    const checkpoint =
      commits && cursor !== undefined ? (this.#frozen ?? this.#checkpoint(cursor)) : undefined;
    counts.in += batch.length;
    const since = performance.now();
    const written = this.#sink.write(batch.withCursor(checkpoint), this.#gate.takerFor(counts));
    await unlessAborted(written, this.#controller.signal);
    counts.seconds += (performance.now() - since) / 1000;
    counts.bytes += bytesOf(batch);
    counts.out = counts.in - counts.rejected;
  }

  #checkpoint(cursor: unknown): Checkpoint {
    const at = cursor === NOWHERE ? undefined : cursor;
    return makeCheckpoint(this.#source, this.#transforms, at);
  }

  /** The first receiver's wishes; behind transforms the sink's key is a hint that may still help. */
  #wants(): Wants {
    const { wants = {} } = this.#sink;
    const { key } = wants;
    const onReject = this.#gate.takerFor(this.#ledger.source);
    const own = this.#transforms.length === 0 ? wants : key ? { key } : {};
    return onReject ? { ...own, onReject } : own;
  }

  /** What the work gives, or undefined as soon as the run is to stop. */
  #orStop<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#stopping = () => resolve(undefined);
      if (this.#isStopping) this.#stopping();
      work.then(resolve, reject);
    });
  }

  #retried(stage: string): (error: unknown, attempt: number, waitMs: number) => void {
    return (error, attempt, waitMs) => {
      this.#observer.retried(stage, attempt, waitMs, error);
      this.events.emit('retry', { stage, attempt, waitMs, error });
    };
  }

  #totals(outcome: RunOutcome): RunTotals {
    const { counts, seconds } = this.#ledger;
    return { ...counts, outcome, seconds };
  }

  #tellProgress(): void {
    const { progressMs = DEFAULT_PROGRESS_MS } = this.#options;
    if (performance.now() - this.#toldAt >= progressMs) this.#emitProgress();
  }

  #emitProgress(): void {
    this.#toldAt = performance.now();
    const { progress } = this;
    this.#observer.progressed(progress);
    this.#telemetry?.progressed(progress);
    this.events.emit('progress', progress);
  }
}
