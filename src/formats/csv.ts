/**
 * CSV to batches: a pure async generator over bytes that runs anywhere.
 *
 * Bytes are decompressed UTF-8; a byte order mark at the very start is dropped. A kernel writes every
 * row as a line of JSON, so a batch needs no further reading. Where objects are asked for, they are
 * made from the fields at once; such a batch keeps its part of the chunk, and writes its lines only if
 * somebody wants them. Memory is bounded by a few pieces of `batchBytes` and one row of `maxRowBytes`.
 *
 * How the file is written and what its columns hold is found out from its beginning and from the
 * samples given, once, before the first row; from then on it stands (`CsvLayout`) and goes into every
 * cursor. A bad row stops the reading by default, after all good rows before it have been yielded.
 */
import {
  Batch,
  type EncodedLines,
  type Origin,
  RECORD_WORDS,
  SITE_WORDS,
  sourcePlace,
} from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { type OnError, readOnError } from '../core/reject.ts';
import type { ByteReader } from '../core/stage.ts';
import {
  type BadRow,
  type CsvObjects,
  type CsvProgram,
  type CsvReader,
  CsvReason,
  type CsvRows,
  type CsvTable,
  createCsvReader,
  csvFaults,
} from '../kernels/csv.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Kernel } from '../kernels/types.ts';
import { readChunks } from './chunk-reader.ts';
import { type CsvHead, readHead } from './csv-head.ts';
import {
  buildDialect,
  type CsvLayout,
  type CsvRowOptions,
  checkRowOptions,
} from './csv-options.ts';
import { type CsvSniff, sniffSamples } from './csv-sniff.ts';
import { batchBytesOf } from './jsonl.ts';
import { OBJECT_PIECE_BYTES } from './pieces-of-lines.ts';

/** A place between two rows of one source. */
export interface CsvCursor {
  /** Path, URL or name, where known. */
  readonly source?: string;
  /** Decompressed bytes, and lines, in front of it. */
  readonly offset: number;
  readonly line: number;
  /** Rows that became documents in front of it, those of sources before included. */
  readonly row: number;
  readonly layout: CsvLayout;
}

/** Values of a column that were not of its type, since the reading of a source began. */
export interface CsvMisfits {
  readonly column: string;
  readonly type: string;
  readonly count: number;
  /** Where the first row with one starts. */
  readonly first: Place;
}

export interface CsvOptions extends CsvRowOptions {
  /** Path, URL or name, for messages. */
  readonly source?: string;
  /** Bytes of CSV that make a batch, roughly. Default 1 MiB. */
  readonly batchBytes?: number;
  /** Default 'stop'. */
  readonly onError?: OnError;
  /** Is told, before the first row, what the file was taken for and why. */
  readonly onSniff?: (sniff: CsvSniff, source: string | undefined) => void;
  /** Is told, at the end, of the columns with values that were not of their type, if there are any. */
  readonly onMisfits?: (misfits: readonly CsvMisfits[]) => void;
  /** The key to find and hash in every document. Default `_id`. */
  readonly key?: readonly string[];
  /** Make small batches of objects, which die young; their bytes are made on demand. Default false. */
  readonly documents?: boolean;
  /** Pieces of the middle and end of the source, to look at beside its beginning. */
  readonly samples?: readonly Uint8Array[];
  /** Where the first byte stands in its source. Default its very start. */
  readonly from?: Omit<CsvCursor, 'source'>;
  /** Rows in the sources before. Default 0. */
  readonly row?: number;
  /** Makes the batches' cursors. Default: the cursor as it is. */
  readonly cursorAt?: (cursor: CsvCursor) => unknown;
  /** Default the fastest that runs here. */
  readonly implementation?: CsvReader['name'];
  /** Makes objects of the rows. Default the shared one of this thread. */
  readonly kernel?: Kernel;
}

/** Longest row accepted by default. */
const DEFAULT_MAX_ROW_BYTES = 16 << 20;
/** Bytes kept of a row that is too long, at most. */
const HEAD_BYTES = 4096;
const NOTHING = new Uint8Array(0);
const NO_HEAD: CsvHead = { head: NOTHING, whole: false };

