// XXH3-64 with seed 0, after the specification in the xxHash repository (doc/xxhash_spec.md).
// `SECRET` is the default secret of 192 bytes.

const SECRET: usize = memory.data<u8>([
  0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
  0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
  0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
  0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
  0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71,
  0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8,
  0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a,
  0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea,
  0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17,
  0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b,
  0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45,
  0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
]);
/** Eight 64-bit lanes of the long-input accumulator. */
const LANES: usize = memory.data(64, 16);

const P32_1: u64 = 0x9e3779b1;
const P32_2: u64 = 0x85ebca77;
const P32_3: u64 = 0xc2b2ae3d;
const P64_1: u64 = 0x9e3779b185ebca87;
const P64_2: u64 = 0xc2b2ae3d27d4eb4f;
const P64_3: u64 = 0x165667b19e3779f9;
const P64_4: u64 = 0x85ebca77c2b2ae63;
const P64_5: u64 = 0x27d4eb2f165667c5;
const PMX1: u64 = 0x165667919e3779f9;
const PMX2: u64 = 0x9fb21c651e98df25;

export function xxh3(p: usize, length: usize): u64 {
  if (length <= 16) {
    if (length > 8) return hash9to16(p, length);
    if (length >= 4) return hash4to8(p, length);
    if (length > 0) return hash1to3(p, length);
    return avalanche64(load<u64>(SECRET, 56) ^ load<u64>(SECRET, 64));
  }
  if (length <= 128) return hash17to128(p, length);
  if (length <= 240) return hash129to240(p, length);
  return hashLong(p, length);
}

// @ts-ignore: decorator
@inline
function fold(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const ll = al * bl;
  const hl = ah * bl;
  const lh = al * bh;
  const cross = (ll >> 32) + (hl & 0xffffffff) + lh;
  const high = ah * bh + (hl >> 32) + (cross >> 32);
  return ((cross << 32) | (ll & 0xffffffff)) ^ high;
}

// @ts-ignore: decorator
@inline
function avalanche(h: u64): u64 {
  h ^= h >> 37;
  h *= PMX1;
  return h ^ (h >> 32);
}

// @ts-ignore: decorator
@inline
function avalanche64(h: u64): u64 {
  h ^= h >> 33;
  h *= P64_2;
  h ^= h >> 29;
  h *= P64_3;
  return h ^ (h >> 32);
}

function hash1to3(p: usize, length: usize): u64 {
  const c1 = <u64>load<u8>(p);
  const c2 = <u64>load<u8>(p + (length >> 1));
  const c3 = <u64>load<u8>(p + length - 1);
  const combined = (c1 << 16) | (c2 << 24) | c3 | (<u64>length << 8);
  return avalanche64(combined ^ <u64>(load<u32>(SECRET) ^ load<u32>(SECRET, 4)));
}

function hash4to8(p: usize, length: usize): u64 {
  const first = <u64>load<u32>(p);
  const last = <u64>load<u32>(p + length - 4);
  let h = (last | (first << 32)) ^ (load<u64>(SECRET, 8) ^ load<u64>(SECRET, 16));
  h ^= rotl<u64>(h, 49) ^ rotl<u64>(h, 24);
  h *= PMX2;
  h ^= (h >> 35) + <u64>length;
  h *= PMX2;
  return h ^ (h >> 28);
}

function hash9to16(p: usize, length: usize): u64 {
  const low = load<u64>(p) ^ (load<u64>(SECRET, 24) ^ load<u64>(SECRET, 32));
  const high = load<u64>(p + length - 8) ^ (load<u64>(SECRET, 40) ^ load<u64>(SECRET, 48));
  return avalanche(<u64>length + bswap<u64>(low) + high + fold(low, high));
}

// @ts-ignore: decorator
@inline
function mix16(p: usize, secret: usize): u64 {
  return fold(load<u64>(p) ^ load<u64>(secret), load<u64>(p, 8) ^ load<u64>(secret, 8));
}

function hash17to128(p: usize, length: usize): u64 {
  let acc = <u64>length * P64_1;
  const end = p + length;
  for (let i = <isize>((length - 1) >> 5); i >= 0; i--) {
    const at = <usize>i << 4;
    acc += mix16(p + at, SECRET + (at << 1));
    acc += mix16(end - at - 16, SECRET + (at << 1) + 16);
  }
  return avalanche(acc);
}

function hash129to240(p: usize, length: usize): u64 {
  let acc = <u64>length * P64_1;
  for (let i: usize = 0; i < 8; i++) acc += mix16(p + (i << 4), SECRET + (i << 4));
  acc = avalanche(acc);
  const rounds = length >> 4;
  for (let i: usize = 8; i < rounds; i++) acc += mix16(p + (i << 4), SECRET + ((i - 8) << 4) + 3);
  acc += mix16(p + length - 16, SECRET + 136 - 17);
  return avalanche(acc);
}

function accumulate(p: usize, secret: usize): void {
  for (let i: usize = 0; i < 64; i += 16) {
    const data = v128.load(p + i);
    const keyed = v128.xor(data, v128.load(secret + i));
    const low = i32x4.shuffle(keyed, keyed, 0, 2, 0, 2);
    const high = i32x4.shuffle(keyed, keyed, 1, 3, 1, 3);
    const product = i64x2.extmul_low_i32x4_u(low, high);
    const swapped = i64x2.shuffle(data, data, 1, 0);
    const sum = i64x2.add(i64x2.add(v128.load(LANES + i), swapped), product);
    v128.store(LANES + i, sum);
  }
}

function scramble(secret: usize): void {
  for (let i: usize = 0; i < 64; i += 8) {
    let lane = load<u64>(LANES + i);
    lane ^= lane >> 47;
    lane ^= load<u64>(secret + i);
    store<u64>(LANES + i, lane * P32_1);
  }
}

function hashLong(p: usize, length: usize): u64 {
  store<u64>(LANES, P32_3);
  store<u64>(LANES, P64_1, 8);
  store<u64>(LANES, P64_2, 16);
  store<u64>(LANES, P64_3, 24);
  store<u64>(LANES, P64_4, 32);
  store<u64>(LANES, P32_2, 40);
  store<u64>(LANES, P64_5, 48);
  store<u64>(LANES, P32_1, 56);
  const blocks = (length - 1) >> 10;
  for (let block: usize = 0; block < blocks; block++) {
    const at = p + (block << 10);
    for (let i: usize = 0; i < 16; i++) accumulate(at + (i << 6), SECRET + (i << 3));
    scramble(SECRET + 128);
  }
  const stripes = (length - 1 - (blocks << 10)) >> 6;
  const at = p + (blocks << 10);
  for (let i: usize = 0; i < stripes; i++) accumulate(at + (i << 6), SECRET + (i << 3));
  accumulate(p + length - 64, SECRET + 192 - 64 - 7);
  let result = <u64>length * P64_1;
  for (let i: usize = 0; i < 4; i++) {
    result += fold(
      load<u64>(LANES + (i << 4)) ^ load<u64>(SECRET + 11 + (i << 4)),
      load<u64>(LANES + (i << 4), 8) ^ load<u64>(SECRET + 19 + (i << 4)),
    );
  }
  return avalanche(result);
}
