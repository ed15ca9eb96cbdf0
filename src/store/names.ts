/**
 * Which names and ids a store accepts. Ids may use what the Rust crate accepts: letters and digits
 * of any script, `_`, `-`, `.`, no leading `.`, no `..`, at most 255 bytes of UTF-8, so that an id
 * is also a safe file name everywhere. Collections are one folder: the rule is the file system's.
 */
import { EtlError, type Place } from '../core/errors.ts';

/** Longest id, in UTF-8 bytes. */
export const MAX_ID_BYTES = 255;

const ID = /^[\p{Alphabetic}\p{N}_.-]+$/u;

/** 1 for the ASCII bytes that may stand in an id. */
const idByte: Uint8Array = new Uint8Array(128);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.') {
  idByte[char.charCodeAt(0)] = 1;
}
const DOT = 46;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** True for an id that may be written. ASCII ids make no garbage. */
export function isValidId(id: string): boolean {
  const { length } = id;
  if (length === 0 || length > MAX_ID_BYTES) return false;
  let before = DOT;
  for (let i = 0; i < length; i++) {
    const code = id.charCodeAt(i);
    if (code > 127) return isValidUnicodeId(id);
    if (idByte[code] === 0 || (code === DOT && before === DOT)) return false;
    before = code;
  }
  return true;
}

/** The same for the UTF-8 bytes [start, end) of an id. */
export function isValidIdAt(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > MAX_ID_BYTES) return false;
  let before = DOT;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return isValidUnicodeId(decoder.decode(bytes.subarray(start, end)));
    if (idByte[byte] === 0 || (byte === DOT && before === DOT)) return false;
    before = byte;
  }
  return true;
}

function isValidUnicodeId(id: string): boolean {
  return (
    ID.test(id) &&
    !id.startsWith('.') &&
    !id.includes('..') &&
    new TextEncoder().encode(id).length <= MAX_ID_BYTES
  );
}

/** Throws INVALID_ID unless the id may be written. */
export function checkId(id: unknown, place: Place = {}): asserts id is string {
  if (typeof id === 'string' && isValidId(id)) return;
  throw invalidId(id, place);
}

/**
 * The error for an id that may not be written, saying what is wrong with it; `field` is where it was found, and
 * `written` how a number was written there.
 */
export function invalidId(
  id: unknown,
  place: Place = {},
  field?: string,
  written?: string,
): EtlError {
  return new EtlError('INVALID_ID', describe(id, field, written), { place });
}

function describe(id: unknown, field: string | undefined, written?: string): string {
  if (typeof id === 'number' || typeof id === 'bigint') {
    // Not `id: (document) => …`: the document's own `_id` would still be a number, and so another id.
    const way =
      field === undefined ? '' : `; cast({ ${JSON.stringify(field)}: "string" }) makes it one`;
    return `the id is the number ${shorten(written ?? String(id))}, and ids are strings${way}`;
  }
  if (typeof id !== 'string') return `the id is ${id === null ? 'null' : `of type ${typeof id}`}`;
  if (id === '') return 'the id is empty';
  const bytes = new TextEncoder().encode(id).length;
  const shown = JSON.stringify(shorten(id));
  if (bytes > MAX_ID_BYTES)
    return `the id ${shown} is ${bytes} bytes long, more than ${MAX_ID_BYTES}`;
  return `the id ${shown} has characters that ids may not have`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Whether it is a plain folder name inside the root. */
export function isCollectionName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name !== '' &&
    !name.startsWith('.') &&
    !/[/\\\0]/.test(name) &&
    new TextEncoder().encode(name).length <= 255
  );
}

/** Throws INVALID_PATH unless `isCollectionName`. */
export function checkCollectionName(name: unknown): asserts name is string {
  if (isCollectionName(name)) return;
  throw new EtlError('INVALID_PATH', `not a collection name: ${JSON.stringify(String(name))}`);
}

/** Whether a file of this name beside a collection's documents is one of them. */
export function isDocumentFile(name: string): boolean {
  return !name.startsWith('.') && name.endsWith('.json');
}
