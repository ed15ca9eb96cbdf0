/** What a run is made of, and what it says of itself. */
import { checkNumber } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { checkRetry, type RetryOptions } from '../core/retry.ts';
import type { RunCounts, RunTotals } from '../core/run-info.ts';
import type { Sink, Source, Transform } from '../core/stage.ts';
import type { StageCounts } from './ledger.ts';
import type { Logger } from './observe.ts';
import type { MaxErrors, RunOnError } from './reject-gate.ts';
import type { Telemetry } from './telemetry.ts';

/** A source as a contract, or the stream around it, which is then not used. */
export type AnySource = Source | { readonly source: Source };
/**
 * The same for a transform. With an `id`, what it remembers is kept under that; else under its name, and
 * `name#2` for the second one of that name, so that its place may change.
 */
export type AnyTransform =
  | Transform
  | { readonly transform: Transform }
  | { readonly id: string; readonly transform: Transform | { readonly transform: Transform } };
/** The same for a sink. */
export type AnySink<Summary> = Sink<Summary> | { readonly sink: Sink<Summary> };

export interface RunOptions<Summary = unknown> {
  /** The same each time: what is committed for resuming is kept under it. */
  readonly name: string;
  readonly source: AnySource;
  /** In order. A transform that keeps state is for one run only. */
  readonly transforms?: readonly AnyTransform[];
  readonly sink: AnySink<Summary>;
  /**
   * Go on behind what was committed last under this name; from the start if nothing was. The sink must
   * be one that commits cursors and the source one that gives them. What transforms remember is
   * restored in any case, unless `reset`. Default false.
   */
  readonly resume?: boolean;
  /** Forget what transforms remembered under this name; not with `resume`. Default false. */
  readonly reset?: boolean;
  /** What to do with bad records. Default 'stop'. */
  readonly onError?: RunOnError;
  /** More bad records than this end the run with TOO_MANY_REJECTS. Default: no limit. */
  readonly maxErrors?: MaxErrors;
  /**
   * Trying again after errors that pass by themselves: a source that failed is opened again behind
   * its last cursor, a sink that is locked is waited for, and one that failed is tried again as far as
   * it allows (`Sink.afterFailure`): a store is opened again, and the run goes on behind its last
   * commit. Default: not.
   */
  readonly retry?: RetryOptions;
  /**
   * Bytes of documents under way: the next batch is read ahead only while it fits beside the one in
   * hand. A batch that is larger goes alone. A sink may hold as many again, less where its own options
   * say so. Default 64 MiB.
   */
  readonly maxMemory?: number;
  /** Milliseconds between progress events at least. Default 250. */
  readonly progressMs?: number;
  /** Told of start, end, retries and bad records. Default: nobody. */
  readonly logger?: Logger;
  /**
   * The module `@opentelemetry/api`, for a span below the active one, which is the active one of all that
   * the stages do, and for counters. Default: none.
   */
  readonly telemetry?: Telemetry;
  /** SIGINT and SIGTERM: the first stops the run in good order, a second ends the process at once. Default false. */
  readonly signals?: boolean;
  /** Aborts the run with ABORTED and the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Errors: INVALID_ARGUMENT. */
export function checkRun({ name, resume, reset, ...options }: RunOptions): void {
  const { maxMemory = 0, progressMs = 0, retry = {} } = options;
  if (typeof name !== 'string' || name === '') {
    throw new EtlError('INVALID_ARGUMENT', 'a run needs a name');
  }
  if (resume && reset) throw new EtlError('INVALID_ARGUMENT', 'a run takes resume or reset');
  checkNumber('maxMemory', maxMemory, 0);
  checkNumber('progressMs', progressMs, 0);
  checkRetry(retry);
}

/** How far a run is. */
export interface RunProgress extends RunCounts {
  readonly name: string;
  readonly loadId: string;
  /** Bytes that the source gave: of batches, or of the CSV that it made objects of. */
  readonly bytes: number;
  readonly seconds: number;
  readonly stages: readonly StageCounts[];
}

/** How a run ended. */
export interface RunSummary<Summary = unknown> extends RunProgress, RunTotals {
  /** What the sink's `finish` answered; undefined where a stop gave it up (`Sink.atomic`). */
  readonly sink: Summary | undefined;
  /** True when it went on from a cursor. */
  readonly resumed: boolean;
  /** The source's position reached, where it gives one. */
  readonly cursor: unknown;
  /** The dead-letter file, if records were written to it. */
  readonly deadLetter: string | undefined;
}
