/**
 * From batches to groups of rows in Arrow layout: finds the schema if none is given, fills kernel
 * columns, cuts them into groups of bounded size, and refuses data that the schema would lose.
 *
 * Without a schema, batches wait until `inferBytes` of them are there (or the input ends); the
 * schema is inferred from all of these, then they are filled one after the other and let go.
 * Groups are handed over; the assembler keeps nothing of them. After an error it is of no more use.
 */
import { assert } from '../core/assert.ts';
import { type Batch, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { checkChoice, checkCount, checkNumber } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { formatPath, type Path } from '../core/path.ts';
import { and, type Predicate } from '../core/predicate.ts';
import type {
  BadLine,
  ColumnBuilder,
  ColumnData,
  FieldStats,
  Kernel,
  Query,
  SchemaObserver,
} from '../kernels/types.ts';
import { findNewField, inferSchema } from './infer.ts';
import { type Plan, resolveSchema, type SchemaInput } from './schema.ts';

export interface AssemblerOptions {
  /** The columns to build. Inferred from the data if absent. */
  readonly schema?: SchemaInput;
  /** Documents to take; all if absent. */
  readonly where?: Predicate;
  /** Most rows in a record batch. Default 65,536. */
  readonly batchRows?: number;
  /**
   * Most bytes of columns in a record batch, roughly. Default 64 MiB, less where a run's
   * `maxMemory` asks for it; at most 1 GiB.
   */
  readonly batchBytes?: number;
  /**
   * Bytes of documents to infer the schema from, when none is given. Default 16 MiB, in a run at most
   * its `maxMemory`.
   */
  readonly inferBytes?: number;
  /**
   * What to do about a field that the schema does not have: fail with SCHEMA_CHANGED, or leave it
   * out. Default 'error' for an inferred schema; 'ignore' for a given one, as it says what to take.
   */
  readonly onNewField?: 'error' | 'ignore';
}

/**
 * The options with limits, where they have none, so that at most `maxMemory` bytes are held: by the
 * schema's inference, and then by a group, which its taker holds in so many copies.
 */
export function withinMemory<O extends AssemblerOptions>(
  options: O,
  copies: number,
  maxMemory: number = Number.POSITIVE_INFINITY,
): O & { readonly batchBytes: number; readonly inferBytes: number } {
  const limit = (byDefault: number, most: number) => Math.max(1, Math.min(byDefault, most));
  const { batchBytes = limit(DEFAULT_BATCH_BYTES, maxMemory / copies) } = options;
  const { inferBytes = limit(DEFAULT_INFER_BYTES, maxMemory) } = options;
  return { ...options, batchBytes, inferBytes };
}

/** Rows ready to leave, with the memory they stand in. */
export interface RowGroup {
  readonly rows: number;
  readonly columns: readonly ColumnData[];
}

const DEFAULT_BATCH_BYTES = 2 ** 26;
const DEFAULT_INFER_BYTES = 2 ** 24;
/** Text in one group must stay below 2^31 bytes (32-bit offsets); what a builder reports is rough. */
const MAX_BATCH_BYTES = 2 ** 30;
const MAX_DOCUMENT_BYTES = 2 ** 31 - 1;

export class Assembler {
  readonly #kernel: Kernel;
  readonly #query: Query;
  readonly #batchRows: number;
  /**
   * Rows that a group may lack. With a predicate nobody knows how many rows a piece gives, so the
   * pieces shrink as the group fills up; stopping at 15/16 keeps that short.
   */
  readonly #slack: number;
  readonly #batchBytes: number;
  readonly #inferBytes: number;
  readonly #checksFields: boolean;
  #observer: SchemaObserver | undefined;
  #waiting: Batch[] = [];
  #waitingBytes = 0;
  #plan: Plan | undefined;
  /** The fields of all documents, but for others', were told beforehand. */
  #isTold = false;
  #builder: ColumnBuilder | undefined;

  /**
   * `select` names the top-level fields that are of interest in documents that have more. Errors:
   * INVALID_ARGUMENT for a schema or limit that cannot be.
   */
  constructor(kernel: Kernel, options: AssemblerOptions = {}, select?: readonly Path[]) {
    const { schema, where, inferBytes = DEFAULT_INFER_BYTES } = options;
    const { onNewField = schema === undefined ? 'error' : 'ignore' } = options;
    checkChoice('onNewField', onNewField, ['error', 'ignore']);
    this.#kernel = kernel;
    this.#query = { ...(where ? { where } : {}), ...(select ? { select } : {}) };
    const { batchRows = 65_536 } = options;
    this.#batchRows = checkNumber('batchRows', checkCount('batchRows', batchRows), 1, 2 ** 31 - 1);
    this.#slack = where === undefined ? 0 : this.#batchRows >>> 4;
    const { batchBytes = DEFAULT_BATCH_BYTES } = options;
    this.#batchBytes = checkNumber('batchBytes', batchBytes, 1, MAX_BATCH_BYTES);
    this.#inferBytes = checkNumber('inferBytes', inferBytes, 1);
    if (schema !== undefined) this.#start(resolveSchema(schema));
    if (schema === undefined || onNewField === 'error') {
      this.#observer = kernel.observer(this.#query);
    }
    this.#checksFields = onNewField === 'error';
    if (this.#checksFields && this.#plan?.columns.some((column) => column.path)) {
      throw new EtlError('INVALID_ARGUMENT', "columns with a path need onNewField: 'ignore'");
    }
  }

  /** The schema, once it is known. */
  get plan(): Plan | undefined {
    return this.#plan;
  }

  /**
   * Takes the schema from the fields of all documents that will come, as their source knows them.
   * Before the first batch, and only where no schema was given.
   */
  expectFields(fields: readonly FieldStats[]): void {
    assert(!this.#plan && this.#waiting.length === 0, 'fields are told before the first batch');
    this.#start(inferSchema(fields));
    this.#observer = undefined;
    this.#isTold = true;
  }

  /**
   * Takes the documents of a batch, and releases it when it has; gives the groups that became full. `isOther`:
   * `expectFields` was not told of these.
   * Errors: SCHEMA_CHANGED with the place of the first document that does not fit; INVALID_DOCUMENT for
   * one over 2 GiB.
   */
  *add(batch: Batch, isOther = false): Generator<RowGroup, void, void> {
    if (batch.length === 0) return;
    if (this.#builder) {
      yield* this.#fill(batch, this.#builder, isOther);
      return;
    }
    this.#observe(batch);
    this.#waiting.push(batch);
    this.#waitingBytes += batch.byteLength;
    if (this.#waitingBytes >= this.#inferBytes) yield* this.#infer();
  }

  /** Gives what is left; the plan is known afterwards, even if there was no document at all. */
  *finish(): Generator<RowGroup, void, void> {
    if (!this.#builder) yield* this.#infer();
    const builder = this.#builder!;
    if (builder.rows > 0) yield takeRows(builder);
  }

  /** Takes a group's memory back, for a later group: nobody may look at it any more. */
  recycle({ columns }: RowGroup): void {
    this.#builder?.recycle(columns);
  }

  #start(plan: Plan): ColumnBuilder {
    this.#plan = plan;
    this.#builder = this.#kernel.columns(plan.columns, this.#query);
    return this.#builder;
  }

  *#infer(): Generator<RowGroup, void, void> {
    const builder = this.#start(inferSchema(this.#observer!.fields()));
    const waiting = this.#waiting.reverse();
    this.#waiting = [];
    for (let batch = waiting.pop(); batch; batch = waiting.pop()) yield* this.#fill(batch, builder);
  }

  #observe(batch: Batch): void {
    const { bad } = this.#observer!.observe(batch.denseLines().bytes);
    checkBad(batch, bad, 0);
  }

  /** Looks closer where columns were filled from documents that may have had other fields. */
  #check(batch: Batch, isOther: boolean): void {
    if (!this.#checksFields || (this.#isTold && !isOther)) return;
    this.#observer ??= this.#kernel.observer(this.#query);
    this.#observe(batch);
    const path = findNewField(this.#observer.fields(), this.#plan!.columns);
    if (path) throw this.#newField(batch, path);
  }

  *#fill(batch: Batch, builder: ColumnBuilder, isOther = false): Generator<RowGroup, void, void> {
    const { bytes, records, count } = batch.denseLines();
    const startOf = (i: number): number =>
      i < count ? records[i * RECORD_WORDS + LineRecord.start]! : bytes.byteLength;
    let checked = false;
    let from = 0;
    while (from < count) {
      const rows = this.#batchRows - builder.rows;
      const most = builder.rows > 0 && rows <= this.#slack ? from : Math.min(count, from + rows);
      const to = lastWithin(startOf, from, most, this.#batchBytes - builder.byteLength);
      if (to === from && builder.rows > 0) {
        yield takeRows(builder);
        continue;
      }
      // One document that is larger than a whole group goes into a group of its own.
      const next = Math.max(to, from + 1);
      const piece = bytes.subarray(startOf(from), startOf(next));
      if (piece.byteLength > MAX_DOCUMENT_BYTES) {
        const message = 'a document over 2 GiB does not fit an Arrow record batch';
        throw new EtlError('INVALID_DOCUMENT', message, { place: batch.place(from) });
      }
      const { bad, misfit } = builder.fill(piece);
      if (!checked && builder.unlisted) {
        this.#check(batch, isOther);
        checked = true;
      }
      checkBad(batch, bad, from);
      if (misfit) {
        const message = `field ${misfit.path}: ${misfit.reason}; ${this.#advice()}`;
        throw schemaChanged(message, batch.place(from + misfit.line));
      }
      from = next;
    }
    batch.release();
  }

  #newField(batch: Batch, path: Path): EtlError {
    const exists: Predicate = { op: 'exists', path };
    const where = this.#query.where ? and(this.#query.where, exists) : exists;
    const { bytes } = batch.denseLines();
    const found = this.#kernel.selector({ where }).filter(bytes);
    // No path leads into lists of lists: then all that is known is the source.
    const { source } = batch.origin;
    const unknown = source === undefined ? {} : { path: source };
    const place = found.count > 0 ? batch.place(found.records[LineRecord.line]!) : unknown;
    const message = `new field ${formatPath(path)}; ${this.#advice()}`;
    return schemaChanged(`${message}, or leave new fields out with onNewField: 'ignore'`, place);
  }

  #advice(): string {
    if (!this.#observer || this.#waitingBytes === 0) return 'give a schema that has room for it';
    return (
      `the schema was inferred from the first ${this.#waitingBytes} bytes: ` +
      'give a schema, or raise inferBytes'
    );
  }
}

function takeRows(builder: ColumnBuilder): RowGroup {
  const rows = builder.rows;
  return { rows, columns: builder.take() };
}

/** The last ordinal in [from, most] up to which the documents fit into `room` bytes. */
function lastWithin(
  startOf: (i: number) => number,
  from: number,
  most: number,
  room: number,
): number {
  const limit = startOf(from) + room;
  let low = from;
  let high = most;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (startOf(middle) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Errors: the first bad line's, unless it is to be passed over. */
function checkBad(batch: Batch, [bad]: readonly BadLine[], from: number): void {
  const { unread } = batch.denseLines();
  if (bad === undefined || unread?.()) return;
  const code = unread ? 'CORRUPTED_DATA' : bad.code;
  throw new EtlError(code, bad.reason, { place: batch.place(from + bad.line) });
}

function schemaChanged(message: string, place: Place): EtlError {
  return new EtlError('SCHEMA_CHANGED', message, { place });
}
