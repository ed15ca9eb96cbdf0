// The "index" module: from id hashes to places in the data file. One table in a memory of its own.
//
// Slots of 16 bytes, u64 hash then u64 offset << 24 | length, kept in ascending order of hash, so an
// entry stands at or a little behind the place its hash names (the hash scaled to the capacity) and
// equal hashes stand together. An empty slot's second word is 0 (lengths are at least 1). Behind the
// capacity lies spare room for what the last places push out. Keeping the order makes growth a pass
// in place: move all to the end, then deal them out again from the front.
import { xxh3 } from './xxh3';

/** Results and small arguments. */
const STATE: usize = 0x1000;
/** Hashes of the entries being loaded. */
const HASHES: usize = 0x2000;
/** Input and output of the calls that go over many entries; 1 MiB. */
const EXCHANGE: usize = 0x10000;
const EXCHANGE_END: usize = 0x110000;
const TABLE: usize = EXCHANGE_END;
const SPARE: u32 = 4096;
const SLOT_SIZE: usize = 16;
const MAX_LENGTH: u64 = 0xffffff;
const MAX_BITS: u32 = 27;
/** Entries whose places are touched ahead of their insertion. */
const AHEAD: u32 = 32;
/** Keeps the touching loads from being optimised away. */
let touched: u64 = 0;

let bits: u32 = 0;
let slots: u32 = 0;
let used: u32 = 0;
let sum: u64 = 0;

export function size(): u32 {
  return used;
}

export function checksum(): u64 {
  return sum;
}

/** Empties the table; capacity 2^10. False if memory cannot be had. */
export function clear(): bool {
  return allot(10);
}

/** An empty table of capacity 2^wanted. */
function allot(wanted: u32): bool {
  if (wanted > MAX_BITS || !ensure(wanted)) return false;
  bits = wanted;
  slots = (1 << bits) + SPARE;
  used = 0;
  sum = 0;
  memory.fill(TABLE, 0, <usize>slots << 4);
  return true;
}

function ensure(wanted: u32): bool {
  const bytes = TABLE + ((<usize>(1 << wanted) + SPARE) << 4);
  const pages = <i32>((bytes + 0xffff) >> 16);
  const have = memory.size();
  return have >= pages || memory.grow(pages - have) >= 0;
}

// @ts-ignore: decorator
@inline
function at(slot: u32): usize {
  return TABLE + (<usize>slot << 4);
}

// @ts-ignore: decorator
@inline
function home(hash: u64): u32 {
  return <u32>(hash >> (64 - bits));
}

// @ts-ignore: decorator
@inline
function place(offset: u64, length: u64): u64 {
  return (offset << 24) | min(length, MAX_LENGTH);
}

function mix(hash: u64, placed: u64): u64 {
  let x = hash ^ ((placed >> 24) * 0x9e3779b97f4a7c15) ^ ((placed & MAX_LENGTH) << 40);
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

/** Doubles the capacity. False if memory cannot be had or too many hashes crowd the last places. */
function grow(): bool {
  if (bits >= MAX_BITS || !fitsDoubled() || !ensure(bits + 1)) return false;
  const oldSlots = slots;
  bits++;
  slots = (1 << bits) + SPARE;
  memory.fill(at(oldSlots), 0, <usize>(slots - oldSlots) << 4);
  let to = slots;
  for (let i = oldSlots; i > 0; ) {
    i--;
    const slot = at(i);
    const placed = load<u64>(slot, 8);
    if (!placed) continue;
    to--;
    const hash = load<u64>(slot);
    store<u64>(slot, 0, 8);
    store<u64>(at(to), hash);
    store<u64>(at(to), placed, 8);
  }
  let next: u32 = 0;
  for (; to < slots; to++) {
    const from = at(to);
    const hash = load<u64>(from);
    const placed = load<u64>(from, 8);
    store<u64>(from, 0, 8);
    const slot = max(next, home(hash));
    store<u64>(at(slot), hash);
    store<u64>(at(slot), placed, 8);
    next = slot + 1;
  }
  return true;
}

/** True if dealing the entries out over twice the capacity ends inside the table. */
function fitsDoubled(): bool {
  let next: u32 = 0;
  for (let i: u32 = 0; i < slots; i++) {
    if (load<u64>(at(i), 8)) next = max(next, <u32>(load<u64>(at(i)) >> (63 - bits))) + 1;
  }
  return next <= (2 << bits) + SPARE;
}

/** First slot at or after the hash's home whose hash is not smaller, or that is empty. */
// @ts-ignore: decorator
@inline
function seek(hash: u64): u32 {
  let slot = home(hash);
  while (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) < hash) slot++;
  return slot;
}

