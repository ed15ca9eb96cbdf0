/**
 * What a kernel does. Two implementations: WebAssembly SIMD (`wasm-kernel.ts`) and plain TypeScript
 * (`twin/`). Both give the same answers for the same bytes, bad input included.
 *
 * Input bytes are JSONL: lines ended by `\n` (or `\r\n`), the last one perhaps without. A chunk
 * must end at a line's end unless it is the last of its source. Lines of only spaces, tabs and `\r`
 * are blank and skipped. A byte order mark is the caller's business. The input is never written to
 * and nothing of it is kept.
 */
import type { BatchCodec, Document, EncodedLines } from '../core/batch.ts';
import type { Path } from '../core/path.ts';
import type { Predicate } from '../core/predicate.ts';
import type { DriveTable } from './drive-types.ts';

/** What is wrong with a line: the code's text is for people. */
export type LineFault = 'JSON_ERROR' | 'INVALID_UTF8' | 'NESTING_TOO_DEEP' | 'NOT_AN_OBJECT';

export interface BadLine {
  /** First byte of the line, and one past its last (line end excluded). */
  readonly start: number;
  readonly end: number;
  /** 0-based physical line in the chunk. */
  readonly line: number;
  /**
   * The first byte at which no JSON document can go on (== `end` where the line ends too early);
   * for INVALID_UTF8 the first byte of the ill-formed sequence; for NESTING_TOO_DEEP the bracket
   * that goes too deep; for NOT_AN_OBJECT the first byte of the value. The first fault of a line
   * counts; at the same offset INVALID_UTF8 comes before JSON_ERROR.
   */
  readonly offset: number;
  readonly code: LineFault;
  /** What was expected or found, for a person: "expected a comma or }". */
  readonly reason: string;
  /** How many good documents of the chunk stand before this line. */
  readonly before: number;
}

/** Documents of a chunk and the bad lines between them. */
export interface LineTable extends EncodedLines {
  readonly bad: readonly BadLine[];
  /** Physical lines, blank and bad ones included. */
  readonly lineCount: number;
  /**
   * True when `dense`, and every line begins with the bytes `{"_id":"`, and that first `_id` is the
   * key (the only top-level one, without escapes) and 1 to 255 letters, digits, `_`, `-` and `.` of
   * ASCII, no dot first and no two together: such bytes go into a collection as they are.
   */
  readonly canonical: boolean;
}

/** Deepest nesting of `{` and `[` accepted; the outermost object is depth 1. */
export const DEFAULT_MAX_DEPTH = 512;
/** The most that a `maxDepth` may be; more is INVALID_ARGUMENT. */
export const MAX_DEPTH = 8192;

export interface Query {
  /** Documents to keep; all if absent. */
  readonly where?: Predicate;
  /**
   * Paths to keep, nested as in the document, in the order given; all if absent. A step into an
   * array applies to each element that is an object and drops the others. What is missing is left
   * out; a document with nothing left is `{}`.
   */
  readonly select?: readonly Path[];
  /**
   * The chunks hold good documents only, as a store's committed lines do: what cannot be kept need
   * not be read. Lines that were not read are not reported as bad and count as documents.
   */
  readonly trusted?: boolean | undefined;
  /**
   * The objects will all be kept, so that it is worth making a string that comes again once. Default
   * false.
   */
  readonly keeps?: boolean | undefined;
  /** Deepest nesting of a good document, up to `MAX_DEPTH`. Default `DEFAULT_MAX_DEPTH`. */
  readonly maxDepth?: number | undefined;
}

export type ColumnType =
  | { readonly kind: 'float64' | 'int32' | 'int64' | 'bool' | 'utf8' }
  /** ISO 8601 text or a number of `unit`s since 1970 UTC, held as int64 of that unit. */
  | { readonly kind: 'timestamp'; readonly unit: 'ms' | 'us' }
  /** The raw JSON text of whatever stands there, as UTF-8. */
  | { readonly kind: 'json' }
  | { readonly kind: 'list'; readonly element: ColumnType }
  | { readonly kind: 'struct'; readonly fields: readonly Column[] };

/** A column to fill: the field `name` of the object it stands in (top level, or a struct). */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Where the value is read from when not at field `name`; top level only. */
  readonly path?: Path;
}

/** Arrow-layout buffers of one column; all freshly allocated, 64-byte aligned offsets not implied. */
export interface ColumnData {
  readonly length: number;
  readonly nullCount: number;
  /** Bit per row, least significant first; absent when nullCount is 0. */
  readonly validity?: Uint8Array;
  /** Fixed-width values (float64, int32, int64, timestamp), bits (bool), or text bytes (utf8, json). */
  readonly values?: Float64Array | Int32Array | BigInt64Array | Uint8Array;
  /** length + 1 offsets, for utf8, json and list. */
  readonly offsets?: Int32Array;
  /** The element column of a list, the fields of a struct. */
  readonly children?: readonly ColumnData[];
}

