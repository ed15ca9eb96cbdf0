/**
 * Runs: a source, transforms and a sink, driven batch by batch without streams in between.
 *
 * Order of things: the sink is opened (a store is then locked, so no second run of it starts), the last
 * cursor is asked of it, the source begins, and every batch goes through all transforms to the sink
 * before the next. The first failure ends everything: source and sink are closed, what is committed
 * stays, and the failure comes out as it was thrown. A run whose counts do not add up fails, too.
 *
 * Cursors. A batch without one lies before the next that has one, and only there it may be committed:
 * what a cursor does not cover would come again on resuming. So a run is not cut short in between, be it the
 * source or a transform that gives no cursor there, and one that is to resume cannot end so. As long as a source has given no cursor at all, and the run is not to
 * resume, the documents are committed without one; then it cannot be resumed.
 *
 * Going back. Where a sink failed that can be opened again (`delivery.ts`), it is, and asked what it
 * has. If that is a commit of this run, the source goes on behind it, else where the run began;
 * transforms remember what they did there, and counts are set back. Nothing that was read is kept, so
 * each document is written behind one commit only. Bad records behind it are told a second time.
 * Attempts are counted anew once a commit further on has been reached.
 */
import { EventEmitter } from 'node:events';
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { createIdGenerator } from '../core/generate-id.ts';
import type { Predicate } from '../core/predicate.ts';
import { backoffMs, waitMs } from '../core/retry.ts';
import type { RunOutcome, RunTotals } from '../core/run-info.ts';
import type { Sink, Source } from '../core/stage.ts';
import { Chain, positionOf } from './chain.ts';
import {
  type Checkpoint,
  canGoBack,
  cannotResume,
  makeCheckpoint,
  type NamedTransform,
  nameStates,
  readCheckpoint,
  restoreStates,
  sourceCursor,
  unwrap,
} from './checkpoint.ts';
import { Delivery } from './delivery.ts';
import { Feed } from './feed.ts';
import { Ledger } from './ledger.ts';
import { Memories } from './memories.ts';
import { Observer } from './observe.ts';
import { checkRun, type RunOptions, type RunProgress, type RunSummary } from './options.ts';
import { Position } from './position.ts';
import { RejectGate } from './reject-gate.ts';
import { RunTelemetry } from './telemetry.ts';
import { leftToSource, passingOn, wantsOf } from './wants.ts';

const DEFAULT_MAX_MEMORY = 64 << 20;
const DEFAULT_PROGRESS_MS = 250;
/** In place of a batch, where the run is to stop first. */
const STOPPED: unique symbol = Symbol('stopped');

const newLoadId: () => string = createIdGenerator('ulid');

