/**
 * The unit that travels between stages: documents together, as immutable JSONL bytes with the place
 * of each line, or as JavaScript objects not yet encoded. Either form is made from the other on
 * first demand, once, and kept.
 *
 * Ownership: a batch owns its bytes. Whoever makes one hands the memory over and must not write to
 * it again; whoever receives one must not write to it at all. `bytes()` is a view, not a copy. Memory
 * that was lent goes back with `release()`, which only a receiver that said so (`Wants.releases`) calls.
 *
 * Places: a document keeps the place it had in its source, whatever happens to its bytes. As long
 * as they lie as they were read, the line records tell it; once documents are moved or dropped,
 * the batch carries a site per document.
 */
import { assert } from './assert.ts';
import { type Document, whyUnwritable } from './document.ts';
import { EtlError, type Place } from './errors.ts';
import { compactLines, type EncodedLines, joinLines, LineRecord, RECORD_WORDS } from './lines.ts';
import { isHttpUrl } from './redact.ts';

export { type Document, isDocument } from './document.ts';
export { type EncodedLines, KeyKind, LineRecord, RECORD_WORDS } from './lines.ts';

/** Words of a site: offset, line (both relative to the batch's origin) and ordinal of a document. */
export const SITE_WORDS = 3;
/** Stands in a site for what is not known. */
const UNKNOWN = 0xffff_ffff;

/** Turns bytes into documents and back; the kernels provide fast ones. */
export interface BatchCodec {
  decode(bytes: Uint8Array, records: Uint32Array, count: number): Document[];
  /** JSONL bytes, every document followed by one `\n`, with their records. */
  encode(documents: readonly Document[]): EncodedLines;
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
  /** Bytes of the source that objects were made of without JSON in between. */
  readonly byteLength?: number;
}

export class Batch implements Iterable<Document> {
  readonly length: number;
  readonly origin: Origin;
  /** The source's position after this batch, opaque to everyone but the source. */
  readonly cursor: unknown;
  readonly codec: BatchCodec;
  #encoded: EncodedLines | undefined;
  #documents: readonly Document[] | undefined;
  #sites: Uint32Array | undefined;
  /** Makes the bytes of documents that were read from something else; the codec does if absent. */
  readonly #encode: (() => EncodedLines) | undefined;
  #takeBack: (() => void) | undefined;

  private constructor(
    length: number,
    codec: BatchCodec,
    encoded: EncodedLines | undefined,
    documents: readonly Document[] | undefined,
    origin: Origin,
    cursor: unknown,
    sites?: Uint32Array,
    encode?: () => EncodedLines,
  ) {
    this.length = length;
    this.origin = origin;
    this.cursor = cursor;
    this.codec = codec;
    this.#encoded = encoded;
    this.#documents = documents;
    this.#sites = sites;
    this.#encode = encode;
  }

