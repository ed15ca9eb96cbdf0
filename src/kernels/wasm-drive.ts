/** The drive table of the WebAssembly kernel: in the memory of its own module instance. */
import { EtlError } from '../core/errors.ts';
import {
  type DriveEntry,
  type DriveKey,
  type DriveTable,
  MAX_STAGED,
  METADATA_BYTES,
  PAYLOAD_ALIGNMENT,
  UNCHECKED,
  WALK_BYTES,
  type WalkOptions,
  type WalkStep,
} from './drive-types.ts';
import { driveModule } from './generated/drive-module.ts';
import { hashInto } from './twin/xxh3.ts';
import { decodeBase64 } from './wasm-bytes.ts';

const STATE = 0x1000;
const KEYS = 0x10000;
const STAGE = 0x110000;
const OUT = 0x210000;
const REGION = 0x100000;
const HEADER = 16;
const HASHED = 0xffff_ffff;
/** Room that the layout may write over behind its end. */
const SLACK = 128;
const INITIAL_PAGES = 64;
const MAX_PAGES = 65536;
/** What a record takes at most besides its payload: padding, metadata, and a deletion's one byte. */
const MOST_AROUND = PAYLOAD_ALIGNMENT + METADATA_BYTES + 1;
const NOTHING = new Uint8Array(0);
/** Bytes up to which a loop beats `TypedArray.set`. */
const SHORT = 8;

interface DriveExports {
  size(): number;
  clear(): number;
  reserve(count: number): number;
  hashKey(length: number): void;
  findKey(length: number): number;
  find(low: number, high: number): number;
  findKeys(count: number): void;
  set(low: number, high: number, offset: number, replace: number): number;
  remove(low: number, high: number): number;
  layOut(count: number, tail: number): number;
  commit(count: number, tail: number): number;
  walk(
    length: number,
    base: number,
    cursor: number,
    floor: number,
    report: number,
    check: number,
  ): number;
  sweep(): void;
  copyOffsets(from: number, limit: number): void;
}

let compiled: WebAssembly.Module | undefined;
const encoder = new TextEncoder();

/** As `Kernel.createDriveTable`. Errors: INVALID_ARGUMENT when 4 GiB are not enough. */
export function createWasmDriveTable(): DriveTable {
  compiled ??= new WebAssembly.Module(decodeBase64(driveModule));
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return new WasmDriveTable(memory, exports as unknown as DriveExports);
}

class WasmDriveTable implements DriveTable {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: DriveExports;
  readonly #keyHash = new Uint32Array(2);
  // What works on a batch is called by `call` on a field, which hides it from the compiler: a loop is then
  // compiled by itself and at once, not as a part of all that lead to it; and the functions of one drive's
  // module are not built into code that would be thrown away when a second drive comes with its own.
  readonly #placeKeys = placeKeys;
  #u8: Uint8Array;
  #u32: Uint32Array;
  #hashInMemory = false;
  #count = 0;
  #stageEnd = STAGE;
  /** At most what the staged records take when laid out, wherever that begins. */
  #outBytes = 0;
  /** A double from the start: a field that becomes one later outdates the tables made before and the code for them. */
  #tail = Number.NaN;

  constructor(memory: WebAssembly.Memory, exports: DriveExports) {
    this.#memory = memory;
    this.#exports = exports;
    // The engine throws away what it has compiled for typed arrays when a buffer is detached for the first
    // time, as growth does. Better now than in the middle of the work.
    memory.grow(0);
    this.#u8 = new Uint8Array(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
    this.clear();
  }

  get size(): number {
    return this.#exports.size();
  }

  get byteLength(): number {
    return this.#memory.buffer.byteLength;
  }

  get keyHash(): Uint32Array {
    if (this.#hashInMemory) {
      this.#keyHash[0] = this.#u32[STATE >> 2]!;
      this.#keyHash[1] = this.#u32[(STATE >> 2) + 1]!;
    }
    return this.#keyHash;
  }

  hashKey(key: DriveKey): void {
    const length = this.#placeKey(key);
    if (length >= 0) this.#exports.hashKey(length);
  }

