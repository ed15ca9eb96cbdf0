// What is known of the documents' shapes: a tree of nodes, one per path met, and for each node the
// bytes that were seen to follow its value ("transitions"). A reader that stands behind a value
// compares the likely bytes (`,"name":`) with what is there and so knows the next key without
// reading it. Only a cache: answers never depend on what was learned before.
//
// Node, 64 bytes: u32 parent, key pointer, key length, next in chain; 4 x u32 transitions after its
// value; 4 x u32 transitions into its object; u32 slot + 1; u32 element node; u32 number; u32 spare.
// Transition, 80 bytes: u32 length, target node, mask of the first 16 bytes, 1 if there are more; up
// to 64 literal bytes. Lists keep the last hit first.
import {
  HEADS, HEAD_MASK, KEYS, KEYS_END, LITERAL_LIMIT, NODES, NODE_LIMIT, NODE_SIZE,
  TRANSITIONS, TRANSITION_LIMIT, TRANSITION_SIZE, STATS, STAT_SIZE,
} from './layout';

/** Offsets in a node. */
export const AFTER: usize = 16;
export const ENTRY: usize = 32;
export const SLOT: usize = 48;
export const ELEMENT: usize = 52;
export const NUMBER: usize = 56;
const LIST: usize = 4;
/** Stands in a list where there is no transition. */
const NEVER: usize = TRANSITIONS;

/** Values below keys that are not tracked; has no transitions, children or slot. */
export const GENERIC: usize = NODES;
/** The document itself. */
export const ROOT: usize = NODES + NODE_SIZE;

let nodeCount: u32 = 0;
let transitionCount: u32 = 0;
let keysAt: usize = KEYS;
/** A path was met that there was no room for. */
let lost: bool = false;

/** Forgets everything. Slots must be bound anew. */
export function resetGraph(): void {
  memory.fill(HEADS, 0, (HEAD_MASK + 1) << 2);
  clearNode(GENERIC);
  clearNode(ROOT);
  // Bits above the 16 that a comparison gives: it fails everywhere.
  store<u32>(NEVER, 0x10000, 8);
  memory.fill(STATS, 0, <usize>NODE_LIMIT * STAT_SIZE);
  store<u32>(GENERIC, <u32>GENERIC, ELEMENT);
  store<u32>(ROOT, 1, NUMBER);
  nodeCount = 2;
  transitionCount = 1;
  keysAt = KEYS;
  lost = false;
}

export function graphNodes(): u32 {
  return nodeCount;
}

/** True when so little room is left that a reset would help. */
export function graphIsFull(): bool {
  return (
    lost ||
    nodeCount >= NODE_LIMIT - 64 ||
    transitionCount >= TRANSITION_LIMIT - 64 ||
    keysAt + 4096 >= KEYS_END
  );
}

/** The node with a number. */
export function nodeOf(number: u32): usize {
  return NODES + <usize>number * NODE_SIZE;
}

function clearNode(node: usize): void {
  memory.fill(node, 0, NODE_SIZE);
  for (let i: usize = 0; i < LIST << 2; i += 4) {
    store<u32>(node + i, <u32>NEVER, AFTER);
    store<u32>(node + i, <u32>NEVER, ENTRY);
  }
}

function newNode(parent: usize): usize {
  const node = NODES + <usize>nodeCount * NODE_SIZE;
  clearNode(node);
  store<u32>(node, <u32>parent);
  store<u32>(node, nodeCount, NUMBER);
  nodeCount++;
  return node;
}

function hashKey(parent: usize, key: usize, length: usize): u32 {
  let h = (<u32>parent * 0x9e3779b1) ^ <u32>length;
  let p = key;
  const end = key + length;
  for (; p + 4 <= end; p += 4) h = rotl<u32>(h ^ load<u32>(p), 13) * 0x85ebca6b;
  for (; p < end; p++) h = rotl<u32>(h ^ load<u8>(p), 7) * 0xc2b2ae35;
  h ^= h >> 15;
  return h & HEAD_MASK;
}

