/**
 * Places in an input that a later run goes on from. A place knows the bytes before it, by hashes of
 * the first 4 KiB and of the last 512 bytes: what was appended meanwhile does no harm, what was
 * replaced is noticed, and the same content under another compression is the same input.
 */
import { assert } from '../core/assert.ts';
import { sourcePlace } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import { joinBytes } from '../formats/chunk-reader.ts';
import { sharedKernel } from '../kernels/index.ts';

/** A place between two records of an input; JSON. Sources add what they need. */
export interface InputPlace {
  /** Path, redacted URL or name. */
  readonly source: string;
  /** How many inputs stood before this one. */
  readonly input: number;
  /** Bytes before the place, decompressed. */
  readonly offset: number;
  /** XXH3-64 in hexadecimal of the first 4,096 of these bytes. */
  readonly head: string;
  /** The same of the last 512. */
  readonly tail: string;
  /** What a server calls exactly these plain bytes; going on there needs no reading up to it. */
  readonly etag?: string;
}

/** A reader that can tell places in what it has read. */
export interface InputReader extends ByteReader {
  /** The place at an offset within the last two pieces read, or the last 512 KiB. */
  placeAt(offset: number): InputPlace;
  /** What a server says the bytes are. */
  readonly contentType?: string | undefined;
}

/** Bytes from an input's beginning that a place knows by their hash. */
export const HEAD_BYTES = 4096;
/** Bytes in front of a place that it knows by their hash. */
export const TAIL_BYTES = 512;

const NOTHING = new Uint8Array(0);

/** What an input is called, and how many stand before it. */
export interface InputName {
  readonly name: string;
  readonly input: number;
  readonly etag?: string | undefined;
  readonly contentType?: string | undefined;
}

/**
 * Reads on from a place, `head` and `tail` being the bytes that stand there now.
 * Errors: CURSOR_MISMATCH when they are not those that the place knows.
 */
export function readFrom(
  reader: ByteReader,
  input: InputName,
  place: InputPlace,
  head: Uint8Array,
  tail: Uint8Array,
): InputReader {
  const placed = new PlacedReader(reader, input, { offset: place.offset, head, tail });
  placed.check(place, tail.length);
  return placed;
}

/**
 * As `readThrough`, for a reader that begins at `start`, `TAIL_BYTES` or more before the place, in
 * bytes that are vouched for to be those that the place was made in.
 */
export async function readBehind(
  reader: ByteReader,
  input: InputName,
  place: InputPlace,
  start: number,
  signal: AbortSignal,
): Promise<InputReader> {
  const known = { offset: start, head: place.head, tail: NOTHING };
  const placed = new PlacedReader(reader, input, known);
  await placed.skipTo(place, signal);
  return placed;
}

/**
 * Reads from the beginning, or with a place up to it and then on from it.
 * Errors: CURSOR_MISMATCH when what stands before the place is something else, or ends before it.
 */
export async function readThrough(
  reader: ByteReader,
  input: InputName,
  place: InputPlace | undefined,
  signal: AbortSignal,
): Promise<InputReader> {
  const placed = new PlacedReader(reader, input);
  if (place) await placed.skipTo(place, signal);
  return placed;
}

/**
 * A cursor as a place, with what the source keeps beside it.
 * Errors: CURSOR_MISMATCH for anything else.
 */
