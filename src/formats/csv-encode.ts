/**
 * Lines of JSON to rows of CSV, bytes to bytes: numbers keep their digits, and no text is made into a
 * string. The rows are the kernel's work; the header is the row of a document that holds the names.
 * Runs anywhere; O(bytes).
 */

import { type EncodedLines, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { checkChoice, checkList } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import {
  type CsvRowProgram,
  type CsvRowWriter,
  createCsvRowWriter,
  type OnUnwritable,
  readFieldNames,
} from '../kernels/csv.ts';

export interface CsvEncodeOptions {
  /** Fields to write, in this order. Default: those of the first batch, as they come. */
  readonly columns?: readonly string[];
  /** One ASCII character that is no letter, digit, sign or full stop. Default `,`. */
  readonly delimiter?: string;
  /** Whether the first row names the columns. Default true. */
  readonly header?: boolean;
  /** How null and missing fields are written, unquoted. Default the empty text. */
  readonly null?: string;
  /** Which texts are quoted: those that need it, or all texts (numbers never are). Default 'needed'. */
  readonly quote?: 'needed' | 'strings';
  /** Default `\n`. */
  readonly lineEnd?: '\n' | '\r\n';
  /**
   * A field that is no column: makes its document a bad one (SCHEMA_CHANGED), or is left out and
   * counted. Default 'error'.
   */
  readonly extra?: 'error' | 'drop';
}

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Writes batches of one file, one after the other. */
export class CsvEncoder {
  readonly #implementation: CsvRowWriter['name'] | undefined;
  readonly #program: Omit<CsvRowProgram, 'columns'>;
  readonly #hasHeader: boolean;
  readonly #columns: readonly string[] | undefined;
  /** The header, as long as it is to be written. */
  #header: Uint8Array = NOTHING;
  #writer: CsvRowWriter | undefined;

  /** `implementation`: the fastest that runs here if absent. Errors: INVALID_ARGUMENT. */
  constructor(options: CsvEncodeOptions = {}, implementation?: CsvRowWriter['name']) {
    const { columns, delimiter = ',', header = true, lineEnd = '\n' } = options;
    const { quote = 'needed', extra = 'error' } = options;
    const code = delimiter.charCodeAt(0);
    if (delimiter.length !== 1 || code >= 0x80 || code < 9 || '\n\r"'.includes(delimiter)) {
      throw new EtlError('INVALID_ARGUMENT', 'delimiter must be one ASCII character, no quote');
    }
    // Numbers and booleans are never quoted.
    if (/[a-z\d.+-]/i.test(delimiter)) {
      const reason = `delimiter must not be "${delimiter}", which stands in numbers or words`;
      throw new EtlError('INVALID_ARGUMENT', reason);
    }
    const nullText = options.null ?? '';
    if (/["\n\r]/.test(nullText) || nullText.includes(delimiter)) {
      throw new EtlError('INVALID_ARGUMENT', 'null must be a text that needs no quotes');
    }
    if (columns && new Set(checkList('columns', columns)).size < columns.length) {
      throw new EtlError('INVALID_ARGUMENT', 'two columns have the same name');
    }
    checkChoice('lineEnd', lineEnd, ['\n', '\r\n']);
    checkChoice('extra', extra, ['error', 'drop']);
    const quotesAll = checkChoice('quote', quote, ['needed', 'strings']) === 'strings';
    const dropsExtra = extra === 'drop';
    this.#program = { delimiter: code, null: nullText, lineEnd, quotesAll, dropsExtra };
    this.#implementation = implementation;
    this.#hasHeader = header;
    this.#columns = columns;
  }

  /** Fields that were left out. */
  get dropped(): number {
    return this.#writer?.dropped ?? 0;
  }

  /** The rows of these documents, the header in front of the first. */
  encode(lines: EncodedLines, onUnwritable: OnUnwritable): Uint8Array {
    if (!this.#writer) {
      const columns = this.#columns ?? readFieldNames(lines);
      if (columns.length === 0) return refuseAll(lines, onUnwritable);
      this.#writer = this.#open(columns);
    }
    const rows = this.#writer.rows(lines, onUnwritable);
    const header = this.#header;
    if (header.length === 0) return rows;
    this.#header = NOTHING;
    const both = new Uint8Array(header.length + rows.length);
    both.set(header);
    both.set(rows, header.length);
    return both;
  }

  /** What is left to write at the end: the header, where there was no document. */
  finish(): Uint8Array {
    if (this.#columns?.length) this.#writer ??= this.#open(this.#columns);
    return this.#header;
  }

  #open(columns: readonly string[]): CsvRowWriter {
    const writer = createCsvRowWriter({ ...this.#program, columns }, this.#implementation);
    if (this.#hasHeader) this.#header = writer.rows(namesOf(columns), fail);
    return writer;
  }
}

/** Without a column there is no row that could be told from a header or from nothing. */
function refuseAll({ count }: EncodedLines, onUnwritable: OnUnwritable): Uint8Array {
  for (let i = 0; i < count; i++) onUnwritable(i, 'no field, and no column known so far');
  return NOTHING;
}

/** A document whose fields hold their own names. */
function namesOf(columns: readonly string[]): EncodedLines {
  const members = columns.map((name) => `${JSON.stringify(name)}:${JSON.stringify(name)}`);
  const bytes = encoder.encode(`{${members.join()}}`);
  const records = new Uint32Array(RECORD_WORDS);
  records[LineRecord.end] = bytes.length;
  return { bytes, records, count: 1, dense: false };
}

function fail(_ordinal: number, reason: string): never {
  throw new EtlError('INTERNAL', reason);
}