/** The node of `key` (decoded bytes) in `parent`; GENERIC when the graph is full. */
export function childNode(parent: usize, key: usize, length: usize): usize {
  if (parent == GENERIC) return GENERIC;
  const head = HEADS + (<usize>hashKey(parent, key, length) << 2);
  for (let node = <usize>load<u32>(head); node != 0; node = load<u32>(node, 12)) {
    if (
      load<u32>(node) == <u32>parent &&
      load<u32>(node, 8) == <u32>length &&
      memory.compare(load<u32>(node, 4), key, length) == 0
    ) {
      return node;
    }
  }
  if (nodeCount >= NODE_LIMIT || keysAt + length > KEYS_END) return lose();
  const node = newNode(parent);
  memory.copy(keysAt, key, length);
  store<u32>(node, <u32>keysAt, 4);
  store<u32>(node, <u32>length, 8);
  keysAt += length;
  store<u32>(node, load<u32>(head), 12);
  store<u32>(head, <u32>node);
  return node;
}

function lose(): usize {
  lost = true;
  return GENERIC;
}

/** The node of the elements of the array at `node`. */
export function elementNode(node: usize): usize {
  const element = load<u32>(node, ELEMENT);
  if (element) return element;
  if (nodeCount >= NODE_LIMIT) return lose();
  const made = newNode(node);
  store<u32>(node, <u32>made, ELEMENT);
  return made;
}

/**
 * Remembers that the bytes [from, to) lead to `target`, at the head of `list`. Nothing behind GENERIC: it
 * stands for values of many objects, and what follows one of them is a key of another object elsewhere.
 */
export function learn(list: usize, from: usize, to: usize, target: usize): void {
  if (to - from > LITERAL_LIMIT || target == GENERIC || transitionCount >= TRANSITION_LIMIT) return;
  if (list < ROOT) return;
  let t = TRANSITIONS + <usize>transitionCount * TRANSITION_SIZE;
  const last = load<u32>(list, (LIST - 1) << 2);
  if (last != <u32>NEVER) t = last;
  else transitionCount++;
  writeTransition(t, from, to, target);
  memory.copy(list + 4, list, (LIST - 1) << 2);
  store<u32>(list, <u32>t);
}

/** Writes the transition over the bytes [from, to) at `t`. False if they are too many. */
export function writeTransition(t: usize, from: usize, to: usize, target: usize): bool {
  const length = to - from;
  if (length > LITERAL_LIMIT) return false;
  store<u32>(t, <u32>length);
  store<u32>(t, <u32>target, 4);
  store<u32>(t, length >= 16 ? 0xffff : (1 << <u32>length) - 1, 8);
  store<u32>(t, length > 16, 12);
  memory.copy(t + 16, from, length);
  return true;
}

/** True if the literal of transition `t` stands at `p`; NEVER's does nowhere. */
// @ts-ignore: decorator
@inline
export function stands(t: usize, p: usize): bool {
  const differ = ~i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(t, 16))) & load<u32>(t, 8);
  return differ == 0 && (load<u32>(t, 12) == 0 || standsLong(t, p));
}

/** The rest of a literal whose first 16 bytes stand. */
function standsLong(t: usize, p: usize): bool {
  const end = t + 16 + load<u32>(t);
  let at = t + 32;
  for (p += 16; at + 16 <= end; at += 16) {
    if (i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(at))) != 0xffff) return false;
    p += 16;
  }
  const mask = (1 << <u32>(end - at)) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(at))) & mask) == mask;
}

/** Looks through the rest of a list whose first entry failed; moves a hit to the front. 0 if none. */
export function findOther(list: usize, p: usize): usize {
  for (let i: usize = 4; i < LIST << 2; i += 4) {
    const t = <usize>load<u32>(list + i);
    if (t == NEVER) return 0;
    if (stands(t, p)) {
      store<u32>(list + i, load<u32>(list));
      store<u32>(list, <u32>t);
      return t;
    }
  }
  return 0;
}