export class Runner<Summary> {
  readonly loadId: string = newLoadId();
  readonly events: EventEmitter = new EventEmitter();
  readonly #options: RunOptions<Summary>;
  readonly #source: Source;
  readonly #transforms: readonly NamedTransform[];
  readonly #sink: Sink<Summary>;
  readonly #ledger: Ledger;
  readonly #gate: RejectGate;
  readonly #observer: Observer;
  readonly #telemetry: RunTelemetry | undefined;
  readonly #controller = new AbortController();
  readonly #stopper = new AbortController();
  readonly #toStop: AbortSignal = this.#stopper.signal;
  readonly #chain: Chain;
  /** What the source leaves out in place of the first transform. */
  readonly #left: Predicate | undefined;
  readonly #delivery: Delivery<Summary>;
  readonly #memories: Memories;
  readonly #maxMemory: number;
  #feed: Feed | undefined;
  #stopping: ((stopped: typeof STOPPED) => void) | undefined;
  /** The source was left before its end, since the run is to stop. */
  #stopped = false;
  #resumed = false;
  /** Where the run began, with what the transforms remembered. */
  #start: Checkpoint | undefined;
  /** Behind the last batch taken that said where that is. */
  #position: Position | undefined;
  /** The sink has documents that no cursor it was given covers. */
  #loose = false;
  /** The source has given a cursor. */
  #placed = false;
  /** The source has been read to its end and the transforms are empty. */
  #ended = false;
  /** Failures of the sink since it was last found further on, and how far that was. */
  #attempts = 0;
  #reached = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** Errors: INVALID_ARGUMENT. */
  constructor(options: RunOptions<Summary>) {
    const { source, transforms = [], sink, name, onError = 'stop', maxErrors } = options;
    const { maxMemory = DEFAULT_MAX_MEMORY } = options;
    checkRun(options);
    this.#options = options;
    this.#maxMemory = maxMemory;
    this.#source = 'source' in source ? source.source : source;
    this.#transforms = nameStates(transforms.map(unwrap));
    this.#sink = 'sink' in sink ? sink.sink : sink;
    const names = this.#transforms.map(({ transform }) => transform.name);
    this.#ledger = new Ledger(this.#source.name, names, this.#sink.name);
    this.#observer = new Observer({ run: name, loadId: this.loadId }, options.logger);
    this.#telemetry = options.telemetry && new RunTelemetry(options.telemetry, name, this.loadId);
    this.#gate = new RejectGate(onError, maxErrors, this.#ledger, (reject, stage) => {
      this.#observer.rejected(reject, stage);
      this.events.emit('reject', reject, stage);
    });
    this.#left = leftToSource(this.#source, this.#transforms);
    const links = this.#transforms.map((each, i) => {
      const counts = this.#ledger.transforms[i]!;
      const transform = this.#left && i === 0 ? passingOn : each.transform;
      const remember = () => this.#memories.take(i);
      return { transform, counts, onReject: this.#gate.takerFor(counts), remember };
    });
    this.#chain = new Chain(links, this.#controller.signal, (batch) => this.#deliver(batch));
    this.#memories = new Memories(name, this.#transforms, this.#sink);
    const beforeCommit = () => {
      this.#gate.deadLetter?.sync();
      this.#memories.sync();
    };
    const info = { name, loadId: this.loadId, maxMemory, stopping: this.#toStop, beforeCommit };
    this.#delivery = new Delivery({
      sink: this.#sink,
      info,
      ledger: this.#ledger,
      gate: this.#gate,
      retry: options.retry,
      signal: this.#controller.signal,
      onRetry: this.#retried(this.#sink.name),
    });
  }

  get progress(): RunProgress {
    return { name: this.#options.name, loadId: this.loadId, ...this.#ledger.progress };
  }

  /** Asks the run to end in good order: no more is read, what was read is committed. */
  stop(): void {
    this.#stopper.abort();
    this.#stopping?.(STOPPED);
  }

  abort(cause: unknown): void {
    this.#controller.abort(cause);
  }

  /** Does it all. Errors: the first of any stage; ABORTED; TOO_MANY_REJECTS; INTERNAL. */
  run(): Promise<RunSummary<Summary>> {
    return this.#telemetry?.within(() => this.#run()) ?? this.#run();
  }

  async #run(): Promise<RunSummary<Summary>> {
    try {
      let from = await this.#open();
      for (;;) {
        try {
          if (!this.#ended) await this.#drive(from);
          return await this.#finish();
        } catch (error) {
          from = await this.#goBack(error);
        }
      }
    } catch (error) {
      throw await this.#fail(error);
    }
  }

  /** Opens the sink and answers where the source is to begin. */
  async #open(): Promise<unknown> {
    const { name, resume = false, reset = false } = this.#options;
    if (resume && !this.#sink.lastCursor) {
      throw new EtlError('UNSUPPORTED', `${this.#sink.name} keeps no cursors to resume from`);
    }
    if (resume && this.#source.cursors === false) throw cannotResume(this.#source, name);
    const checkpoint = readCheckpoint(await this.#delivery.open());
    const dropped = restoreStates(reset ? undefined : checkpoint, this.#transforms);
    this.#resumed = resume && checkpoint !== undefined && !this.#sink.atomic;
    if (this.#resumed && !this.#memories.fit) {
      const text = `${this.#sink.name} keeps no journals for what transforms remember`;
      throw new EtlError('UNSUPPORTED', `run ${name} cannot resume: ${text}`);
    }
    const stages = this.#ledger.stages.map((stage) => stage.name);
    this.#observer.started(stages, this.#resumed, dropped);
    const from = this.#resumed ? sourceCursor(checkpoint!, this.#source, name) : undefined;
    const { journals } = checkpoint ?? {};
    await this.#memories.recall(this.#resumed ? journals : {}, journals);
    this.#start = makeCheckpoint(this.#source, this.#transforms, from, this.#memories.takeAll());
    return from;
  }

  /**
   * Opens a sink again that failed, and sets everything back to what it has committed; answers where
   * the source is to begin. Errors: the failure, where nothing can be done about it.
   */
  async #goBack(error: unknown): Promise<unknown> {
    const { signal } = this.#controller;
    const { retry = {} } = this.#options;
    const { retries = 5 } = retry;
    const lost = this.#source.spent && !this.#ended;
    const readsAgain = !lost && (this.#placed || this.#ledger.source.in === 0);
    const can = readsAgain && canGoBack(this.#transforms) && this.#delivery.canReopen(error);
    if (signal.aborted || !can || this.#attempts >= retries) throw error;
    const delayMs = backoffMs(this.#attempts, retry);
    this.#attempts++;
    this.#retried(this.#sink.name)(error, this.#attempts, delayMs);
    await this.#feed?.close();
    await this.#delivery.abort(error);
    await waitMs(delayMs, signal);
    const committed = readCheckpoint(await this.#delivery.open());
    const checkpoint = committed?.mark?.loadId === this.loadId ? committed : this.#start!;
    const ended = checkpoint.mark?.ended === true;
    const leadsBack = this.#memories.fit && (ended || checkpoint.at !== undefined);
    if ((checkpoint !== this.#start && !leadsBack) || (!ended && this.#source.spent)) throw error;
    restoreStates(checkpoint, this.#transforms);
    await this.#memories.recall(checkpoint.journals);
    this.#ledger.setBack(checkpoint.mark?.counts ?? []);
    const { read } = this.#ledger.counts;
    if (read > this.#reached) this.#attempts = 1;
    this.#reached = read;
    this.#ended = ended;
    return checkpoint.at;
  }

  async #drive(from: unknown): Promise<void> {
    const { resume = false, name } = this.#options;
    const { source } = this.#ledger;
    const feed = new Feed({
      source: this.#source,
      wants: wantsOf(this.#left, this.#transforms, this.#sink, this.#ledger, this.#gate),
      ledger: this.#ledger,
      from,
      maxMemory: this.#maxMemory,
      retry: this.#options.retry,
      signal: this.#controller.signal,
      onRetry: this.#retried(this.#source.name),
    });
    this.#feed = feed;
    this.#position = undefined;
    this.#loose = false;
    let next: Promise<Batch | undefined> | undefined;
    let last: Batch | undefined;
    let covered = true;
    while (!this.#sink.satisfied && !(this.#toStop.aborted && covered && (await this.#settles()))) {
      const since = performance.now();
      next ??= feed.next();
      const isFree = covered && !this.#toStop.aborted;
      const step: Promise<Batch | typeof STOPPED | undefined> = isFree ? this.#orStop(next) : next;
      const batch = await this.#chain.during(step);
      source.seconds += (performance.now() - since) / 1000;
      if (batch === STOPPED) continue;
      next = undefined;
      if (batch === undefined) break;
      this.#ledger.read(batch);
      const cursor: unknown = this.#source.cursors === false ? undefined : batch.cursor;
      this.#placed ||= cursor !== undefined;
      const isPlace = cursor !== undefined || !(this.#placed || resume);
      if (isPlace) this.#position = new Position(cursor, source);
      covered = isPlace || (covered && batch.length === 0);
      feed.readAhead(batch);
      last = batch;
      await this.#chain.push(batch.withCursor(isPlace ? this.#position : undefined));
      this.#tellProgress();
    }
    this.#stopped = this.#toStop.aborted && !this.#sink.satisfied && !feed.ended;
    await feed.close();
    if (!covered && resume) throw cannotResume(this.#source, name);
    if (!covered) this.#position = new Position(undefined, source);
    const cut = this.#stopped || this.#sink.satisfied === true;
    // What transforms remember of an input that was not read to its end, they must not take for all.
    const memories = cut ? this.#memories.takeAll() : [];
    // Documents held back are read again on resuming, and must not be written half-finished now.
    if (this.#leaves || (cut && this.#position?.at !== undefined)) return this.#chain.abandon();
    await this.#chain.flush();
    this.#ended = true;
    if (!last || !this.#position) return;
    for (const [i, counts] of this.#ledger.transforms.entries()) {
      this.#position.leaveTransform(i, counts, cut ? memories[i] : this.#memories.take(i));
    }
    await this.#deliver(positionOf(last.withCursor(this.#position)));
  }

  async #finish(): Promise<RunSummary<Summary>> {
    this.#gate.checkAtEnd();
    this.#gate.deadLetter?.sync();
    const outcome: RunOutcome = this.#stopped ? 'stopped' : 'done';
    const leaves = this.#leaves;
    // What the sink will have written is not known before it has finished.
    this.#ledger.settle(undefined);
    this.#ledger.check();
    const summary = await this.#delivery[leaves ? 'leave' : 'finish'](() => this.#totals(outcome));
    this.#ledger.check();
    this.#gate.deadLetter?.close();
    await this.#memories.close();
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
      cursor: this.#position && !leaves ? this.#position.at : this.#start?.at,
      deadLetter: deadLetter && deadLetter.count > 0 ? deadLetter.path : undefined,
    };
  }

  /** Closes everything; answers the first cause. What closing says after it is its consequence. */
  async #fail(error: unknown): Promise<unknown> {
    this.#controller.abort(error);
    const cause = this.#controller.signal.reason;
    const totals = this.#totals('failed');
    await this.#feed?.close();
    await this.#delivery.abort(cause, totals);
    await this.#memories.close();
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
    const position = this.#sink.lastCursor && (batch.cursor as Position | undefined);
    let rest = batch;
    // What the sink counts of the documents stands in the checkpoint behind them.
    const apart = position !== undefined && this.#delivery.reopens;
    if (batch.length > 0 && (apart || position === undefined)) {
      await this.#delivery.write(batch.withCursor(undefined));
      rest = positionOf(batch);
    }
    this.#loose = position === undefined && this.#sink.lastCursor !== undefined;
    if (position === undefined) return;
    position.leave(this.#transforms.length + 1, this.#ledger.sink);
    await this.#delivery.write(rest.withCursor(this.#checkpoint(position)));
  }

  #checkpoint({ at, marks: counts, memories }: Position): Checkpoint {
    const checkpoint = makeCheckpoint(this.#source, this.#transforms, at, memories);
    if (!this.#delivery.reopens) return checkpoint;
    return { ...checkpoint, mark: { loadId: this.loadId, counts, ended: this.#ended } };
  }

  /** True where what the sink has is what the last cursor it was given covers. */
  async #settles(): Promise<boolean> {
    if (this.#loose) await this.#chain.regroup();
    return !this.#loose;
  }

  /** What the work gives, or STOPPED as soon as the run is to stop. */
  #orStop<T>(work: Promise<T>): Promise<T | typeof STOPPED> {
    return new Promise<T | typeof STOPPED>((resolve, reject) => {
      // Not in a function of its own: its context would keep what the work gave from young collections.
      this.#stopping = resolve;
      work.then(resolve, reject);
    });
  }

  #retried(stage: string): (error: unknown, attempt: number, waitMs: number) => void {
    return (error, attempt, waitMs) => {
      this.#observer.retried(stage, attempt, waitMs, error);
      this.events.emit('retry', { stage, attempt, waitMs, error });
    };
  }

  /** A part is of no use to the sink, and what was read is not all that was to come. */
  get #leaves(): boolean {
    return this.#stopped && this.#sink.atomic === true && !this.#source.follows;
  }

  #totals(outcome: RunOutcome): RunTotals {
    return { ...this.#ledger.counts, outcome, seconds: this.#ledger.seconds };
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
