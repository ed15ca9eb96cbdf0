/**
 * What the CSV kernels do: rows of CSV to lines of JSON, or to the objects that those lines say, and
 * lines of JSON to rows of CSV. Of each two
 * implementations give the same answers for the same bytes, bad input included: WebAssembly SIMD
 * (`csv-machine.ts`, `csv-row-machine.ts`) and plain TypeScript (`twin/csv.ts`, `twin/csv-rows.ts`).
 *
 * The grammar is that of RFC 4180, wider: LF, CRLF and CR end a row; a quote has its meaning only at
 * the beginning of a field; empty lines are no rows. A row is bad when a closing quote is followed by
 * something else than the delimiter or the line's end, when it has too many or too few fields, when it
 * is not UTF-8, or too long. Reading goes on behind a bad row; where the row has no end, because its
 * quote is never closed or it is too long, behind its first line.
 */
import type { Document, EncodedLines } from '../core/batch.ts';
import type { ErrorCode } from '../core/errors.ts';

/** What the values of a column are in JSON; see `CsvProgram.columns`. */
export type CsvType = 'string' | 'integer' | 'number' | 'boolean';

/** Bytes with a meaning, as numbers below 0x80; absent ones have none. */
export interface CsvDialect {
  readonly delimiter: number;
  readonly quote?: number | undefined;
  /** Inside quotes, takes a quote or itself literally. The quote itself where quotes are doubled. */
  readonly escape?: number | undefined;
  /** First byte of lines that are no rows. */
  readonly comment?: number | undefined;
  /** Drops spaces and tabs around fields, outside of quotes. */
  readonly trim: boolean;
}

/** What a field without any bytes becomes. A quoted empty field is an empty text in a string column. */
export type CsvEmpty = 'null' | 'omit' | 'string';
/** What becomes of a value that is not of its column's type. */
export type CsvMisfitPolicy = 'string' | 'null' | 'error';
/** What becomes of a row with another number of fields than there are columns. */
export type CsvRagged = 'error' | 'pad' | 'truncate' | 'fit';

export interface CsvProgram {
  readonly dialect: CsvDialect;
  /**
   * Fields of the documents, in the order of the row. An integer or number is written as it stands if
   * JSON writes it so ("007" and "+1" are none), a boolean is `true` or `false` in any case.
   */
  readonly columns: readonly { readonly name: string; readonly type: CsvType }[];
  readonly empty: CsvEmpty;
  /** Texts of unquoted fields that mean null. */
  readonly nulls: readonly string[];
  readonly misfit: CsvMisfitPolicy;
  readonly ragged: CsvRagged;
  /** Longest row in bytes, its line end excluded. */
  readonly maxRowBytes: number;
  /** The column to find and hash in every row, by name. */
  readonly key?: string | undefined;
}

/** A row that cannot be used. Offsets are from the start of the chunk. */
export interface BadRow {
  /** First byte, and one past the last (line end excluded). */
  readonly start: number;
  readonly end: number;
  /** 0-based physical line in the chunk at which it starts. */
  readonly line: number;
  /** Where the fault is. */
  readonly offset: number;
  /** A number of `CsvReason`. */
  readonly reason: number;
  /** How many good rows of the chunk stand before it. */
  readonly before: number;
  /** Fields found, where their number is the fault; else 0. */
  readonly fields: number;
}

/** Values of one column that are not of its type, and where the first row with one starts. */
export interface CsvMisfit {
  readonly column: number;
  readonly count: number;
  readonly start: number;
  readonly line: number;
}

/** What there is to say about the rows of a chunk beside what they hold. */
export interface CsvRows {
  /** Rows that became documents. */
  readonly count: number;
  /** Per document: offset and physical line of its row in the chunk, and its own ordinal. */
  readonly sites: Uint32Array;
  readonly bad: readonly BadRow[];
  /** Physical lines gone over. */
  readonly lineCount: number;
  /** Bytes gone over: all, or those in front of a row that is not whole. */
  readonly consumed: number;
  /** The row behind `consumed` is longer than allowed, and its first line has no end here. */
  readonly overlong: boolean;
  readonly misfits: readonly CsvMisfit[];
}

/** The rows of a chunk as JSONL; `dense`, all memory fresh. The records' lines count documents. */
export interface CsvTable extends CsvRows, EncodedLines {
  readonly count: number;
}

/** The rows of a chunk as objects, as `JSON.parse` makes them of the lines of `CsvTable`. */
export interface CsvObjects extends CsvRows {
  readonly documents: readonly Document[];
}

/** Reads rows by one program. */
export interface CsvReader {
  readonly name: 'wasm' | 'typescript';
  /** A chunk that starts with a row; `last` if it is the last of its source. The input is kept as is. */
  rows(bytes: Uint8Array, last: boolean): CsvTable;
  /** As `rows`, to objects. */
  objects(bytes: Uint8Array, last: boolean): CsvObjects;
}

/** How documents become rows of CSV. */
export interface CsvRowProgram {
  /** The fields to write, in this order; no name twice. */
  readonly columns: readonly string[];
  /** A byte below 0x80. */
  readonly delimiter: number;
  /** What null and missing fields are written as; needs no quotes. */
  readonly null: string;
  readonly lineEnd: '\n' | '\r\n';
  /** Quotes all texts, not only those that need it. */
  readonly quotesAll: boolean;
  /** Leaves out fields that are no columns, instead of refusing their documents. */
  readonly dropsExtra: boolean;
}

/** Is told of a document that cannot be written, by its ordinal; what it throws ends the writing. */
export type OnUnwritable = (ordinal: number, reason: string) => void;

/** Writes rows by one program. */
export interface CsvRowWriter {
  readonly name: CsvReader['name'];
  /** Fields that were left out. */
  readonly dropped: number;
  /** A row for each line, in fresh memory. The lines are validated, and kept as they are. */
  rows(lines: EncodedLines, onUnwritable: OnUnwritable): Uint8Array;
}

/** Why a row is bad; the WebAssembly kernel has the same numbers. */
export const CsvReason = {
  none: 0,
  afterQuote: 1,
  unclosed: 2,
  surplus: 3,
  missing: 4,
  misfit: 5,
  illFormedUtf8: 6,
  tooLong: 7,
} as const;

/** Code and words for each number of `CsvReason`. */
export const csvFaults: readonly (readonly [code: ErrorCode, reason: string])[] = [
  ['CSV_ERROR', ''],
  ['CSV_ERROR', 'expected the delimiter or the end of the line after the closing quote'],
  ['CSV_ERROR', 'the quote is never closed'],
  ['CSV_ERROR', 'the row has more fields than there are columns'],
  ['CSV_ERROR', 'the row has fewer fields than there are columns'],
  ['SCHEMA_CHANGED', 'the value is not of the type of its column'],
  ['INVALID_UTF8', 'the bytes are not UTF-8'],
  ['LINE_TOO_LONG', 'the row is longer than maxRowBytes'],
];

/** The numbers of types and policies, the same as in wasm/csv-layout.ts. */
export const CsvNumbers = {
  type: { string: 0, integer: 1, number: 2, boolean: 3 },
  empty: { null: 0, omit: 1, string: 2 },
  misfit: { string: 0, null: 1, error: 2 },
} as const;
