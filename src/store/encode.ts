/** From single objects and loose bytes to lines. */
import { Batch, type Document, isDocument } from '../core/batch.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { type StandardSchema, validateNow } from '../core/standard-schema.ts';
import type { Kernel, LineTable } from '../kernels/index.ts';

const HEAD = '{"_id":"';

/**
 * The stored line of a document, newline included. `id` must be valid, so it needs no escapes.
 * Errors: INVALID_DOCUMENT for what JSON cannot hold; ID_MISMATCH for an `_id` that is another.
 */
export function encodeDocument(id: string, document: object, place: Place = {}): string {
  let value = document as Document & { toJSON?: unknown };
  let text = toJson(id, value, place);
  if (beginsWithId(text, id)) return `${text}\n`;
  if (typeof value.toJSON === 'function') value = JSON.parse(text) as Document;
  if (Object.hasOwn(value, '_id')) {
    checkOwnId(id, value, place);
    const { _id, ...rest } = value;
    text = toJson(id, rest, place);
  }
  return text === '{}' ? `{"_id":"${id}"}\n` : `{"_id":"${id}",${text.slice(1)}\n`;
}

/** The same for what a schema makes of the document, if there is one; the document's own `_id` is held against `id` too. */
export function encodePut(id: string, document: object, schema?: StandardSchema): string {
  if (schema === undefined) return encodeDocument(id, document);
  checkOwnId(id, document, {});
  return encodeDocument(id, validateNow(schema, document));
}

/** Errors: ID_MISMATCH for a document with another `_id`; one that JSON leaves out is none. */
export function checkOwnId(id: string, document: object, place: Place): void {
  if (!isDocument(document) || !Object.hasOwn(document, '_id')) return;
  const { _id } = document;
  if (_id === id) return;
  let shown: string | undefined;
  try {
    shown = JSON.stringify(_id);
  } catch {
    shown = String(_id);
  }
  if (shown === undefined || shown === `"${id}"`) return;
  const reason = `the document's own _id is ${shown}, not "${id}"`;
  throw new EtlError('ID_MISMATCH', reason, { place });
}

/** Whether the document has this id of its own, as its first field: then its text is the line. */
function beginsWithId(text: string, id: string): boolean {
  const end = HEAD.length + id.length;
  return text.startsWith(HEAD) && text.charCodeAt(end) === 34 && text.startsWith(id, HEAD.length);
}

function toJson(id: string, value: unknown, place: Place): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EtlError('INVALID_DOCUMENT', `document "${id}": ${reason}`, { place, cause });
  }
  if (text?.charCodeAt(0) === 123) return text;
  throw new EtlError('INVALID_DOCUMENT', `document "${id}" is not a JSON object`, { place });
}

/** The table of bytes that are one document. Errors: INVALID_DOCUMENT, and the kernel's codes. */
export function readOne(bytes: Uint8Array, kernel: Kernel): LineTable {
  const table = kernel.lines(bytes);
  const [bad] = table.bad;
  if (bad) throw new EtlError(bad.code, bad.reason, { place: { offset: bad.offset } });
  if (table.count === 1) return table;
  throw new EtlError('INVALID_DOCUMENT', `${table.count} documents instead of one`);
}

/** JSON Lines: a text, or bytes, whole or in any chunks. */
export type JsonlInput = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The documents as batches. Errors: the kernel's codes with the offset of the fault. */
export async function* jsonlBatches(
  input: JsonlInput,
  kernel: Kernel,
): AsyncGenerator<Batch, void, void> {
  for await (const { bytes, base } of splitLines(input)) {
    const table = kernel.lines(bytes);
    const [bad] = table.bad;
    if (bad) {
      throw new EtlError(bad.code, bad.reason, { place: { offset: base + bad.offset } });
    }
    yield Batch.fromLines(table, kernel.codec, { offset: base });
  }
}

function chunksOf(input: JsonlInput): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof input === 'string') return [Buffer.from(input)];
  return input instanceof Uint8Array ? [input] : input;
}

/** Whole lines, with the offset of their first byte. */
async function* splitLines(
  input: JsonlInput,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly base: number }, void, void> {
  const pieceBytes = 1 << 20;
  let held: Uint8Array[] = [];
  let base = 0;
  for await (const chunk of chunksOf(input)) {
    if (!(chunk instanceof Uint8Array)) {
      throw new EtlError('INVALID_ARGUMENT', `JSON Lines come in bytes, not in ${typeof chunk}s`);
    }
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes);
      at += part.length;
      const last = part.lastIndexOf(10) + 1;
      if (last === 0) {
        held.push(part);
        continue;
      }
      const bytes = new Uint8Array(Buffer.concat([...held, part.subarray(0, last)]));
      yield { bytes, base };
      base += bytes.length;
      held = last < part.length ? [part.subarray(last)] : [];
    }
  }
  if (held.length > 0) yield { bytes: new Uint8Array(Buffer.concat(held)), base };
}
