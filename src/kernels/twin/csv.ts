/** The CSV kernel in plain TypeScript; see `csv-types.ts` for what it does. */
import { type Document, KeyKind, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { formatPath } from '../../core/path.ts';
import {
  type BadRow,
  type CsvMisfit,
  type CsvProgram,
  type CsvReader,
  CsvReason,
  type CsvRows,
  type CsvTable,
  type CsvType,
} from '../csv-types.ts';
import { afterLine, type CsvField, type CsvRow, findLineEnd, readCsvRow } from './csv-fields.ts';
import { hashInto } from './xxh3.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const INTEGER = /^-?(0|[1-9]\d*)$/;
const BOOLEAN = /^(true|false)$/i;

/** A reader without WebAssembly. */
export function createTwinCsvReader(program: CsvProgram): CsvReader {
  return {
    name: 'typescript',
    rows(bytes, last) {
      const reading = new Reading(program, bytes, last);
      return { ...reading.read(), ...reading.lines() };
    },
    objects(bytes, last) {
      const reading = new Reading(program, bytes, last);
      return { ...reading.read(), documents: reading.documents() };
    },
  };
}

/** True if a column of this type holds the text as a value of its own. */
export function fitsCsvType(type: CsvType, text: string): boolean {
  if (type === 'string') return true;
  if (type === 'boolean') return BOOLEAN.test(text);
  return (type === 'integer' ? INTEGER : NUMBER).test(text);
}

/** The place of the first ill-formed sequence in [from, to), or `to`. */
function findIllFormed(bytes: Uint8Array, from: number, to: number): number {
  try {
    strict.decode(bytes.subarray(from, to));
    return to;
  } catch {
    let at = from;
    for (const char of decoder.decode(bytes.subarray(from, to))) {
      const size = encoder.encode(char).length;
      if (char === '\ufffd' && !(bytes[at] === 0xef && bytes[at + 1] === 0xbf)) return at;
      if (char === '\ufffd' && bytes[at + 2] !== 0xbd) return at;
      at += size;
    }
    return to;
  }
}

class Reading {
  readonly #program: CsvProgram;
  readonly #bytes: Uint8Array;
  readonly #last: boolean;
  readonly #lines: string[] = [];
  readonly #records: number[] = [];
  readonly #sites: number[] = [];
  readonly #bad: BadRow[] = [];
  readonly #misfits = new Map<number, CsvMisfit>();
  #size = 0;
  #line = 0;
  #count = 0;
  #fault = 0;
  #faultAt = 0;

  constructor(program: CsvProgram, bytes: Uint8Array, last: boolean) {
    this.#program = program;
    this.#bytes = bytes;
    this.#last = last;
  }

  read(): CsvRows {
    const { dialect } = this.#program;
    const bytes = this.#bytes;
    let at = 0;
    let overlong = false;
    while (at < bytes.length) {
      const first = bytes[at]!;
      const isComment = first === dialect.comment;
      if (isComment || first === 10 || first === 13) {
        const next = afterLine(bytes, isComment ? findLineEnd(bytes, at) : at, this.#last);
        if (next < 0) break;
        this.#line++;
        at = next;
        continue;
      }
      const next = this.#row(at);
      overlong = next === 'overlong';
      if (typeof next === 'string') break;
      at = next;
    }
    return {
      count: this.#count,
      sites: Uint32Array.from(this.#sites),
      bad: this.#bad,
      lineCount: this.#line,
      consumed: at,
      overlong,
      misfits: [...this.#misfits.values()].sort((a, b) => a.column - b.column),
    };
  }

  /** What was read, as lines. */
  lines(): Omit<CsvTable, Exclude<keyof CsvRows, 'count'>> {
    const { key } = this.#program;
    return {
      bytes: encoder.encode(this.#lines.join('')),
      records: Uint32Array.from(this.#records),
      count: this.#count,
      dense: true,
      ...(key === undefined ? {} : { key: formatPath([key]) }),
    };
  }

  /** What was read, as objects. */
  documents(): Document[] {
    return this.#lines.map((line) => JSON.parse(line) as Document);
  }

  /** Reads the row at `start`; answers where the next one starts, or why it cannot be read yet. */
  #row(start: number): number | 'partial' | 'overlong' {
    const bytes = this.#bytes;
    const { maxRowBytes, columns, ragged, dialect } = this.#program;
    const row = readCsvRow(bytes, start, this.#last, dialect);
    let { end, next, embedded } = row;
    this.#fault = 0;
    const length = bytes.length - start;
    let isLong = next >= 0 && end - start > maxRowBytes;
    if (next < 0) {
      if (this.#last) isLong = length > maxRowBytes;
      else if (length > maxRowBytes + 1) isLong = true;
      else return 'partial';
    }
    const misfits: number[] = [];
    const { text, key } = this.#write(row, misfits);
    if (row.fault) this.#note(row.faultAt, row.fault);
    if (isLong || next < 0) {
      end = findLineEnd(bytes, start);
      next = afterLine(bytes, end, this.#last);
      embedded = 0;
      if (next < 0) return 'overlong';
    }
    const ill = findIllFormed(bytes, start, end);
    if (isLong || ill < end) {
      this.#fault = 0;
      this.#note(isLong ? start : ill, isLong ? CsvReason.tooLong : CsvReason.illFormedUtf8);
    } else if (row.fields.length < columns.length && ragged !== 'pad' && ragged !== 'fit') {
      this.#note(end, CsvReason.missing);
    }
    if (this.#fault) this.#refuse(start, end, row);
    else this.#keep(start, text, key, misfits);
    this.#line += embedded + 1;
    return next;
  }

  #note(at: number, reason: number): void {
    if (this.#fault) return;
    this.#fault = reason;
    this.#faultAt = at;
  }

  #refuse(start: number, end: number, row: CsvRow): void {
    const isRagged = this.#fault === CsvReason.surplus || this.#fault === CsvReason.missing;
    // One whose quote is never closed is none.
    const whole = row.fields.length - (row.fault === CsvReason.unclosed ? 1 : 0);
    this.#bad.push({
      start,
      end,
      line: this.#line,
      offset: this.#faultAt,
      reason: this.#fault,
      before: this.#count,
      fields: isRagged ? whole : 0,
    });
  }

  #write(row: CsvRow, misfits: number[]) {
    const { columns, ragged, key } = this.#program;
    let text = '';
    let keyAt: { from: string; value: string } | undefined;
    for (let i = 0; i < Math.max(columns.length, row.fields.length); i++) {
      const column = columns[i];
      if (!column) {
        if (ragged !== 'truncate' && ragged !== 'fit') {
          this.#note(row.fields[i]!.start, CsvReason.surplus);
        }
        break;
      }
      const value = this.#value(row.fields[i], i, column.type, misfits);
      if (value === undefined) continue;
      text += `${text === '' ? '' : ','}${JSON.stringify(column.name)}:`;
      if (column.name === key) keyAt = { from: text, value };
      text += value;
    }
    return { text, key: keyAt };
  }

  /** The value as JSON; undefined for one left out. */
  #value(
    field: CsvField | undefined,
    column: number,
    type: CsvType,
    misfits: number[],
  ): string | undefined {
    const { empty, nulls, misfit } = this.#program;
    const text = field ? decoder.decode(field.value) : '';
    const quoted = field?.quoted === true;
    if ((text === '' && !(quoted && type === 'string')) || (!quoted && nulls.includes(text))) {
      if (empty === 'omit') return undefined;
      return empty === 'string' && type === 'string' ? '""' : 'null';
    }
    if (type === 'string') return JSON.stringify(text);
    if (fitsCsvType(type, text)) return text.toLowerCase() === text ? text : lower(type, text);
    const inside = quoted ? 1 : 0;
    if (misfit === 'error') this.#note(field!.start + inside, CsvReason.misfit);
    misfits.push(column);
    return misfit === 'null' ? 'null' : JSON.stringify(text);
  }

  #keep(
    start: number,
    text: string,
    key: { from: string; value: string } | undefined,
    misfits: readonly number[],
  ): void {
    const line = `{${text}}\n`;
    const size = encoder.encode(line).length;
    const base = this.#count * RECORD_WORDS;
    const record = [this.#size, this.#size + size - 1, this.#count, 0, 0, 0, 0, 0];
    if (key) writeKey(record, this.#size + 1 + encoder.encode(key.from).length, key.value);
    for (let i = 0; i < RECORD_WORDS; i++) this.#records[base + i] = record[i]!;
    this.#sites.push(start, this.#line, this.#count);
    for (const column of misfits) {
      const known = this.#misfits.get(column) ?? { column, count: 0, start, line: this.#line };
      this.#misfits.set(column, { ...known, count: known.count + 1 });
    }
    this.#lines.push(line);
    this.#size += size;
    this.#count++;
  }
}

function lower(type: CsvType, text: string): string {
  return type === 'boolean' ? text.toLowerCase() : text;
}

function writeKey(record: number[], at: number, value: string): void {
  const size = encoder.encode(value).length;
  const isText = value[0] === '"';
  record[LineRecord.keyStart] = isText ? at + 1 : at;
  record[LineRecord.keyEnd] = at + size - (isText ? 1 : 0);
  if (!isText) {
    record[LineRecord.keyKind] = /^[-\d]/.test(value) ? KeyKind.number : KeyKind.other;
    return;
  }
  record[LineRecord.keyKind] = value.includes('\\') ? KeyKind.escaped : KeyKind.plain;
  const decoded = encoder.encode(JSON.parse(value) as string);
  const hash = new Uint32Array(2);
  hashInto(hash, decoded, 0, decoded.length);
  record[LineRecord.hashLow] = hash[0]!;
  record[LineRecord.hashHigh] = hash[1]!;
}
