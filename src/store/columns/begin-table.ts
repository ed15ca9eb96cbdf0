/**
 * What is asked of a snapshot, and the reading of it before it is known whether it holds: opening the collection
 * takes as long as the disk needs for the columns.
 */
import type { RecordBatch } from 'apache-arrow';
import { makePlan, type Plan, resolveSchema, type SchemaInput } from '../../arrow/schema.ts';
import { checkSignal } from '../../core/abort.ts';
import { checkList } from '../../core/check-option.ts';
import { EtlError } from '../../core/errors.ts';
import { parseExpression } from '../../core/expression.ts';
import { formatExpression } from '../../core/expression-format.ts';
import { formatPath, type PathInput, parsePath } from '../../core/path.ts';
import { checkPredicate, type Predicate } from '../../core/predicate.ts';
import type { Disk } from '../../io/disk.ts';
import type { Column } from '../../kernels/types.ts';
import { bytesToJoin, joinChunks } from './join-chunks.ts';
import {
  type CollectionState,
  type Definition,
  type Manifest,
  type OpenSnapshot,
  openSnapshot,
} from './manifest.ts';
import { unlessDamaged } from './unless-damaged.ts';

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

/** Errors: INVALID_ARGUMENT for both `columns` and `schema`, and for what is no list or no predicate. */
export function parseWish({ columns, schema, where }: ColumnsOptions): Wish {
  if (columns && schema) {
    throw new EtlError('INVALID_ARGUMENT', 'give columns or schema: a schema names its columns');
  }
  if (where !== undefined) checkPredicate(where);
  const plan = schema === undefined ? undefined : resolveSchema(schema);
  const fields =
    plan?.columns.map(({ name }) => name) ??
    (columns && checkList('columns', columns).map((c) => formatPath(parsePath(c))));
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

/** An open snapshot, and what it has of what is asked for. */
export interface UsefulSnapshot extends OpenSnapshot {
  readonly plan: Plan;
}

/** A table under way: its snapshot is open, and where its columns can be joined they are being read. */
export interface BegunTable {
  readonly disk: Disk;
  readonly wish: Wish;
  /** Undefined where there is none, or other columns are asked for. */
  readonly found: UsefulSnapshot | undefined;
  readonly joined: Promise<RecordBatch | undefined> | undefined;
  /** Waits until nothing is under way any more. */
  close(): Promise<void>;
}

/**
 * Opens the snapshot and begins to read what it has of what is asked for, if `mayJoin` it; whether it holds is
 * seen later, so that the collection may be opened meanwhile. Errors: as `parseWish`; ABORTED.
 */
export async function beginTable(
  files: Pick<CollectionState, 'disk' | 'paths'>,
  options: ColumnsOptions,
  mayJoin: (bytes: number, manifest: Manifest) => boolean,
): Promise<BegunTable> {
  const { disk } = files;
  checkTable(options);
  const asked = parseWish(options);
  const opened = await openSnapshot(files);
  try {
    const wish = opened && asksNothing(options) ? wishOf(opened.manifest) : asked;
    const plan = opened && planOf(opened.manifest, wish);
    if (!plan) {
      await opened?.drive.close();
      return { disk, wish, found: undefined, joined: undefined, close: async () => undefined };
    }
    const found = { ...opened, plan };
    const bytes = bytesToJoin(found);
    const mayBegin = bytes !== undefined && mayJoin(bytes, found.manifest);
    const joined = mayBegin ? unlessDamaged(() => joinChunks(found)) : undefined;
    // Who waits for it hears of its failure.
    joined?.catch(() => undefined);
    const close = async (): Promise<void> => {
      await joined?.catch(() => undefined);
      await found.drive.close();
    };
    return { disk, wish, found, joined, close };
  } catch (error) {
    await opened?.drive.close();
    throw error;
  }
}

/** Errors: ABORTED where the table is not wanted any more. */
export function checkTable({ signal }: ColumnsOptions): void {
  checkSignal(signal, 'the table was stopped');
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