/** A value that its column's type cannot hold (missing and null are never misfits). */
export interface Misfit {
  /** Byte offset of the line's first byte in the chunk given to `fill`. */
  readonly start: number;
  readonly line: number;
  /** The column's path, dotted. */
  readonly path: string;
  readonly reason: string;
}

/** Collects documents into columns across chunks until taken. */
export interface ColumnBuilder {
  /** Rows collected since the last `take`. */
  readonly rows: number;
  /** Bytes held, roughly. */
  readonly byteLength: number;
  /**
   * True once a document read, kept or not, may have had a field that lies in no column; with the
   * query's `select`, one below those fields. A false alarm is possible, a miss is not.
   */
  readonly unlisted: boolean;
  /**
   * Appends the documents of a chunk that the query keeps, in order. Stops in front of the first
   * document with a misfit and returns it; rows before it are in, nothing after.
   */
  fill(bytes: Uint8Array, skip?: Uint8Array): FillResult;
  /** Hands over the buffers of all rows collected and starts anew. */
  take(): ColumnData[];
  /** Takes buffers back, to be filled again: nobody may look at what `take` gave any more. */
  recycle(taken: readonly ColumnData[]): void;
}

export interface FillResult {
  readonly rows: number;
  /** Bad lines, as far as the chunk was read: those in front of a misfit. */
  readonly bad: readonly BadLine[];
  readonly misfit?: Misfit;
}

/** What was seen at a path over the chunks given to `observe`. */
export interface FieldStats {
  readonly path: Path;
  /** True for the elements of the array at `path` (then `path` is the array's path). */
  readonly element: boolean;
  readonly nulls: number;
  readonly booleans: number;
  /** Numbers that are integers in the int64 range, written without fraction or exponent. */
  readonly integers: number;
  /** Of those, whether all fit int32. */
  readonly int32: boolean;
  /** All other numbers. */
  readonly floats: number;
  readonly strings: number;
  readonly objects: number;
  readonly arrays: number;
  readonly children: readonly FieldStats[];
}

/** What a chunk held. */
export interface Observed {
  /** Documents kept. */
  readonly count: number;
  readonly bad: readonly BadLine[];
  /** Physical lines, blank and bad ones included. */
  readonly lineCount: number;
}

export interface SchemaObserver {
  /** Counts the fields of every document of the chunk that the query keeps. */
  observe(bytes: Uint8Array, skip?: Uint8Array): Observed;
  /**
   * Top-level fields in the order they were first seen; with `select`, what the projection would
   * leave of them, in its order.
   */
  fields(): readonly FieldStats[];
}

/**
 * A query ready to run. `skip`, where given, has a byte per document of the chunk (good lines, in
 * order); documents whose byte is not 0 are passed over as if they were not there.
 */
export interface Selector {
  /** The documents kept, as lines of the given bytes. `select` has no part in it. */
  filter(bytes: Uint8Array, skip?: Uint8Array): LineTable;
  /** The documents kept, projected, as new dense JSONL bytes; record.line is that of the input. */
  project(bytes: Uint8Array, skip?: Uint8Array): LineTable;
  /** The documents kept, projected, as objects. */
  documents(bytes: Uint8Array, skip?: Uint8Array): SelectedDocuments;
}

/**
 * Paths lead through objects only; of a repeated key the last counts.
 */
export interface Locator {
  locate(bytes: Uint8Array): Located;
}

export interface Located {
  /**
   * For each document, in order, two words per path: the first byte of the value in the chunk and one
   * past its last, quotes and brackets included; both 0 where there is none.
   */
  readonly places: Uint32Array;
  /** Good documents. */
  readonly count: number;
  readonly bad: readonly BadLine[];
}

export interface SelectedDocuments {
  readonly documents: Document[];
  readonly bad: readonly BadLine[];
  /** Physical lines, blank and bad ones included. */
  readonly lineCount: number;
}

