/**
 * Arrow in drives. An entry may hold numbers of one type, or Arrow IPC; both are used where they lie in
 * the mapped file. A table is many entries: one per record batch, each a whole IPC stream, and under the
 * table's own key a list of them, as JSON. Only what is worked on has to be in memory.
 *
 * The list is written and synced after the batches, and the batches of a table that was there before are
 * deleted after that: whatever instant the machine stops, the key leads to one whole table. Readers go on
 * with the table that they opened.
 */
import {
  DataType,
  Dictionary,
  type Field,
  makeBuilder,
  makeData,
  RecordBatch,
  RecordBatchReader,
  Schema,
  Struct,
  Table,
  util,
  Vector,
} from 'apache-arrow';
import { fixedWidth } from '../../arrow/buffers.ts';
import { IpcEncoder } from '../../arrow/ipc.ts';
import { EtlError } from '../../core/errors.ts';
import type { DriveKey } from '../../kernels/index.ts';
import type { DataStore } from './data-store.ts';
import type { EntryHandle } from './entry-handle.ts';
import { alignOrCopy, type TypedArrayOf } from './extensions/align-or-copy.ts';

/** A table as it comes: whole, or batch by batch, one batch at least. */
export type TableInput = Table | Iterable<RecordBatch> | AsyncIterable<RecordBatch>;

/** The list of a table's batches. */
interface TableList {
  readonly format: 'zds-table';
  /** How often a table was written under this key: names the entries. */
  readonly write: number;
  readonly batches: readonly { readonly rows: number; readonly bytes: number }[];
}

const LIST_BEGIN = Buffer.from('{"format":"zds-table",');

/**
 * The payload as a vector of a type of fixed width without nulls, not copied; of booleans, which have a bit each, there
 * are eight to a byte. Errors: INVALID_ARGUMENT for another type, or where the payload is no whole number of values.
 */
export function asVector<T extends DataType>(entry: EntryHandle, type: T): Vector<T> {
  const length = (entry.size * 8) / widthOf(type);
  if (!Number.isSafeInteger(length)) {
    throw new EtlError('INVALID_ARGUMENT', `${entry.size} bytes are no whole number of ${type}`);
  }
  const values: unknown = alignOrCopy(entry.payload, type.ArrayType as TypedArrayOf<unknown>);
  const data = { type, length, nullCount: 0, data: values } as Parameters<typeof makeData>[0];
  return new Vector([makeData(data)]) as unknown as Vector<T>;
}

/** The Arrow IPC in the payload, file or stream, as a table, not copied. Errors: CORRUPTED_DATA. */
export function asTable(entry: EntryHandle): Table {
  return readIpc(entry.payload);
}

/** The first record batch of the Arrow IPC in the payload, not copied. Errors: CORRUPTED_DATA. */
export function asRecordBatch(entry: EntryHandle): RecordBatch {
  const [batch] = asTable(entry).batches;
  if (batch) return batch;
  throw new EtlError('CORRUPTED_DATA', 'the entry has no record batch');
}

/** Bytes of an IPC stream of one record batch, in parts; buffers at multiples of 64. */
export function encodeBatch(batch: RecordBatch): Uint8Array[] {
  const encoder = new IpcEncoder(batch.schema, 'stream');
  return [...encoder.start(), ...encoder.rows(batch), ...encoder.end()];
}

/** Arrow IPC as a table over the same memory. Errors: CORRUPTED_DATA. */
export function readIpc(bytes: Uint8Array): Table {
  try {
    const reader = RecordBatchReader.from(bytes);
    const batches = [...reader];
    return new Table(reader.schema, batches);
  } catch (cause) {
    throw new EtlError('CORRUPTED_DATA', 'the entry holds no Arrow IPC that can be read', {
      cause,
    });
  }
}

/** As `DataStore.writeTable`. */
export async function writeTable(
  drive: DataStore,
  key: DriveKey,
  input: TableInput,
): Promise<number> {
  const before = readList(drive, key);
  const write = (before?.write ?? 0) + 1;
  const batches: { rows: number; bytes: number }[] = [];
  const add = async (batch: RecordBatch): Promise<void> => {
    const parts = encodeBatch(batch);
    await drive.writeStream(batchKey(key, write, batches.length), parts);
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    batches.push({ rows: batch.numRows, bytes });
  };
  let first: Schema | undefined = input instanceof Table ? input.schema : undefined;
  for await (const batch of input instanceof Table ? input.batches : input) {
    first ??= batch.schema;
    await add(underSchema(batch, first));
  }
  if (batches.length === 0) {
    if (!first) throw new EtlError('INVALID_ARGUMENT', 'a table without a batch has no schema');
    const none = makeBuilder({ type: new Struct(first.fields) }).finish();
    await add(new RecordBatch(first, none.flush()));
  }
  const stale = [
    ...(before ? batchKeys(key, before) : []),
    ...leftKeys(drive, key, write, batches.length),
  ];
  await drive.sync();
  const list: TableList = { format: 'zds-table', write, batches };
  await drive.write(key, Buffer.from(JSON.stringify(list)));
  await drive.sync();
  return drive.batchDelete(stale);
}

