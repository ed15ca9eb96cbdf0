/** What a run tells the stages that it drives about itself, and what it counts. */

/** A run, for sinks that keep a history or commit under its name. */
export interface RunInfo {
  /** The same each time the run is run; cursors are kept under it. */
  readonly name: string;
  /** A ULID, new each time. */
  readonly loadId: string;
  /** Bytes that a sink may hold back beside the batch it is given, as far as no option of its own says. */
  readonly maxMemory: number;
  /** Aborted when the run is to stop in good order: what has reached nobody yet need not wait for it. */
  readonly stopping: AbortSignal;
  /** To be called before a commit: makes durable what the cursor tells of: rejected records, journals. */
  beforeCommit(): void;
}

/**
 * Documents counted over a run: read + expanded = written + filtered + rejected, `read` counting bad
 * records too.
 */
export interface RunCounts {
  readonly read: number;
  readonly written: number;
  /**
   * Documents that a transform took and gave nothing for; also those still held back by a stop, and those
   * that a sink left out then.
   */
  readonly filtered: number;
  readonly rejected: number;
  /** Documents that a transform gave beyond those it took. */
  readonly expanded: number;
}

/** How a run ended, with its counts. */
export interface RunTotals extends RunCounts {
  readonly outcome: RunOutcome;
  readonly seconds: number;
}

/** `stopped`: in good order on request, before the source's end; everything taken in committed, or nothing (`Sink.atomic`). */
export type RunOutcome = 'done' | 'stopped' | 'failed';
