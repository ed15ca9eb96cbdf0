/**
 * Reading a whole collection without loading its id index. The log of a store of ours says how many
 * lines and how many documents a commit has; where the numbers are equal every line is alive, so a
 * scan needs nothing else.
 *
 * Only for what is in plain order: whatever looks like another program's work (an index.bin of
 * another size or count than the checkpoint's, bytes behind a closed session's end), has dead lines, or
 * cannot be read, is left to `FastStore.open`, which knows what to do or what to say.
 */
import type { Table } from 'apache-arrow';
import type { Disk, DiskFile } from '../io/disk.ts';
import { type Kernel, sharedKernel } from '../kernels/index.ts';
import {
  type CollectionState,
  type ColumnsOptions,
  partsToRead,
  readTable,
} from './columns/index.ts';
import { CommitLog, type CommitRecord } from './commit-log.ts';
import { type Located, openSettled } from './generation.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-file.ts';
import { type CollectionPaths, Layout } from './layout.ts';
import { type LogState, readLog } from './log-state.ts';
import { checkCollectionName } from './names.ts';
import type { ZdsRoot } from './root.ts';
import { Scan, type ScanOptions } from './scan.ts';
import type { Snapshot } from './scan-snapshot.ts';

/** A collection open for scans, and as a table, only. */
export interface CleanScan {
  readonly state: CollectionState;
  scan(options: ScanOptions): Scan<object>;
  /** As `FastStore.table`. */
  table(options: ColumnsOptions): Promise<Table>;
  close(): Promise<void>;
}

/** Opens the committed state for scanning; undefined where that takes more than the log and the data. */
export async function openCleanScan(
  root: Pick<ZdsRoot, 'disk' | 'path'>,
  collection: string,
  kernel: Kernel = sharedKernel(),
): Promise<CleanScan | undefined> {
  checkCollectionName(collection);
  const { disk } = root;
  return openSettled(
    disk,
    Layout.collection(root.path, collection),
    (located) => openLocated(disk, located, kernel),
    async (opened) => opened?.close(),
  );
}

async function openLocated(
  disk: Disk,
  { paths, generation }: Located,
  kernel: Kernel,
): Promise<CleanScan | undefined> {
  const needed = [paths.data, paths.log, paths.index];
  const found = await Promise.all(needed.map((path) => disk.stat(path)));
  if (found.includes(undefined)) return undefined;
  const file = await disk.open(paths.data, 'read');
  try {
    const commit = await cleanCommit(disk, paths, file, kernel);
    if (commit === undefined) {
      await file.close();
      return undefined;
    }
    const { end, lines, count: documents } = commit;
    const snapshot: Snapshot = {
      file,
      from: 0,
      end,
      whole: { end, lines, documents, sound: { until: 0 } },
      alive: undefined,
      stored: undefined,
      places: undefined,
      parts: (where) => partsToRead(state, where),
      release: () => undefined,
    };
    const isLogged = true;
    const state: CollectionState = {
      disk,
      paths,
      kernel,
      generation,
      lines,
      documents,
      isLogged,
      snapshot,
    };
    const snapshots = { snapshot: async () => snapshot, snapshotSync: () => snapshot };
    const host = { kernel, path: paths.data, snapshots: () => snapshots };
    return {
      state,
      scan: (options) => new Scan<object>(host, options),
      table: (options) => readTable(state, options),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The last commit, if every line before its end is alive. */
async function cleanCommit(
  disk: Disk,
  paths: CollectionPaths,
  file: DiskFile,
  kernel: Kernel,
): Promise<CommitRecord | undefined> {
  const log = new CommitLog(await disk.open(paths.log, 'read'), kernel);
  let state: LogState;
  try {
    state = await readLog(log);
  } finally {
    await log.close();
  }
  const { last, commit, checkpoint } = state;
  if (last === undefined || commit === undefined || commit.count !== commit.lines) return;
  if (checkpoint === undefined) return;
  const index = await disk.open(paths.index, 'read');
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  let indexBytes: number;
  try {
    await index.read(header, 0);
    indexBytes = await index.size();
  } finally {
    await index.close();
  }
  // Without dead lines there is an entry for each document and no other.
  if (Buffer.compare(header, indexHeader(checkpoint.count)) !== 0) return;
  const size = await file.size();
  // A session under way spills entries behind the checkpoint's; a closed one leaves none.
  const isOurs =
    last.op === 'close'
      ? indexBytes === checkpoint.indexBytes && size === last.end
      : indexBytes >= checkpoint.indexBytes && size >= commit.end;
  return isOurs ? commit : undefined;
}