/**
 * Batches of the rows in `chunks`, which may be cut anywhere. `batch.cursor` is a CsvCursor.
 * Errors: CSV_ERROR, INVALID_UTF8, LINE_TOO_LONG and SCHEMA_CHANGED with the place of the fault,
 * INVALID_ARGUMENT, and whatever the iterable throws, unchanged.
 */
export async function* decodeCsv(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: CsvOptions = {},
): AsyncGenerator<Batch, void, void> {
  yield* decodeRows(readChunks(chunks, { chunkBytes: batchBytesOf(options) }), options);
}

/** As `decodeCsv`, over a reader, which it closes. */
export async function* decodeRows(
  reader: ByteReader,
  options: CsvOptions = {},
): AsyncGenerator<Batch, void, void> {
  const { documents, maxRowBytes = DEFAULT_MAX_ROW_BYTES } = options;
  let next: Promise<Uint8Array | undefined> | undefined;
  try {
    const most = batchBytesOf(options);
    const batchBytes = documents ? Math.min(most, OBJECT_PIECE_BYTES) : most;
    checkLimits({ maxRowBytes });
    const start = options.from ? NO_HEAD : await readHead(reader, options.source);
    const decoder = new RowDecoder(options, start);
    let bytes = start.head.subarray(decoder.headBytes);
    // So much is read together; what is as long and holds no whole row, again when it has doubled.
    let size = batchBytes;
    let isHeld = false;
    let last = start.failed !== undefined;
    for (;;) {
      while (!last && bytes.length < size) {
        const piece = await (next ?? reader.read(bytes));
        next = undefined;
        if (piece) bytes = piece;
        else last = true;
        if (piece && !isHeld) break;
      }
      const part = bytes.length > 2 * size ? bytes.subarray(0, size) : bytes;
      const isEnd = last && part.length === bytes.length;
      const isWhole = isEnd && !reader.endsMidLine && !start.failed;
      const { batch, consumed, overlong } = decoder.read(part, isWhole);
      bytes = bytes.subarray(consumed);
      if (overlong) bytes = await passLine(reader, bytes, decoder);
      isHeld = consumed === 0 && !overlong && part.length >= size;
      size = isHeld ? 2 * part.length + 1 : batchBytes;
      if (!isHeld && !last && !decoder.failure && bytes.length < size) {
        next = reader.read(bytes);
        next.catch(() => {});
      }
      if (batch) yield batch;
      if (decoder.failure) throw decoder.failure;
      if (isEnd) break;
    }
    if (start.failed) throw start.failed.error;
    decoder.finish();
  } finally {
    await next?.catch(() => {});
    await reader.close();
  }
}

/** Passes over a line whose end has not come yet, or leaves it unfinished; answers the bytes behind it. */
async function passLine(
  reader: ByteReader,
  begun: Uint8Array,
  decoder: RowDecoder,
): Promise<Uint8Array> {
  let passed = 0;
  let bytes = begun;
  for (;;) {
    const end = bytes.findIndex((byte) => byte === 10 || byte === 13);
    const keep = end >= 0 && end + 1 === bytes.length && bytes[end] === 13 ? end : bytes.length;
    if (end >= 0 && keep !== end) {
      const after = bytes[end] === 13 && bytes[end + 1] === 10 ? end + 2 : end + 1;
      decoder.refuseOverlong(begun, passed + after);
      return bytes.subarray(after);
    }
    passed += keep;
    const carry = bytes.subarray(keep);
    const piece = await reader.read(carry);
    if (!piece) {
      if (!reader.endsMidLine) decoder.refuseOverlong(begun, passed + carry.length);
      return NOTHING;
    }
    bytes = piece;
  }
}

