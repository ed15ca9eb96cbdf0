/** Totals of columns where values must be read: of what came behind a snapshot, or of all there is. */
import type { Data, RecordBatch } from 'apache-arrow';
import { type Plan, resolveSchema } from '../../arrow/schema.ts';
import { isEtlError } from '../../core/errors.ts';
import type { ColumnData } from '../../kernels/types.ts';
import type { ReadingFiles } from '../open-reading.ts';
import type { BegunTable, ColumnsOptions } from './begin-table.ts';
import { type CollectionState, holdsFor } from './manifest.ts';
import { type ColumnStats, measure } from './measure.ts';
import { fill, noneDied } from './read-table.ts';
import { type ColumnTotals, isNumber, Totals, totalsOf } from './totals.ts';

/** As `columnTotals`, of files that are open. */
export async function readTotals(
  files: ReadingFiles,
  begun: BegunTable,
  options: ColumnsOptions,
): Promise<ColumnTotals[]> {
  const { state } = files;
  const known =
    state?.disk === begun.disk ? await behindSnapshot(state, begun, options) : undefined;
  if (known) return known.columns();
  const table = await files.table(options);
  const plan = resolveSchema(table.schema);
  const totals = new Totals(plan);
  for (const batch of table.batches) addBatch(totals, plan, batch);
  return totals.columns();
}

/** Undefined where the snapshot does not do. */
async function behindSnapshot(
  state: CollectionState,
  { found, wish }: BegunTable,
  { signal }: ColumnsOptions,
): Promise<Totals | undefined> {
  if (!found) return undefined;
  const { manifest, plan } = found;
  const totals = noneDied(state, manifest) ? totalsOf(found) : undefined;
  if (!totals || !(await holdsFor(manifest, state))) return undefined;
  try {
    for (const batch of await fill(state, wish, plan, manifest.end, signal)) {
      addBatch(totals, plan, batch);
    }
    return totals;
  } catch (error) {
    if (!manifest.definition.typed && isEtlError(error, 'SCHEMA_CHANGED')) return undefined;
    throw error;
  }
}

function addBatch(totals: Totals, { columns }: Plan, { data, numRows }: RecordBatch): void {
  const stats = data.children.map((child, i): ColumnStats => {
    const { nullCount: nulls, type } = child;
    return isNumber(type) ? measure(columns[i]!, toColumn(child)) : { nulls };
  });
  totals.add(stats, numRows);
}

function toColumn({ length, nullCount, nullBitmap, values }: Data): ColumnData {
  return { length, nullCount, values, ...(nullCount > 0 ? { validity: nullBitmap } : {}) };
}
