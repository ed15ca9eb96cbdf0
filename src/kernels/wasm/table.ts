// A hash table in linear memory, one to a module: slots of 16 bytes, u64 hash then a u64 value that is
// never 0, kept in ascending order of hash. So an entry stands at or a little behind the place its hash
// names (the hash scaled to the capacity) and equal hashes stand together. An empty slot's value is 0.
// Behind the capacity lies spare room for what the last places push out. Keeping the order makes growth
// a pass in place: move all to the end, then deal them out again from the front.
//
// Many entries at once: each place of an insertion is a cache miss. So they are first put down anyhow in
// the region of the table that theirs will be in (`drop`), and then one region after the other is
// brought in order (`settle`), which fits the processor's caches.

const REGION_BITS: u32 = 10;
const SPARE: u32 = 4096;
const SLOT_SIZE: usize = 16;
/** The capacity is a multiple of it. */
const REGIONS: u32 = 1 << REGION_BITS;
const LEAST_CAPACITY: u32 = 2048;
const MAX_CAPACITY: u32 = 1 << 27;
/** Entries whose places are touched ahead of their insertion. */
export const AHEAD: u32 = 32;
/** Keeps the touching loads from being optimised away. */
let touched: u64 = 0;

let base: usize = 0;
let capacity: u32 = 0;
/** Slots of the table, spare ones included. */
export let slots: u32 = 0;
/** Slots that hold an entry. */
export let used: u32 = 0;

/**
 * An empty table from byte `start` to the end of memory, with room for `count` entries and a few more. False if memory
 * cannot be had.
 */
export function allot(start: usize, count: u32): bool {
  base = start;
  if (count > MAX_CAPACITY - (MAX_CAPACITY >> 2)) return false;
  const room = min(MAX_CAPACITY, max(LEAST_CAPACITY, count + (count >> 1)));
  const wanted = (room + REGIONS - 1) & -REGIONS;
  // What memory grows by is zero.
  const old = <usize>memory.size() << 16;
  if (!ensure(wanted)) return false;
  capacity = wanted;
  slots = capacity + SPARE;
  used = 0;
  memory.fill(base, 0, min(<usize>slots << 4, old - base));
  return true;
}

function ensure(wanted: u32): bool {
  const bytes = base + (<usize>(wanted + SPARE) << 4);
  const pages = <i32>((bytes + 0xffff) >> 16);
  const have = memory.size();
  return have >= pages || memory.grow(pages - have) >= 0;
}

// @ts-ignore: decorator
@inline
export function at(slot: u32): usize {
  return base + (<usize>slot << 4);
}

// @ts-ignore: decorator
@inline
export function home(hash: u64): u32 {
  return homeIn(hash, capacity);
}

// @ts-ignore: decorator
@inline
function homeIn(hash: u64, places: u32): u32 {
  return <u32>(((hash >> 32) * <u64>places) >> 32);
}

/** Doubles the capacity. False if memory cannot be had or too many hashes crowd the last places. */
export function grow(): bool {
  const wanted = min(MAX_CAPACITY, capacity << 1);
  if (wanted == capacity || !fits(wanted) || !ensure(wanted)) return false;
  const oldSlots = slots;
  capacity = wanted;
  slots = capacity + SPARE;
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

/** True if dealing the entries out over so many places ends inside the table. */
function fits(places: u32): bool {
  let next: u32 = 0;
  for (let i: u32 = 0; i < slots; i++) {
    if (load<u64>(at(i), 8)) next = max(next, homeIn(load<u64>(at(i)), places)) + 1;
  }
  return next <= places + SPARE;
}

/** First slot at or after the hash's home whose hash is not smaller, or that is empty. */
// @ts-ignore: decorator
@inline
export function seek(hash: u64): u32 {
  let slot = home(hash);
  while (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) < hash) slot++;
  return slot;
}

/** Puts an entry at `slot`, pushing the run there one further. False if there is no room. */
export function insertAt(slot: u32, hash: u64, placed: u64): bool {
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
  return true;
}

/**
 * Whether entries can be dropped: regions fit the memory that `settle` is given, and are so large that good hashes
 * hardly ever fill one.
 */
// @ts-ignore: decorator
@inline
export function canDrop(bytes: usize): bool {
  return regionSlots() >= 128 && <usize>regionSlots() << 4 <= bytes;
}

// @ts-ignore: decorator
@inline
function regionSlots(): u32 {
  return capacity >> REGION_BITS;
}

/**
 * Puts an entry down in its region of an empty table, to be settled. `counts`: a zeroed u32 per region, 4 KiB. False
 * if the region is full.
 */
// @ts-ignore: decorator
@inline
export function drop(hash: u64, placed: u64, counts: usize): bool {
  const region = <u32>(hash >> (64 - REGION_BITS));
  const counter = counts + (<usize>region << 2);
  const count = load<u32>(counter);
  if (count == regionSlots()) return false;
  store<u32>(counter, count + 1);
  const slot = at(region * regionSlots() + count);
  store<u64>(slot, hash);
  store<u64>(slot, placed, 8);
  return true;
}

/**
 * Brings all dropped entries to their places. `aside`: memory for the slots of a region. False, with the table not to
 * be used, if two have the same hash or too many crowd the last places.
 */
export function settle(counts: usize, aside: usize): bool {
  // From the last on, because entries are pushed behind.
  for (let region = REGIONS; region > 0; ) {
    region--;
    const first = at(region * regionSlots());
    const bytes = <usize>load<u32>(counts + (<usize>region << 2)) << 4;
    memory.copy(aside, first, bytes);
    memory.fill(first, 0, bytes);
    for (let entry = aside; entry < aside + bytes; entry += SLOT_SIZE) {
      const hash = load<u64>(entry);
      const slot = seek(hash);
      if (load<u64>(at(slot), 8) != 0 && load<u64>(at(slot)) == hash) return false;
      if (!insertAt(slot, hash, load<u64>(entry, 8))) return false;
    }
  }
  return true;
}

/**
 * Loads the places of `count` hashes, `stride` bytes apart. The loads hang on nothing, so the memory
 * system works on all of them at once; one by one each insertion would wait for its own.
 */
export function touch(hashes: usize, stride: usize, count: u32): void {
  let seen: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    seen |= load<u64>(at(home(load<u64>(hashes + <usize>i * stride))));
  }
  touched = seen;
}

/** Keeps a quarter of the places free. */
// @ts-ignore: decorator
@inline
export function isCrowded(): bool {
  return used >= capacity - (capacity >> 2);
}

/** Empties a slot; what follows it moves back as long as it is not at home. */
export function erase(slot: u32): void {
  used--;
  let end = slot + 1;
  while (end < slots && load<u64>(at(end), 8) != 0 && home(load<u64>(at(end))) < end) end++;
  memory.copy(at(slot), at(slot + 1), <usize>(end - slot - 1) << 4);
  store<u64>(at(end - 1), 0, 8);
}