  findKey(key: DriveKey): number {
    const length = this.#placeKey(key);
    if (length >= 0) return this.#exports.findKey(length);
    return this.#exports.find(this.#keyHash[0]!, this.#keyHash[1]!);
  }

  find(low: number, high: number): number {
    return this.#exports.find(low, high);
  }

  findKeys(keys: readonly DriveKey[]): Float64Array {
    const count = this.#placeKeys.call(null, this.#u8, this.#u32, keys, 0);
    if (count === keys.length) return this.#findPlaced(count);
    const found = new Float64Array(keys.length * 2);
    for (let first = 0; first < keys.length; ) {
      const count = this.#placeKeys.call(null, this.#u8, this.#u32, keys, first);
      if (count === 0) {
        found[first * 2] = -1;
        found[first * 2 + 1] = this.findKey(keys[first]!);
        first++;
        continue;
      }
      found.set(this.#findPlaced(count), first * 2);
      first += count;
    }
    return found;
  }

  set(low: number, high: number, offset: number, replace = true): number {
    const before = this.#exports.set(low, high, offset, replace ? 1 : 0);
    this.#refresh();
    if (before === -2) throw tooLarge();
    return before;
  }

  remove(low: number, high: number): number {
    return this.#exports.remove(low, high);
  }

  clear(): void {
    this.#exports.clear();
    this.#refresh();
  }

  reserve(count: number): void {
    if (!this.#exports.reserve(count)) throw tooLarge();
    this.#refresh();
  }

  offsets(): Float64Array {
    const offsets = new Float64Array(this.size);
    let at = 0;
    for (let slot = 0; at < offsets.length; ) {
      this.#exports.copyOffsets(slot, REGION / 8);
      const [next, copied] = new Uint32Array(this.#memory.buffer, STATE, 2);
      offsets.set(new Float64Array(this.#memory.buffer, OUT, copied), at);
      at += copied!;
      slot = next!;
    }
    return offsets;
  }

  stage(entries: readonly DriveEntry[], from: number): number {
    // Written by the million: locals instead of fields, and no call but those that are inlined.
    const u8 = this.#u8;
    const u32 = this.#u32;
    let at = this.#stageEnd;
    let outBytes = this.#outBytes;
    let next = from;
    for (; next < entries.length; next++) {
      // Taken apart by an iterator it costs several times as much until it is compiled.
      const entry = entries[next]!;
      const key = entry[0];
      const payload = entry[1];
      const longest = longestOf(key);
      const { length } = payload;
      if (!fits(at, outBytes, longest, length)) break;
      const keyLength = place(u8, u32, at + HEADER, key);
      u32[at >> 2] = keyLength;
      u32[(at >> 2) + 1] = length;
      at = (at + HEADER + keyLength + 3) & -4;
      place(u8, u32, at, payload);
      at = (at + length + 3) & -4;
      outBytes += MOST_AROUND + length;
    }
    this.#count += next - from;
    this.#stageEnd = at;
    this.#outBytes = outBytes;
    return next;
  }

  stageHash(low: number, high: number, payload: Uint8Array = NOTHING): boolean {
    const { length } = payload;
    const at = this.#stageEnd;
    if (!fits(at, this.#outBytes, 0, length)) return false;
    this.#u32.set([HASHED, length, low, high], at >> 2);
    place(this.#u8, this.#u32, at + HEADER, payload);
    this.#count++;
    this.#stageEnd = (at + HEADER + length + 3) & -4;
    this.#outBytes += MOST_AROUND + length;
    return true;
  }

  layOut(tail: number): Uint8Array {
    this.#tail = tail;
    const length = this.#exports.layOut.call(null, this.#count, tail);
    return this.#u8.subarray(OUT, OUT + length);
  }

  commit(): void {
    const done = this.#exports.commit.call(null, this.#count, this.#tail);
    this.#refresh();
    this.unstage();
    if (!done) throw tooLarge();
  }

  unstage(): void {
    this.#count = 0;
    this.#stageEnd = STAGE;
    this.#outBytes = 0;
  }

  pieceMemory(byteLength: number): Uint8Array {
    if (byteLength > WALK_BYTES) throw new RangeError('a piece is too large');
    return this.#u8.subarray(OUT, OUT + byteLength);
  }

  walk(
    piece: Uint8Array,
    base: number,
    cursor: number,
    floor: number,
    { report = false, check = UNCHECKED }: WalkOptions = {},
  ): WalkStep {
    const own = this.pieceMemory(piece.length);
    if (piece.buffer !== own.buffer || piece.byteOffset !== OUT) own.set(piece);
    const reports = report ? 1 : 0;
    const done = this.#exports.walk(piece.length, base, cursor, floor, reports, check);
    if (!done) throw tooLarge();
    this.#refresh();
    const state = new DataView(this.#memory.buffer, STATE, 24);
    return {
      cursor: state.getFloat64(0, true),
      records: state.getUint32(8, true),
      broken: state.getUint32(16, true) === 1,
      found: new Float64Array(this.#memory.buffer, KEYS, state.getUint32(12, true)),
    };
  }

  sweep(): void {
    this.#exports.sweep();
  }

  #findPlaced(count: number): Float64Array {
    this.#exports.findKeys.call(null, count);
    return new Float64Array(this.#memory.buffer, OUT, count * 2);
  }

  /** The key's length at KEYS; -1 when it was too long and its hash stands in `#keyHash`. */
  #placeKey(key: DriveKey): number {
    const longest = longestOf(key);
    this.#hashInMemory = longest <= REGION;
    if (this.#hashInMemory) return place(this.#u8, this.#u32, KEYS, key);
    const bytes = typeof key === 'string' ? encoder.encode(key) : key;
    hashInto(this.#keyHash, bytes, 0, bytes.length);
    return -1;
  }

  #refresh(): void {
    if (this.#u8.buffer === this.#memory.buffer) return;
    this.#u8 = new Uint8Array(this.#memory.buffer);
    this.#u32 = new Uint32Array(this.#memory.buffer);
  }
}

/** The most bytes that a key takes. */
function longestOf(key: DriveKey): number {
  return typeof key === 'string' ? key.length * 3 : key.length;
}

/** Whether a record may be staged at `at`, behind others that take `outBytes` when laid out. */
function fits(at: number, outBytes: number, keyLength: number, length: number): boolean {
  return (
    keyLength <= MAX_STAGED &&
    length <= MAX_STAGED &&
    at + HEADER + keyLength + length + SLACK <= STAGE + REGION &&
    outBytes + MOST_AROUND + length + SLACK <= REGION
  );
}

/** Puts keys from one on in their order where `findKeys` looks for them; how many found room there. */
function placeKeys(
  u8: Uint8Array,
  u32: Uint32Array,
  keys: readonly DriveKey[],
  first: number,
): number {
  const last = Math.min(keys.length, first + REGION / 16);
  let at = KEYS;
  let next = first;
  for (; next < last; next++) {
    const key = keys[next]!;
    const longest = longestOf(key);
    if (longest > MAX_STAGED || at + 4 + longest > KEYS + REGION) break;
    const length = place(u8, u32, at + 4, key);
    u32[at >> 2] = length;
    at = (at + 4 + length + 3) & -4;
  }
  return next - first;
}

/**
 * Writes a key's or payload's bytes to a multiple of 4; their length. Short ones without a call into the engine.
 */
function place(u8: Uint8Array, u32: Uint32Array, at: number, bytes: DriveKey): number {
  const { length } = bytes;
  if (typeof bytes === 'string') {
    for (let i = 0; i < length; i++) {
      const unit = bytes.charCodeAt(i);
      if (unit >= 0x80) return encoder.encodeInto(bytes, u8.subarray(at)).written;
      u8[at + i] = unit;
    }
  } else if (length <= SHORT) {
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      u32[(at + i) >> 2] =
        bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    }
    for (; i < length; i++) u8[at + i] = bytes[i]!;
  } else u8.set(bytes, at);
  return length;
}

function tooLarge(): EtlError {
  return new EtlError('INVALID_ARGUMENT', 'the drive index has no room for more entries');
}
