/**
 * Compaction: the collection without its superseded and deleted documents, put in the place of the
 * old one as one unit (generation.ts). Readers and scans go on with the files that they have open.
 *
 * Until the new log is renamed nothing of the collection has changed: a failure, a full disk, an
 * abort leave the handle as it was. From then on a failure poisons the handle, and the next opening
 * finds out which of the two collections is there.
 */
import { checkNumber } from '../core/check-option.ts';
import type { Disk } from '../io/disk.ts';
import type { Kernel } from '../kernels/index.ts';
import type { CollectionFiles } from './collection-files.ts';
import {
  type CommitRecord,
  cursorOwner,
  type IndexState,
  type LogRecord,
  withoutDeletes,
} from './commit-log.ts';
import { discardNext, nextPaths, replaceCollection } from './generation.ts';
import type { CollectionPaths } from './layout.ts';
import { statesOf } from './log-state.ts';
import { type RewriteOptions, type Rewritten, rewriteData, writeLog } from './rewrite.ts';
import type { Writer } from './writer.ts';

/** How compaction runs. */
export interface CompactOptions extends RewriteOptions {}

/** What compaction did. */
export interface CompactReport {
  readonly documents: number;
  /** Lines that were superseded or deleted. */
  readonly droppedLines: number;
  /** Size of data.jsonl. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly seconds: number;
}

/** When closing compacts by itself. */
export interface AutoCompactOptions {
  /** At least this share of the lines is dead. Default 0.5. */
  readonly deadShare?: number | undefined;
  /** data.jsonl has at least this many bytes. Default 16 MiB. */
  readonly minBytes?: number | undefined;
}

/** What compaction works on. */
export interface CompactInput {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly files: CollectionFiles;
  readonly writer: Writer;
  /** The commit of everything up to now. */
  readonly committed: Promise<CommitRecord | undefined>;
}

/** A log below this is not worth writing anew on its own. */
const SMALL_LOG_BYTES = 256 << 10;

/** Errors: INVALID_ARGUMENT for a share that is none, or less than no bytes. */
export function checkAutoCompact({ deadShare = 0, minBytes = 0 }: AutoCompactOptions = {}): void {
  checkNumber('deadShare', deadShare, 0, 1);
  checkNumber('minBytes', minBytes, 0);
}

/** Whether closing should compact. */
export function isDue(files: CollectionFiles, options: AutoCompactOptions): boolean {
  const { deadShare = 0.5, minBytes = 16 << 20 } = options;
  const { lines, end } = files;
  const dead = lines - files.documents;
  return dead > 0 && end >= minBytes && dead >= lines * deadShare;
}

/** Writes the collection anew as it is committed; `replaced`: its new files are to be opened. */
export async function compactCollection(
  input: CompactInput,
  options: CompactOptions,
): Promise<CompactReport & { readonly replaced: boolean }> {
  const { disk, paths, kernel, files, writer } = input;
  const started = performance.now();
  const generation = files.generation + 1;
  const { lines } = files;
  const documents = files.documents;
  const snapshot = files.snapshot(undefined);
  snapshot.catch(() => undefined);
  let replacing = false;
  try {
    const commit = await input.committed;
    const { end, alive } = await snapshot;
    const report = (result: Pick<Rewritten, 'lines' | 'end'>, replaced: boolean) => ({
      replaced,
      documents,
      droppedLines: lines - result.lines,
      bytesBefore: end,
      bytesAfter: result.end,
      seconds: (performance.now() - started) / 1000,
    });
    const idle = lines === documents && files.log!.end < SMALL_LOG_BYTES;
    if (commit === undefined || idle) return report({ lines, end }, false);
    const next = nextPaths(paths, generation);
    const { data } = files;
    const { commits, cursors, states } = await summariseLog(files.log!.past());
    const before = { commits: commits - 1, cursors };
    const source = { disk, kernel, data, end, alive, documents, next, states };
    const rewritten = await rewriteData({ ...options, ...source });
    await writeLog({ disk, kernel, next }, freshLog(before, generation, commit, rewritten));
    writer.check();
    replacing = true;
    await replaceCollection(disk, paths, generation);
    return report(rewritten, true);
  } catch (cause) {
    if (replacing) writer.poison(cause);
    // What is left over is removed at the next opening, too.
    else await discardNext(disk, paths, generation).catch(() => undefined);
    throw cause;
  } finally {
    snapshot.then(({ release }) => release()).catch(() => undefined);
  }
}

/** What stays of a log when it is begun anew. */
export interface LogSummary {
  readonly commits: number;
  /** Of the last commit; 0 where there is none. */
  readonly seq: number;
  /** The last cursor of every owner, the newest last. */
  readonly cursors: readonly (readonly [string | null, unknown])[];
  /** Those that other programs may have read an index.bin of. */
  readonly states: readonly IndexState[];
}

/** Counts commits, keeps the last cursors and the states. */
export async function summariseLog(
  records: AsyncIterable<LogRecord> | Iterable<LogRecord>,
): Promise<LogSummary> {
  const cursors = new Map<string | null, unknown>();
  const states: IndexState[] = [];
  let commits = 0;
  let seq = 0;
  let before: LogRecord | undefined;
  const note = (owner: string | null, cursor: unknown): void => {
    cursors.delete(owner);
    cursors.set(owner, cursor);
  };
  for await (const record of records) {
    states.push(...statesOf(record, before));
    before = record;
    if (record.op === 'commit') {
      commits++;
      seq = record.seq;
      if (record.cursor !== undefined) note(cursorOwner(record) ?? null, record.cursor);
    } else if (record.op === 'compact') {
      commits += record.commits;
      for (const [owner, cursor] of record.cursors) note(owner, cursor);
    }
  }
  return { commits, seq, cursors: [...cursors], states };
}

/** The log of a collection that was just written anew; `commit` is its one commit. */
export function freshLog(
  { commits, cursors }: Pick<LogSummary, 'commits' | 'cursors'>,
  generation: number,
  commit: CommitRecord,
  { end, lines, documents, indexBytes, indexSum, states }: Rewritten,
): LogRecord[] {
  const at = new Date().toISOString();
  const counted = { end, count: documents, lines };
  const last = { ...withoutDeletes(commit), ...counted };
  return [
    {
      op: 'compact',
      generation,
      end,
      commits,
      cursors,
      ...(states.length > 0 ? { states } : {}),
      at,
    },
    last,
    { op: 'checkpoint', ...counted, indexSum, indexBytes, commit: last, at },
    { op: 'close', end, seq: commit.seq, at },
  ];
}
