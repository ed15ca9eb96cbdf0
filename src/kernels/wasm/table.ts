// A hash table in linear memory, one to a module: slots of 16 bytes, u64 hash then a u64 value that is
// never 0, kept in ascending order of hash. So an entry stands at or a little behind the place its hash
// names (the hash scaled to the capacity) and equal hashes stand together. An empty slot's value is 0.
// Behind the capacity lies spare room for what the last places push out. Keeping the order makes growth
// a pass in place: move all to the end, then deal them out again from the front.

const SPARE: u32 = 4096;
const SLOT_SIZE: usize = 16;
/** Largest capacity, as a power of two. */
export const MAX_BITS: u32 = 27;
/** Entries whose places are touched ahead of their insertion. */
export const AHEAD: u32 = 32;
/** Keeps the touching loads from being optimised away. */
let touched: u64 = 0;

let base: usize = 0;
let bits: u32 = 0;
/** Slots of the table, spare ones included. */
export let slots: u32 = 0;
/** Slots that hold an entry. */
export let used: u32 = 0;

/** An empty table of capacity 2^wanted, from byte `start` to the end of memory. False if memory cannot be had. */
export function allot(start: usize, wanted: u32): bool {
  base = start;
  if (wanted > MAX_BITS || !ensure(wanted)) return false;
  bits = wanted;
  slots = (1 << bits) + SPARE;
  used = 0;
  memory.fill(base, 0, <usize>slots << 4);
  return true;
}

function ensure(wanted: u32): bool {
  const bytes = base + ((<usize>(1 << wanted) + SPARE) << 4);
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
  return <u32>(hash >> (64 - bits));
}

/** Doubles the capacity. False if memory cannot be had or too many hashes crowd the last places. */
export function grow(): bool {
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
  return used >= (1 << bits) - (1 << (bits - 2));
}

/** Empties a slot; what follows it moves back as long as it is not at home. */
export function erase(slot: u32): void {
  used--;
  let end = slot + 1;
  while (end < slots && load<u64>(at(end), 8) != 0 && home(load<u64>(at(end))) < end) end++;
  memory.copy(at(slot), at(slot + 1), <usize>(end - slot - 1) << 4);
  store<u64>(at(end - 1), 0, 8);
}
