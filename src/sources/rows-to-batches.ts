/**
 * Rows of columns to batches, for sources of column formats: text is written straight from the columns,
 * and read once by the kernel, which finds keys and whatever is no JSON or no UTF-8.
 *
 * With a predicate only the columns that it names are written at first; the rest only of rows kept.
 */
import { type CellWriter, findTwin } from '../arrow/cell-writers.ts';
import type { JsonOut } from '../arrow/json-out.ts';
import { RowText } from '../arrow/row-text.ts';
import { Batch, LineRecord, RECORD_WORDS, sourcePlace } from '../core/batch.ts';
import { checkChoice, checkCount } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import type { Predicate } from '../core/predicate.ts';
import { type OnError, readOnError } from '../core/reject.ts';
import type { Wants } from '../core/stage.ts';
import { OBJECT_PIECE_BYTES } from '../formats/pieces-of-lines.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { BadLine, LinesOptions, LineTable, Selector } from '../kernels/types.ts';

/** Options of every source of rows in columns. */
export interface RowsOptions {
  /** Columns to read, in this order, each once; all if absent. */
  readonly columns?: readonly string[];
  /** Rows to keep; may name columns that are not read otherwise. All if absent. */
  readonly where?: Predicate;
  /** What becomes of nulls in objects: written, or left out. Default 'null'. */
  readonly nulls?: 'null' | 'absent';
  /** Decimals as numbers with all their digits, or as strings. Default 'number'. */
  readonly decimals?: 'number' | 'string';
  /** Bytes of a batch, roughly. Default 1 MiB. */
  readonly batchBytes?: number;
  /** What to do with a row that holds what no JSON can: text that is not UTF-8. Default 'stop'. */
  readonly onError?: OnError;
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/** Rows held in columns, in memory. */
export interface RowSet {
  readonly rows: number;
  /** A writer of rows as objects with these columns of theirs, or all. */
  readonly writer: (out: JsonOut, columns?: readonly string[]) => CellWriter;
}

/** Where rows stand: in which source, and how many of it come before. */
export interface RowsPlace {
  readonly source: string;
  readonly ordinal: number;
  /** The cursor behind a row of the set. */
  readonly cursorAt: (next: number) => unknown;
}

/** A predicate, and the columns that it needs written. */
interface RowTest {
  readonly text: RowText;
  readonly fields: readonly string[];
  readonly selector: Selector;
}

export class RowsToBatches {
  readonly #kernel = sharedKernel();
  readonly #columns: readonly string[] | undefined;
  readonly #onError: OnError;
  readonly #text: RowText;
  /** Set where objects are wanted at once. */
  readonly #objects: Selector | undefined;
  readonly #linesOptions: LinesOptions;
  readonly #test: RowTest | undefined;

  /** Errors: INVALID_ARGUMENT. */
  constructor(options: RowsOptions, wants: Wants) {
    const { columns, where, batchBytes = 1 << 20, nulls = 'null', decimals = 'number' } = options;
    checkCount('batchBytes', batchBytes);
    checkChoice('nulls', nulls, ['null', 'absent']);
    checkChoice('decimals', decimals, ['number', 'string']);
    this.#columns = columns;
    this.#onError = readOnError(options.onError ?? wants.onReject);
    this.#text = new RowText(wants.documents ? OBJECT_PIECE_BYTES : batchBytes);
    this.#objects = wants.documents ? this.#kernel.selector({}) : undefined;
    this.#linesOptions = wants.key ? { key: wants.key } : {};
    if (where) {
      const selector = this.#kernel.selector({ where });
      this.#test = { text: new RowText(batchBytes), fields: fieldsOf(where), selector };
    }
  }

  /** Columns that must be there to be read; undefined for all. */
  get needed(): readonly string[] | undefined {
    return this.#columns && [...new Set([...this.#columns, ...(this.#test?.fields ?? [])])];
  }

  /** Errors: INVALID_UTF8 and JSON_ERROR with the row's ordinal, LIMIT_EXCEEDED. */
  *batches(set: RowSet, from: number, place: RowsPlace): Generator<Batch, void, void> {
    this.#text.bind((out) => set.writer(out, this.#columns), firstOf(place));
    if (this.#test) {
      yield* this.#kept(set, from, place, this.#test);
      return;
    }
    for (let row = from; row < set.rows; ) {
      const { bytes, next } = this.#text.lines(row, set.rows);
      const first = row;
      yield* this.#batch(bytes, (line) => first + line, next, place);
      row = next;
    }
  }

