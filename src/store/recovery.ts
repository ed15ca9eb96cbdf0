/**
 * Opening a collection: from the files as some process left them to the committed state.
 *
 * The log says up to where data.jsonl is committed. Bytes behind that are our own uncommitted ones
 * when the last session did not close (cut, reported) and another program's when it did (indexed,
 * committed). The index comes from index.bin where that is the checkpoint that the log names, and
 * from the data otherwise; an index.bin that somebody else wrote decides only about deletes: a
 * document whose newest line lies in the part that it covers and that it does not know was deleted.
 *
 * A reader does the same without writing: what a writer would cut or adopt it leaves out or takes.
 * Errors: CORRUPTED_DATA when committed bytes are gone. Cost: loading the checkpoint, and one pass
 * over what it does not cover.
 */
import { checkSignal } from '../core/abort.ts';
import { LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { IdIndex, Kernel, LineTable } from '../kernels/index.ts';
import { adoptTail } from './adopt.ts';
import { readClean } from './clean-state.ts';
import type { CheckpointRecord, CommitLog, CommitRecord } from './commit-log.ts';
import { formatSum } from './commit-log.ts';
import { ForeignIndex } from './foreign-index.ts';
import { IndexAppender, type IndexPoint } from './index-file.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';
import { Indexer, keyText } from './indexer.ts';
import type { CollectionPaths } from './layout.ts';
import { loadClean, notAsCommitted } from './load-clean.ts';
import { type LoadedIndex, tryLoadIndex } from './load-index.ts';
import { deletesOf, type LogState, readLog } from './log-state.ts';
import { readPieces } from './pieces.ts';
import type { StoredLines } from './stored-lines.ts';

/** What opening found and did; all zero and empty for a store left in good order. */
export interface Recovery {
  /** Uncommitted bytes of a session that died, cut from data.jsonl. */
  cutBytes: number;
  /** Bytes of a torn line at the end of the log, cut. */
  cutLogBytes: number;
  /** Document lines that another program had added. */
  adoptedLines: number;
  /** Documents that another program had deleted. */
  foreignDeletes: number;
  /** Lines that are not JSON objects: skipped, left where they are. */
  badLines: number;
  /** Documents without a string `_id`: skipped, left where they are. */
  linesWithoutId: number;
  /** Files of a compaction that did not come to its end, removed. */
  leftovers?: readonly string[];
  /** Where a torn last line of another program was put. */
  tornPath?: string;
  /** Why the index was made anew from the data. */
  indexRebuilt?: string;
}

export interface OpenInput {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly data: DiskFile;
  readonly stored: StoredLines;
  /** Absent when there is no log (and a reader must not make one). */
  readonly log: CommitLog | undefined;
  readonly writable: boolean;
  readonly signal?: AbortSignal | undefined;
  /** What is opened here is put here, for the caller to close if opening fails later. */
  readonly opened: { close(): unknown }[];
  /** Hears of write failures that surface later. */
  readonly onFailure: (cause: unknown) => void;
}

export interface OpenState {
  readonly indexer: Indexer;
  readonly end: number;
  /** Document lines in [0, end), living or not. */
  readonly lines: number;
  readonly commit: CommitRecord | undefined;
  readonly checkpoint: CheckpointRecord | undefined;
  /** True when the log says that the last session ended in good order. */
  readonly closed: boolean;
  /** index.bin was the checkpoint that the log names. */
  readonly trusted: boolean;
  /** Where new index entries go; absent when index.bin must be rewritten at the next checkpoint. */
  readonly appender: IndexAppender | undefined;
  /** Documents deleted since the checkpoint, whose entries stand in its index.bin. */
  readonly deleted: readonly string[];
  readonly recovery: Recovery;
  /** index.bin, open for an index that is not loaded yet. */
  readonly index?: DiskFile | undefined;
}

/** Brings a collection to its committed state. */
export async function openState(input: OpenInput): Promise<OpenState> {
  const { paths, kernel, data, stored, log, writable } = input;
  const recovery: Recovery = emptyRecovery();
  // Before the log: bytes that a writer adds meanwhile come after its `open` line, so a log that
  // ends in `close` speaks of all the bytes counted here.
  const size = await data.size();
  const state = await readLog(log);
  if (writable && log) recovery.cutLogBytes = await log.cutTornTail();

  const committed = state.last?.end ?? 0;
  const sizeNow = await data.size();
  if (sizeNow < committed) {
    throw new EtlError(
      'CORRUPTED_DATA',
      `the data file has ${sizeNow} bytes, but ${committed} were committed`,
      { place: { path: paths.data, offset: sizeNow } },
    );
  }
  stored.end = sizeNow;
  const clean = writable ? undefined : await openClean(input, state, size);
  if (clean) return clean;
  const checkpoint = state.checkpoint;
  let index = kernel.createIndex();
  const loaded = await tryLoad(input, index);
  const trusted =
    loaded !== undefined &&
    checkpoint !== undefined &&
    loaded.bytes === checkpoint.indexBytes &&
    formatSum(index.sum) === checkpoint.indexSum;

  const closed = state.last === undefined || state.last.op === 'close';
  const foreignCovers = !trusted && loaded !== undefined && loaded.end > committed;
  let end = committed;
  if (size > committed) {
    if (closed || foreignCovers) end = await adoptTail(input, committed, size, recovery);
    else if (writable) {
      recovery.cutBytes = size - committed;
      await data.truncate(committed);
      await data.sync();
    }
  }
  stored.end = end;

  let foreign: ForeignIndex | undefined;
  if (!trusted) {
    if (loaded !== undefined && loaded.entries > 0) {
      foreign = new ForeignIndex(index, loaded.end, state);
    } else if (checkpoint !== undefined && writable)
      recovery.indexRebuilt = 'index.bin is missing or damaged';
    index = kernel.createIndex();
  }
  let result = await indexData(input, {
    index,
    trusted,
    point: trusted ? loaded : undefined,
    foreign,
    state,
    end,
    recovery,
  });
  const expected = end === committed ? state.commit?.count : undefined;
  if (expected !== undefined && result.indexer.index.size !== expected && trusted) {
    recovery.indexRebuilt = `index.bin led to ${result.indexer.index.size} documents, ${expected} were committed`;
    await result.appender?.close();
    index = kernel.createIndex();
    result = await indexData(input, {
      index,
      trusted: false,
      point: undefined,
      foreign: undefined,
      state,
      end,
      recovery,
    });
  }
  await checkCommitted(input, state, result.lines - recovery.adoptedLines);

  let commit = state.commit;
  if (writable && log && (end > committed || result.foreignDeletes.length > 0)) {
    await data.sync();
    commit = {
      op: 'commit',
      seq: (commit?.seq ?? 0) + 1,
      end,
      count: result.indexer.index.size,
      lines: result.lines,
      ...(result.foreignDeletes.length > 0
        ? { deletes: result.foreignDeletes.map((id) => [id, end] as const) }
        : {}),
      at: new Date().toISOString(),
    };
    await log.append(commit);
  }
  const { indexer, lines, appender, deleted } = result;
  return {
    indexer,
    end,
    lines,
    commit,
    checkpoint,
    // A log that ends in a commit is one of a session under way, which has to be closed.
    closed: closed && commit === state.commit,
    trusted,
    appender,
    deleted,
    recovery,
  };
}

/** The state of a collection in plain order, for a reader: its index is loaded when it is needed. */
async function openClean(
  input: OpenInput,
  state: LogState,
  size: number,
): Promise<OpenState | undefined> {
  const { disk, paths, kernel, data, stored, opened } = input;
  if ((await disk.stat(paths.index)) === undefined) return;
  const index = await disk.open(paths.index, 'read');
  const clean = await readClean(state, index, size);
  if (clean === undefined) {
    await index.close();
    return;
  }
  opened.push(index);
  const { commit, checkpoint } = clean;
  const { end, lines } = commit;
  await checkCommitted(input, state, lines);
  stored.end = end;
  return {
    indexer: new Indexer(kernel, () => loadClean({ kernel, data, index, stored }, clean), stored),
    end,
    lines,
    commit,
    checkpoint,
    closed: state.last?.op === 'close',
    trusted: true,
    appender: undefined,
    deleted: [],
    recovery: emptyRecovery(),
    index,
  };
}

/**
 * Another program may have written the data anew. Our deletes would then mean other lines, so nothing
 * is done with it; nor with data of which lines behind the checkpoint are damaged. `lines`: documents
 * that start in the committed part. Errors: CORRUPTED_DATA.
 */
async function checkCommitted(input: OpenInput, state: LogState, lines: number): Promise<void> {
  const { last, commit } = state;
  if (last === undefined || commit === undefined || last.end === 0) return;
  const end = new Uint8Array(1);
  await input.data.read(end, last.end - 1);
  if (lines === commit.lines && end[0] === 10) return;
  throw notAsCommitted(input.paths.data, last.end);
}

function emptyRecovery(): Recovery {
  return {
    cutBytes: 0,
    cutLogBytes: 0,
    adoptedLines: 0,
    foreignDeletes: 0,
    badLines: 0,
    linesWithoutId: 0,
  };
}

async function tryLoad(input: OpenInput, index: IdIndex): Promise<LoadedIndex | undefined> {
  const { disk, paths, stored } = input;
  if ((await disk.stat(paths.index)) === undefined) return undefined;
  const file = await disk.open(paths.index, 'read');
  try {
    return await tryLoadIndex(file, index, stored);
  } finally {
    await file.close();
  }
}

interface IndexPlan {
  readonly index: IdIndex;
  /** The index holds the checkpoint's state. */
  readonly trusted: boolean;
  /** Where the entries of a trusted index.bin end. */
  readonly point: IndexPoint | undefined;
  /** The index.bin of another program. */
  readonly foreign: ForeignIndex | undefined;
  readonly state: LogState;
  readonly end: number;
  readonly recovery: Recovery;
}

interface Indexed {
  readonly indexer: Indexer;
  readonly lines: number;
  readonly foreignDeletes: string[];
  readonly appender: IndexAppender | undefined;
  readonly deleted: string[];
}

async function indexData(input: OpenInput, plan: IndexPlan): Promise<Indexed> {
  const { data, kernel, stored, log, signal } = input;
  const { index, trusted, foreign, state, end, recovery } = plan;
  const indexer = new Indexer(kernel, index, stored);
  let appender = foreign === undefined ? await openAppender(input, plan.point) : undefined;
  const committed = state.last?.end ?? 0;
  let lines = trusted ? state.checkpoint!.lines : 0;
  recovery.badLines = 0;
  recovery.linesWithoutId = 0;
  recovery.adoptedLines = 0;
  for await (const { bytes, base } of readPieces(data, trusted ? state.checkpoint!.end : 0, end, {
    reuse: true,
  })) {
    checkSignal(signal, 'the opening was stopped');
    const table = kernel.lines(bytes);
    lines += table.count;
    recovery.badLines += table.bad.length;
    if (base + bytes.length > committed)
      recovery.adoptedLines += countFrom(table, committed - base);
    const { withoutId } = indexer.insert(bytes, table.records, table.count, base);
    recovery.linesWithoutId += withoutId;
    if (appender) appendTable(appender, table, base, table.canonical && withoutId === 0);
    foreign?.take(table, base);
    await appender?.tail.settle(4 << 20);
  }
  // Before those of other programs: what the log tells of was not theirs.
  const deleted: string[] = [];
  let removed = 0;
  for await (const [id, at] of deletesOf(log, trusted ? state.deletes : undefined)) {
    if (!indexer.remove(id, at)) continue;
    removed++;
    if (trusted) deleted.push(id);
  }
  if (removed > deleted.length) {
    // Entries of dead documents stand in the file now, and nobody counted how many.
    await appender?.close();
    appender = undefined;
  }
  const foreignDeletes: string[] = [];
  if (foreign?.damaged) recovery.indexRebuilt = 'index.bin has entries that lead to no document';
  const missing =
    foreign === undefined || foreign.damaged ? [] : await foreign.missing(log?.past() ?? []);
  for (const { id, offset } of missing) {
    const entry = indexer.find(id);
    if (entry < 0 || index.offset(entry) !== offset) continue;
    index.remove(entry);
    foreignDeletes.push(id);
  }
  recovery.foreignDeletes = foreignDeletes.length;
  return { indexer, lines, foreignDeletes, appender, deleted };
}

/** index.bin for appending: behind the checkpoint's entries, or begun anew. */
async function openAppender(
  input: OpenInput,
  point: IndexPoint | undefined,
): Promise<IndexAppender | undefined> {
  const { disk, paths, kernel, writable, opened, onFailure } = input;
  if (!writable) return undefined;
  const file = await disk.open(paths.index, 'create');
  opened.push(file);
  if (point !== undefined) return new IndexAppender(file, point, kernel, onFailure);
  await file.truncate(0);
  await file.write(indexHeader(0), 0);
  return new IndexAppender(file, { entries: 0, bytes: INDEX_HEADER_BYTES }, kernel, onFailure);
}

function appendTable(
  appender: IndexAppender,
  table: LineTable,
  base: number,
  plain: boolean,
): void {
  const { bytes, records, count } = table;
  if (plain) {
    appender.append(bytes, records, 0, count, base);
    return;
  }
  for (let i = 0; i < count; i++) {
    const id = keyText(bytes, records, i);
    const word = i * RECORD_WORDS;
    const start = records[word]!;
    const length = records[word + LineRecord.end]! - start + 1;
    if (id !== undefined) appender.appendOne(id, base + start, length);
  }
}

/** Documents that start at byte `from` of the piece or later. */
function countFrom({ records, count }: LineTable, from: number): number {
  let before = 0;
  while (before < count && records[before * RECORD_WORDS]! < from) before++;
  return count - before;
}
