/**
 * Reading a whole collection that is in plain order without loading its id index. Any other, or one that
 * cannot be read, is left to `FastStore.open`, which knows what to do or what to say.
 */
import type { Table } from 'apache-arrow';
import type { Disk, DiskFile } from '../io/disk.ts';
import { openAllIfThere } from '../io/open-if-there.ts';
import { type Kernel, sharedKernel } from '../kernels/index.ts';
import { readClean } from './clean-state.ts';
import {
  type CollectionState,
  type ColumnsOptions,
  partsToRead,
  readTable,
} from './columns/index.ts';
import { CommitLog, type CommitRecord } from './commit-log.ts';
import { type Located, openSettled } from './generation.ts';
import { Layout } from './layout.ts';
import { readLog } from './log-state.ts';
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
  const opened = await openAllIfThere(disk, [paths.data, paths.log, paths.index]);
  if (opened === undefined) return undefined;
  const [file, log, index] = opened as [DiskFile, DiskFile, DiskFile];
  try {
    const commit = await cleanCommit(file, log, index, kernel);
    // Beside no lines there may be documents in files.
    if (commit === undefined || commit.end === 0) {
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

/** The last commit, if every line before its end is alive. Log and index are closed then. */
async function cleanCommit(
  data: DiskFile,
  log: DiskFile,
  index: DiskFile,
  kernel: Kernel,
): Promise<CommitRecord | undefined> {
  try {
    const state = await readLog(new CommitLog(log, kernel));
    return (await readClean(state, index, await data.size()))?.commit;
  } finally {
    await log.close();
    await index.close();
  }
}
