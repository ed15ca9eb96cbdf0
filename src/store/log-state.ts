/**
 * What the log says about the collection, put together: the last commit, the last checkpoint, the
 * deletes that the checkpoint's index.bin does not know, and of which states there was an index.bin.
 */
import type {
  CheckpointRecord,
  CommitLog,
  CommitRecord,
  IndexState,
  LogRecord,
} from './commit-log.ts';

/** States that a log begun anew tells of. */
const MOST_STATES = 64;

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

/** The states of which `record`, behind `before`, says that there was an index.bin; the oldest first. */
export function statesOf(record: LogRecord, before: LogRecord | undefined): readonly IndexState[] {
  const { op, end } = record;
  if (op === 'compact') return record.states ?? [];
  // A commit outside a session is one that adopts.
  const adopts = op === 'commit' && before?.op !== 'open' && before?.op !== 'commit';
  return op === 'checkpoint' || adopts ? [[end, end]] : [];
}

/** The same states in few, none with more before its place than it had. */
export function mergeStates(states: Iterable<IndexState>): IndexState[] {
  const merged: IndexState[] = [];
  for (const [end, place] of states) {
    const last = merged.at(-1);
    // Whoever looks for a state of at least this end finds the one before.
    if (last && end <= last[0]) continue;
    if (last && last[1] === place) merged.pop();
    merged.push([end, place]);
  }
  const over = merged.length - MOST_STATES;
  if (over <= 0) return merged;
  return [[merged[over]![0], merged[0]![1]], ...merged.slice(over + 1)];
}
