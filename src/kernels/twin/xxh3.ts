/**
 * XXH3-64 with seed 0 and the default secret, after the xxHash specification (xxh3 section of
 * github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Works on u32 words and leaves no garbage.
 *
 * The result goes into the caller's register. Not reentrant: the lanes are kept between calls.
 */
import {
  add,
  addFolded,
  multiply,
  multiplyHigh,
  set,
  toBigInt,
  type U64,
  xorShift,
} from './u64.ts';

const SECRET = Uint8Array.from(
  (
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
    'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e'
  ).match(/../g)!,
  (pair) => Number.parseInt(pair, 16),
);

const STRIPE = 64;
const STRIPES_PER_BLOCK = 16;
const BLOCK = STRIPE * STRIPES_PER_BLOCK;
/** Eight lanes of 64 bits as they are before the first stripe: low and high words by turns. */
const FIRST_LANES = Uint32Array.of(
  0xc2b2ae3d,
  0,
  0x85ebca87,
  0x9e3779b1,
  0x27d4eb4f,
  0xc2b2ae3d,
  0x9e3779f9,
  0x165667b1,
  0xc2b2ae63,
  0x85ebca77,
  0x85ebca77,
  0,
  0x165667c5,
  0x27d4eb2f,
  0x9e3779b1,
  0,
);
const lanes = new Uint32Array(16);
const lane = new Uint32Array(2);

/** Hashes bytes [from, to) into `r`. */
export function hashInto(r: U64, bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  if (length > 240) hashLong(r, bytes, from, to);
  else if (length > 128) hashTo240(r, bytes, from, to);
  else if (length > 16) hashTo128(r, bytes, from, to);
  else if (length > 8) hashTo16(r, bytes, from, to);
  else if (length > 3) hashTo8(r, bytes, from, to);
  else hashTo3(r, bytes, from, length);
}

function hashTo3(r: U64, bytes: Uint8Array, from: number, length: number): void {
  if (length === 0) {
    set(r, word(SECRET, 56) ^ word(SECRET, 64), word(SECRET, 60) ^ word(SECRET, 68));
  } else {
    const first = bytes[from]!;
    const middle = bytes[from + (length >> 1)]!;
    const last = bytes[from + length - 1]!;
    const all = (first << 16) | (middle << 24) | last | (length << 8);
    set(r, all ^ word(SECRET, 0) ^ word(SECRET, 4), 0);
  }
  xorShift(r, 33);
  multiply(r, 0x27d4eb4f, 0xc2b2ae3d);
  xorShift(r, 29);
  multiply(r, 0x9e3779f9, 0x165667b1);
  xorShift(r, 32);
}

function hashTo8(r: U64, bytes: Uint8Array, from: number, to: number): void {
  const low = word(bytes, to - 4) ^ word(SECRET, 8) ^ word(SECRET, 16);
  const high = word(bytes, from) ^ word(SECRET, 12) ^ word(SECRET, 20);
  // r ^= rotate(r, 49) ^ rotate(r, 24)
  set(
    r,
    low ^ ((high << 17) | (low >>> 15)) ^ ((low << 24) | (high >>> 8)),
    high ^ ((low << 17) | (high >>> 15)) ^ ((high << 24) | (low >>> 8)),
  );
  multiply(r, 0x1e98df25, 0x9fb21c65);
  const high35 = r[1]! >>> 3;
  set(r, r[0]! ^ (high35 + (to - from)), r[1]!);
  multiply(r, 0x1e98df25, 0x9fb21c65);
  xorShift(r, 28);
}

function hashTo16(r: U64, bytes: Uint8Array, from: number, to: number): void {
  const aLow = word(bytes, from) ^ word(SECRET, 24) ^ word(SECRET, 32);
  const aHigh = word(bytes, from + 4) ^ word(SECRET, 28) ^ word(SECRET, 36);
  const bLow = word(bytes, to - 8) ^ word(SECRET, 40) ^ word(SECRET, 48);
  const bHigh = word(bytes, to - 4) ^ word(SECRET, 44) ^ word(SECRET, 52);
  set(r, to - from, 0);
  add(r, swapBytes(aHigh), swapBytes(aLow));
  add(r, bLow, bHigh);
  addFolded(r, aLow, aHigh, bLow, bHigh);
  avalanche(r);
}

