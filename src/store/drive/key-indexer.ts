/**
 * From key hashes (XXH3-64) to the newest entries, as the original names it: a hash leads to a packed
 * value, a 16-bit tag above a 48-bit offset of the entry's metadata.
 *
 * The tag is the top of the same hash, as in the original, so it exposes a value that does not belong to
 * the hash, but two keys with equal hashes are one key to every program of this format: files hold no
 * keys. With 2^32 keys that is to be expected about once. Cost: 16 to 32 bytes of memory a key.
 */
import { EtlError } from '../../core/errors.ts';
import { type DriveKey, type DriveTable, sharedKernel } from '../../kernels/index.ts';
import { checkKey } from './check-bytes.ts';

const TAG_BITS = 16n;
const OFFSET_BITS = 48n;

export class KeyIndexer {
  /** The table itself, for those that count nanoseconds. */
  readonly table: DriveTable;

  constructor(table: DriveTable = sharedKernel().createDriveTable()) {
    this.table = table;
  }

  /** With room for so many keys. */
  static withCapacity(count: number): KeyIndexer {
    const indexer = new KeyIndexer();
    indexer.reserve(count);
    return indexer;
  }

  /** The upper 16 bits of a hash. */
  static tagFromHash(keyHash: bigint): number {
    return Number(BigInt.asUintN(64, keyHash) >> (64n - TAG_BITS));
  }

  static tagFromKey(key: DriveKey): number {
    return KeyIndexer.tagFromHash(hashKey(key));
  }

  /** Tag and offset as one value. Errors: INVALID_ARGUMENT for an offset above 48 bits. */
  static pack(tag: number, offset: number): bigint {
    checkOffset(offset);
    return (BigInt(tag & 0xffff) << OFFSET_BITS) | BigInt(offset);
  }

  static unpack(packed: bigint): { readonly tag: number; readonly offset: number } {
    return {
      tag: Number(packed >> OFFSET_BITS),
      offset: Number(BigInt.asUintN(Number(OFFSET_BITS), packed)),
    };
  }

  /** The offset that was there before, if any. Errors: INVALID_ARGUMENT as `pack`. */
  insert(keyHash: bigint, offset: number): number | undefined {
    checkOffset(offset);
    return known(this.table.set(low(keyHash), high(keyHash), offset));
  }

  /** Keeps what is there. Errors: INVALID_ARGUMENT as `pack`. */
  insertIfAbsent(keyHash: bigint, offset: number): void {
    checkOffset(offset);
    this.table.set(low(keyHash), high(keyHash), offset, false);
  }

  getOffset(keyHash: bigint): number | undefined {
    return known(this.table.find(low(keyHash), high(keyHash)));
  }

  getPacked(keyHash: bigint): bigint | undefined {
    const offset = this.getOffset(keyHash);
    return offset === undefined
      ? undefined
      : KeyIndexer.pack(KeyIndexer.tagFromHash(keyHash), offset);
  }

  /** The offset that was there, if any. */
  remove(keyHash: bigint): number | undefined {
    return known(this.table.remove(low(keyHash), high(keyHash)));
  }

  /** All offsets, in no order. */
  values(): Float64Array {
    return this.table.offsets();
  }

  len(): number {
    return this.table.size;
  }

  isEmpty(): boolean {
    return this.table.size === 0;
  }

  clear(): void {
    this.table.clear();
  }

  /** Empties the index and makes room for so many keys. */
  reserve(count: number): void {
    this.table.reserve(count);
  }
}

/** XXH3-64 of a key; text stands for its UTF-8. Errors: INVALID_ARGUMENT for what is neither text nor bytes. */
export function hashKey(key: DriveKey): bigint {
  checkKey(key);
  return sharedKernel().hash(typeof key === 'string' ? new TextEncoder().encode(key) : key);
}

/** The low half of a hash. */
export function low(keyHash: bigint): number {
  return Number(BigInt.asUintN(32, keyHash));
}

/** The high half of a hash. */
export function high(keyHash: bigint): number {
  return Number(BigInt.asUintN(32, keyHash >> 32n));
}

function checkOffset(offset: number): void {
  if (Number.isInteger(offset) && offset >= 0 && offset < 2 ** Number(OFFSET_BITS)) return;
  throw new EtlError('INVALID_ARGUMENT', `an offset has at most 48 bits, not ${offset}`);
}

function known(offset: number): number | undefined {
  return offset < 0 ? undefined : offset;
}