  *#kept(
    set: RowSet,
    from: number,
    place: RowsPlace,
    { text, fields, selector }: RowTest,
  ): Generator<Batch, void, void> {
    text.bind((out) => set.writer(out, fields), firstOf(place));
    for (let row = from; row < set.rows; ) {
      const { bytes, next } = text.lines(row, set.rows);
      const table = selector.filter(bytes);
      const first = row;
      const stop = this.#report(table.bad, bytes, (line) => first + line, place);
      const kept = rowsOf(table, first, stop?.line);
      const end = stop ? first + stop.line : next;
      let done = 0;
      do {
        const start = done;
        const piece = this.#text.lines(start, kept.length, kept);
        done = piece.next;
        const behind = done < kept.length ? kept[done]! : end;
        yield* this.#batch(piece.bytes, (line) => kept[start + line]!, behind, place, true);
      } while (done < kept.length);
      if (stop) throw stop.failure;
      row = next;
    }
  }

  /** The lines as a batch; what is bad in them goes to `onError`, or is thrown behind it. */
  *#batch(
    bytes: Uint8Array,
    rowOf: (line: number) => number,
    behind: number,
    place: RowsPlace,
    scattered = false,
  ): Generator<Batch, void, void> {
    const { codec } = this.#kernel;
    const read = this.#objects?.documents(bytes) ?? this.#kernel.lines(bytes, this.#linesOptions);
    if (read.bad.length === 0 && !scattered) {
      const origin = { source: place.source, ordinal: place.ordinal + rowOf(0) };
      const cursor = place.cursorAt(behind);
      yield 'documents' in read
        ? Batch.fromDocuments(read.documents, codec, origin, cursor)
        : Batch.fromLines(read, codec, origin, cursor);
      return;
    }
    const table = 'documents' in read ? this.#kernel.lines(bytes, this.#linesOptions) : read;
    const stop = this.#report(table.bad, bytes, rowOf, place);
    const count = stop ? stop.before : table.count;
    for (let i = LineRecord.line; i < count * RECORD_WORDS; i += RECORD_WORDS) {
      table.records[i] = rowOf(table.records[i]!);
    }
    const { source, ordinal } = place;
    const cursor = place.cursorAt(stop ? rowOf(stop.line) : behind);
    const dense = table.dense && count === table.count;
    const rows = Batch.fromDocuments([], codec, { source, ordinal }, cursor);
    yield rows.deriveLines({ ...table, count, dense });
    if (stop) throw stop.failure;
  }

  /** Tells of the bad lines; answers the one to stop at. */
  #report(
    all: readonly BadLine[],
    bytes: Uint8Array,
    rowOf: (line: number) => number,
    { source, ordinal }: RowsPlace,
  ): (BadLine & { failure: EtlError }) | undefined {
    for (const bad of all) {
      const { code, reason } = bad;
      const place = { ...sourcePlace(source), ordinal: ordinal + rowOf(bad.line) };
      if (this.#onError === 'stop') {
        return { ...bad, failure: new EtlError(code, reason, { place }) };
      }
      if (this.#onError === 'skip') continue;
      this.#onError({ code, reason, place, bytes: bytes.slice(bad.start, bad.end) });
    }
    return undefined;
  }
}

function firstOf({ source, ordinal }: RowsPlace): Place {
  return { ...sourcePlace(source), ordinal };
}

/** The rows of the lines kept, up to the one to stop at. */
function rowsOf({ records, count }: LineTable, first: number, stop?: number): Uint32Array {
  const rows: number[] = [];
  for (let i = 0; i < count; i++) {
    const line = records[i * RECORD_WORDS + LineRecord.line]!;
    if (stop === undefined || line < stop) rows.push(first + line);
  }
  return Uint32Array.from(rows);
}

/** The top-level fields that a predicate looks at. */
function fieldsOf(where: Predicate): string[] {
  const found = new Set<string>();
  const walk = (each: Predicate): void => {
    if ('path' in each) found.add(each.path[0]!);
    else if ('terms' in each) each.terms.forEach(walk);
    else walk(each.term);
  };
  walk(where);
  return [...found];
}

/** Errors: INVALID_ARGUMENT for a column that is not among those there are, or is wanted twice. */
export function checkColumns(
  names: readonly string[],
  wanted: readonly string[] | undefined,
  place: Place,
): void {
  const missing = wanted?.find((name) => !names.includes(name));
  if (missing !== undefined) {
    const what = `there is no column ${missing}; there are ${names.join(', ')}`;
    throw new EtlError('INVALID_ARGUMENT', what, { place });
  }
  const twice = findTwin(wanted ?? []);
  if (twice === undefined) return;
  throw new EtlError('INVALID_ARGUMENT', `columns has ${twice} twice`, { place });
}
