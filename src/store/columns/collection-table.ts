/**
 * `zds-stream/columns`: a collection as a table, for processes that need little else. What reads columns is
 * loaded along, and of the rest of the package what opens a collection: a third of what all of it loads.
 */
import type { Table } from 'apache-arrow';
import { Layout } from '../layout.ts';
import { placeOf, useForReading } from '../open-reading.ts';
import type { ZdsRoot } from '../root.ts';
import { beginTable, type ColumnsOptions, finishTable } from './read-table.ts';

export type { ColumnsOptions };

/** Columns of a snapshot that may turn out not to hold are read up to so many bytes. */
const MOST_AHEAD = 64 << 20;

/**
 * As `collectionTable` of the package itself, which loads what reads columns when it is first called. Columns are
 * read while the collection is opened.
 */
export async function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  const { disk, path } = placeOf(root);
  const paths = Layout.collection(path, collection);
  const begun = await beginTable({ disk, paths }, options, (bytes) => bytes <= MOST_AHEAD);
  try {
    return await useForReading(root, collection, (files) =>
      files.state?.disk === disk ? finishTable(files.state, begun, options) : files.table(options),
    );
  } finally {
    await begun.close();
  }
}
