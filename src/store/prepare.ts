/**
 * From a batch to lines as a collection stores them: `{"_id":"ID",` first, then the document's own
 * bytes as they came (numbers, escapes and spacing untouched), one newline after each.
 *
 * Machine-written input that has `_id` first already goes through as it is, without a copy. Anything
 * else is copied once into new memory. Ids come from a path (`_id` unless asked otherwise), from a
 * function, or are generated for documents that have none. An `_id` of the document's own is left
 * out when it is the same id and refused when it is another.
 *
 * Errors, each naming the document's place: INVALID_ID, MISSING_ID, ID_MISMATCH, DUPLICATE_ID,
 * FUNCTION_FAILED. Nothing of the batch has been taken then.
 */
import {
  Batch,
  type Document,
  type EncodedLines,
  KeyKind,
  LineRecord,
  RECORD_WORDS,
} from '../core/batch.ts';
import { EtlError, functionFailed, type Place } from '../core/errors.ts';
import { createIdGenerator, type GeneratedIds } from '../core/generate-id.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../core/path.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import type { Kernel } from '../kernels/index.ts';
import { decodeText } from '../kernels/twin/text.ts';
import { encodePut, readOne } from './encode.ts';
import { findInvalidId } from './index-file.ts';
import { type Indexer, keyText } from './indexer.ts';
import { invalidId, isValidId, isValidIdAt, MAX_ID_BYTES } from './names.ts';

/** Where ids come from. At most one of `idField` and `id`. */
export interface IdOptions {
  /** Path of the field whose string is the id. Default `_id`. */
  readonly idField?: PathInput | undefined;
  /** Makes the id from the document, which is decoded for it. */
  readonly id?: ((document: Document) => string) | undefined;
  /** Makes ids for documents without one (`true`: UUIDv7). Default: MISSING_ID. */
  readonly generateIds?: boolean | GeneratedIds | undefined;
  /** A document whose id is there already is an error (DUPLICATE_ID), not its newer version. */
  readonly refuseExisting?: boolean | undefined;
}

/** The options, checked and ready. */
export interface IdRule {
  readonly path: Path;
  /** `path` as `EncodedLines.key` names it. */
  readonly key: string;
  readonly make: ((document: Document) => string) | undefined;
  readonly generate: (() => string) | undefined;
}

/** Errors: INVALID_ARGUMENT when both `idField` and `id` are given, for a bad path or another kind of ids. */
export function createIdRule(options: IdOptions): IdRule {
  const { idField, id, generateIds } = options;
  if (idField !== undefined && id !== undefined) {
    throw new EtlError('INVALID_ARGUMENT', 'give idField or id, not both');
  }
  const path = parsePath(idField ?? '_id');
  const kind = generateIds === true ? 'uuidv7' : generateIds;
  return {
    path,
    key: formatPath(path),
    make: id,
    generate: kind ? createIdGenerator(kind) : undefined,
  };
}

/** Stored lines: dense, canonical, every id valid. */
export interface PreparedLines {
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;
  readonly count: number;
}

/** Turns a batch into stored lines. */
export function prepareLines(batch: Batch, rule: IdRule, kernel: Kernel): PreparedLines {
  const dense = batch.denseLines();
  if (rule.make === undefined && rule.key === '_id') {
    const lines = dense.key === '_id' ? dense : kernel.lines(dense.bytes);
    if (lines.canonical) return lines;
    if (isCanonical(lines)) {
      const bad = findInvalidId(lines.bytes, lines.records, lines.count);
      if (bad === lines.count) return lines;
      throw invalidId(keyText(lines.bytes, lines.records, bad), batch.place(bad));
    }
  }
  return rewriteLines(batch, rule, kernel);
}

/** Errors: DUPLICATE_ID naming the first document whose id is there already, or twice here. */
export function refuseExisting(lines: PreparedLines, batch: Batch, indexer: Indexer): void {
  const { bytes, records, count } = lines;
  const here = new Set<string>();
  for (let i = 0; i < count; i++) {
    const id = keyText(bytes, records, i)!;
    const found = indexer.find(id) >= 0 || here.has(id);
    here.add(id);
    if (!found) continue;
    const reason = `there is a document ${JSON.stringify(id)} already`;
    throw new EtlError('DUPLICATE_ID', reason, { place: batch.place(i) });
  }
}

/**
 * True when every line begins `{"_id":"` and that `_id` is the one that counts: the key's place says
 * it, because nothing else fits in front of it, and of several the record holds the last.
 */
function isCanonical({ records, count }: EncodedLines): boolean {
  for (let word = 0; word < count * RECORD_WORDS; word += RECORD_WORDS) {
    if (!isFirst(records, word)) return false;
  }
  return true;
}

