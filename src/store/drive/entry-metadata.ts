/**
 * The 20 bytes behind every payload: u64 key hash, u64 previous tail (the file's length before the
 * record), u32 CRC-32 of the payload; all little-endian.
 */
import { alignPayload, METADATA_BYTES } from '../../kernels/drive-types.ts';

/** The metadata of an entry. */
export class EntryMetadata {
  readonly #words: Uint32Array;

  private constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** Reads the 20 bytes at `at`. */
  static deserialize(bytes: Uint8Array, at = 0): EntryMetadata {
    const words = new Uint32Array(5);
    for (let i = 0; i < 5; i++) words[i] = readU32(bytes, at + 4 * i);
    return new EntryMetadata(words);
  }

  /** From the halves of the hash, the previous tail and the checksum. */
  static of(hashLow: number, hashHigh: number, prevOffset: number, crc32: number): EntryMetadata {
    const prevLow = prevOffset % 2 ** 32;
    const prevHigh = Math.floor(prevOffset / 2 ** 32);
    return new EntryMetadata(Uint32Array.of(hashLow, hashHigh, prevLow, prevHigh, crc32));
  }

  /** The 20 bytes. */
  serialize(): Uint8Array {
    const bytes = new Uint8Array(METADATA_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 5; i++) view.setUint32(4 * i, this.#words[i]!, true);
    return bytes;
  }

  /** XXH3-64 of the key. */
  get keyHash(): bigint {
    return (BigInt(this.hashHigh) << 32n) | BigInt(this.hashLow);
  }

  /** The low half of the key's hash. */
  get hashLow(): number {
    return this.#words[0]!;
  }

  /** The high half of the key's hash. */
  get hashHigh(): number {
    return this.#words[1]!;
  }

  /** The file's length before this record and its padding; 0 for the first. */
  get prevOffset(): number {
    return this.#words[2]! + this.#words[3]! * 2 ** 32;
  }

  /** CRC-32 of the payload. */
  get crc32(): number {
    return this.#words[4]!;
  }

  /** Payloads begin at multiples of this, 64. */
  get alignment(): number {
    return alignPayload(1);
  }
}

/** The u32 at `at`, little-endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

/** The u64 at `at`, little-endian; exact below 2^53, and never below that for larger ones. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
}