/** Puts an entry at `slot`, pushing the run there one further. False if there is no room. */
function insertAt(slot: u32, hash: u64, placed: u64): bool {
  let end = slot;
  while (load<u64>(at(end), 8)) {
    if (++end >= slots) return false;
  }
  // Runs are short, so a loop beats a bulk copy.
  for (let from = at(end); from > at(slot); from -= SLOT_SIZE) {
    v128.store(from, v128.load(from - SLOT_SIZE));
  }
  store<u64>(at(slot), hash);
  store<u64>(at(slot), placed, 8);
  used++;
  sum += mix(hash, placed);
  return true;
}

/**
 * Loads the places of `count` hashes, `stride` bytes apart. The loads hang on nothing, so the memory
 * system works on all of them at once; one by one each insertion would wait for its own.
 */
function touch(hashes: usize, stride: usize, count: u32): void {
  let seen: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    seen |= load<u64>(at(home(load<u64>(hashes + <usize>i * stride))));
  }
  touched = seen;
}

/** Keeps a quarter of the places free. */
// @ts-ignore: decorator
@inline
function isCrowded(): bool {
  return used >= (1 << bits) - (1 << (bits - 2));
}

/** Adds an entry behind those of the same hash. False if memory cannot be had. */
export function add(low: u32, high: u32, offset: f64, length: u32): bool {
  const hash = (<u64>high << 32) | <u64>low;
  if (isCrowded() && !grow()) return false;
  while (true) {
    let slot = seek(hash);
    while (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) slot++;
    if (insertAt(slot, hash, place(<u64>offset, <u64>length))) return true;
    if (!grow()) return false;
  }
}

/** The first entry of the hash behind slot `after`, or -1. */
export function find(low: u32, high: u32, after: i32): i32 {
  const hash = (<u64>high << 32) | <u64>low;
  const slot = after < 0 ? seek(hash) : <u32>after + 1;
  return slot < slots && load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash ? <i32>slot : -1;
}

export function offsetOf(slot: u32): f64 {
  return <f64>(load<u64>(at(slot), 8) >> 24);
}

export function lengthOf(slot: u32): u32 {
  return <u32>(load<u64>(at(slot), 8) & MAX_LENGTH);
}

export function set(slot: u32, offset: f64, length: u32): void {
  const hash = load<u64>(at(slot));
  sum -= mix(hash, load<u64>(at(slot), 8));
  const placed = place(<u64>offset, <u64>length);
  store<u64>(at(slot), placed, 8);
  sum += mix(hash, placed);
}

export function remove(slot: u32): void {
  sum -= mix(load<u64>(at(slot)), load<u64>(at(slot), 8));
  used--;
  // What follows moves back as long as it is not at home.
  let end = slot + 1;
  while (end < slots && load<u64>(at(end), 8) != 0 && home(load<u64>(at(end))) < end) end++;
  memory.copy(at(slot), at(slot + 1), <usize>(end - slot - 1) << 4);
  store<u64>(at(end - 1), 0, 8);
}

/**
 * Inserts the line records [from, to) at EXCHANGE with offset base + start. Returns the first record
 * that has no string key or whose hash is present, else `to`; -1 if memory cannot be had.
 */
export function insertLines(from: u32, to: u32, base: f64): i32 {
  const shift = <u64>base;
  for (let i = from; i < to; i++) {
    const record = EXCHANGE + (<usize>i << 5);
    if ((i - from) % AHEAD == 0) touch(record + 24, 32, min(AHEAD, to - i));
    const kind = load<u32>(record, 20);
    if (kind != 1 && kind != 2) return <i32>i;
    if (isCrowded() && !grow()) return -1;
    const hash = load<u64>(record, 24);
    const start = <u64>load<u32>(record);
    const length = <u64>load<u32>(record, 4) - start + 1;
    while (true) {
      const slot = seek(hash);
      if (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) return <i32>i;
      if (insertAt(slot, hash, place(shift + start, length))) break;
      if (!grow()) return -1;
    }
  }
  return <i32>to;
}

