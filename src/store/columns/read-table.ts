/**
 * A collection as an Arrow table, as it is now: the newest snapshot from its file, without the rows that
 * have died since, and behind them what came after it, read from the documents. Where no snapshot can be
 * used, or a document does not fit its columns, everything is read from the documents.
 */
import { type RecordBatch, Table } from 'apache-arrow';
import { inferSchema } from '../../arrow/infer.ts';
import { toRecordBatch } from '../../arrow/record-batch.ts';
import { makePlan, type Plan, resolveSchema, type SchemaInput } from '../../arrow/schema.ts';
import { EtlError, isEtlError } from '../../core/errors.ts';
import { parseExpression } from '../../core/expression.ts';
import { formatExpression } from '../../core/expression-format.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../../core/path.ts';
import type { Predicate } from '../../core/predicate.ts';
import type { Disk } from '../../io/disk.ts';
import type { Column, FieldStats } from '../../kernels/index.ts';
import {
  allOf,
  DecodedChunk,
  fillRange,
  Living,
  scanState,
  toBatch,
  unlessDamaged,
} from './chunks.ts';
import { bytesToJoin, joinChunks } from './join-chunks.ts';
import {
  type CollectionState,
  type Definition,
  findChunk,
  holdsFor,
  type Manifest,
  type OpenSnapshot,
  openSnapshot,
} from './manifest.ts';

/** Which columns, of which documents. With none of the three all of it is as the newest snapshot was made. */
export interface ColumnsOptions {
  /** Fields, dotted paths among them, each a column of that name. Default: all top-level fields. */
  readonly columns?: readonly PathInput[] | undefined;
  /**
   * The columns with their types, in place of `columns`. Default: types that hold all there is; from a snapshot
   * those that it found, which may be wider where documents have died since.
   */
  readonly schema?: SchemaInput | undefined;
  /** Documents to take. Default: all. */
  readonly where?: Predicate | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was asked for, with the types where those were given. */
export interface Wish {
  readonly definition: Definition;
  readonly where: Predicate | undefined;
  readonly plan: Plan | undefined;
}

/** Errors: INVALID_ARGUMENT for both `columns` and `schema`. */
export function parseWish({ columns, schema, where }: ColumnsOptions): Wish {
  if (columns && schema) {
    throw new EtlError('INVALID_ARGUMENT', 'give columns or schema: a schema names its columns');
  }
  const plan = schema === undefined ? undefined : resolveSchema(schema);
  const fields =
    plan?.columns.map(({ name }) => name) ?? columns?.map((c) => formatPath(parsePath(c)));
  const definition: Definition = {
    ...(fields ? { fields } : {}),
    ...(plan ? { typed: true } : {}),
    ...(where ? { where: formatExpression(where) } : {}),
  };
  return { definition, where, plan };
}

/** The wish that a snapshot was made of. */
export function wishOf({ definition, columns }: Manifest): Wish {
  const where = definition.where === undefined ? undefined : parseExpression(definition.where);
  return { definition, where, plan: definition.typed ? makePlan(columns) : undefined };
}

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

/** A table under way: its snapshot is open, and where its columns can be joined they are being read. */
export interface BegunTable {
  readonly disk: Disk;
  readonly wish: Wish;
  readonly found: OpenSnapshot | undefined;
  /** What the snapshot has of the wish; undefined where other columns are asked for. */
  readonly plan: Plan | undefined;
  readonly joined: Promise<RecordBatch | undefined> | undefined;
  /** Waits until nothing is under way any more. */
  close(): Promise<void>;
}

/**
 * Opens the snapshot and begins to read what it has of what is asked for, if `mayJoin` it; whether it holds is
 * seen later, so that the collection may be opened meanwhile. Errors: as `parseWish`.
 */
export async function beginTable(
  files: Pick<CollectionState, 'disk' | 'paths'>,
  options: ColumnsOptions,
  mayJoin: (bytes: number, manifest: Manifest) => boolean,
): Promise<BegunTable> {
  const found = await openSnapshot(files);
  const wish = found && asksNothing(options) ? wishOf(found.manifest) : parseWish(options);
  const plan = found && planOf(found.manifest, wish);
  const bytes = plan && bytesToJoin(found!, plan);
  const joined =
    bytes !== undefined && mayJoin(bytes, found!.manifest)
      ? unlessDamaged(() => joinChunks(found!, plan!))
      : undefined;
  // Who waits for it hears of its failure.
  joined?.catch(() => undefined);
  const close = async (): Promise<void> => {
    await joined?.catch(() => undefined);
    await found?.drive.close();
  };
  return { disk: files.disk, wish, found, plan, joined, close };
}

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
  { signal }: ColumnsOptions,
): Promise<Table> {
  const { found, wish } = begun;
  if (found && begun.plan && (await holdsFor(found.manifest, state))) {
    const table = await fromSnapshot(state, begun, begun.plan, found, signal);
    if (table) return table;
  }
  const plan = await findPlan(state, wish, signal);
  return new Table(plan.schema, await fill(state, wish, plan, 0, signal));
}

/** True where a snapshot is to be taken as it was made. */
export function asksNothing({ columns, schema, where }: ColumnsOptions): boolean {
  return columns === undefined && schema === undefined && where === undefined;
}

/** The columns asked for, where the snapshot has them, of the documents asked for. */
function planOf({ columns, definition: own }: Manifest, wish: Wish): Plan | undefined {
  const { definition, plan } = wish;
  if (definition.where !== own.where) return undefined;
  if (plan) {
    const has = plan.columns.every((column) => columns.some((each) => isSame(each, column)));
    return has ? plan : undefined;
  }
  const { fields } = definition;
  if (fields === undefined) return own.fields === undefined ? makePlan(columns) : undefined;
  if (own.typed) return undefined;
  const found = fields.map((field) => columns.find((each) => isOf(each, field)));
  return found.includes(undefined) ? undefined : makePlan(found as Column[]);
}

/** Whether it is the column of a field as `findColumn` makes it: a name with a dot may be a path, or one name. */
function isOf({ name, path = [name] }: Column, field: string): boolean {
  return name === field && formatPath(path) === formatPath(parsePath(field));
}

const isSame = (a: Column, b: Column): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Undefined where the snapshot does not do: a document behind it does not fit, or it is damaged. */
async function fromSnapshot(
  state: CollectionState,
  { wish, joined }: BegunTable,
  plan: Plan,
  found: OpenSnapshot,
  signal: AbortSignal | undefined,
): Promise<Table | undefined> {
  const { manifest } = found;
  const same = noneDied(state, manifest);
  const batch = same ? await joined : undefined;
  const chunks = batch ? [batch] : await unlessDamaged(() => readChunks(state, found, plan, same));
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
  { drive, manifest }: OpenSnapshot,
  { schema }: Plan,
  same: boolean,
): Promise<RecordBatch[]> {
  const { chunks } = manifest;
  const { fields } = makePlan(manifest.columns).schema;
  let living: Living | undefined;
  // What is small is read first: beside the columns it would wait for them.
  const decoded = chunks.map((chunk) => new DecodedChunk(findChunk(drive, chunk), fields));
  const batches = chunks.map(async ({ rows, whole }, i) => {
    const chunk = decoded[i]!;
    if (chunk.rows !== rows) throw new RangeError('other rows');
    let runs: readonly number[] | undefined;
    if (!same || !whole) {
      living ??= new Living(state);
      runs = living.runs(await chunk.starts());
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

async function fill(
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