  /**
   * A batch over validated lines; takes ownership of the memory. Lines that are not as they were read
   * come with their sites: `SITE_WORDS` words each.
   */
  static fromLines(
    lines: EncodedLines,
    codec: BatchCodec,
    origin: Origin = {},
    cursor?: unknown,
    sites?: Uint32Array,
  ): Batch {
    assert(lines.records.length >= lines.count * RECORD_WORDS, 'a record for every line');
    return new Batch(lines.count, codec, lines, undefined, origin, cursor, sites);
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

  /**
   * A batch over objects that were read from something else than JSON, with their sites. `encode` makes
   * the bytes from what was read, so that they hold what the objects cannot (all digits of a number).
   */
  static fromRows(
    documents: readonly Document[],
    encode: () => EncodedLines,
    codec: BatchCodec,
    origin: Origin,
    cursor: unknown,
    sites: Uint32Array,
  ): Batch {
    const { length } = documents;
    return new Batch(length, codec, undefined, documents, origin, cursor, sites, encode);
  }

  /**
   * What a kernel made of this batch's `bytes()`: the `line` word of each record says which document
   * of this batch it comes from. Places and cursor are kept. Takes ownership of the memory.
   */
  deriveLines(lines: EncodedLines): Batch {
    const { records, count } = lines;
    const sites = new Uint32Array(count * SITE_WORDS);
    for (let i = 0; i < count; i++) {
      this.#writeSite(sites, i, records[i * RECORD_WORDS + LineRecord.line]!);
    }
    return new Batch(count, this.codec, lines, undefined, this.origin, this.cursor, sites);
  }

  /**
   * Objects made from this batch's documents, `from[i]` being the ordinal in this batch of what
   * document i was made from (`i` itself if absent). Places and cursor are kept.
   */
  deriveDocuments(documents: readonly Document[], from?: readonly number[]): Batch {
    const { length } = documents;
    const sites = this.#sitesOf(length, from);
    return new Batch(length, this.codec, undefined, documents, this.origin, this.cursor, sites);
  }

  /**
   * The documents at these ordinals, as bytes and as objects where those are there; shares memory.
   * Places and cursor are kept.
   */
  pick(chosen: readonly number[]): Batch {
    const lines = this.#linesRead();
    let picked: EncodedLines | undefined;
    if (lines) {
      const records = new Uint32Array(chosen.length * RECORD_WORDS);
      for (let i = 0; i < chosen.length; i++) {
        const from = chosen[i]! * RECORD_WORDS;
        records.set(lines.records.subarray(from, from + RECORD_WORDS), i * RECORD_WORDS);
      }
      picked = { ...lines, records, count: chosen.length, dense: false };
    }
    const documents = this.#documents;
    const objects = documents && chosen.map((index) => documents[index]!);
    const sites = this.#sitesOf(chosen.length, chosen);
    const { codec, origin, cursor } = this;
    return new Batch(chosen.length, codec, picked, objects, origin, cursor, sites);
  }

  /**
   * All documents of these batches in one, as lines, with the cursor of the last. Places are kept
   * where all come of one source.
   */
  static join(parts: readonly Batch[]): Batch {
    const { codec, origin } = parts[0]!;
    const cursor = parts.at(-1)!.cursor;
    const lines = joinLines(parts.map((part) => part.denseLines()));
    const known = parts.every((part) => part.origin.source === origin.source);
    const sites = new Uint32Array(lines.count * SITE_WORDS).fill(UNKNOWN);
    let at = 0;
    for (const part of parts) {
      const { offset = 0, line = 0, ordinal = 0 } = part.origin;
      const shifts = [
        offset - (origin.offset ?? 0),
        line - (origin.line ?? 0),
        ordinal - (origin.ordinal ?? 0),
      ];
      for (let i = 0; known && i < part.length; i++) part.#shiftSite(sites, at + i, i, shifts);
      at += part.length;
    }
    return new Batch(lines.count, codec, lines, undefined, known ? origin : {}, cursor, sites);
  }

  /** Calls `takeBack` when the batch is released: its memory is the lender's again. */
  lend(takeBack: () => void): this {
    this.#takeBack = takeBack;
    return this;
  }

  /** There is another holder: `release` does nothing from now on. */
  keep(): void {
    this.#endLoan();
  }

  /** Says that nobody will look at this batch any more, nor at bytes it gave, nor at batches made of it. */
  release(): void {
    const takeBack = this.#endLoan();
    if (takeBack) this.#encoded = undefined;
    takeBack?.();
  }

  #endLoan(): (() => void) | undefined {
    const takeBack = this.#takeBack;
    this.#takeBack = undefined;
    return takeBack;
  }

