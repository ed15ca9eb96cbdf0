/**
 * The unit that travels between stages: documents together, as immutable JSONL bytes with the place
 * of each line, or as JavaScript objects not yet encoded. Either form is made from the other on
 * first demand, once, and kept.
 *
 * Ownership: a batch owns its bytes. Whoever makes one hands the memory over and must not write to
 * it again; whoever receives one must not write to it at all. `bytes()` is a view, not a copy.
 */
import { assert } from './assert.ts';
import { EtlError, type Place } from './errors.ts';

export type Document = { [field: string]: unknown };

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

/** Turns bytes into documents and back; the kernels provide fast ones. */
export interface BatchCodec {
  decode(bytes: Uint8Array, records: Uint32Array, count: number): Document[];
  /** JSONL bytes, every document followed by one `\n`, with their records. */
  encode(documents: readonly Document[]): EncodedLines;
}

export interface EncodedLines {
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;
  readonly count: number;
  /** True when `bytes` is exactly the documents, each followed by one `\n`, nothing between. */
  readonly dense: boolean;
  /** The path that the records' key words were made for, dotted; absent when they hold none. */
  readonly key?: string;
}

/** Where the first byte of a batch stands in its source. */
export interface Origin {
  /** Path, URL or name, for messages. */
  readonly source?: string;
  /** Byte offset in the decompressed source. */
  readonly offset?: number;
  /** 0-based physical line. */
  readonly line?: number;
  /** 0-based ordinal of the batch's first document. */
  readonly ordinal?: number;
}

export class Batch implements Iterable<Document> {
  readonly length: number;
  readonly origin: Origin;
  /** The source's position after this batch, opaque to everyone but the source. */
  readonly cursor: unknown;
  readonly #codec: BatchCodec;
  #encoded: EncodedLines | undefined;
  #documents: readonly Document[] | undefined;

  private constructor(
    length: number,
    codec: BatchCodec,
    encoded: EncodedLines | undefined,
    documents: readonly Document[] | undefined,
    origin: Origin,
    cursor: unknown,
  ) {
    this.length = length;
    this.origin = origin;
    this.cursor = cursor;
    this.#codec = codec;
    this.#encoded = encoded;
    this.#documents = documents;
  }

  /** A batch over validated lines; takes ownership of the memory. */
  static fromLines(
    lines: EncodedLines,
    codec: BatchCodec,
    origin: Origin = {},
    cursor?: unknown,
  ): Batch {
    assert(lines.records.length >= lines.count * RECORD_WORDS, 'a record for every line');
    return new Batch(lines.count, codec, lines, undefined, origin, cursor);
  }

  /** A batch over objects; the array must not change afterwards. */
  static fromDocuments(
    documents: readonly Document[],
    codec: BatchCodec,
    origin: Origin = {},
    cursor?: unknown,
  ): Batch {
    return new Batch(documents.length, codec, undefined, documents, origin, cursor);
  }

  /** Bytes of the encoded form (encodes if needed). */
  get byteLength(): number {
    return this.lines().bytes.byteLength;
  }

  get codec(): BatchCodec {
    return this.#codec;
  }

  /** True once the objects exist, so that asking for them is free. */
  get hasDocuments(): boolean {
    return this.#documents !== undefined;
  }

  /** True once the bytes exist, so that asking for them is free. */
  get hasBytes(): boolean {
    return this.#encoded !== undefined;
  }

  /**
   * JSONL bytes: exactly this batch's documents, each followed by `\n`. A view where the encoded
   * form is dense, else a compacted copy.
   */
  bytes(): Uint8Array {
    return this.denseLines().bytes;
  }

  /** The encoded form: bytes, records, and what lies between lines. */
  lines(): EncodedLines {
    this.#encoded ??= this.#codec.encode(this.#documents!);
    return this.#encoded;
  }

  /** The encoded form without anything between the lines; made once. */
  denseLines(): EncodedLines {
    const lines = this.lines();
    if (!lines.dense) this.#encoded = compactLines(lines);
    return this.#encoded!;
  }

  documents(): readonly Document[] {
    if (this.#documents === undefined) {
      const { bytes, records, count } = this.#encoded!;
      this.#documents = this.#codec.decode(bytes, records, count);
    }
    return this.#documents;
  }

  [Symbol.iterator](): Iterator<Document> {
    return this.documents()[Symbol.iterator]();
  }

  /** Where document `index` stands in its source, as far as known. */
  place(index: number): Place {
    const { source, offset, line, ordinal } = this.origin;
    const record = this.#encoded?.records;
    const base = index * RECORD_WORDS;
    return {
      ...(source === undefined ? {} : { path: source }),
      ...(offset === undefined || !record ? {} : { offset: offset + record[base]! }),
      ...(line === undefined || !record
        ? {}
        : { line: line + record[base + LineRecord.line]! + 1 }),
      ...(ordinal === undefined ? {} : { ordinal: ordinal + index }),
    };
  }
}

/** Copies the documents next to each other, one `\n` after each, and moves the records along. */
function compactLines(lines: EncodedLines): EncodedLines {
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