/** Keeps count of bytes, lines and rows, and makes batches and rejects of what the kernel found. */
class RowDecoder {
  /** Set when the reading must stop. */
  failure: EtlError | undefined;
  /** Bytes of the beginning that are no rows: mark, skipped lines, header. */
  readonly headBytes: number;
  readonly #options: CsvOptions;
  readonly #onError: OnError;
  readonly #layout: CsvLayout;
  readonly #reader: CsvReader;
  /** Bytes kept of a row that is too long. */
  readonly #longHead: number;
  readonly #misfits = new Map<number, CsvMisfits>();
  #offset: number;
  #line: number;
  #row: number;
  /** There are bad rows that no batch's cursor covers. */
  #isBehind = false;

  constructor(options: CsvOptions, start: CsvHead) {
    checkRowOptions(options);
    this.#options = options;
    this.#onError = readOnError(options.onError);
    const { from, source, samples = [], maxRowBytes = DEFAULT_MAX_ROW_BYTES } = options;
    this.#longHead = Math.min(HEAD_BYTES, maxRowBytes);
    if (from) {
      this.#layout = from.layout;
      this.headBytes = 0;
      this.#offset = from.offset;
      this.#line = from.line;
      this.#row = from.row;
    } else {
      const input = { ...start, more: samples };
      const header = options.header ?? options.columns === undefined;
      const sniff = sniffSamples(input, { ...options, header });
      options.onSniff?.(sniff, source);
      this.#layout = layoutOf(sniff);
      this.headBytes = sniff.dataOffset;
      this.#offset = this.headBytes;
      this.#line = sniff.dataLine;
      this.#row = options.row ?? 0;
    }
    this.#reader = createCsvReader(this.#program(), options.implementation);
  }