/** As `DataStore.readTable`. */
export function readTable(drive: DataStore, key: DriveKey): Table | undefined {
  const list = readList(drive, key);
  if (list === undefined) return undefined;
  return new Table([...readBatches(drive, key, list)]);
}

/** As `DataStore.readTableBatches`. */
export function* readTableBatches(
  drive: DataStore,
  key: DriveKey,
): Generator<RecordBatch, void, void> {
  const list = readList(drive, key);
  if (list) yield* readBatches(drive, key, list);
}

/** As `DataStore.deleteTable`. */
export async function deleteTable(drive: DataStore, key: DriveKey): Promise<number> {
  const list = readList(drive, key);
  await drive.delete(key);
  await drive.sync();
  const left = leftKeys(drive, key, (list?.write ?? 0) + 1);
  return drive.batchDelete([...(list ? batchKeys(key, list) : []), ...left]);
}

/** Errors: INVALID_ARGUMENT for the entry under a table's key: a copy of it would leave the batches behind. */
export function refuseTable(entry: EntryHandle): void {
  if (listIn(entry) === undefined) return;
  const message =
    'the key has a table: write that with writeTable(…, drive.readTableBatches(key)), then deleteTable(key)';
  throw new EtlError('INVALID_ARGUMENT', message);
}

/**
 * The batch with the schema of the first, whose ids its dictionaries get. Errors: INVALID_ARGUMENT for another schema:
 * the batches could not be read as one table.
 */
function underSchema(batch: RecordBatch, schema: Schema): RecordBatch {
  const { data } = batch;
  const own: readonly Field[] = batch.schema.fields;
  if (util.compareSchemas(schema, batch.schema)) return batch;
  const children = data.children.map((child, i) => {
    const wanted = schema.fields[i]?.type;
    return wanted && isSameButId(child.type, wanted) ? child.clone(wanted) : child;
  });
  const fields = own.map((field, i) => field.clone({ type: children[i]!.type }));
  if (!util.compareSchemas(schema, new Schema(fields))) {
    throw new EtlError('INVALID_ARGUMENT', 'the batches of a table have one schema');
  }
  const { length, nullCount, offset } = data;
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, data.clone(type, offset, length, nullCount, undefined, children));
}

/** Whether both are dictionaries of the same types; each made by itself has an id of its own. */
function isSameButId(a: DataType, b: DataType): boolean {
  return (
    DataType.isDictionary(a) &&
    DataType.isDictionary(b) &&
    util.compareTypes(new Dictionary(a.dictionary, a.indices, b.id, a.isOrdered), b)
  );
}

function* readBatches(
  drive: DataStore,
  key: DriveKey,
  list: TableList,
): Generator<RecordBatch, void, void> {
  // All handles before the first batch is used: what replaces the table meanwhile does not show.
  const entries = drive.batchRead(batchKeys(key, list));
  for (const [i, entry] of entries.entries()) {
    const { rows, bytes } = list.batches[i]!;
    const batch = entry?.size === bytes ? asRecordBatch(entry) : undefined;
    if (batch?.numRows !== rows) {
      const message = `batch ${i} of the table is not there as it was written`;
      throw new EtlError('CORRUPTED_DATA', message, { place: { path: drive.path } });
    }
    yield batch;
  }
}

/** Bits of a value. Errors: INVALID_ARGUMENT. */
function widthOf(type: DataType): number {
  try {
    return fixedWidth(type);
  } catch (cause) {
    throw new EtlError('INVALID_ARGUMENT', `${type} is no type of fixed width`, { cause });
  }
}

/** The list under a key; undefined where there is nothing, or something else. */
function readList(drive: DataStore, key: DriveKey): TableList | undefined {
  const entry = drive.read(key);
  return entry && listIn(entry);
}

/** The list of a table's batches in an entry; undefined where it holds something else. */
function listIn(entry: EntryHandle): TableList | undefined {
  const begin = entry.part(0, Math.min(entry.size, LIST_BEGIN.length));
  if (!LIST_BEGIN.equals(begin) || !entry.isValidChecksum()) return undefined;
  try {
    return JSON.parse(Buffer.from(entry.payload).toString()) as TableList;
  } catch {
    return undefined;
  }
}

function batchKeys(key: DriveKey, { write, batches }: TableList): Uint8Array[] {
  return batches.map((_, i) => batchKey(key, write, i));
}

/** What a write of this number that did not end has left, from a batch on. */
function leftKeys(drive: DataStore, key: DriveKey, write: number, from = 0): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let i = from; drive.exists(batchKey(key, write, i)); i++) keys.push(batchKey(key, write, i));
  return keys;
}

function batchKey(key: DriveKey, write: number, ordinal: number): Uint8Array {
  return Buffer.concat([Buffer.from(key), Buffer.from(`\0table\0${write}\0${ordinal}`)]);
}
