/**
 * An entry of a drive, without a copy of its payload. Handles are made by the million: one holds where
 * its metadata lies and reads that on first use.
 *
 * A payload that was taken stays readable as long as it can be reached, also when the store has closed,
 * grown or been compacted meanwhile. Taking one from a closed store is CLOSED. Payloads are shared with
 * the file: they must not be written to (a write to mapped memory ends the process).
 */
import { checkCount } from '../../core/check-option.ts';
import { EtlError } from '../../core/errors.ts';
import type { FileView } from '../../io/index.ts';
import { alignPayload, METADATA_BYTES } from '../../kernels/drive-types.ts';
import { crc32 } from '../archive/crc32.ts';
import { EntryMetadata, readU64 } from './entry-metadata.ts';
import { alignOrCopy, type TypedArrayOf } from './extensions/align-or-copy.ts';

/** Longest payload in one piece: what every supported Node can address. */
const MAX_PIECE = 2 ** 32 - 1;
const CHUNK_BYTES = 1 << 20;
const MAX_INT32 = 0x7fff_ffff;

export class EntryHandle {
  /** Where the 20 bytes of metadata lie in the file, which is also the payload's end. */
  readonly endOffset: number;
  readonly #view: FileView;
  #start: number;
  #payload: Uint8Array | undefined;
  #metadata: EntryMetadata | undefined;

  /** The entry whose metadata lies at `endOffset`; its payload begins at `start`, -1 where that must be looked up. */
  constructor(view: FileView, endOffset: number, start = -1) {
    this.#view = view;
    this.endOffset = unboxed(endOffset);
    this.#start = unboxed(start);
  }

  /** Where the payload begins in the file. */
  get startOffset(): number {
    if (this.#start < 0) {
      const { endOffset } = this;
      const at = this.#view.seek(endOffset - 1, METADATA_BYTES + 1);
      const { memory } = this.#view;
      const before = readU64(memory, at + 9);
      const isTombstone = before + 1 === endOffset && memory[at] === 0;
      this.#start = isTombstone ? before : alignPayload(before);
    }
    return this.#start;
  }

  /** Where the payload lies in the file. */
  get offsetRange(): readonly [start: number, end: number] {
    return [this.startOffset, this.endOffset];
  }

  /** Bytes of the payload. */
  get size(): number {
    return this.endOffset - this.startOffset;
  }

  /** Bytes of payload and metadata, padding left out. */
  get fileSize(): number {
    return this.size + METADATA_BYTES;
  }

  /** True for the mark of a deleted key; only `readLastEntry` gives such. */
  get isTombstone(): boolean {
    return (
      this.startOffset === this.metadata.prevOffset && this.size === 1 && this.payload[0] === 0
    );
  }

  /**
   * The payload: a view of the mapped file where files are mapped, else a copy. Aligned to 64 bytes in
   * the file, and in memory where mapped. Errors: CLOSED, IO_ERROR, UNSUPPORTED from 4 GiB on (`chunks`).
   */
  get payload(): Uint8Array {
    if (this.#payload === undefined) {
      const start = this.#start < 0 ? this.startOffset : this.#start;
      const size = this.endOffset - start;
      if (size > MAX_PIECE) {
        throw new EtlError('UNSUPPORTED', 'the payload is too long for one piece; take chunks()');
      }
      this.#payload = this.#view.bytes(start, size);
    }
    return this.#payload;
  }

  /**
   * The bytes [begin, end) of the payload; where files are not mapped nothing else of it is read.
   * Errors: as `payload`, and INVALID_ARGUMENT for what it does not have.
   */
  part(begin: number, end: number): Uint8Array {
    this.#checkPart(begin, end);
    return this.#view.bytes(this.startOffset + begin, end - begin);
  }

  /** The same, read beside other work where files are not mapped. */
  async fetchPart(begin: number, end: number): Promise<Uint8Array> {
    this.#checkPart(begin, end);
    return this.#view.fetch(this.startOffset + begin, end - begin);
  }

  /** Fills the target with the payload from `begin` on, in the same way. */
  async fetchInto(target: Uint8Array, begin: number): Promise<void> {
    this.#checkPart(begin, begin + target.length);
    await this.#view.fetchInto(target, this.startOffset + begin);
  }

  /** The same as `payload`. */
  asSlice(): Uint8Array {
    return this.payload;
  }

  /** The payload as memory that typed arrays and Arrow buffers are made over without a copy. */
  asArrowBuffer(): Uint8Array {
    return this.payload;
  }

  /**
   * The payload as little-endian numbers: `entry.asTypedArray(Float64Array)`. A view of the payload.
   * Errors: INVALID_ARGUMENT when its size is no multiple of theirs.
   */
  asTypedArray<T>(type: TypedArrayOf<T>): T {
    return alignOrCopy(this.payload, type);
  }

  /** A copy of the payload, the caller's own. */
  copy(): Uint8Array {
    return this.payload.slice();
  }

  /**
   * The payload in pieces of `chunkBytes` (default 1 MiB), for those larger than one wants at once.
   * Errors: as `payload`, and INVALID_ARGUMENT for what is no whole number from 1 on.
   */
  chunks(chunkBytes: number = CHUNK_BYTES): Generator<Uint8Array, void, void> {
    return this.#chunks(checkCount('chunkBytes', chunkBytes));
  }

  *#chunks(chunkBytes: number): Generator<Uint8Array, void, void> {
    for (let at = this.startOffset; at < this.endOffset; at += chunkBytes) {
      yield this.#view.bytes(at, Math.min(chunkBytes, this.endOffset - at));
    }
  }

  #checkPart(begin: number, end: number): void {
    if (!(begin >= 0 && begin <= end && end <= this.size)) {
      throw new EtlError('INVALID_ARGUMENT', `the payload has ${this.size} bytes`);
    }
  }

  get metadata(): EntryMetadata {
    if (this.#metadata === undefined) {
      const at = this.#view.seek(this.endOffset, METADATA_BYTES);
      this.#metadata = EntryMetadata.deserialize(this.#view.memory, at);
    }
    return this.#metadata;
  }

  /** XXH3-64 of the key. */
  get keyHash(): bigint {
    return this.metadata.keyHash;
  }

  /** The checksum stored with the payload. */
  get checksum(): number {
    return this.metadata.crc32;
  }

  /** The stored checksum's four bytes. */
  get rawChecksum(): Uint8Array {
    return this.metadata.serialize().subarray(16);
  }

  /** Whether the payload is what was written, by its CRC-32. Costs a pass over it. */
  isValidChecksum(): boolean {
    let sum = 0;
    for (const chunk of this.chunks()) sum = crc32(chunk, sum);
    return sum === this.checksum;
  }
}

/** The same number. What comes from a Float64Array would be kept as an object of its own, 16 bytes a number. */
function unboxed(offset: number): number {
  return offset <= MAX_INT32 ? offset | 0 : offset;
}
