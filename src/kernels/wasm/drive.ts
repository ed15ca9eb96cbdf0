// The "drive" module: from key hashes to entries of an R-Drive file, and the bytes of its records
// (docs/format/drive.md). One table (see table.ts) in a memory of its own. A slot's hash is the key's
// XXH3-64 times an odd constant, so that hashes which callers make up spread too; its value is the
// length of the entry's payload << 49 (0: not known, or too long for 15 bits), its metadata offset << 1,
// and in the lowest bit whether the key is deleted, while a chain is walked.
import { crc32, prepareCrc32 } from './crc32';
import { AHEAD, allot, at, erase, grow, insertAt, isCrowded, seek, slots, touch, used } from './table';
import { xxh3 } from './xxh3';

/** Results. */
const STATE: usize = 0x1000;
/** Of the records that a walk looks up at once: the tails before them. */
const BEFORE: usize = 0x2000;
// From 0x3000 to 0x6000: crc32.ts.
/** Keys to look up, lists of a walk; 1 MiB. */
const KEYS: usize = 0x10000;
/** Records to be laid out; 1 MiB. */
const STAGE: usize = 0x110000;
/** Laid out records, pieces of a file; 1 MiB. */
const OUT: usize = 0x210000;
const TABLE: usize = 0x310000;
/**
 * Of a staged record: u32 key length (HASHED: the hash is given), u32 payload length (0: a tombstone), u64
 * hash. Key and payload begin at multiples of 4.
 */
const HEADER: usize = 16;
const HASHED: u32 = 0xffffffff;
const METADATA: u64 = 20;
const SPREAD: u64 = 0x9e3779b185ebca87;
const MAX_OFFSET: u64 = 0xffffffffffff;
/** Payload lengths below this stand in the table. */
const MAX_LENGTH: u64 = 0x8000;
/** What no value is. */
const NO_MEMORY: u64 = 1;
/** Some record is not the newest of its key, or deletes one: which are live must be looked up. */
let hasDead: bool = false;

export function size(): u32 {
  return used;
}

/** Empties the table. False if memory cannot be had. */
export function clear(): bool {
  prepareCrc32();
  hasDead = false;
  return allot(TABLE, 0);
}

/** Makes an empty table large enough for `count` entries. False if memory cannot be had. */
export function reserve(count: u32): bool {
  hasDead = false;
  return allot(TABLE, count);
}

// @ts-ignore: decorator
@inline
function spread(low: u32, high: u32): u64 {
  return ((<u64>high << 32) | <u64>low) * SPREAD;
}

/** What JavaScript puts here begins at multiples of 4, where it can store words. */
// @ts-ignore: decorator
@inline
function inWords(p: usize): usize {
  return (p + 3) & ~3;
}

/** Where the staged record after that at `from` begins. */
// @ts-ignore: decorator
@inline
function behind(from: usize): usize {
  const keyLength = load<u32>(from);
  const keyBytes: usize = keyLength == HASHED ? 0 : inWords(keyLength);
  return from + HEADER + keyBytes + inWords(load<u32>(from, 4));
}

/** Hashes the key of `length` bytes at KEYS; STATE: u64 hash. */
export function hashKey(length: u32): void {
  store<u64>(STATE, xxh3(KEYS, length));
}

// @ts-ignore: decorator
@inline
function valueOf(end: u64, length: u64): u64 {
  return (length < MAX_LENGTH ? length << 49 : 0) | (end << 1);
}

/** The metadata offset in a slot's value. */
// @ts-ignore: decorator
@inline
function offsetIn(value: u64): u64 {
  return (value >> 1) & MAX_OFFSET;
}

/** The value of a hash, 0 when there is none. */
// @ts-ignore: decorator
@inline
function lookUp(spreadHash: u64): u64 {
  const slot = seek(spreadHash);
  const value = load<u64>(at(slot), 8);
  return load<u64>(at(slot)) == spreadHash ? value : 0;
}

function offsetOf(spreadHash: u64): f64 {
  const value = lookUp(spreadHash);
  return value != 0 ? <f64>offsetIn(value) : -1;
}

/** Hashes the key at KEYS and finds its entry; -1 when there is none. */
export function findKey(length: u32): f64 {
  const hash = xxh3(KEYS, length);
  store<u64>(STATE, hash);
  return offsetOf(hash * SPREAD);
}

export function find(low: u32, high: u32): f64 {
  return offsetOf(spread(low, high));
}

