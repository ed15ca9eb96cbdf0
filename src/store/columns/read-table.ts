/**
 * A collection as an Arrow table, as it is now: the newest snapshot from its file, without the rows that
 * have died since, and behind them what came after it, read from the documents. Where no snapshot can be
 * used, or a document does not fit its columns, everything is read from the documents.
 */
import { type RecordBatch, Table } from 'apache-arrow';
import { inferSchema } from '../../arrow/infer.ts';
import { toRecordBatch } from '../../arrow/record-batch.ts';
import { makePlan, type Plan } from '../../arrow/schema.ts';
import { isEtlError } from '../../core/errors.ts';
import { type Path, parsePath } from '../../core/path.ts';
import type { Column, FieldStats } from '../../kernels/index.ts';
import {
  type BegunTable,
  beginTable,
  type ColumnsOptions,
  checkTable,
  type UsefulSnapshot,
  type Wish,
} from './begin-table.ts';
import { DecodedChunk, fillRange, Living, scanState } from './chunks.ts';
import { type CollectionState, findChunk, holdsFor } from './manifest.ts';
import { toBatch } from './to-batch.ts';
import { allOf, unlessDamaged } from './unless-damaged.ts';

/** The columns with types that hold every value there is. Reads all documents. */
export async function findPlan(
  state: CollectionState,
  { definition, where, plan }: Wish,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  if (plan) return plan;
  const seen = (await scanState(state, { where, signal }).fields())?.fields ?? [];
  if (!definition.fields) return inferSchema(seen);
  return makePlan(definition.fields.map((field) => findColumn(field, seen)));
}

function findColumn(name: string, seen: readonly FieldStats[]): Column {
  const path = parsePath(name);
  let fields = seen;
  let found: FieldStats | undefined;
  for (const step of path) {
    found = fields.find((field) => !field.element && field.path.at(-1) === step);
    fields = found?.children ?? [];
  }
  const type = found ? inferSchema([found]).columns[0]!.type : ({ kind: 'utf8' } as const);
  return { name, type, ...(isName(name, path) ? {} : { path }) };
}

const isName = (name: string, path: Path): boolean => path.length === 1 && path[0] === name;

/** As `FastStore.table`. Errors: SCHEMA_CHANGED, ABORTED, IO_ERROR, CORRUPTED_DATA. */
export async function readTable(state: CollectionState, options: ColumnsOptions): Promise<Table> {
  const begun = await beginTable(state, options, (_, manifest) => noneDied(state, manifest));
  try {
    return await finishTable(state, begun, options);
  } finally {
    await begun.close();
  }
}

/** The table of the state. Errors: as `readTable`. */
export async function finishTable(
  state: CollectionState,
  begun: BegunTable,
  options: ColumnsOptions,
): Promise<Table> {
  const { signal } = options;
  const { found, wish } = begun;
  if (found && (await holdsFor(found.manifest, state))) {
    const table = await fromSnapshot(state, begun, found, signal);
    checkTable(options);
    if (table) return table;
  }
  const plan = await findPlan(state, wish, signal);
  return new Table(plan.schema, await fill(state, wish, plan, 0, signal));
}

/** Undefined where the snapshot does not do: a document behind it does not fit, or it is damaged. */
async function fromSnapshot(
  state: CollectionState,
  { wish, joined }: BegunTable,
  found: UsefulSnapshot,
  signal: AbortSignal | undefined,
): Promise<Table | undefined> {
  const { manifest, plan } = found;
  const same = noneDied(state, manifest);
  const batch = same ? await joined : undefined;
  const chunks = batch ? [batch] : await unlessDamaged(() => readChunks(state, found, same));
  if (!chunks) return undefined;
  try {
    const tail = await fill(state, wish, plan, manifest.end, signal);
    return new Table(plan.schema, [...chunks, ...tail]);
  } catch (error) {
    if (!manifest.definition.typed && isEtlError(error, 'SCHEMA_CHANGED')) return undefined;
    throw error;
  }
}

/** The chunks one by one; all rows of the whole ones live where `same`. Errors: what `unlessDamaged` takes. */
async function readChunks(
  state: CollectionState,
  { drive, manifest, plan }: UsefulSnapshot,
  same: boolean,
): Promise<RecordBatch[]> {
  const { chunks, definition } = manifest;
  const hasAll = definition.where === undefined;
  const { schema } = plan;
  const { fields } = makePlan(manifest.columns).schema;
  let living: Living | undefined;
  // What is small is read first: beside the columns it would wait for them.
  const decoded = chunks.map((chunk) => new DecodedChunk(findChunk(drive, chunk), fields));
  const batches = chunks.map(async (range, i) => {
    const { rows, whole } = range;
    const chunk = decoded[i]!;
    if (chunk.rows !== rows) throw new RangeError('other rows');
    let runs: readonly number[] | undefined;
    if (!same || !whole) {
      living ??= new Living(state);
      runs = living.runs(await chunk.starts(), range, hasAll);
      if (runs.length === 0) return [];
      if (runs.length === 2 && runs[1]! - runs[0]! === rows) runs = undefined;
    }
    return [toBatch(schema, await chunk.columns(schema.fields), rows, runs)];
  });
  return (await allOf(batches)).flat();
}

/** Lines that died stay dead: as many dead ones as there were are the same ones. */
export function noneDied(
  { lines, documents }: CollectionState,
  then: Pick<CollectionState, 'lines' | 'documents'>,
): boolean {
  return lines - documents === then.lines - then.documents;
}

/** Documents from `from` on. Errors: SCHEMA_CHANGED for one that does not fit the plan, ABORTED. */
export async function fill(
  state: CollectionState,
  { where, definition }: Wish,
  plan: Plan,
  from: number,
  signal: AbortSignal | undefined,
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  // Where nothing is left to read no kernel need be compiled.
  if (from >= state.snapshot.end) return batches;
  const input = { state, plan, where, allFields: !definition.fields, signal };
  for await (const { columns, rows } of fillRange(input, from, state.snapshot.end)) {
    batches.push(toRecordBatch(plan.schema, columns, rows));
  }
  return batches;
}
