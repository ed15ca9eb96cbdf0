/** Lines of JSON as bytes with a record each, and what batches do with them. */
import { EtlError } from './errors.ts';

/** u32 words of a line record; see `LineRecord` for what each holds. */
export const RECORD_WORDS = 8;

/**
 * Word offsets in a line record. Offsets are bytes from the start of the batch's bytes.
 * The key is the string value of the batch's key path (`_id` unless asked otherwise).
 */
export const LineRecord = {
  /** First byte of the document, its `{`. */
  start: 0,
  /** One past the last byte of the document, its `}` + 1. */
  end: 1,
  /** 0-based physical line in the batch, blank and bad lines counted. */
  line: 2,
  /** First byte of the key's value; inside the quotes for strings. 0 when missing. */
  keyStart: 3,
  /** One past the last byte of the key's value; inside the quotes for strings. */
  keyEnd: 4,
  /** One of `KeyKind`. */
  keyKind: 5,
  /** XXH3-64 (seed 0) of the key's decoded UTF-8 bytes, low and high halves; 0 unless a string. */
  hashLow: 6,
  hashHigh: 7,
} as const;

/** What stands at a document's key path; the `keyKind` word of its record. */
export const KeyKind = {
  missing: 0,
  /** A string without escapes: the bytes between the quotes are the key. */
  plain: 1,
  /** A string with escapes: decode before use. */
  escaped: 2,
  number: 3,
  /** true, false, null, object or array. */
  other: 4,
} as const;

export interface EncodedLines {
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;
  readonly count: number;
  /** True when `bytes` is exactly the documents, each followed by one `\n`, nothing between. */
  readonly dense: boolean;
  /**
   * Set when the lines were cut, not read: bad ones may be among them. Answers whether those are to be
   * passed over. Errors: CORRUPTED_DATA.
   */
  readonly unread?: () => boolean;
  /** The path that the records' key words were made for, dotted; absent when they hold none. */
  readonly key?: string;
  /**
   * Set when the lines were seen to be fit for a collection as they are: each begins `{"_id":"`, that is
   * its only `_id`, and an id of ASCII that a collection takes.
   */
  readonly canonical?: boolean;
}

/** Copies the documents next to each other, one `\n` after each, and moves the records along. */
export function compactLines(lines: EncodedLines): EncodedLines {
  const { bytes, records, count } = lines;
  let size = 0;
  for (let i = 0; i < count; i++) {
    const base = i * RECORD_WORDS;
    size += records[base + LineRecord.end]! - records[base]! + 1;
  }
  if (size > 0xffff_ffff) throw new EtlError('INVALID_ARGUMENT', 'a batch holds at most 4 GiB');
  const out = new Uint8Array(size);
  const moved = records.slice(0, count * RECORD_WORDS);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const base = i * RECORD_WORDS;
    const start = records[base]!;
    const end = records[base + LineRecord.end]!;
    out.set(bytes.subarray(start, end), at);
    const shift = at - start;
    moved[base] = at;
    at += end - start;
    moved[base + LineRecord.end] = at;
    moved[base + LineRecord.keyStart]! += shift;
    moved[base + LineRecord.keyEnd]! += shift;
    out[at++] = 10;
  }
  return { ...lines, bytes: out, records: moved, dense: true };
}

/** The lines of all, one behind the other; each must be dense. Keys are kept where all have the same. */
export function joinLines(parts: readonly EncodedLines[]): EncodedLines {
  const size = parts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const { key } = parts[0]!;
  const bytes = new Uint8Array(size);
  const records = new Uint32Array(count * RECORD_WORDS);
  let at = 0;
  let record = 0;
  for (const part of parts) {
    bytes.set(part.bytes, at);
    records.set(part.records.subarray(0, part.count * RECORD_WORDS), record);
    for (let i = 0; i < part.count; i++, record += RECORD_WORDS) {
      for (const word of PLACES) records[record + word]! += at;
    }
    at += part.bytes.byteLength;
  }
  const same = key !== undefined && parts.every((part) => part.key === key);
  return { bytes, records, count, dense: true, ...(same ? { key } : {}) };
}

const PLACES = [LineRecord.start, LineRecord.end, LineRecord.keyStart, LineRecord.keyEnd];
