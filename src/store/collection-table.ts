/** A collection as a table, in one call. */
import type { Table } from 'apache-arrow';
// What reads columns is loaded along: whoever imports this asks for a table, and then it counts.
import './columns/read-table.ts';
import type { ColumnsOptions } from './columns/index.ts';
import { openForReading } from './open-reading.ts';
import type { ZdsRoot } from './root.ts';

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