export interface Kernel {
  readonly name: 'wasm' | 'typescript';
  /** XXH3-64 with seed 0. */
  hash(bytes: Uint8Array): bigint;
  /** Hashes the UTF-8 bytes of `id` as `hash` does, into `keyHash`; makes no garbage. */
  hashKey(id: string): void;
  /** Low and high half of what `hashKey` found last. */
  readonly keyHash: Uint32Array;
  /** Validates and splits a chunk, finds and hashes the key (a string value at `key`). */
  lines(bytes: Uint8Array, options?: LinesOptions): LineTable;
  /**
   * Cuts a chunk at its line ends without reading it: for lines known to be good documents. The
   * records hold places only, no key.
   */
  split(bytes: Uint8Array): LineTable;
  selector(query: Query): Selector;
  columns(columns: readonly Column[], query?: Query): ColumnBuilder;
  /** Tells where the values at these paths lie. */
  locator(paths: readonly Path[]): Locator;
  observer(query?: Query): SchemaObserver;
  /** The document that these bytes are, all of them; undefined where they are none. */
  document(line: Uint8Array): Document | undefined;
  /** Decodes and encodes batches. */
  readonly codec: BatchCodec;
  /** A new, empty id index. */
  createIndex(): IdIndex;
  /**
   * Entries of an index.bin body (see docs/format) for the records [from, to), whose keys are all plain
   * strings: u16 id bytes, id, u64 base + start, u32 length with the line end. Valid until the next call.
   */
  entries(
    bytes: Uint8Array,
    records: Uint32Array,
    from: number,
    to: number,
    base: number,
  ): Uint8Array;
  /** A new, empty table of an R-Drive file. */
  createDriveTable(): DriveTable;
}

export interface LinesOptions {
  /** The key's path; a top-level `_id` if absent. */
  readonly key?: Path;
  /** Deepest nesting of a good document, up to `MAX_DEPTH`. Default `DEFAULT_MAX_DEPTH`. */
  readonly maxDepth?: number;
}

/**
 * From id hashes to places in the data file: open addressing, 16 bytes a slot, growing by itself.
 * Holds no ids: two ids with the same hash are two entries, and whoever finds an entry confirms it
 * against the stored document. Offsets up to 2^40 - 1, lengths (line end included) saturate at
 * `MAX_LENGTH`, which means "this long or longer". Entries with equal hashes keep insertion order.
 */
export interface IdIndex {
  readonly size: number;
  /** Bytes of memory held. */
  readonly byteLength: number;
  /** Order-free sum over all entries of mix(hash, offset, length), modulo 2^64: equal sums, equal content. */
  readonly sum: bigint;
  /**
   * Inserts one entry per line record whose key is a string: (hash, base + start, end - start + 1).
   * Stops in front of the first record whose hash is already present (confirm, then `set` or `add`,
   * and go on with the next) or that has no string key. Returns that record's ordinal, or `to`.
   */
  insertLines(records: Uint32Array, from: number, to: number, base: number): number;
  /** The first entry with this hash at or after `after` + 1 (`after` an earlier answer), or -1. */
  find(hashLow: number, hashHigh: number, after?: number): number;
  /** Of an entry found; valid until the next insertion or removal. */
  offset(entry: number): number;
  length(entry: number): number;
  set(entry: number, offset: number, length: number): void;
  /** Adds an entry even if the hash is present. */
  add(hashLow: number, hashHigh: number, offset: number, length: number): void;
  remove(entry: number): void;
  clear(): void;
  /**
   * `skip` bytes for `Selector`: 0 for each record i in [0, count) that has an entry of its hash at
   * offset base + start, 1 for the others.
   */
  live(records: Uint32Array, count: number, base: number): Uint8Array;
  /**
   * Reads entries from a piece of an index.bin body (see docs/format): as many whole entries as the
   * bytes hold, at most `limit`. Stops in front of an entry whose hash is already present, with its
   * place in `conflict`; the caller confirms and goes on after it.
   */
  load(bytes: Uint8Array, limit: number): IndexLoad;
  /** Empties the index and makes room for so many entries; whether they are to be appended, or loaded. */
  reserve(count: number): boolean;
  /**
   * Reads entries as `load` does, without a stop; they count from `settle` on. Only behind `reserve`,
   * and much cheaper than `load` for many. Undefined where they are badly spread: `reserve` again, and
   * `load` them.
   */
  append(bytes: Uint8Array, limit: number): IndexLoad | undefined;
  /** Takes all appended entries in. False, and the index empty again, if two have the same hash. */
  settle(): boolean;
  /** As `load`, but takes nothing in: passes over entries up to one whose hash is present. */
  seek(bytes: Uint8Array, limit: number): IndexLoad;
  /** All entries' offsets and lengths, by ascending offset. */
  entries(): { offsets: Float64Array; lengths: Uint32Array };
}

export interface IndexLoad {
  readonly consumed: number;
  readonly count: number;
  /** Largest offset + length seen in this piece; 0 if none. */
  readonly end: number;
  readonly conflict?: {
    readonly idStart: number;
    readonly idEnd: number;
    readonly offset: number;
    readonly length: number;
    /** Bytes of the entry: go on at consumed + size. */
    readonly size: number;
    readonly hashLow: number;
    readonly hashHigh: number;
  };
}

/** Lengths in an id index saturate here; such a document is at least this long. */
export const MAX_LENGTH = 0xff_ffff;
