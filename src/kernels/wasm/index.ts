// The "index" module: from id hashes to places in the data file. One table (see table.ts) in a memory
// of its own; a slot's value is u64 offset << 24 | length, and lengths are at least 1.
import {
  AHEAD,
  allot,
  at,
  canDrop,
  drop,
  erase,
  grow,
  insertAt,
  isCrowded,
  seek,
  settle,
  slots,
  touch,
  used,
} from './table';
import { xxh3 } from './xxh3';

/** Results and small arguments. */
const STATE: usize = 0x1000;
/** Hashes of the entries being loaded. */
const HASHES: usize = 0x2000;
/** Appended entries of each region of the table; 4 KiB. */
const COUNTS: usize = 0x3000;
/** Input and output of the calls that go over many entries; small, so that a small index is small. */
const EXCHANGE: usize = 0x10000;
const EXCHANGE_BYTES: usize = 0x40000;
const TABLE: usize = 0x50000;
const MAX_LENGTH: u64 = 0xffffff;

let sum: u64 = 0;

export function size(): u32 {
  return used;
}

export function checksum(): u64 {
  return sum;
}

/** Empties the table. False if memory cannot be had. */
export function clear(): bool {
  sum = 0;
  return allot(TABLE, 0);
}

/** Empties the table and makes room for `count` entries. False if these are not to be appended. */
export function reserve(count: u32): bool {
  sum = 0;
  memory.fill(COUNTS, 0, 4096);
  return allot(TABLE, count) && canDrop(EXCHANGE_BYTES);
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

/** Adds an entry behind those of the same hash. False if memory cannot be had. */
export function add(low: u32, high: u32, offset: f64, length: u32): bool {
  const hash = (<u64>high << 32) | <u64>low;
  if (isCrowded() && !grow()) return false;
  while (true) {
    let slot = seek(hash);
    while (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) slot++;
    if (put(slot, hash, place(<u64>offset, <u64>length))) return true;
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
  erase(slot);
}

/** Inserts at a slot, and counts it in. */
function put(slot: u32, hash: u64, placed: u64): bool {
  if (!insertAt(slot, hash, placed)) return false;
  sum += mix(hash, placed);
  return true;
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
      if (put(slot, hash, place(shift + start, length))) break;
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
 * EXCHANGE and, if `enter`, puts them into the table. STATE: u32 bytes consumed, u32 entries, u32 1 if stopped at a present hash, u32 spare,
 * f64 largest end. False if memory cannot be had or an entry cannot be right.
 */
export function loadEntries(length: u32, limit: u32, enter: bool): bool {
  let p = EXCHANGE;
  const end = EXCHANGE + <usize>length;
  let count: u32 = 0;
  let largest: u64 = 0;
  store<u32>(STATE, 0, 8);
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
    if (enter && isCrowded() && !grow()) return false;
    const slot = seek(hash);
    largest = max(largest, offset + size);
    if (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) {
      store<u32>(STATE, 1, 8);
      store<u64>(STATE, hash, 24);
      break;
    }
    if (enter && !put(slot, hash, place(offset, size))) {
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

/**
 * Reads entries as `loadEntries` does, behind `reserve`; they count from `settleEntries` on. STATE as there; stops
 * where no more can be appended.
 */
export function appendEntries(length: u32, limit: u32): bool {
  let p = EXCHANGE;
  const end = EXCHANGE + <usize>length;
  let count: u32 = 0;
  let largest: u64 = 0;
  store<u32>(STATE, 0, 8);
  while (count < limit && p + 2 <= end) {
    const idLength = <usize>load<u16>(p);
    if (p + 14 + idLength > end) break;
    const hash = xxh3(p + 2, idLength);
    const offset = load<u64>(p + 2 + idLength);
    const size = <u64>load<u32>(p + 10 + idLength);
    if (offset >> 40 || size == 0) return false;
    const placed = place(offset, size);
    if (!drop(hash, placed, COUNTS)) {
      store<u32>(STATE, 1, 8);
      break;
    }
    sum += mix(hash, placed);
    largest = max(largest, offset + size);
    p += 14 + idLength;
    count++;
  }
  store<u32>(STATE, <u32>(p - EXCHANGE));
  store<u32>(STATE, count, 4);
  store<f64>(STATE, <f64>largest, 16);
  return true;
}

/** Takes all that was appended into the table. False, and the table empty, if two have the same hash. */
export function settleEntries(): bool {
  if (settle(COUNTS, EXCHANGE)) return true;
  clear();
  return false;
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
