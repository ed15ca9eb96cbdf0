/** What a user says about a CSV file, and its translation for the kernel. */
import { checkChoice, checkList } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { CsvDialect, CsvEmpty, CsvMisfitPolicy, CsvRagged, CsvType } from '../kernels/csv.ts';

/** How the fields are written. What is left out is found out by looking at the file. */
export interface CsvDialectOptions {
  /** One ASCII character. */
  readonly delimiter?: string;
  /** One ASCII character that is no letter, digit or sign; null for a file without quotes. */
  readonly quote?: string | null;
  /** Makes a quote inside of quotes a plain one: the quote itself (doubled), or another such character. */
  readonly escape?: string;
  /** Lines that begin with this ASCII character are no rows. Default: there are none. */
  readonly comment?: string;
  /** Drop spaces and tabs around fields, outside of quotes. Default false. */
  readonly trim?: boolean;
  /** Lines to pass over before the header. Default 0. */
  readonly skipLines?: number;
}

/** How rows become documents. */
export interface CsvRowOptions extends CsvDialectOptions {
  /** Whether the first row names the columns. Default true, false with `columns`. */
  readonly header?: boolean;
  /** Names of the columns; with a header they replace its names. */
  readonly columns?: readonly string[];
  /**
   * 'infer' finds a type for every column in a sample and keeps to it; 'string' leaves all values as
   * they are; names with types pin those, the others are inferred. Default 'infer'.
   */
  readonly types?: 'infer' | 'string' | Readonly<Record<string, CsvType>>;
  /**
   * What an empty field becomes: null, nothing, or an empty text where its column has strings (null
   * elsewhere). A quoted one is an empty text in a string column in any case. Default 'null'.
   */
  readonly empty?: CsvEmpty;
  /** Unquoted texts that mean the same as an empty field, `NA` for instance. Default none. */
  readonly nulls?: readonly string[];
  /**
   * What becomes of a value that is not of its column's type: it is kept as a string, replaced by
   * null (both are counted), or the row is a bad one. Default 'string'.
   */
  readonly misfit?: CsvMisfitPolicy;
  /**
   * A row with too few or too many fields: is a bad one ('error'), has its missing ones taken for empty
   * ('pad'), has its surplus ones dropped ('truncate'), or both ('fit'). Default 'error'.
   */
  readonly ragged?: CsvRagged;
  /** Longest row, its line end excluded. Default 16 MiB. Error: LINE_TOO_LONG. */
  readonly maxRowBytes?: number;
}

/** Everything that must stay the same for a file to be read on from its middle; JSON. */
export interface CsvLayout {
  readonly delimiter: string;
  readonly quote: string | null;
  readonly escape: string | null;
  readonly columns: readonly string[];
  /** Of the columns here and of those of earlier files. */
  readonly types: Readonly<Record<string, CsvType>>;
}

/** Errors: INVALID_ARGUMENT for a word that an option does not have. */
export function checkRowOptions(options: CsvRowOptions): void {
  const { types = 'infer', empty = 'null', misfit = 'string', ragged = 'error' } = options;
  checkChoice('empty', empty, ['null', 'omit', 'string']);
  checkChoice('misfit', misfit, ['string', 'null', 'error']);
  checkChoice('ragged', ragged, ['error', 'pad', 'truncate', 'fit']);
  if (options.nulls) checkList('nulls', options.nulls);
  if (typeof types === 'string') checkChoice('types', types, ['infer', 'string']);
  else {
    for (const [column, type] of Object.entries(types)) {
      checkChoice(`types.${column}`, type, ['string', 'integer', 'number', 'boolean']);
    }
  }
}

/** Errors: INVALID_ARGUMENT for characters that no dialect can have, or two with the same meaning. */
export function buildDialect(
  characters: Pick<CsvLayout, 'delimiter' | 'quote' | 'escape'>,
  { comment, trim = false }: CsvDialectOptions,
): CsvDialect {
  const { delimiter, quote, escape: escapeBy } = characters;
  const bytes = {
    delimiter: asciiByte('delimiter', delimiter),
    ...(quote === null ? {} : { quote: asciiByte('quote', quote) }),
    ...(quote === null || escapeBy === null ? {} : { escape: asciiByte('escape', escapeBy) }),
    ...(comment === undefined ? {} : { comment: asciiByte('comment', comment) }),
  };
  const { delimiter: first, ...others } = bytes;
  // Else a value with escapes could be a number, and the kernels say that it is a text.
  if (/[\w.+-]/.test(`${quote ?? ''}${escapeBy ?? ''}`)) {
    throw new EtlError('INVALID_ARGUMENT', 'quote and escape must not be letters, digits or signs');
  }
  if (Object.values(others).includes(first) || (quote !== null && quote === comment)) {
    throw new EtlError('INVALID_ARGUMENT', 'one character cannot mean two things in a CSV dialect');
  }
  return { ...bytes, trim };
}

function asciiByte(what: string, text: string): number {
  const code = text.charCodeAt(0);
  if (text.length !== 1 || code >= 0x80 || code === 0 || code === 10 || code === 13) {
    throw new EtlError('INVALID_ARGUMENT', `${what} must be one ASCII character and no line end`);
  }
  return code;
}

/** A text as a person may want to see it: `tab` instead of a tab. */
export function nameCharacter(text: string): string {
  return text === '\t' ? 'tab' : text === ' ' ? 'space' : `"${text}"`;
}
