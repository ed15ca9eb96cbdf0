/**
 * `zds-stream/columns`: a collection as a table, for processes that need little else. What reads columns is
 * loaded along, and of the rest of the package what opens a collection: a third of what all of it loads.
 */
import type { Table } from 'apache-arrow';
import { useForReading } from '../open-reading.ts';
import type { ZdsRoot } from '../root.ts';
import { type ColumnsOptions, readTable } from './read-table.ts';

export type { ColumnsOptions };

/** As `collectionTable` of the package itself, which loads what reads columns when it is first called. */
export function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  return useForReading(root, collection, (files) =>
    files.state ? readTable(files.state, options) : files.table(options),
  );
}
