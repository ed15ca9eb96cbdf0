/**
 * Finds out how a CSV file is written by looking at samples of it: delimiter, quote, escape, header
 * and the types of its columns. A pure function of the samples and of what is said beforehand, so that
 * the same file is always read the same way; every choice comes with its reason.
 */
import { sourcePlace } from '../core/batch.ts';
import { checkCount } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import {
  afterLine,
  type CsvDialect,
  type CsvRow,
  type CsvType,
  findLineEnd,
  fitsCsvType,
  readCsvRow,
} from '../kernels/csv.ts';
import { buildDialect, type CsvLayout, type CsvRowOptions, nameCharacter } from './csv-options.ts';
import { startsWithMark } from './line-decoder.ts';

/** Bytes to look at: at the beginning, and at each further place. */
export const HEAD_SAMPLE_BYTES: number = 256 << 10;
export const MORE_SAMPLE_BYTES: number = 64 << 10;

export interface CsvSniffInput {
  /** The beginning of the file; 256 KiB of it are looked at. */
  readonly head: Uint8Array;
  /** True if that is all of it; false too if it is, but its last row goes on. */
  readonly whole: boolean;
  /** Pieces of its middle and end, cut anywhere. */
  readonly more?: readonly Uint8Array[];
  /** Path, URL or name, for errors. */
  readonly source?: string | undefined;
}

/** What a file was taken for. */
export interface CsvSniff extends CsvLayout {
  readonly header: boolean;
  /** Rows that were looked at. */
  readonly sampledRows: number;
  /** Bytes and lines in front of the first row of values. */
  readonly dataOffset: number;
  readonly dataLine: number;
  /** What was chosen and why, a sentence each. */
  readonly reasons: readonly string[];
}

type Characters = Pick<CsvLayout, 'delimiter' | 'quote' | 'escape'>;

const DELIMITERS = [',', ';', '\t', '|'];
/** Rows by which a dialect is judged. */
const JUDGED_ROWS = 500;
const TYPES: readonly CsvType[] = ['integer', 'number', 'boolean'];
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/**
 * Looks at the samples. What the options name is not questioned; without `header`, whether there is
 * one is guessed. Errors: INVALID_ARGUMENT for options that contradict each other; LINE_TOO_LONG when
 * no row ends within the first 256 KiB; INVALID_UTF8 for a header that is not UTF-8 or holds a zero, as
 * UTF-16 does.
 */
export function sniffSamples(input: CsvSniffInput, options: CsvRowOptions = {}): CsvSniff {
  const reasons: string[] = [];
  const head = input.head.subarray(0, HEAD_SAMPLE_BYTES);
  const whole = input.whole && head.length === input.head.length;
  const start = passLines(head, checkCount('skipLines', options.skipLines ?? 0, 0));
  const body = { bytes: head.subarray(start.offset), whole };
  const characters = chooseCharacters(body, options, reasons);
  const dialect = buildDialect(characters, options);
  const [first, ...rows] = rowsOf(body.bytes, body.whole, dialect, Number.POSITIVE_INFINITY);
  const isFull = !whole && head.length === HEAD_SAMPLE_BYTES;
  const place = sourcePlace(input.source);
  if (!first && isFull) {
    throw new EtlError('LINE_TOO_LONG', 'no row ends in the first 256 KiB', { place });
  }
  if (first) notePreamble(first, rows, start.line, reasons);
  const width = options.columns?.length ?? first?.row.fields.length ?? 0;
  for (const piece of input.more ?? []) rows.push(...alignedRows(piece, dialect, width));
  const header = decideHeader(first, rows, options, reasons);
  if (header && first) checkHeader(first.row, start.offset, place);
  const columns = nameColumns(first?.row, header, options, reasons);
  const values = first && !header ? [first, ...rows] : rows;
  const fitting = values.filter(({ row }) => row.fields.length === columns.length && !row.fault);
  const types = chooseTypes(fitting, columns, options, reasons);
  const data = header && first ? { offset: first.row.next, line: first.line + 1 } : undefined;
  const embedded = data ? first!.row.embedded : 0;
  return {
    ...characters,
    columns,
    types,
    header,
    sampledRows: values.length,
    dataOffset: start.offset + (data?.offset ?? 0),
    dataLine: start.line + (data?.line ?? 0) + embedded,
    reasons,
  };
}

interface Found {
  readonly row: CsvRow;
  /** Lines of the sample in front of it. */
  readonly line: number;
}

/** The rows of a sample that are whole, comments and empty lines left out. */
function rowsOf(bytes: Uint8Array, whole: boolean, dialect: CsvDialect, most: number): Found[] {
  const found: Found[] = [];
  let line = 0;
  for (let at = 0; at < bytes.length && found.length < most; line++) {
    const byte = bytes[at]!;
    const isRow = byte !== 10 && byte !== 13 && byte !== dialect.comment;
    const plain = isRow ? dialect : { delimiter: dialect.delimiter, trim: false };
    const row = readCsvRow(bytes, at, whole, plain);
    if (row.next < 0) break;
    if (isRow) found.push({ row, line });
    line += row.embedded;
    at = row.next;
  }
  return found;
}