function isFirst(records: Uint32Array, word: number): boolean {
  return (
    records[word + LineRecord.keyStart] === records[word]! + 8 &&
    records[word + LineRecord.keyKind] === KeyKind.plain
  );
}

function rewriteLines(batch: Batch, rule: IdRule, kernel: Kernel): PreparedLines {
  const dense = batch.denseLines();
  const known = rule.make === undefined && dense.key === rule.key;
  const lines = known ? dense : kernel.lines(dense.bytes, { key: rule.path });
  const { bytes, records, count } = lines;
  const documents = rule.make === undefined ? undefined : batch.documents();
  const own = documents === undefined && rule.key === '_id';
  // An id that is not generated stands in the document, so it is no longer than that.
  const idBytes = documents !== undefined || rule.generate !== undefined ? MAX_ID_BYTES : 0;
  const out = Buffer.allocUnsafeSlow(2 * bytes.length + count * (FRAME_BYTES + idBytes));
  let at = 0;
  for (let i = 0; i < count; i++) {
    const word = i * RECORD_WORDS;
    const start = records[word]!;
    const end = records[word + LineRecord.end]!;
    const kind = documents === undefined ? records[word + LineRecord.keyKind]! : KeyKind.other;
    out.set(HEAD, at);
    at += HEAD.length;
    if (kind === KeyKind.plain) {
      const keyStart = records[word + LineRecord.keyStart]!;
      const keyEnd = records[word + LineRecord.keyEnd]!;
      if (!isValidIdAt(bytes, keyStart, keyEnd)) {
        throw invalidId(keyText(bytes, records, i), batch.place(i));
      }
      for (let k = keyStart; k < keyEnd; k++) out[at++] = bytes[k]!;
    } else at += out.write(resolveId(batch, lines, documents, rule, i), at);
    // Of several `_id` the last is the document's; all of them stand in for the one put first.
    const document =
      own && kind !== KeyKind.missing
        ? withoutMember(
            bytes.subarray(start, end),
            records[word + LineRecord.keyStart]! - start - 1,
          )
        : bytes.subarray(start, end);
    at = closeLine(out, at, document);
  }
  return settle(out.subarray(0, at), batch, own, kernel);
}

const HEAD: Uint8Array = new TextEncoder().encode('{"_id":"');
const NEWLINE: Uint8Array = Uint8Array.of(10);
/** Bytes of a stored line beside its id and its document. */
const FRAME_BYTES = HEAD.length + 3;

/** Writes what follows the id: quote, the document without its brace, newline. */
function closeLine(out: Uint8Array, start: number, document: Uint8Array): number {
  let at = start;
  out[at++] = 34;
  let first = 1;
  while (document[first]! <= 32) first++;
  if (document[first] === 125) out[at++] = 125;
  else {
    out[at++] = 44;
    out.set(document.subarray(1), at);
    at += document.length - 1;
  }
  out[at++] = 10;
  return at;
}

/**
 * The stored line of a document given as the bytes of its JSON text, or of what a schema makes of it, under a
 * given id. Errors: as `readOne` and `encodePut`.
 */
export function prepareRaw(
  id: string,
  bytes: Uint8Array,
  kernel: Kernel,
  schema?: StandardSchema,
): PreparedLines {
  const table = readOne(bytes, kernel);
  if (schema) {
    const [document] = kernel.codec.decode(bytes, table.records, 1);
    return readOne(Buffer.from(encodePut(id, document!, schema)), kernel);
  }
  const document = bytes.subarray(table.records[0]!, table.records[LineRecord.end]!);
  const out = Buffer.allocUnsafeSlow(document.length + FRAME_BYTES + MAX_ID_BYTES);
  out.set(HEAD);
  const at = closeLine(out, HEAD.length + out.write(id, HEAD.length), document);
  return settle(out.subarray(0, at), Batch.fromLines(table, kernel.codec), false, kernel);
}

/** The id of a document that is no plain string in it. */
function resolveId(
  batch: Batch,
  lines: EncodedLines,
  documents: readonly Document[] | undefined,
  rule: IdRule,
  i: number,
): string {
  let id: unknown;
  if (documents !== undefined) id = makeId(rule, documents[i]!, batch.place(i));
  else {
    const kind = lines.records[i * RECORD_WORDS + LineRecord.keyKind]!;
    if (kind === KeyKind.escaped) id = keyText(lines.bytes, lines.records, i);
    else if (kind !== KeyKind.missing) throw foreignId(lines, i, batch.place(i), rule.key);
  }
  return settleId(id, rule, batch.place(i));
}

/** What the rule's function makes of a document. Errors: FUNCTION_FAILED. */
export function makeId(rule: IdRule, document: Document, place: Place): unknown {
  try {
    return rule.make!(document);
  } catch (cause) {
    throw functionFailed(cause, place);
  }
}

