/**
 * The door to the columns of a collection. What is behind it needs apache-arrow, a hundred modules, and is
 * loaded when columns are first asked for: a collection is opened, read and written without.
 */
import type { Table } from 'apache-arrow';
import type { Predicate } from '../../core/predicate.ts';
import type { Part } from '../scan-snapshot.ts';
import type { ColumnsOptions } from './begin-table.ts';
import type { CollectionState } from './manifest.ts';

import type { ColumnTotals } from './totals.ts';
import type { SnapshotOptions, SnapshotReport } from './write-snapshot.ts';

export type { CollectionState, ColumnsOptions, ColumnTotals, SnapshotOptions, SnapshotReport };

/** The bytes in which documents may stand that satisfy the predicate: all, unless a column snapshot knows better. */
export async function partsToRead(
  state: CollectionState,
  where: Predicate | undefined,
): Promise<readonly Part[]> {
  const { disk, paths, snapshot } = state;
  if (where === undefined || (await disk.stat(paths.columns)) === undefined) {
    return [[0, snapshot.end]];
  }
  const { partsOf } = await import('./parts.ts');
  return partsOf(state, where);
}

/** As `FastStore.table`. */
export async function readTable(state: CollectionState, options: ColumnsOptions): Promise<Table> {
  const module = await import('./read-table.ts');
  return module.readTable(state, options);
}

/** As `FastStore.snapshot`; `commit` answers the state of the last commit, and is called once nobody else writes one. */
export async function writeSnapshot(
  place: Pick<CollectionState, 'disk' | 'paths'>,
  options: SnapshotOptions,
  commit: () => Promise<CollectionState>,
): Promise<SnapshotReport> {
  const module = await import('./write-snapshot.ts');
  return module.writeSnapshot(place, options, commit);
}
