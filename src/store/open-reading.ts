/** Opening what is committed of a collection to read it once, as cheaply as its state allows. */
import type { Table } from 'apache-arrow';
import { openCleanScan } from './clean-scan.ts';
import type { ColumnsOptions } from './columns/index.ts';
import { ZdsRoot } from './root.ts';
import type { Scan, ScanOptions } from './scan.ts';

/** What reading needs: a whole store, or just the files where every line is alive. */
export interface ReadingFiles {
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
  const own = typeof root === 'string' ? await ZdsRoot.open(root, { mode: 'read' }) : undefined;
  const from = own ?? (root as ZdsRoot);
  try {
    const clean = byIds ? undefined : await openCleanScan(from, collection);
    const files = clean ?? (await from.collection<object>(collection, { mode: 'read' }));
    return {
      scan: (options) => files.scan(options),
      table: (options) => files.table(options),
      async close() {
        await files.close();
        await own?.close();
      },
    };
  } catch (error) {
    await own?.close();
    throw error;
  }
}

/**
 * As `FastStore.table`, of what is committed now, in a few milliseconds: where no document was ever
 * replaced or deleted the id index is not loaded. The table stays good when the files change.
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND, INVALID_PATH, and those of `FastStore.table`.
 */
export async function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  const files = await openForReading(root, collection);
  try {
    return await files.table(options);
  } finally {
    await files.close();
  }
}
