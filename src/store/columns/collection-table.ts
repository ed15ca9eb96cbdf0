/**
 * `zds-stream/columns`: a collection as a table, and totals of its columns, for processes that need little else. What
 * answers from a snapshot that has all there is is loaded along, a quarter of what reads documents, which is loaded
 * where some must be read.
 */
import { Table } from 'apache-arrow';
import { openCleanFiles, placeOf } from '../clean-files.ts';
import { Layout } from '../layout.ts';
import type { ZdsRoot } from '../root.ts';
import {
  type BegunTable,
  beginTable,
  type ColumnsOptions,
  checkTable,
  type UsefulSnapshot,
} from './begin-table.ts';
import { holdsFor } from './manifest.ts';
import { type ColumnTotals, totalsOf } from './totals.ts';

export type { ColumnsOptions, ColumnTotals };

/** Columns of a snapshot that may turn out not to hold are read up to so many bytes. */
const MOST_AHEAD = 64 << 20;

/** As `collectionTable` of the package itself. Columns are read while the collection is opened. */
export async function collectionTable(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<Table> {
  const place = placeOf(root);
  const begun = await begin(place, collection, options, MOST_AHEAD);
  try {
    const table = await joinedTable(place, collection, begun);
    checkTable(options);
    if (table) return table;
    const [{ useForReading }, { finishTable }] = await Promise.all([
      import('../open-reading.ts'),
      import('./read-table.ts'),
    ]);
    return await useForReading(root, collection, (files) =>
      files.state?.disk === place.disk
        ? finishTable(files.state, begun, options)
        : files.table(options),
    );
  } finally {
    await begun.close();
  }
}

/**
 * Counts, sums, means and bounds of columns, of what is committed now. From a snapshot no values are read, only
 * those of documents that came behind it; where documents have died since, or without a usable one, those of all.
 * Errors: as `collectionTable`.
 */
export async function columnTotals(
  root: string | ZdsRoot,
  collection: string,
  options: ColumnsOptions = {},
): Promise<ColumnTotals[]> {
  const place = placeOf(root);
  const begun = await begin(place, collection, options, -1);
  try {
    const { found } = begun;
    const totals = found && totalsOf(found);
    const isKnown = totals && (await hasAll(place, collection, found));
    checkTable(options);
    if (isKnown) return totals.columns();
    const [{ useForReading }, { readTotals }] = await Promise.all([
      import('../open-reading.ts'),
      import('./read-totals.ts'),
    ]);
    return await useForReading(root, collection, (files) => readTotals(files, begun, options));
  } finally {
    await begun.close();
  }
}

type Place = Pick<ZdsRoot, 'disk' | 'path'>;

/** Columns of up to `most` bytes are read at once. */
function begin(
  { disk, path }: Place,
  collection: string,
  options: ColumnsOptions,
  most: number,
): Promise<BegunTable> {
  const paths = Layout.collection(path, collection);
  return beginTable({ disk, paths }, options, (bytes) => bytes <= most);
}

/** Undefined unless the snapshot has all there is, in columns that are joined. */
async function joinedTable(
  place: Place,
  collection: string,
  { found, joined }: BegunTable,
): Promise<Table | undefined> {
  if (!found || !joined || !(await hasAll(place, collection, found))) return undefined;
  const batch = await joined;
  return batch && new Table(found.plan.schema, [batch]);
}

/** Whether every committed document is alive and in the snapshot. */
async function hasAll(
  place: Place,
  collection: string,
  { manifest }: UsefulSnapshot,
): Promise<boolean> {
  const files = await openCleanFiles(place, collection);
  if (!files) return false;
  const { data, generation, commit } = files;
  const { end, lines, count: documents } = commit;
  try {
    const moment = { generation, lines, documents, isLogged: true, snapshot: { file: data, end } };
    return manifest.end >= end && (await holdsFor(manifest, moment));
  } finally {
    await data.close();
  }
}