function passLines(bytes: Uint8Array, count: number): { offset: number; line: number } {
  let offset = startsWithMark(bytes) ? 3 : 0;
  let line = 0;
  for (; line < count && offset < bytes.length; line++) {
    offset = afterLine(bytes, findLineEnd(bytes, offset), true);
  }
  return { offset, line };
}

/** Lines in front of a table are read as its rows all the same, unless somebody says otherwise. */
function notePreamble(
  first: Found,
  rows: readonly Found[],
  linesBefore: number,
  reasons: string[],
): void {
  const width = rows.at(-1)?.row.fields.length ?? 0;
  const table = rows.findIndex(({ row }) => row.fields.length === width);
  const isTable = rows.slice(table).every(({ row }) => row.fields.length === width);
  if (width === first.row.fields.length || !isTable || rows.length - table < 2) return;
  const lines = linesBefore + rows[table]!.line;
  reasons.push(
    `the first ${lines} lines have other numbers of fields than all behind: skipLines: ${lines} passes over them`,
  );
}

/**
 * The rows of a piece that begins anywhere, perhaps inside of quotes: of the ways to begin after one of
 * its first line ends, the one that gives the most rows of the right width.
 */
function alignedRows(piece: Uint8Array, dialect: CsvDialect, width: number): Found[] {
  let best: Found[] = [];
  let start = 0;
  for (let attempt = 0; attempt < 4; attempt++) {
    start = piece.indexOf(10, start) + 1;
    if (start === 0) break;
    const rows = rowsOf(piece.subarray(start), false, dialect, Number.POSITIVE_INFINITY);
    const fitting = rows.filter(({ row }) => row.fields.length === width && !row.fault);
    if (fitting.length > best.length) best = fitting;
    if (fitting.length > 0 && fitting.length === rows.length) break;
  }
  return best;
}

interface Body {
  readonly bytes: Uint8Array;
  readonly whole: boolean;
}

function chooseCharacters(body: Body, options: CsvRowOptions, reasons: string[]): Characters {
  const { delimiter, escape: escapeBy } = options;
  const quote = options.quote === undefined ? '"' : options.quote;
  const make = (each: string, mark: string | null, by = escapeBy ?? mark): Characters => {
    return { delimiter: each, quote: mark, escape: mark === null ? null : by };
  };
  const others = options.comment === undefined ? '' : options.comment;
  const candidates = DELIMITERS.filter((each) => each !== quote && !others.includes(each));
  const judged = (delimiter === undefined ? candidates : [delimiter]).map((each) => {
    const characters = make(each, quote);
    return { characters, ...judge(body, characters, options) };
  });
  let best = judged[0]!;
  for (const each of judged) if (each.score > best.score) best = each;
  if (delimiter === undefined) {
    const name = nameCharacter(best.characters.delimiter);
    reasons.push(
      best.width > 1
        ? `delimiter ${name}: ${best.regular} of ${best.rows} rows have ${best.width} fields`
        : `delimiter ${name}: no other splits the rows evenly`,
    );
  }
  const { delimiter: chosen } = best.characters;
  if (options.quote === undefined && best.quotes.double === 0 && best.quotes.single > 0) {
    const single = { characters: make(chosen, "'"), ...judge(body, make(chosen, "'"), options) };
    if (single.score >= best.score && single.faults <= best.faults) {
      reasons.push(`quote "'": ${single.quotes.single} fields are enclosed in it, none in '"'`);
      best = single;
    }
  }
  const mark = best.characters.quote;
  if (mark !== null && escapeBy === undefined && best.regular < best.rows) {
    const slashed = make(chosen, mark, '\\');
    const other = { characters: slashed, ...judge(body, slashed, options) };
    if (other.score > best.score) {
      reasons.push(
        `escape "\\": ${other.regular} rows are regular with it, ${best.regular} without`,
      );
      best = other;
    }
  }
  return best.characters;
}

