/** Reading a whole collection that is in plain order without loading its id index. */
import type { Table } from 'apache-arrow';
import { sharedKernel } from '../kernels/index.ts';
import { type CleanFiles, openCleanFiles } from './clean-files.ts';
import {
  type CollectionState,
  type ColumnsOptions,
  partsToRead,
  readTable,
} from './columns/index.ts';
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

/** Opens the committed state for scanning; undefined where `openCleanFiles` is. */
export async function openCleanScan(
  root: Pick<ZdsRoot, 'disk' | 'path'>,
  collection: string,
): Promise<CleanScan | undefined> {
  const files = await openCleanFiles(root, collection);
  if (files === undefined) return undefined;
  const state = stateOf(files);
  const { kernel, paths, snapshot } = state;
  const snapshots = { snapshot: async () => snapshot, snapshotSync: () => snapshot };
  const host = { kernel, path: paths.data, snapshots: () => snapshots };
  return {
    state,
    scan: (options) => new Scan<object>(host, options),
    table: (options) => readTable(state, options),
    close: () => files.data.close(),
  };
}

function stateOf({ disk, paths, generation, data, commit }: CleanFiles): CollectionState {
  const { end, lines, count: documents } = commit;
  const snapshot: Snapshot = {
    file: data,
    from: 0,
    end,
    whole: { end, lines, documents, sound: { until: 0 } },
    alive: undefined,
    stored: undefined,
    places: undefined,
    parts: (where) => partsToRead(state, where),
    release: () => undefined,
  };
  const kernel = sharedKernel();
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
  return state;
}
