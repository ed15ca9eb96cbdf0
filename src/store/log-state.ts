/**
 * What the log says about the collection, put together: the last commit, the last checkpoint, and
 * the deletes that the checkpoint's index.bin does not know.
 */
import type { CheckpointRecord, CommitLog, CommitRecord, LogRecord } from './commit-log.ts';

/** The state that a log ends in. */
export interface LogState {
  last: LogRecord | undefined;
  commit: CommitRecord | undefined;
  checkpoint: CheckpointRecord | undefined;
  /** Deletes after the checkpoint. */
  deletes: (readonly [string, number])[];
}

/**
 * Reads the log from its last checkpoint on; all of it where there is none. Errors: CORRUPTED_DATA
 * for a log that is damaged and not just torn at its end.
 */
export async function readLog(log: CommitLog | undefined): Promise<LogState> {
  const state: LogState = {
    last: undefined,
    commit: undefined,
    checkpoint: undefined,
    deletes: [],
  };
  if (log === undefined) return state;
  for await (const record of log.records(await log.tailStart())) takeRecord(state, record);
  await log.checkRest(state.commit?.seq ?? 0);
  return state;
}

/** Moves the state on by one record. */
export function takeRecord(state: LogState, record: LogRecord): void {
  state.last = record;
  if (record.op === 'commit') {
    state.commit = record;
    if (record.deletes) state.deletes.push(...record.deletes);
  } else if (record.op === 'checkpoint') {
    if (record.commit) state.commit = record.commit;
    state.checkpoint = record;
    state.deletes = [];
  }
}

/** The deletes given, or all that the log knows. */
export async function* deletesOf(
  log: CommitLog | undefined,
  deletes: LogState['deletes'] | undefined,
): AsyncGenerator<readonly [string, number], void, void> {
  if (deletes !== undefined) yield* deletes;
  else if (log !== undefined) {
    for await (const record of log.past()) {
      if (record.op === 'commit' && record.deletes) yield* record.deletes;
    }
  }
}