/** Where the payloads of `count` keys at KEYS (u32 length, bytes) begin and end, as pairs of f64 at OUT; -1: not known. */
export function findKeys(count: u32): void {
  let p = KEYS;
  for (let done: u32 = 0; done < count; done += AHEAD) {
    const some = min(AHEAD, count - done);
    for (let i: u32 = 0; i < some; i++) {
      const length = <usize>load<u32>(p);
      store<u64>(STATE + 64 + (<usize>i << 3), xxh3(p + 4, length) * SPREAD);
      p = inWords(p + 4 + length);
    }
    touch(STATE + 64, 8, some);
    for (let i: u32 = 0; i < some; i++) {
      const value = lookUp(load<u64>(STATE + 64 + (<usize>i << 3)));
      const to = OUT + (<usize>(done + i) << 4);
      const end = offsetIn(value);
      const length = value >> 49;
      store<f64>(to, length != 0 ? <f64><i64>(end - length) : -1);
      store<f64>(to, value != 0 ? <f64><i64>end : -1, 8);
    }
  }
}

/** Puts a value; with `replace` 0 only where there is none. The value before, 0 for none; or NO_MEMORY. */
function put(hash: u64, value: u64, replace: bool): u64 {
  if (isCrowded() && !grow()) return NO_MEMORY;
  while (true) {
    const slot = seek(hash);
    const before = load<u64>(at(slot), 8);
    if (before != 0 && load<u64>(at(slot)) == hash) {
      hasDead = true;
      if (replace) store<u64>(at(slot), value, 8);
      return before;
    }
    if (insertAt(slot, hash, value)) return 0;
    if (!grow()) return NO_MEMORY;
  }
}

/** The offset before, -1 for none, -2 when memory cannot be had. */
export function set(low: u32, high: u32, offset: f64, replace: bool): f64 {
  const before = put(spread(low, high), valueOf(<u64>offset, 0), replace);
  return before == 0 ? -1 : before == NO_MEMORY ? -2 : <f64>offsetIn(before);
}

function removeHash(hash: u64): f64 {
  hasDead = true;
  const slot = seek(hash);
  const value = load<u64>(at(slot), 8);
  if (value == 0 || load<u64>(at(slot)) != hash) return -1;
  erase(slot);
  return <f64>offsetIn(value);
}

/** The offset that was there, or -1. */
export function remove(low: u32, high: u32): f64 {
  return removeHash(spread(low, high));
}

// @ts-ignore: decorator
@inline
function aligned(offset: u64): u64 {
  return (offset + 63) & ~63;
}

function copyBytes(to: usize, from: usize, length: usize): void {
  if (length > 256) {
    memory.copy(to, from, length);
    return;
  }
  // What is written too far is written again by what follows it.
  for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

/** Lays out `count` staged records behind the tail, at OUT; fills their hashes in. Returns the bytes. */
export function layOut(count: u32, tail: f64): u32 {
  let from = STAGE;
  let to = OUT;
  let end = <u64>tail;
  for (let i: u32 = 0; i < count; i++) {
    const keyLength = load<u32>(from);
    const length = <usize>load<u32>(from, 4);
    let payload = from + HEADER;
    if (keyLength != HASHED) {
      store<u64>(from, xxh3(payload, keyLength), 8);
      payload += inWords(keyLength);
    }
    let sum: u32 = 0xd202ef8d;
    const before = end;
    if (length == 0) {
      store<u8>(to, 0);
      to++;
      end += 1 + METADATA;
    } else {
      for (let i: usize = 0; i < 64; i += 16) v128.store(to + i, i64x2.splat(0));
      const start = aligned(end);
      to += <usize>(start - end);
      copyBytes(to, payload, length);
      sum = crc32(payload, length);
      to += length;
      end = start + <u64>length + METADATA;
    }
    store<u64>(to, load<u64>(from, 8));
    store<u64>(to, before, 8);
    store<u32>(to, sum, 16);
    to += <usize>METADATA;
    from = inWords(payload + length);
  }
  return <u32>(to - OUT);
}

/** Touches the places of `count` staged records from `from` on. */
function touchStaged(from: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(STATE + 64 + (<usize>i << 3), load<u64>(from, 8) * SPREAD);
    from = behind(from);
  }
  touch(STATE + 64, 8, count);
}

/** Takes the staged records, laid out before, into the table. False if memory cannot be had. */
export function commit(count: u32, tail: f64): bool {
  let from = STAGE;
  let end = <u64>tail;
  for (let i: u32 = 0; i < count; i++) {
    if (i % AHEAD == 0) touchStaged(from, min(AHEAD, count - i));
    const length = <u64>load<u32>(from, 4);
    const hash = load<u64>(from, 8) * SPREAD;
    end = length == 0 ? end + 21 : aligned(end) + length + METADATA;
    if (length == 0) removeHash(hash);
    else if (put(hash, valueOf(end - METADATA, length), true) == NO_MEMORY) return false;
    from = behind(from);
  }
  return true;
}

