/** The drive table in plain TypeScript: a Map from hashes to offsets. What the module `drive` does, said simply. */
import {
  alignPayload,
  type DriveEntry,
  type DriveKey,
  type DriveTable,
  MAX_STAGED,
  METADATA_BYTES,
  tailAfter,
  UNCHECKED,
  type WalkOptions,
  type WalkStep,
} from '../drive-types.ts';
import { toBigInt } from './u64.ts';
import { hashInto } from './xxh3.ts';

/** Stands for a deleted key while a chain is walked. */
const DELETED = 0;
/** Records are laid out before they take more than this. */
const STAGE_BYTES = 1 << 19;
const MAX_OFFSET = 2 ** 48 - 1;
const encoder = new TextEncoder();

interface Staged {
  readonly hash: bigint;
  readonly payload: Uint8Array | undefined;
}

/** As `Kernel.createDriveTable`. */
export function createTwinDriveTable(): DriveTable {
  return new TwinDriveTable();
}

class TwinDriveTable implements DriveTable {
  readonly keyHash: Uint32Array = new Uint32Array(2);
  readonly #places = new Map<bigint, number>();
  #staged: Staged[] = [];
  #stagedBytes = 0;
  #tail = 0;

  get size(): number {
    return this.#places.size;
  }

  get byteLength(): number {
    return this.#places.size * 64;
  }

  hashKey(key: DriveKey): void {
    const bytes = typeof key === 'string' ? encoder.encode(key) : key;
    hashInto(this.keyHash, bytes, 0, bytes.length);
  }

  findKey(key: DriveKey): number {
    this.hashKey(key);
    return this.#places.get(toBigInt(this.keyHash)) ?? -1;
  }

  find(low: number, high: number): number {
    return this.#places.get(toHash(low, high)) ?? -1;
  }

  findKeys(keys: readonly DriveKey[]): Float64Array {
    return Float64Array.from(keys.flatMap((key) => [-1, this.findKey(key)]));
  }

  set(low: number, high: number, offset: number, replace = true): number {
    const hash = toHash(low, high);
    const before = this.#places.get(hash);
    if (before === undefined || replace) this.#places.set(hash, offset);
    return before ?? -1;
  }

  remove(low: number, high: number): number {
    const hash = toHash(low, high);
    const before = this.#places.get(hash);
    this.#places.delete(hash);
    return before ?? -1;
  }

  clear(): void {
    this.#places.clear();
  }

  reserve(_count: number): void {
    this.clear();
  }

  offsets(): Float64Array {
    return Float64Array.from(this.#places.values());
  }

  stage(entries: readonly DriveEntry[], from: number): number {
    const kept = this.keyHash.slice();
    let next = from;
    for (; next < entries.length; next++) {
      const [key, payload] = entries[next]!;
      const longest = typeof key === 'string' ? key.length * 3 : key.length;
      if (longest > MAX_STAGED) break;
      this.hashKey(key);
      if (!this.#add({ hash: toBigInt(this.keyHash), payload: payload.slice() })) break;
    }
    this.keyHash.set(kept);
    return next;
  }

  stageHash(low: number, high: number, payload: Uint8Array | undefined): boolean {
    return this.#add({ hash: toHash(low, high), payload: payload?.slice() });
  }

  layOut(tail: number): Uint8Array {
    this.#tail = tail;
    let end = tail;
    for (const { payload } of this.#staged) end = tailAfter(end, payload?.length ?? 0);
    const bytes = new Uint8Array(end - tail);
    const view = new DataView(bytes.buffer);
    end = tail;
    for (const { hash, payload = Uint8Array.of(0) } of this.#staged) {
      const start = isTombstone(payload) ? end : alignPayload(end);
      const at = start + payload.length - tail;
      bytes.set(payload, start - tail);
      view.setBigUint64(at, hash, true);
      view.setBigUint64(at + 8, BigInt(end), true);
      view.setUint32(at + 16, crc32(payload), true);
      end = tail + at + METADATA_BYTES;
    }
    return bytes;
  }

  commit(): void {
    let end = this.#tail;
    for (const { hash, payload } of this.#staged) {
      end = tailAfter(end, payload?.length ?? 0);
      if (payload === undefined) this.#places.delete(hash);
      else this.#places.set(hash, end - METADATA_BYTES);
    }
    this.unstage();
  }

  unstage(): void {
    this.#staged = [];
    this.#stagedBytes = 0;
  }

  pieceMemory(byteLength: number): Uint8Array {
    return new Uint8Array(byteLength);
  }

  walk(
    piece: Uint8Array,
    base: number,
    from: number,
    floor: number,
    { report = false, check = UNCHECKED }: WalkOptions = {},
  ): WalkStep {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
    const found: number[] = [];
    let cursor = from;
    let records = 0;
    let broken = false;
    while (cursor > floor) {
      const place = cursor - METADATA_BYTES;
      if (place < 1) broken = true;
      if (broken || place < base + 1) break;
      const hash = view.getBigUint64(place - base, true);
      const before = Number(view.getBigUint64(place - base + 8, true));
      const dead = before + 1 === place && piece[place - base - 1] === 0;
      if (before > MAX_OFFSET || before < floor || (!dead && alignPayload(before) >= place)) {
        broken = true;
        break;
      }
      if (cursor >= check) {
        const start = (dead ? before : alignPayload(before)) - base;
        const payload = piece.subarray(Math.max(0, start), place - base);
        const sum = view.getUint32(place - base + 16, true);
        if (start < 0 || crc32(payload) !== sum) found.push(cursor);
        if (before < check && cursor > check) found.push(0);
      }
      records++;
      cursor = before;
      if (report) {
        if (!dead && this.#places.get(hash) === place) found.push(alignPayload(before), place);
      } else if (!this.#places.has(hash)) this.#places.set(hash, dead ? DELETED : place);
    }
    return { cursor, records, broken, found: Float64Array.from(found) };
  }

  sweep(): void {
    for (const [hash, place] of this.#places) if (place === DELETED) this.#places.delete(hash);
  }

  #add(record: Staged): boolean {
    const { length } = record.payload ?? [];
    const bytes = 128 + length;
    if (length > MAX_STAGED) return false;
    if (this.#stagedBytes + bytes > STAGE_BYTES) return false;
    this.#stagedBytes += bytes;
    this.#staged.push(record);
    return true;
  }
}

function isTombstone(payload: Uint8Array): boolean {
  return payload.length === 1 && payload[0] === 0;
}

function toHash(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** CRC-32 as zlib has it, bit by bit. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb8_8320 : 0);
  }
  return ~sum >>> 0;
}
