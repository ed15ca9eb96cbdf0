/** Opening what is committed of a collection to read it once, as cheaply as its state allows. */
import type { Table } from 'apache-arrow';
import { nodeDisk } from '../io/index.ts';
import { placeOf } from './clean-files.ts';
import { openCleanScan } from './clean-scan.ts';
import type { CollectionState, ColumnsOptions, ColumnTotals } from './columns/index.ts';
import { FastStore } from './fast-store.ts';
import { kindOf } from './layout.ts';
import type { StoreInfo } from './options.ts';
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

/** The same with the id index. */
export interface ReadingCollection extends ReadingFiles {
  /** The line of a document. Errors: DOCUMENT_NOT_FOUND, CORRUPTED_DATA; for a file of its own as `Engine.getRaw`. */
  getRaw(id: string): Uint8Array;
  /** With a file per document there are no dead lines, commits or an index. */
  info(): StoreInfo;
}

/** Opens a collection of either kind, by ids too. Errors: as `ZdsRoot.collection` and `Engine.open`. */
export async function openCollection(
  root: string | ZdsRoot,
  collection: string,
): Promise<ReadingCollection> {
  if (typeof root === 'string') return openPath(root, (own) => openCollection(own, collection));
  if ((await kindOf(root.disk, root.path, collection)) === 'files') {
    // With it the hash of schemas is loaded.
    const { openDocuments } = await import('./engine/open-documents.ts');
    return openDocuments(root, collection);
  }
  return root.collection<object>(collection, { mode: 'read' });
}

/** Opens for reading; without the id index where no ids are asked for and nothing is dead. */
export async function openForReading(
  root: string | ZdsRoot,
  collection: string,
  byIds = false,
): Promise<ReadingFiles> {
  if (byIds) return openCollection(root, collection);
  // Where such a collection stands is a store, and need not be looked at.
  const clean = await openCleanScan(placeOf(root), collection);
  if (clean) return clean;
  if (typeof root !== 'string') return openCollection(root, collection);
  return openPath<ReadingFiles>(root, async (own) => {
    const packed = own.disk === nodeDisk ? undefined : await openCleanScan(own, collection);
    return packed ?? openCollection(own, collection);
  });
}

/** What `open` opens of the store at a path, which is let go of with it. */
async function openPath<F extends ReadingFiles>(
  path: string,
  open: (root: ZdsRoot) => Promise<F>,
): Promise<F> {
  const root = await ZdsRoot.open(path, { mode: 'read' });
  try {
    const files = await open(root);
    if (files instanceof FastStore) {
      files.onClose(() => root.close());
      return files;
    }
    return {
      ...files,
      async close() {
        await files.close();
        await root.close();
      },
    };
  } catch (error) {
    await root.close();
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

/**
 * Counts, sums, means and bounds of columns of what is committed now, from a snapshot without reading its values.
 * Errors: as `collectionTable`.
 */
export async function columnTotals(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<ColumnTotals[]> {
  const module = await import('./columns/collection-table.ts');
  return module.columnTotals(root, collection, options);
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