function hashTo128(r: U64, bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  start(r, length);
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    mix16(r, bytes, from + 16 * pair, 32 * pair);
    mix16(r, bytes, to - 16 * (pair + 1), 32 * pair + 16);
  }
  avalanche(r);
}

function hashTo240(r: U64, bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  start(r, length);
  for (let i = 0; i < 8; i++) mix16(r, bytes, from + 16 * i, 16 * i);
  avalanche(r);
  for (let i = 8; i < length >> 4; i++) mix16(r, bytes, from + 16 * i, 16 * (i - 8) + 3);
  mix16(r, bytes, to - 16, 136 - 17);
  avalanche(r);
}

function hashLong(r: U64, bytes: Uint8Array, from: number, to: number): void {
  lanes.set(FIRST_LANES);
  let at = from;
  // The last stripe is always taken from the very end, so a block or stripe that ends there waits.
  for (; to - at > BLOCK; at += BLOCK) {
    for (let n = 0; n < STRIPES_PER_BLOCK; n++) accumulate(bytes, at + n * STRIPE, n * 8);
    scramble();
  }
  for (let n = 0; to - at > STRIPE; at += STRIPE, n++) accumulate(bytes, at, n * 8);
  accumulate(bytes, to - STRIPE, SECRET.length - STRIPE - 7);

  start(r, to - from);
  for (let i = 0; i < 4; i++) {
    const secret = 11 + 16 * i;
    addFolded(
      r,
      lanes[4 * i]! ^ word(SECRET, secret),
      lanes[4 * i + 1]! ^ word(SECRET, secret + 4),
      lanes[4 * i + 2]! ^ word(SECRET, secret + 8),
      lanes[4 * i + 3]! ^ word(SECRET, secret + 12),
    );
  }
  avalanche(r);
}

/** Takes one stripe of 64 bytes into the lanes. */
function accumulate(bytes: Uint8Array, at: number, secret: number): void {
  for (let i = 0; i < 8; i++) {
    const low = word(bytes, at + 8 * i);
    const high = word(bytes, at + 8 * i + 4);
    const keyLow = low ^ word(SECRET, secret + 8 * i);
    const keyHigh = high ^ word(SECRET, secret + 8 * i + 4);
    addToLane(i ^ 1, low, high);
    addToLane(i, Math.imul(keyLow, keyHigh), multiplyHigh(keyLow, keyHigh));
  }
}

function addToLane(i: number, low: number, high: number): void {
  const sum = lanes[2 * i]! + (low >>> 0);
  lanes[2 * i + 1] = lanes[2 * i + 1]! + high + (sum > 0xffff_ffff ? 1 : 0);
  lanes[2 * i] = sum;
}

function scramble(): void {
  for (let i = 0; i < 8; i++) {
    const secret = SECRET.length - STRIPE + 8 * i;
    set(lane, lanes[2 * i]!, lanes[2 * i + 1]!);
    xorShift(lane, 47);
    set(lane, lane[0]! ^ word(SECRET, secret), lane[1]! ^ word(SECRET, secret + 4));
    multiply(lane, 0x9e3779b1, 0);
    lanes.set(lane, 2 * i);
  }
}

function mix16(r: U64, bytes: Uint8Array, at: number, secret: number): void {
  addFolded(
    r,
    word(bytes, at) ^ word(SECRET, secret),
    word(bytes, at + 4) ^ word(SECRET, secret + 4),
    word(bytes, at + 8) ^ word(SECRET, secret + 8),
    word(bytes, at + 12) ^ word(SECRET, secret + 12),
  );
}

/** r = length * PRIME64_1 */
function start(r: U64, length: number): void {
  set(r, length, 0);
  multiply(r, 0x85ebca87, 0x9e3779b1);
}

function avalanche(r: U64): void {
  xorShift(r, 37);
  multiply(r, 0x9e3779f9, 0x16566791);
  xorShift(r, 32);
}

/** The little-endian u32 at `at`, as i32. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

const register = new Uint32Array(2);

/** The hash of all of the bytes. */
export function hashBytes(bytes: Uint8Array): bigint {
  hashInto(register, bytes, 0, bytes.length);
  return toBigInt(register);
}
