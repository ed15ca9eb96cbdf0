/** Columns that were read as record batches. */
import { type Data, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { keepRows } from '../../arrow/keep-rows.ts';

/** Columns as a record batch, `runs` being the rows to take. */
export function toBatch(
  schema: Schema,
  columns: readonly Data[],
  rows: number,
  runs?: readonly number[],
): RecordBatch {
  const length = runs ? countRows(runs) : rows;
  const children = runs ? columns.map((column) => keepRows(column, runs, length)) : [...columns];
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length, nullCount: 0, children }));
}

/** How many rows there are in runs. */
export function countRows(runs: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < runs.length; i += 2) count += runs[i + 1]! - runs[i]!;
  return count;
}
