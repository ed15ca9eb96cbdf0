/**
 * Splits a chunk into documents and bad lines, and finds and hashes each document's key. The records
 * are fresh memory; the bytes are those given, not copied. Bad lines are reported, never thrown.
 */
import { KeyKind, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { checkCount } from '../../core/check-option.ts';
import { formatPath } from '../../core/path.ts';
import { faultCode, faultReasons, Reason } from '../reasons.ts';
import {
  type BadLine,
  DEFAULT_MAX_DEPTH,
  type LinesOptions,
  type LineTable,
  MAX_DEPTH,
} from '../types.ts';
import { Kind, Scanner } from './scanner.ts';
import { decodeText, type FieldName, fieldNames, findPath, stringValue } from './text.ts';
import { hashInto } from './xxh3.ts';

const CANONICAL_START = new TextEncoder().encode('{"_id":"');
const encoder = new TextEncoder();
const hash = new Uint32Array(2);

/** Called for each good document, in order, while its tape still stands in the scanner. */
export type Visit = (scanner: Scanner, ordinal: number) => void;

/** As `Kernel.lines`; `visit` sees each document's tape as it is found. */
export function readLines(bytes: Uint8Array, options: LinesOptions = {}, visit?: Visit): LineTable {
  const { key = ['_id'], maxDepth = DEFAULT_MAX_DEPTH } = options;
  checkCount('maxDepth', maxDepth, 1, MAX_DEPTH);
  const names = fieldNames(key);
  const scanner = new Scanner();
  const bad: BadLine[] = [];
  let records = new Uint32Array(RECORD_WORDS * Math.max(16, bytes.length >> 7));
  let count = 0;
  let lineCount = 0;
  let dense = true;
  let canonical = key.length === 1 && key[0] === '_id';

  for (let start = 0; start < bytes.length; lineCount++) {
    const newline = bytes.indexOf(0x0a, start);
    const stop = newline < 0 ? bytes.length : newline;
    const end = stop > start && bytes[stop - 1] === 0x0d ? stop - 1 : stop;
    if (isBlank(bytes, start, end)) dense = false;
    else if (!scanner.scan(bytes, start, end, maxDepth)) {
      dense = false;
      bad.push(badLine(start, end, lineCount, scanner.faultOffset, scanner.faultReason, count));
    } else if (scanner.kind[0] !== Kind.object) {
      dense = false;
      bad.push(badLine(start, end, lineCount, scanner.start[0]!, Reason.notAnObject, count));
    } else {
      if ((count + 1) * RECORD_WORDS > records.length) records = grown(records);
      const base = count * RECORD_WORDS;
      records[base + LineRecord.start] = scanner.start[0]!;
      records[base + LineRecord.end] = scanner.end[0]!;
      records[base + LineRecord.line] = lineCount;
      const node = findPath(scanner, 0, names);
      writeKey(records, base, scanner, node);
      dense &&= scanner.start[0] === start && scanner.end[0] === newline;
      canonical &&= dense && isCanonical(scanner, node, names[0]!);
      visit?.(scanner, count);
      count++;
    }
    start = stop + 1;
  }
  return {
    bytes,
    records: records.subarray(0, count * RECORD_WORDS),
    count,
    dense,
    key: formatPath(key),
    bad,
    lineCount,
    canonical: canonical && dense,
  };
}

/** As `Kernel.split`. */
export function splitLines(bytes: Uint8Array): LineTable {
  const records: number[] = [];
  let lineCount = 0;
  let dense = true;
  for (let at = 0; at < bytes.length; lineCount++) {
    const newline = bytes.indexOf(0x0a, at);
    const stop = newline < 0 ? bytes.length : newline;
    let start = at;
    while (start < stop && bytes[start]! <= 0x20) start++;
    let end = stop;
    while (end > start && bytes[end - 1]! <= 0x20) end--;
    if (start < stop) records.push(start, end, lineCount, 0, 0, 0, 0, 0);
    dense &&= start === at && end === newline && start < end;
    at = stop + 1;
  }
  const count = records.length / RECORD_WORDS;
  const table = { bytes, records: Uint32Array.from(records), count, dense };
  return { ...table, bad: [], lineCount, canonical: false };
}

function writeKey(records: Uint32Array, base: number, scanner: Scanner, node: number): void {
  if (node < 0) return;
  const kind = scanner.kind[node]!;
  const isText = kind === Kind.plain || kind === Kind.escaped;
  const inset = isText ? 1 : 0;
  const start = scanner.start[node]! + inset;
  const end = scanner.end[node]! - inset;
  records[base + LineRecord.keyStart] = start;
  records[base + LineRecord.keyEnd] = end;
  if (!isText) {
    const isNumber = kind === Kind.integer || kind === Kind.decimal;
    records[base + LineRecord.keyKind] = isNumber ? KeyKind.number : KeyKind.other;
    return;
  }
  if (kind === Kind.plain) {
    records[base + LineRecord.keyKind] = KeyKind.plain;
    hashInto(hash, scanner.bytes, start, end);
  } else {
    records[base + LineRecord.keyKind] = KeyKind.escaped;
    const text = encoder.encode(stringValue(scanner, node));
    hashInto(hash, text, 0, text.length);
  }
  records[base + LineRecord.hashLow] = hash[0]!;
  records[base + LineRecord.hashHigh] = hash[1]!;
}

/** An ASCII id that a collection takes. */
const PLAIN_ID = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,255}$/;

/** Node 1 is the document's first key; the last `_id` being node 2 means that it is the only one. */
function isCanonical(scanner: Scanner, node: number, name: FieldName): boolean {
  if (node !== 2 || scanner.kind[2] !== Kind.plain || scanner.kind[1] !== Kind.plain) return false;
  const { bytes } = scanner;
  const from = scanner.start[0]!;
  if (!PLAIN_ID.test(decodeText(bytes, scanner.start[2]! + 1, scanner.end[2]! - 1))) return false;
  return name.text === '_id' && CANONICAL_START.every((byte, i) => bytes[from + i] === byte);
}

function badLine(
  start: number,
  end: number,
  line: number,
  offset: number,
  reason: number,
  before: number,
): BadLine {
  return {
    start,
    end,
    line,
    offset,
    code: faultCode(reason),
    reason: faultReasons[reason]!,
    before,
  };
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}

function grown(records: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(records.length * 2);
  larger.set(records);
  return larger;
}
