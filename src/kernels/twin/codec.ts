/**
 * Lines to objects by `JSON.parse` and back by `JSON.stringify`. Objects and bytes made here are
 * fresh and belong to the caller.
 */
import {
  type BatchCodec,
  type Document,
  type EncodedLines,
  RECORD_WORDS,
} from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { LineTable } from '../types.ts';
import { readLines } from './lines.ts';

/** Lines are decoded to text together up to this many bytes. */
const GROUP_BYTES = 1 << 18;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** The codec of the TypeScript kernel. */
export const twinCodec: BatchCodec = {
  decode: decodeLines,
  encode: (documents) => encodeDocuments(documents, readLines),
};

/** The objects of `count` validated lines, as `JSON.parse` makes them. */
export function decodeLines(bytes: Uint8Array, records: Uint32Array, count: number): Document[] {
  const documents: Document[] = [];
  for (let first = 0; first < count; ) {
    const from = records[first * RECORD_WORDS]!;
    let last = first;
    while (last + 1 < count && records[(last + 1) * RECORD_WORDS + 1]! - from <= GROUP_BYTES)
      last++;
    const to = records[last * RECORD_WORDS + 1]!;
    const text = decoder.decode(bytes.subarray(from, to));
    // Offsets in bytes are offsets in the text only where every character is one byte.
    const isAscii = text.length === to - from;
    for (let i = first; i <= last; i++) {
      const start = records[i * RECORD_WORDS]!;
      const end = records[i * RECORD_WORDS + 1]!;
      const line = isAscii
        ? text.slice(start - from, end - from)
        : decoder.decode(bytes.subarray(start, end));
      documents.push(JSON.parse(line) as Document);
    }
    first = last + 1;
  }
  return documents;
}

/**
 * Dense JSONL of the documents as `JSON.stringify` writes them, with records for the key `_id`, which
 * `read` makes. Errors: INVALID_DOCUMENT with the ordinal of a document that JSON cannot write as an object.
 */
export function encodeDocuments(
  documents: readonly Document[],
  read: (bytes: Uint8Array) => LineTable,
): EncodedLines {
  const texts: string[] = [];
  for (const [ordinal, document] of documents.entries()) {
    const text = writeDocument(document, ordinal);
    if (text?.[0] !== '{') throw refused(ordinal, 'it is not an object');
    texts.push(text);
  }
  if (texts.length > 0) texts.push('');
  const lines = read(encoder.encode(texts.join('\n')));
  const fault = lines.bad[0];
  if (fault !== undefined) throw refused(fault.before, fault.reason);
  const { bytes, records, count, dense, key } = lines;
  return { bytes, records, count, dense, key: key! };
}

function writeDocument(document: Document, ordinal: number): string | undefined {
  try {
    return JSON.stringify(document);
  } catch (cause) {
    throw refused(ordinal, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function refused(ordinal: number, why: string, cause?: unknown): EtlError {
  const message = `the document cannot be written as JSON: ${why}`;
  return new EtlError('INVALID_DOCUMENT', message, {
    place: { ordinal },
    ...(cause === undefined ? {} : { cause }),
  });
}
