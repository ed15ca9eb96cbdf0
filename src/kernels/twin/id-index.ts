/**
 * The id index in plain TypeScript: open addressing with linear probing over slots of four words:
 * hash low, hash high, then the place as one little-endian u64 of offset (upper 40 bits) and length
 * (lower 24). An entry is the number of its slot. A slot whose place is all ones is empty.
 *
 * Invariants: at most 3/4 of the slots are taken; no empty slot stands between an entry's home and
 * the entry; entries of one hash stand in insertion order along the probe. Removal moves what
 * follows back, growth goes around from an empty slot, and both keep that order.
 *
 * All operations but `entries` make no garbage beyond growth; find, add and remove are O(1) expected.
 */
import { assert } from '../../core/assert.ts';
import { KeyKind, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import { type IdIndex, type IndexLoad, MAX_LENGTH } from '../types.ts';
import { add, multiply, set, subtract, toBigInt, type U64, xorShift } from './u64.ts';
import { hashInto } from './xxh3.ts';

const SLOT_WORDS = 4;
const FIRST_SLOTS = 16;
const OFFSET_LIMIT = 2 ** 40;
const EMPTY = 0xffff_ffff;
/** Bytes of an index.bin entry besides the id: u16 id length in front; u64 offset, u32 length behind. */
const ID_PREFIX = 2;
const ID_SUFFIX = 12;

const register: U64 = new Uint32Array(2);

/** An empty index. */
export function createTwinIndex(): IdIndex {
  return new TwinIndex();
}

class TwinIndex implements IdIndex {
  size = 0;
  #slots: Uint32Array = emptySlots(FIRST_SLOTS);
  readonly #sum: U64 = new Uint32Array(2);
  /** Entries of the same hash were appended. */
  #isAmbiguous = false;

  get byteLength(): number {
    return this.#slots.byteLength;
  }

  get sum(): bigint {
    return toBigInt(this.#sum);
  }

  insertLines(records: Uint32Array, from: number, to: number, base: number): number {
    for (let i = from; i < to; i++) {
      const record = i * RECORD_WORDS;
      const low = records[record + LineRecord.hashLow]!;
      const high = records[record + LineRecord.hashHigh]!;
      if (!hasTextKey(records, record) || this.find(low, high) >= 0) return i;
      const start = records[record + LineRecord.start]!;
      this.add(low, high, base + start, records[record + LineRecord.end]! - start + 1);
    }
    return to;
  }

  find(hashLow: number, hashHigh: number, after: number = -1): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const low = hashLow >>> 0;
    const high = hashHigh >>> 0;
    let entry = (after < 0 ? low : after + 1) & mask;
    for (; !isEmpty(slots, entry); entry = (entry + 1) & mask) {
      if (slots[entry * SLOT_WORDS] === low && slots[entry * SLOT_WORDS + 1] === high) return entry;
    }
    return -1;
  }

  offset(entry: number): number {
    const at = entry * SLOT_WORDS;
    return this.#slots[at + 3]! * 256 + (this.#slots[at + 2]! >>> 24);
  }

  length(entry: number): number {
    return this.#slots[entry * SLOT_WORDS + 2]! & MAX_LENGTH;
  }

  set(entry: number, offset: number, length: number): void {
    this.#discount(entry);
    this.#place(entry, offset, length);
  }

  add(hashLow: number, hashHigh: number, offset: number, length: number): void {
    if ((this.size + 1) * 4 > (this.#mask + 1) * 3) this.#slots = doubled(this.#slots);
    const entry = freeSlot(this.#slots, hashLow);
    this.#slots[entry * SLOT_WORDS] = hashLow;
    this.#slots[entry * SLOT_WORDS + 1] = hashHigh;
    this.#place(entry, offset, length);
    this.size++;
  }

  remove(entry: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    this.#discount(entry);
    this.size--;
    let hole = entry;
    for (let next = (hole + 1) & mask; !isEmpty(slots, next); next = (next + 1) & mask) {
      const home = slots[next * SLOT_WORDS]! & mask;
      // An entry moves back only where that does not carry it past its home.
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      slots.copyWithin(hole * SLOT_WORDS, next * SLOT_WORDS, (next + 1) * SLOT_WORDS);
      hole = next;
    }
    slots.fill(EMPTY, hole * SLOT_WORDS, (hole + 1) * SLOT_WORDS);
  }

  clear(): void {
    this.size = 0;
    this.#isAmbiguous = false;
    this.#slots = emptySlots(FIRST_SLOTS);
    set(this.#sum, 0, 0);
  }

  live(records: Uint32Array, count: number, base: number): Uint8Array {
    const skip = new Uint8Array(count).fill(1);
    for (let i = 0; i < count; i++) {
      const record = i * RECORD_WORDS;
      if (!hasTextKey(records, record)) continue;
      const low = records[record + LineRecord.hashLow]!;
      const high = records[record + LineRecord.hashHigh]!;
      const offset = base + records[record + LineRecord.start]!;
      let entry = this.find(low, high);
      while (entry >= 0 && this.offset(entry) !== offset) entry = this.find(low, high, entry);
      if (entry >= 0) skip[i] = 0;
    }
    return skip;
  }

  load(bytes: Uint8Array, limit: number): IndexLoad {
    return this.#walk(bytes, limit, 'load');
  }

  seek(bytes: Uint8Array, limit: number): IndexLoad {
    return this.#walk(bytes, limit, 'seek');
  }

  reserve(): boolean {
    this.clear();
    return true;
  }

  append(bytes: Uint8Array, limit: number): IndexLoad {
    return this.#walk(bytes, limit, 'append');
  }

  settle(): boolean {
    const settled = !this.#isAmbiguous;
    if (!settled) this.clear();
    return settled;
  }

  entries(): { offsets: Float64Array; lengths: Uint32Array } {
    const places = new BigUint64Array(this.size);
    const words = new Uint32Array(places.buffer);
    for (let entry = 0, at = 0; entry <= this.#mask; entry++) {
      if (isEmpty(this.#slots, entry)) continue;
      words[at++] = this.#slots[entry * SLOT_WORDS + 2]!;
      words[at++] = this.#slots[entry * SLOT_WORDS + 3]!;
    }
    places.sort();
    const offsets = Float64Array.from(
      places,
      (_, i) => words[2 * i + 1]! * 256 + (words[2 * i]! >>> 24),
    );
    return { offsets, lengths: Uint32Array.from(places, (_, i) => words[2 * i]! & MAX_LENGTH) };
  }

  #walk(bytes: Uint8Array, limit: number, how: 'load' | 'seek' | 'append'): IndexLoad {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let consumed = 0;
    let count = 0;
    let end = 0;
    while (count < limit && consumed + ID_PREFIX <= bytes.length) {
      const idStart = consumed + ID_PREFIX;
      const idEnd = idStart + view.getUint16(consumed, true);
      const next = idEnd + ID_SUFFIX;
      if (next > bytes.length) break;
      const offset = view.getUint32(idEnd, true) + view.getUint32(idEnd + 4, true) * 2 ** 32;
      const length = view.getUint32(idEnd + 8, true);
      if (length === 0 || offset + length > OFFSET_LIMIT) {
        const place = { offset: consumed };
        throw new EtlError('CORRUPTED_INDEX', 'an index entry cannot be right', { place });
      }
      end = Math.max(end, offset + length);
      hashInto(register, bytes, idStart, idEnd);
      const hashLow = register[0]!;
      const hashHigh = register[1]!;
      const isPresent = this.find(hashLow, hashHigh) >= 0;
      if (isPresent && how === 'append') this.#isAmbiguous = true;
      else if (isPresent) {
        const size = next - consumed;
        const conflict = { idStart, idEnd, offset, length, size, hashLow, hashHigh };
        return { consumed, count, end, conflict };
      }
      if (how !== 'seek') this.add(hashLow, hashHigh, offset, length);
      consumed = next;
      count++;
    }
    return { consumed, count, end };
  }

  get #mask(): number {
    return this.#slots.length / SLOT_WORDS - 1;
  }

  #place(entry: number, offset: number, length: number): void {
    assert(offset >= 0 && offset + length <= OFFSET_LIMIT, 'documents lie below 2^40 bytes');
    const at = entry * SLOT_WORDS;
    this.#slots[at + 2] = (offset % 256) * 2 ** 24 + Math.min(length, MAX_LENGTH);
    this.#slots[at + 3] = Math.floor(offset / 256);
    this.#mix(entry);
    add(this.#sum, register[0]!, register[1]!);
  }

  #discount(entry: number): void {
    assert(entry >= 0 && !isEmpty(this.#slots, entry), 'an entry that was found');
    this.#mix(entry);
    subtract(this.#sum, register[0]!, register[1]!);
  }

  /** The entry's share of the sum, into the register. */
  #mix(entry: number): void {
    const offset = this.offset(entry);
    set(register, offset, Math.floor(offset / 2 ** 32));
    multiply(register, 0x7f4a7c15, 0x9e3779b9);
    const low = register[0]! ^ this.#slots[entry * SLOT_WORDS]!;
    const high = register[1]! ^ this.#slots[entry * SLOT_WORDS + 1]! ^ (this.length(entry) << 8);
    set(register, low, high);
    xorShift(register, 32);
    multiply(register, 0x6659fd93, 0xd6e8feb8);
    xorShift(register, 32);
  }
}

function hasTextKey(records: Uint32Array, record: number): boolean {
  const kind = records[record + LineRecord.keyKind];
  return kind === KeyKind.plain || kind === KeyKind.escaped;
}

function isEmpty(slots: Uint32Array, entry: number): boolean {
  return slots[entry * SLOT_WORDS + 2] === EMPTY && slots[entry * SLOT_WORDS + 3] === EMPTY;
}

function emptySlots(count: number): Uint32Array {
  return new Uint32Array(count * SLOT_WORDS).fill(EMPTY);
}

function freeSlot(slots: Uint32Array, hashLow: number): number {
  const mask = slots.length / SLOT_WORDS - 1;
  let entry = hashLow & mask;
  while (!isEmpty(slots, entry)) entry = (entry + 1) & mask;
  return entry;
}

/** Twice the slots. Starting behind an empty slot keeps runs that wrap around the end in order. */
function doubled(slots: Uint32Array): Uint32Array {
  const larger = emptySlots((slots.length / SLOT_WORDS) * 2);
  const mask = slots.length / SLOT_WORDS - 1;
  let first = 0;
  while (!isEmpty(slots, first)) first++;
  for (let i = 1; i <= mask; i++) {
    const entry = (first + i) & mask;
    if (isEmpty(slots, entry)) continue;
    const from = entry * SLOT_WORDS;
    const to = freeSlot(larger, slots[from]!) * SLOT_WORDS;
    larger.set(slots.subarray(from, from + SLOT_WORDS), to);
  }
  return larger;
}