// @ts-ignore: decorator
@inline
function reportEntry(reported: u32, before: u64, place: u64): void {
  const to = KEYS + (<usize>reported << 3);
  store<f64>(to, <f64>aligned(before));
  store<f64>(to, <f64>place, 8);
}

/**
 * Walks the chain of records back through the `length` bytes at OUT, which lie at `base` in the file,
 * from the tail `cursor` towards `floor`. With `report` 0 keys not seen before are put into the table
 * (deleted ones marked); with 1 nothing is changed, and where the payloads of live entries begin and end
 * goes to KEYS as pairs of f64. Without it KEYS gets the tails from `check` on of records whose checksum is wrong or whose
 * payload is not all here, and 0 where the chain passes `check` by. STATE: f64 where it got to, u32
 * records, u32 numbers at KEYS, u32 1 when the chain is broken there. False if memory cannot be had.
 */
export function walk(length: u32, base: f64, cursor: f64, floor: f64, report: bool, check: f64): bool {
  const first = <u64>base;
  let tail = <u64>cursor;
  let records: u32 = 0;
  let reported: u32 = 0;
  let broken: u32 = 0;
  while (tail > <u64>floor && broken == 0) {
    let some: u32 = 0;
    while (some < AHEAD && tail > <u64>floor) {
      if (tail < METADATA + 1) {
        broken = 1;
        break;
      }
      const place = tail - METADATA;
      if (place < first + 1) break;
      const p = OUT + <usize>(place - first);
      const before = load<u64>(p, 8);
      const dead = before + 1 == place && load<u8>(p - 1) == 0;
      if (before > MAX_OFFSET || before < <u64>floor || (!dead && aligned(before) >= place)) {
        broken = 1;
        break;
      }
      if (tail >= <u64>check) {
        const start = dead ? before : aligned(before);
        const isHere = start >= first;
        if (!isHere || crc32(OUT + <usize>(start - first), <usize>(place - start)) != load<u32>(p, 16)) {
          store<f64>(KEYS + (<usize>reported << 3), <f64>tail);
          reported++;
        }
        if (before < <u64>check && tail > <u64>check) {
          store<f64>(KEYS + (<usize>reported << 3), 0);
          reported++;
        }
      }
      if (report && !hasDead) {
        reportEntry(reported, before, place);
        reported += 2;
        records++;
        tail = before;
        continue;
      }
      if (dead) hasDead = true;
      store<u64>(STATE + 64 + (<usize>some << 4), load<u64>(p) * SPREAD);
      store<u64>(STATE + 72 + (<usize>some << 4), valueOf(place, dead ? 0 : place - aligned(before)) | <u64>dead);
      store<u64>(BEFORE + (<usize>some << 3), before);
      tail = before;
      some++;
    }
    if (some == 0) break;
    records += some;
    touch(STATE + 64, 16, some);
    for (let i: usize = 0; i < <usize>some; i++) {
      const hash = load<u64>(STATE + 64 + (i << 4));
      const value = load<u64>(STATE + 72 + (i << 4));
      if (!report) {
        if (put(hash, value, false) == NO_MEMORY) return false;
      } else if ((value & 1) == 0 && offsetOf(hash) == <f64>offsetIn(value)) {
        reportEntry(reported, load<u64>(BEFORE + (i << 3)), offsetIn(value));
        reported += 2;
      }
    }
    if (some < AHEAD) break;
  }
  store<f64>(STATE, <f64>tail);
  store<u32>(STATE, records, 8);
  store<u32>(STATE, reported, 12);
  store<u32>(STATE, broken, 16);
  return true;
}

/** Removes the marks of deleted keys. */
export function sweep(): void {
  for (let slot = slots; slot > 0; ) {
    slot--;
    if (load<u64>(at(slot), 8) & 1) erase(slot);
  }
}

/** Copies up to `limit` metadata offsets from slot `from` on to OUT as f64. STATE: u32 slot to go on from, u32 offsets. */
export function copyOffsets(from: u32, limit: u32): void {
  let count: u32 = 0;
  let slot = from;
  for (; slot < slots && count < limit; slot++) {
    const value = load<u64>(at(slot), 8);
    if (!value) continue;
    store<f64>(OUT + (<usize>count << 3), <f64>offsetIn(value));
    count++;
  }
  store<u32>(STATE, slot);
  store<u32>(STATE, count, 4);
}

export function slotCount(): u32 {
  return slots;
}