/** How evenly a dialect splits the first rows: the share of regular ones, then their width. */
function judge({ bytes, whole }: Body, characters: Characters, options: CsvRowOptions) {
  const dialect = buildDialect(characters, options);
  const found = rowsOf(bytes, whole, dialect, JUDGED_ROWS);
  const counts = new Map<number, number>();
  const quotes = { double: 0, single: 0 };
  let faults = 0;
  for (const { row } of found) {
    if (row.fault) faults++;
    else counts.set(row.fields.length, (counts.get(row.fields.length) ?? 0) + 1);
    for (const { start, value, quoted } of row.fields) {
      const mark = bytes[start];
      if (mark === 0x22) quotes.double++;
      else if (mark === 0x27 && (quoted || isEnclosed(value))) quotes.single++;
    }
  }
  const rows = found.length;
  let width = 0;
  let regular = 0;
  for (const [fields, count] of counts) {
    if (count * Math.min(fields, 2) > regular * Math.min(width, 2))
      [width, regular] = [fields, count];
  }
  const share = rows === 0 ? 0 : regular / rows;
  return { score: width > 1 ? share + width / 1e6 : 0, rows, regular, faults, width, quotes };
}

/** Begins and ends with an apostrophe; a lone one is a value. */
function isEnclosed(value: Uint8Array): boolean {
  return value.length > 1 && value[0] === 0x27 && value.at(-1) === 0x27;
}

function decideHeader(
  first: Found | undefined,
  rows: readonly Found[],
  options: CsvRowOptions,
  reasons: string[],
): boolean {
  if (options.header !== undefined) return options.header;
  if (!first) {
    reasons.push('no header: there is no row');
    return false;
  }
  const names = first.row.fields.map(({ value }) => decoder.decode(value));
  const isValue = (text: string) => text === '' || TYPES.some((type) => fitsCsvType(type, text));
  const faulty = names.find(isValue);
  if (faulty !== undefined) {
    reasons.push(`no header: the first row holds ${JSON.stringify(faulty)}, which is no name`);
    return false;
  }
  const unique = new Set(names).size === names.length;
  const named = first.row.fields.map(({ value }) => value);
  const repeated = rows.some(({ row }) =>
    row.fields.some(({ value }, i) => value.length > 0 && isSame(value, named[i])),
  );
  const header = unique && !repeated;
  reasons.push(
    header
      ? 'header: the first row holds names that differ and do not come again'
      : 'no header: what the first row holds comes again',
  );
  return header;
}

/** A value with such bytes is refused, or kept, with its row; a name would stand in every document. */
function checkHeader({ fields }: CsvRow, offset: number, place: Place): void {
  for (const { start, value } of fields) {
    const at = { ...place, offset: offset + start };
    if (value.includes(0)) {
      throw new EtlError('INVALID_UTF8', 'a column has a name with a zero, as in UTF-16', {
        place: at,
      });
    }
    try {
      strict.decode(value);
    } catch (cause) {
      throw new EtlError('INVALID_UTF8', 'the name of a column is not UTF-8', { place: at, cause });
    }
  }
}

/** Most differ in length or at once; decoding every field would take longer than all the rest. */
function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return a.length === b?.length && a.every((byte, i) => byte === b[i]);
}

function nameColumns(
  first: CsvRow | undefined,
  header: boolean,
  { columns }: CsvRowOptions,
  reasons: string[],
): string[] {
  if (columns) return [...columns];
  const fields = first?.fields ?? [];
  const used = new Set<string>();
  return fields.map(({ value }, i) => {
    const given = header ? decoder.decode(value) : '';
    const wanted = given === '' ? `column_${i + 1}` : given;
    let name = wanted;
    for (let n = 2; used.has(name); n++) name = `${wanted}_${n}`;
    used.add(name);
    if (header && name !== given) {
      const what = given === '' ? 'has no name' : `repeats ${JSON.stringify(given)}`;
      reasons.push(`column ${i + 1} ${what} and is called ${JSON.stringify(name)}`);
    }
    return name;
  });
}

function chooseTypes(
  rows: readonly Found[],
  columns: readonly string[],
  { types = 'infer', nulls = [] }: CsvRowOptions,
  reasons: string[],
): Record<string, CsvType> {
  const pinned = typeof types === 'object' ? types : {};
  const chosen: Record<string, CsvType> = { ...pinned };
  for (const [i, name] of columns.entries()) {
    if (Object.hasOwn(pinned, name)) continue;
    let possible = types === 'string' ? [] : TYPES;
    let seen = 0;
    for (const { row } of rows) {
      if (possible.length === 0) break;
      const { value, quoted } = row.fields[i]!;
      const text = decoder.decode(value);
      if (text === '' || (!quoted && nulls.includes(text))) continue;
      seen++;
      possible = possible.filter((type) => fitsCsvType(type, text));
      if (possible.length === 0) {
        reasons.push(`${name}: string, for ${JSON.stringify(clip(text))}`);
      }
    }
    const type = seen > 0 ? possible[0] : undefined;
    Object.defineProperty(chosen, name, {
      value: type ?? 'string',
      enumerable: true,
      configurable: true,
      writable: true,
    });
    if (type) reasons.push(`${name}: ${type}, as all ${seen} values seen`);
    else if (seen === 0 && types !== 'string')
      reasons.push(`${name}: string, for no value was seen`);
  }
  return chosen;
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