  /** Goes over a chunk: the batch of its rows, none of them good perhaps, and what `CsvRows` says of it. */
  read(bytes: Uint8Array, last: boolean): { batch?: Batch; consumed: number; overlong: boolean } {
    // A source without any row has no columns, and nothing to read.
    if (this.#layout.columns.length === 0) return { consumed: bytes.length, overlong: false };
    const isObjects = this.#options.documents === true;
    const rows = this.#reader[isObjects ? 'objects' : 'rows'](bytes, last);
    const { consumed, overlong } = rows;
    const origin = { offset: this.#offset, line: this.#line };
    const good = this.#account(rows, bytes);
    if (good === 0 && (!this.#isBehind || this.failure)) return { consumed, overlong };
    const read = bytes.subarray(0, this.#offset - origin.offset);
    return { batch: this.#batch(rows, good, origin, read), consumed, overlong };
  }

  /** Notes what was found; answers how many rows come before the failure, if there is one. */
  #account(rows: CsvRows, bytes: Uint8Array): number {
    for (const bad of rows.bad) {
      const place = this.#placeOf(bad, bytes);
      const most = bad.reason === CsvReason.tooLong ? this.#longHead : Number.POSITIVE_INFINITY;
      const end = Math.min(bad.end, bad.start + most);
      this.#reject(bad, place, () => bytes.slice(bad.start, end));
      if (!this.failure) continue;
      this.#offset += bad.start;
      this.#line += bad.line;
      return bad.before;
    }
    for (const misfit of rows.misfits) this.#count(misfit);
    this.#offset += rows.consumed;
    this.#line += rows.lineCount;
    return rows.count;
  }

  /** Notes the row at which the reading stands, whose first line is `size` bytes, its end included. */
  refuseOverlong(bytes: Uint8Array, size: number): void {
    if (this.failure) return;
    const line = this.#line + 1;
    const place = { ...sourcePlace(this.#options.source), offset: this.#offset, line, column: 1 };
    this.#reject({ reason: CsvReason.tooLong, fields: 0 }, place, () =>
      bytes.slice(0, this.#longHead),
    );
    if (this.failure) return;
    this.#offset += size;
    this.#line++;
  }

  finish(): void {
    if (this.#misfits.size > 0) this.#options.onMisfits?.([...this.#misfits.values()]);
  }

  #program(): CsvProgram {
    const { key = ['_id'] } = this.#options;
    const { empty = 'null', nulls = [], misfit = 'string', ragged = 'error' } = this.#options;
    const { maxRowBytes = DEFAULT_MAX_ROW_BYTES } = this.#options;
    const { columns, types } = this.#layout;
    if (new Set(columns).size < columns.length) {
      throw new EtlError('INVALID_ARGUMENT', 'two columns have the same name');
    }
    return {
      dialect: buildDialect(this.#layout, this.#options),
      columns: columns.map((name) => {
        return { name, type: Object.hasOwn(types, name) ? types[name]! : 'string' };
      }),
      empty,
      nulls,
      misfit,
      ragged,
      maxRowBytes,
      key: key.length === 1 ? key[0] : undefined,
    };
  }

  /** The first `count` rows of what was read from `bytes`, which began at `origin`. */
  #batch(
    rows: CsvTable | CsvObjects,
    count: number,
    { offset, line }: Required<Pick<Origin, 'offset' | 'line'>>,
    bytes: Uint8Array,
  ): Batch {
    const { source, cursorAt, kernel = sharedKernel() } = this.#options;
    const named = source === undefined ? {} : { source };
    const sites = rows.sites.subarray(0, count * SITE_WORDS);
    const origin = { ...named, offset, line, ordinal: this.#row };
    this.#row += count;
    this.#isBehind = false;
    const at = { offset: this.#offset, line: this.#line, row: this.#row };
    const place: CsvCursor = { ...named, ...at, layout: this.#layout };
    const cursor = cursorAt ? cursorAt(place) : place;
    const { codec } = kernel;
    if (!('documents' in rows)) {
      return Batch.fromLines(firstLines(rows, count), codec, origin, cursor, sites);
    }
    const documents = count < rows.count ? rows.documents.slice(0, count) : rows.documents;
    // Everything in front of where the reading stands is whole rows, so read again it is the same.
    const encode = () => firstLines(this.#reader.rows(bytes, true), count);
    const from = { ...origin, byteLength: bytes.length };
    return Batch.fromRows(documents, encode, codec, from, cursor, sites);
  }

  #placeOf(bad: BadRow, bytes: Uint8Array): Place {
    let line = this.#line + bad.line + 1;
    let start = bad.start;
    for (let i = start; i < bad.offset; i++) {
      if (bytes[i] !== 10 && !(bytes[i] === 13 && bytes[i + 1] !== 10)) continue;
      line++;
      start = i + 1;
    }
    const offset = this.#offset + bad.offset;
    const column = bad.offset - start + 1;
    return { ...sourcePlace(this.#options.source), offset, line, column };
  }

  #reject(bad: Pick<BadRow, 'reason' | 'fields'>, place: Place, bytes: () => Uint8Array): void {
    const [code, fault] = csvFaults[bad.reason]!;
    const counts = `: expected ${this.#layout.columns.length}, found ${bad.fields}`;
    const reason = bad.fields > 0 ? fault + counts : fault;
    this.#isBehind = true;
    if (this.#onError === 'stop') this.failure = new EtlError(code, reason, { place });
    else if (this.#onError !== 'skip') this.#onError({ code, reason, place, bytes: bytes() });
  }

  #count({ column, count, start, line }: CsvTable['misfits'][number]): void {
    const known = this.#misfits.get(column);
    if (known) {
      this.#misfits.set(column, { ...known, count: known.count + count });
      return;
    }
    const name = this.#layout.columns[column]!;
    const at = { offset: this.#offset + start, line: this.#line + line + 1 };
    const first = { ...sourcePlace(this.#options.source), ...at };
    this.#misfits.set(column, { column: name, type: this.#layout.types[name]!, count, first });
  }
}

function layoutOf({ delimiter, quote, columns, types, ...sniff }: CsvSniff): CsvLayout {
  return { delimiter, quote, escape: sniff.escape, columns, types };
}

/** The first `count` documents of a table. */
function firstLines({ bytes, records, count: all, key }: CsvTable, count: number): EncodedLines {
  const end = count < all ? records[count * RECORD_WORDS]! : bytes.length;
  const named = key === undefined ? {} : { key };
  return { bytes: bytes.subarray(0, end), records, count, dense: true, ...named };
}