/** The id of a document that has `own`. Errors: MISSING_ID, INVALID_ID. */
export function settleId(own: unknown, rule: IdRule, place: Place): string {
  const id = own === undefined ? rule.generate?.() : own;
  if (id === undefined) {
    const what = rule.make === undefined ? `no field ${JSON.stringify(rule.key)}` : 'no id';
    throw new EtlError('MISSING_ID', `the document has ${what}`, { place });
  }
  if (typeof id === 'string' && isValidId(id)) return id;
  throw invalidId(id, place, rule.make ? undefined : rule.key);
}

/** The error for what stands in place of an id and is no string; a number it shows as it is written. */
function foreignId(
  { bytes, records }: EncodedLines,
  i: number,
  place: Place,
  key: string,
): EtlError {
  const word = i * RECORD_WORDS;
  const start = records[word + LineRecord.keyStart]!;
  const end = records[word + LineRecord.keyEnd]!;
  return invalidId(readJson(bytes, start, end), place, key, decodeText(bytes, start, end));
}

function readJson(bytes: Uint8Array, start: number, end: number): unknown {
  return JSON.parse(Buffer.from(bytes.subarray(start, end)).toString()) as unknown;
}

/**
 * Looks at the rewritten lines once more: an `_id` behind ours would count instead of it, so it is
 * taken out, or refused when it is another id (`own`: it is an earlier duplicate and never counted).
 */
function settle(bytes: Uint8Array, batch: Batch, own: boolean, kernel: Kernel): PreparedLines {
  const table = kernel.lines(bytes);
  if (isCanonical(table)) return table;
  const { records, count } = table;
  const parts: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const word = i * RECORD_WORDS;
    const line = bytes.subarray(records[word]!, records[word + LineRecord.end]!);
    if (isFirst(records, word)) {
      parts.push(line, NEWLINE);
      continue;
    }
    const first = line.indexOf(34, HEAD.length) + 1;
    const id = Buffer.from(line.subarray(HEAD.length, first - 1)).toString();
    const refuseOther = (other: string): void => {
      if (JSON.parse(other) === id) return;
      const reason = `the document's own _id is ${other}, not ${JSON.stringify(id)}`;
      throw new EtlError('ID_MISMATCH', reason, { place: batch.place(i) });
    };
    parts.push(onlyFirstId(line, first, own ? undefined : refuseOther), NEWLINE);
  }
  return settle(concat(parts), batch, own, kernel);
}

/**
 * The line of a document without any `_id` behind its first member, which ends at `from`; `onId` gets their values as
 * they are written.
 */
export function onlyFirstId(
  line: Uint8Array,
  from: number,
  onId?: (written: string) => void,
): Uint8Array {
  const parts: Uint8Array[] = [];
  let kept = 0;
  for (let at = from; line[at] === 44; ) {
    const comma = at;
    const name = skipSpace(line, at + 1);
    const nameEnd = endOfString(line, name);
    const value = skipSpace(line, skipSpace(line, nameEnd) + 1);
    at = endOfValue(line, value);
    if (readJson(line, name, nameEnd) !== '_id') continue;
    onId?.(decodeText(line, value, at).trimEnd());
    parts.push(line.subarray(kept, comma));
    kept = at;
  }
  parts.push(line.subarray(kept));
  return concat(parts);
}

/**
 * The document without the member whose value starts at `value`; a copy. The member's name decodes
 * to `_id`, so no quote stands inside it, escaped or not.
 */
function withoutMember(document: Uint8Array, value: number): Uint8Array {
  const nameEnd = document.lastIndexOf(34, value - 1);
  const nameStart = document.lastIndexOf(34, nameEnd - 1);
  let end = value;
  if (document[value] === 34) end = endOfString(document, value);
  else end = endOfValue(document, value);
  while (isSpace(document[end]!)) end++;
  let start = nameStart;
  if (document[end] === 44) end++;
  else {
    while (isSpace(document[start - 1]!)) start--;
    if (document[start - 1] === 44) start--;
  }
  return concat([document.subarray(0, start), document.subarray(end)]);
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (bytes[at] !== 34) at += bytes[at] === 92 ? 2 : 1;
  return at + 1;
}

/** Where the member of a valid JSON value ends: at the comma or bracket behind it. */
function endOfValue(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; ; ) {
    const byte = bytes[at]!;
    if (byte === 34) {
      at = endOfString(bytes, at);
      continue;
    }
    if (byte === 123 || byte === 91) depth++;
    else if (byte === 125 || byte === 93) {
      if (depth === 0) return at;
      depth--;
    } else if (byte === 44 && depth === 0) return at;
    at++;
  }
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isSpace(bytes[at]!)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