export function parsePlace<T extends object>(
  cursor: unknown,
  more: readonly (keyof T & string)[],
): (InputPlace & T) | undefined {
  if (cursor === undefined || cursor === null) return undefined;
  const found = cursor as Record<string, unknown>;
  const numbers = ['input', 'offset', ...more].every((name) => isCount(found[name]));
  const texts = ['source', 'head', 'tail'].every((name) => typeof found[name] === 'string');
  if (numbers && texts) return cursor as InputPlace & T;
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source');
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

interface Start {
  readonly offset: number;
  /** The first bytes, or the hash of as many as are hashed. */
  readonly head: Uint8Array | string;
  readonly tail: Uint8Array;
}

/** Small pieces are kept until they are so many bytes. */
const KEPT_BYTES = 512 << 10;

/** Bytes that were read, from the offset `start` on; `given` when only this still looks at them. */
interface Kept {
  readonly bytes: Uint8Array;
  readonly start: number;
  given?: boolean;
}

/** Keeps the last two pieces or more and the bytes in front of them. */
class PlacedReader implements InputReader {
  startsMidLine = false;
  readonly #reader: ByteReader;
  readonly #input: InputName;
  #head: Uint8Array;
  #headHash: string | undefined;
  /** Bytes read so far. */
  #end: number;
  readonly #kept: Kept[];
  /** Read while skipping, and still to be given. */
  #pending: Uint8Array = NOTHING;

  constructor(reader: ByteReader, input: InputName, start?: Start) {
    this.#reader = reader;
    this.#input = input;
    const { offset, head, tail } = start ?? { offset: 0, head: NOTHING, tail: NOTHING };
    if (typeof head === 'string') this.#headHash = head;
    this.#head = typeof head === 'string' ? NOTHING : head;
    this.#end = offset;
    this.#kept = [{ bytes: tail, start: offset - tail.length }];
  }

  get contentType(): string | undefined {
    return this.#input.contentType;
  }

  get endsMidLine(): boolean {
    return this.#reader.endsMidLine ?? false;
  }

  async read(carry: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#pending.length > 0) {
      const given = joinBytes([carry, this.#pending], carry.length + this.#pending.length);
      this.#pending = NOTHING;
      return given;
    }
    const piece = await this.#reader.read(carry);
    if (piece) this.#keep(piece, carry.length);
    return piece;
  }

  reuse(bytes: Uint8Array): void {
    const kept = this.#kept.find((each) => each.bytes.buffer === bytes.buffer);
    if (kept) kept.given = true;
    else this.#reader.reuse?.(bytes);
  }

  placeAt(offset: number): InputPlace {
    const { name, input, etag } = this.#input;
    const tail = hash(this.#before(offset));
    const place = { source: name, input, offset, head: this.#hashHead(offset), tail };
    return etag === undefined ? place : { ...place, etag };
  }

  /** Errors: CURSOR_MISMATCH. */
  check(place: InputPlace, known = TAIL_BYTES): void {
    const { offset } = place;
    if (known < Math.min(offset, TAIL_BYTES)) {
      throw this.#mismatch(`ends before byte ${offset}`, offset);
    }
    const here = this.placeAt(offset);
    if (here.head !== place.head || here.tail !== place.tail) {
      throw this.#mismatch('is not what it was when the cursor was made', offset);
    }
    this.startsMidLine = offset > 0 && this.#before(offset).at(-1) !== 10;
  }

  /** Errors: CURSOR_MISMATCH. */
  async skipTo(place: InputPlace, signal: AbortSignal): Promise<void> {
    const { offset } = place;
    while (this.#end < offset) {
      const piece = await this.read(NOTHING);
      signal.throwIfAborted();
      if (!piece) throw this.#mismatch(`ends before byte ${offset}`, this.#end);
      if (this.#end > offset) this.#pending = piece.subarray(piece.length - (this.#end - offset));
    }
    this.check(place);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  #keep(piece: Uint8Array, carried: number): void {
    const missing = HEAD_BYTES - this.#head.length;
    if (missing > 0 && this.#headHash === undefined) {
      const more = piece.subarray(carried, carried + missing);
      this.#head = joinBytes([this.#head, more], this.#head.length + more.length);
    }
    this.#kept.push({ bytes: piece, start: this.#end - carried });
    this.#end += piece.length - carried;
    while (this.#kept.length > 3 && this.#end - this.#kept[2]!.start >= KEPT_BYTES) {
      // The oldest stays only as the bytes in front of the others.
      const { start } = this.#kept[2]!;
      const trail = this.#before(start).slice();
      const old = this.#kept.splice(0, 2, { bytes: trail, start: start - trail.length });
      for (const { bytes, given } of old) if (given) this.#reader.reuse?.(bytes);
    }
  }

  /** The bytes in front of an offset, as many as count. */
  #before(offset: number): Uint8Array {
    const from = Math.max(0, offset - TAIL_BYTES);
    for (const { bytes, start } of this.#kept) {
      const end = start + bytes.length;
      if (start <= from && offset <= end) return bytes.subarray(from - start, offset - start);
    }
    assert(from >= this.#kept[0]!.start && offset <= this.#end, 'the place is near the last read');
    const found = new Uint8Array(offset - from);
    for (const { bytes, start } of this.#kept) {
      const low = Math.max(from, start);
      const high = Math.min(offset, start + bytes.length);
      if (low < high) found.set(bytes.subarray(low - start, high - start), low - from);
    }
    return found;
  }

  #hashHead(offset: number): string {
    if (offset < HEAD_BYTES) return hash(this.#head.subarray(0, offset));
    this.#headHash ??= hash(this.#head);
    return this.#headHash;
  }

  #mismatch(what: string, offset: number): EtlError {
    const place = { ...sourcePlace(this.#input.name), offset };
    return new EtlError('CURSOR_MISMATCH', what, { place });
  }
}

function hash(bytes: Uint8Array): string {
  return sharedKernel().hash(bytes).toString(16).padStart(16, '0');
}