/** Writes, over the records at EXCHANGE, a byte each: 0 if the record's place is in the table. */
export function live(count: u32, base: f64): void {
  const shift = <u64>base;
  for (let i: u32 = 0; i < count; i++) {
    const record = EXCHANGE + (<usize>i << 5);
    if (i % AHEAD == 0) touch(record + 24, 32, min(AHEAD, count - i));
    const hash = load<u64>(record, 24);
    const offset = shift + <u64>load<u32>(record);
    let dead: u8 = 1;
    for (let slot = seek(hash); load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash; slot++) {
      if (load<u64>(at(slot), 8) >> 24 == offset) {
        dead = 0;
        break;
      }
    }
    // Records are 32 bytes, so byte i never overtakes the record read next.
    store<u8>(EXCHANGE + <usize>i, dead);
  }
}

let nextHash: usize = 0;

/** Hashes the ids of up to AHEAD whole entries from `p` on into HASHES; how many. */
function hashAhead(p: usize, end: usize): u32 {
  let count: u32 = 0;
  while (count < AHEAD && p + 2 <= end) {
    const idLength = <usize>load<u16>(p);
    if (p + 14 + idLength > end) break;
    store<u64>(HASHES + (<usize>count << 3), xxh3(p + 2, idLength));
    p += 14 + idLength;
    count++;
  }
  return count;
}

/**
 * Reads at most `limit` entries (u16 id length, id, u64 offset, u32 length) from `length` bytes at
 * EXCHANGE. STATE: u32 bytes consumed, u32 entries, u32 1 if stopped at a present hash, u32 spare,
 * f64 largest end. False if memory cannot be had or an entry cannot be right.
 */
export function loadEntries(length: u32, limit: u32): bool {
  let p = EXCHANGE;
  const end = EXCHANGE + <usize>length;
  let count: u32 = 0;
  let largest: u64 = 0;
  store<u32>(STATE, 0, 8);
  if (used == 0 && limit > 768) {
    // Three quarters of the places for what is to come.
    const room = <u64>limit + <u64>limit / 3;
    if (!allot(min(MAX_BITS, max(10, 64 - <u32>clz(room))))) return false;
  }
  let ahead: u32 = 0;
  while (count < limit && p + 2 <= end) {
    const idLength = <usize>load<u16>(p);
    if (p + 14 + idLength > end) break;
    if (ahead == 0) {
      ahead = hashAhead(p, end);
      touch(HASHES, 8, ahead);
      nextHash = HASHES;
    }
    const hash = load<u64>(nextHash);
    const offset = load<u64>(p + 2 + idLength);
    const size = <u64>load<u32>(p + 10 + idLength);
    if (offset >> 40 || size == 0) return false;
    if (isCrowded() && !grow()) return false;
    const slot = seek(hash);
    largest = max(largest, offset + size);
    if (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) {
      store<u32>(STATE, 1, 8);
      store<u64>(STATE, hash, 24);
      break;
    }
    if (!insertAt(slot, hash, place(offset, size))) {
      if (!grow()) return false;
      continue;
    }
    p += 14 + idLength;
    nextHash += 8;
    ahead--;
    count++;
  }
  store<u32>(STATE, <u32>(p - EXCHANGE));
  store<u32>(STATE, count, 4);
  store<f64>(STATE, <f64>largest, 16);
  return true;
}

/** Copies up to `limit` entries' second words from slot `from` on to EXCHANGE. STATE: u32 slot to go on from, u32 entries. */
export function copyEntries(from: u32, limit: u32): void {
  let count: u32 = 0;
  let slot = from;
  for (; slot < slots && count < limit; slot++) {
    const placed = load<u64>(at(slot), 8);
    if (!placed) continue;
    store<u64>(EXCHANGE + (<usize>count << 3), placed);
    count++;
  }
  store<u32>(STATE, slot);
  store<u32>(STATE, count, 4);
}

export function slotCount(): u32 {
  return slots;
}
