/**
 * The documents' own files, `docs/ID.json`: two-space JSON without `_id`. They are the truth about
 * the collection; a document is whole or not there, as each is written under another name first.
 *
 * The other name is `.ID.tmp`, as the crate's; what a stopped writer leaves is removed by the next.
 */
import { join } from 'node:path';
import type { Document } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { encodeDocument } from '../encode.ts';
import { checkId } from '../names.ts';

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

/** Throws INVALID_ID unless a document of this id can be written as a file. */
export function checkFileId(id: unknown): asserts id is string {
  checkId(id);
  if (id.length * 3 <= MAX_FILE_ID_BYTES) return;
  const bytes = Buffer.byteLength(id);
  if (bytes <= MAX_FILE_ID_BYTES) return;
  throw new EtlError(
    'INVALID_ID',
    `an id of ${bytes} bytes is no file name; ${MAX_FILE_ID_BYTES} bytes are the most here`,
  );
}

/** A file's text. Errors: INVALID_DOCUMENT, ID_MISMATCH, as `FastStore.put`. */
export function encodeFile(id: string, document: object): string {
  const line = encodeDocument(id, document);
  const head = `{"_id":"${id}"`.length;
  const body = line.charCodeAt(head) === 44 ? `{${line.slice(head + 1)}` : '{}';
  return JSON.stringify(JSON.parse(body), null, 2);
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
    if (name.startsWith('.')) {
      if (name.endsWith('.tmp')) leftovers.push(join(docs, name));
    } else if (name.endsWith(EXTENSION)) ids.add(name.slice(0, -EXTENSION.length));
  }
  return { ids, leftovers };
}
