/**
 * `zds-stream/columns`: a collection as a table, for processes that need little else. What answers from a snapshot
 * that has all there is is loaded along, a quarter of what reads documents, which is loaded where some must be read.
 */
import { Table } from 'apache-arrow';
import { openCleanFiles, placeOf } from '../clean-files.ts';
import { Layout } from '../layout.ts';
import type { ZdsRoot } from '../root.ts';
import { type BegunTable, beginTable, type ColumnsOptions } from './begin-table.ts';
import { holdsFor } from './manifest.ts';

export type { ColumnsOptions };

/** Columns of a snapshot that may turn out not to hold are read up to so many bytes. */
const MOST_AHEAD = 64 << 20;

/** As `collectionTable` of the package itself. Columns are read while the collection is opened. */
export async function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  const place = placeOf(root);
  const paths = Layout.collection(place.path, collection);
  const files = { disk: place.disk, paths };
  const begun = await beginTable(files, options, (bytes) => bytes <= MOST_AHEAD);
  try {
    const table = await joinedTable(place, collection, begun);
    if (table) return table;
    const [{ useForReading }, { finishTable }] = await Promise.all([
      import('../open-reading.ts'),
      import('./read-table.ts'),
    ]);
    return await useForReading(root, collection, (opened) =>
      opened.state?.disk === place.disk
        ? finishTable(opened.state, begun, options)
        : opened.table(options),
    );
  } finally {
    await begun.close();
  }
}

/** Undefined unless the snapshot has all there is, in columns that are joined. */
async function joinedTable(
  place: Pick<ZdsRoot, 'disk' | 'path'>,
  collection: string,
  { found, plan, joined }: BegunTable,
): Promise<Table | undefined> {
  const files = joined && (await openCleanFiles(place, collection));
  if (!files) return undefined;
  const { data, generation, commit } = files;
  const { end, lines, count: documents } = commit;
  try {
    const moment = { generation, lines, documents, isLogged: true, snapshot: { file: data, end } };
    const { manifest } = found!;
    if (manifest.end < end || !(await holdsFor(manifest, moment))) return undefined;
    const batch = await joined;
    return batch && new Table(plan!.schema, [batch]);
  } finally {
    await data.close();
  }
}