  /** The same batch with another cursor, or none; it is then the one to release. */
  withCursor(cursor: unknown): Batch {
    if (cursor === this.cursor) return this;
    const { length, codec, origin } = this;
    const [lines, documents, sites] = [this.#encoded, this.#documents, this.#sites];
    const other = new Batch(length, codec, lines, documents, origin, cursor, sites, this.#encode);
    other.#takeBack = this.#endLoan();
    return other;
  }

  /** Documents `from` to `to` (not included), with their places and no cursor; shares memory. */
  slice(from: number, to: number): Batch {
    const { codec, origin } = this;
    const chosen = Array.from({ length: to - from }, (_, i) => from + i);
    const sites = this.#sitesOf(to - from, chosen);
    let lines = this.#linesRead();
    if (lines) {
      const records = lines.records.subarray(from * RECORD_WORDS, to * RECORD_WORDS);
      lines = { ...lines, records, count: to - from, dense: false };
    }
    const documents = this.#documents?.slice(from, to);
    return new Batch(to - from, codec, lines, documents, origin, undefined, sites);
  }

  /** Bytes of this batch's own lines, as `bytes` has them (encodes if needed). Errors: as `lines`. */
  get byteLength(): number {
    const { bytes, records, dense } = this.lines();
    if (dense) return bytes.byteLength;
    let sum = this.length;
    for (let at = 0; at < this.length * RECORD_WORDS; at += RECORD_WORDS) {
      sum += records[at + LineRecord.end]! - records[at]!;
    }
    return sum;
  }

  /** True once the objects exist, so that asking for them is free. */
  get hasDocuments(): boolean {
    return this.#documents !== undefined;
  }

  /** True once the bytes exist, so that asking for them is free. */
  get hasBytes(): boolean {
    return this.#encoded !== undefined;
  }

  /** True where the bytes are at hand, or are made from what was read and not from the objects. */
  get keepsBytes(): boolean {
    return this.#encoded !== undefined || this.#encode !== undefined;
  }

  /**
   * JSONL bytes: exactly this batch's documents, each followed by `\n`. A view where the encoded
   * form is dense, else a compacted copy. Errors: as `lines`.
   */
  bytes(): Uint8Array {
    return this.denseLines().bytes;
  }

  /**
   * The encoded form: bytes, records, and what lies between lines.
   * Errors: INVALID_DOCUMENT naming the first document that JSON cannot hold.
   */
  lines(): EncodedLines {
    if (this.#encoded === undefined) {
      assert(this.#documents !== undefined, 'a batch that was released is not looked at');
      try {
        this.#encoded = this.#encode?.() ?? this.codec.encode(this.#documents);
      } catch (cause) {
        throw this.#explainUnwritable(cause);
      }
    }
    return this.#encoded;
  }

  /** The encoded form without anything between the lines: if a copy, a loan ends. Errors: as `lines`. */
  denseLines(): EncodedLines {
    const lines = this.lines();
    if (lines.dense) return lines;
    this.#sites ??= this.#sitesOf(this.length);
    this.#encoded = compactLines(lines);
    this.#endLoan()?.();
    return this.#encoded;
  }

  /** Where document `index` lies in the bytes of `lines()`, its line end not included. */
  span(index: number): { readonly start: number; readonly end: number } {
    const { records } = this.lines();
    const base = index * RECORD_WORDS;
    return { start: records[base]!, end: records[base + LineRecord.end]! };
  }

  /** The objects; made on first demand and kept. */
  documents(): readonly Document[] {
    if (this.#documents === undefined) {
      const { bytes, records, count } = this.#encoded!;
      this.#documents = this.codec.decode(bytes, records, count);
    }
    return this.#documents;
  }

  [Symbol.iterator](): Iterator<Document> {
    return this.documents()[Symbol.iterator]();
  }

  /** Where document `index` stands in its source, as far as known; a URL goes to `url`. */
  place(index: number): Place {
    const { source, offset, line, ordinal } = this.origin;
    const site = new Uint32Array(SITE_WORDS);
    this.#writeSite(site, 0, index);
    const known = (word: number) => site[word]! !== UNKNOWN;
    return {
      ...sourcePlace(source),
      ...(offset === undefined || !known(0) ? {} : { offset: offset + site[0]! }),
      ...(line === undefined || !known(1) ? {} : { line: line + site[1]! + 1 }),
      ...(ordinal === undefined || !known(2) ? {} : { ordinal: ordinal + site[2]! }),
    };
  }

  /** The bytes, unless they only repeat the objects. */
  #linesRead(): EncodedLines | undefined {
    return this.#encode ? this.lines() : this.#encoded;
  }

  #sitesOf(count: number, from?: readonly number[]): Uint32Array {
    const sites = new Uint32Array(count * SITE_WORDS);
    for (let i = 0; i < count; i++) this.#writeSite(sites, i, from ? from[i]! : i);
    return sites;
  }

  #shiftSite(target: Uint32Array, at: number, index: number, shifts: readonly number[]): void {
    this.#writeSite(target, at, index);
    for (let word = 0; word < SITE_WORDS; word++) {
      const site = target[at * SITE_WORDS + word]!;
      const shifted = site + shifts[word]!;
      const fits = site !== UNKNOWN && shifted >= 0 && shifted < UNKNOWN;
      target[at * SITE_WORDS + word] = fits ? shifted : UNKNOWN;
    }
  }

  #writeSite(target: Uint32Array, at: number, index: number): void {
    const to = at * SITE_WORDS;
    const sites = this.#sites;
    if (sites) {
      const from = index * SITE_WORDS;
      target[to] = sites[from]!;
      target[to + 1] = sites[from + 1]!;
      target[to + 2] = sites[from + 2]!;
      return;
    }
    // Bytes made from objects say nothing about where the objects came from.
    const read = this.origin.offset !== undefined || this.origin.line !== undefined;
    const records = read ? this.#encoded?.records : undefined;
    const base = index * RECORD_WORDS;
    target[to] = records ? records[base]! : UNKNOWN;
    target[to + 1] = records ? records[base + LineRecord.line]! : UNKNOWN;
    target[to + 2] = index;
  }

  #explainUnwritable(cause: unknown): EtlError {
    const documents = this.#documents!;
    for (let i = 0; i < documents.length; i++) {
      const reason = whyUnwritable(documents[i]);
      if (reason === undefined) continue;
      const place = { ordinal: i, ...this.place(i) };
      return new EtlError('INVALID_DOCUMENT', reason, { place, cause });
    }
    if (!(cause instanceof EtlError)) {
      return new EtlError('INVALID_DOCUMENT', 'a batch cannot be encoded', { cause });
    }
    const { ordinal } = cause.place;
    const place = ordinal === undefined ? {} : { ordinal, ...this.place(ordinal) };
    const reason = ordinal === undefined ? cause.message : 'the document nests too deep';
    return new EtlError(cause.code, reason, { place, cause });
  }
}

/** Names where something is by its source: `url` for http(s), `path` for everything else. */
export function sourcePlace(source: string | undefined): Place {
  if (source === undefined) return {};
  return isHttpUrl(source) ? { url: source } : { path: source };
}
