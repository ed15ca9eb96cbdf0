/**
 * The documents' own files, `docs/ID.json`: two-space JSON without `_id`. They are the truth about
 * the collection; a document is whole or not there, as each is written under another name first.
 *
 * The other name is `.ID.tmp`, as the crate's; what a stopped writer leaves is removed by the next.
 */
import { join } from 'node:path';
import type { Document } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import { prettyJson } from '../../core/pretty-json.ts';
import type { Disk } from '../../io/disk.ts';
import type { Kernel } from '../../kernels/index.ts';
import { encodeDocument } from '../encode.ts';
import { checkId, isDocumentFile } from '../names.ts';
import { prepareRaw } from '../prepare.ts';

const EXTENSION = '.json';
/** File systems take names of 255 bytes. */
const MAX_FILE_ID_BYTES = 255 - EXTENSION.length;

/** Where a document stands. */
export function documentPath(docs: string, id: string): string {
  return join(docs, id + EXTENSION);
}

/** Where it is written before it is given its name. */
export function temporaryPath(docs: string, id: string): string {
  return join(docs, `.${id}.tmp`);
}

/** A file's text. Errors: as `FastStore.put`, INVALID_ID for what is no file name too. */
export function encodeFile(id: string, document: object): string {
  checkFileId(id);
  return JSON.stringify(JSON.parse(withoutId(id, encodeDocument(id, document))), null, 2);
}

/**
 * The same for a document given as the bytes of its JSON text, whose values are left as they stand.
 * Errors: as `encodeFile`, and the kernel's codes for bytes that are no document.
 */
export function encodeRawFile(id: string, bytes: Uint8Array, kernel: Kernel): string {
  checkFileId(id);
  const line = prepareRaw(id, bytes, kernel).bytes;
  return prettyJson(withoutId(id, Buffer.from(line).toString()));
}

/** Errors: INVALID_ID unless a document of this id can be written as a file. */
function checkFileId(id: unknown): asserts id is string {
  checkId(id);
  if (id.length * 3 <= MAX_FILE_ID_BYTES) return;
  const bytes = Buffer.byteLength(id);
  if (bytes <= MAX_FILE_ID_BYTES) return;
  throw new EtlError(
    'INVALID_ID',
    `an id of ${bytes} bytes is no file name; ${MAX_FILE_ID_BYTES} bytes are the most here`,
  );
}

/** A stored line's text without its first member. */
function withoutId(id: string, line: string): string {
  const head = `{"_id":"${id}"`.length;
  return line.charCodeAt(head) === 44 ? `{${line.slice(head + 1).trimEnd()}` : '{}';
}

/** The document in a file's text, with its id in front if asked for. Errors: as `parseFile`. */
export function decodeFile(id: string, text: string, withId: boolean, path: string): Document {
  const document = parseFile(text, path);
  // The file's name is the id, whatever somebody wrote into it.
  if (Object.hasOwn(document, '_id')) delete document._id;
  return withId ? { _id: id, ...document } : document;
}

/** The object in a file's text. Errors: JSON_ERROR, NOT_AN_OBJECT. */
export function parseFile(text: string, path: string): Document {
  let value: unknown;
  try {
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (cause) {
    // It may quote the text, line ends and all.
    const reason = (cause as SyntaxError).message.replace(/\s+/g, ' ');
    throw new EtlError('JSON_ERROR', reason, { place: { path }, cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EtlError('NOT_AN_OBJECT', 'this is no JSON object', { place: { path } });
  }
  return value as Document;
}

/** The ids that have a file, and the names that a stopped writer left. */
export async function listDocuments(
  disk: Disk,
  docs: string,
): Promise<{ readonly ids: Set<string>; readonly leftovers: string[] }> {
  const ids = new Set<string>();
  const leftovers: string[] = [];
  if ((await disk.stat(docs))?.kind !== 'folder') return { ids, leftovers };
  for (const { name, kind } of await disk.list(docs)) {
    if (kind !== 'file') continue;
    if (isDocumentFile(name)) ids.add(name.slice(0, -EXTENSION.length));
    else if (name.startsWith('.') && name.endsWith('.tmp')) leftovers.push(join(docs, name));
  }
  return { ids, leftovers };
}
