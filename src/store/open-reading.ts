/** Opening what is committed of a collection to read it once, as cheaply as its state allows. */
import type { Table } from 'apache-arrow';
import { nodeDisk } from '../io/index.ts';
import { openCleanScan } from './clean-scan.ts';
import type { CollectionState, ColumnsOptions } from './columns/index.ts';
import { ZdsRoot } from './root.ts';
import type { Scan, ScanOptions } from './scan.ts';

/** What reading needs: a whole store, or just the files where every line is alive. */
export interface ReadingFiles {
  /** Where every line is alive. */
  readonly state?: CollectionState;
  scan(options: ScanOptions): Scan<object>;
  table(options: ColumnsOptions): Promise<Table>;
  close(): Promise<void>;
}

/** Opens for reading; without the id index where no ids are asked for and nothing is dead. */
export async function openForReading(
  root: string | ZdsRoot,
  collection: string,
  byIds = false,
): Promise<ReadingFiles> {
  const openClean = (from: Pick<ZdsRoot, 'disk' | 'path'>): Promise<ReadingFiles | undefined> =>
    byIds ? Promise.resolve(undefined) : openCleanScan(from, collection);
  if (typeof root !== 'string') {
    return (await openClean(root)) ?? root.collection<object>(collection, { mode: 'read' });
  }
  // Where such a collection stands is a store, and need not be looked at.
  const clean = await openClean({ disk: nodeDisk, path: root });
  if (clean) return clean;
  const own = await ZdsRoot.open(root, { mode: 'read' });
  try {
    const files =
      (own.disk === nodeDisk ? undefined : await openClean(own)) ??
      (await own.collection<object>(collection, { mode: 'read' }));
    return {
      scan: (options) => files.scan(options),
      table: (options) => files.table(options),
      async close() {
        await files.close();
        await own.close();
      },
    };
  } catch (error) {
    await own.close();
    throw error;
  }
}

/**
 * As `FastStore.table`, of what is committed now, in a few milliseconds: where no document was ever
 * replaced or deleted the id index is not loaded. The table stays good when the files change.
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND, INVALID_PATH, and those of `FastStore.table`.
 */
export function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  return useForReading(root, collection, (files) => files.table(options));
}

/** What `use` makes of the files, which are open until it has. */
export async function useForReading<T>(
  root: string | ZdsRoot,
  collection: string,
  use: (files: ReadingFiles) => Promise<T>,
): Promise<T> {
  const files = await openForReading(root, collection);
  try {
    return await use(files);
  } finally {
    await files.close();
  }
}
