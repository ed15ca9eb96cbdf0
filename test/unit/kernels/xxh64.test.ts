import { describe, expect, it } from 'vitest';
import { startLanes, takeStripes as takeInPlain } from '../../../src/kernels/twin/xxh64.ts';
import { takeStripes } from '../../../src/kernels/wasm-hash.ts';
import { Xxh64 } from '../../../src/kernels/xxh64.ts';

/** Hashes by length of the bytes that the sanity check of xxHash (tests/sanity_test.c) makes. */
const byLength: readonly (readonly [number, bigint])[] = [
  [0, 0xef46db3751d8e999n],
  [1, 0xe934a84adb052768n],
  [4, 0x9136a0dca57457een],
  [14, 0x8282dcc4994e35c8n],
  [222, 0xb641ae8cb691c174n],
];

function makeBytes(length: number): Uint8Array {
  let value = 2654435761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(value >> 56n);
    value = BigInt.asUintN(64, value * 11400714785074694797n);
    return byte;
  });
}

function hash(bytes: Uint8Array, pieceBytes: number): bigint {
  const xxh64 = new Xxh64();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    xxh64.update(bytes.subarray(at, at + pieceBytes));
  }
  return xxh64.digest();
}

describe('XXH64', () => {
  it.each(byLength)('of %i bytes', (length, expected) => {
    expect(hash(makeBytes(length), 1000)).toBe(expected);
  });

  it('of pieces is that of the whole', () => {
    for (let length = 0; length < 140; length++) {
      const bytes = makeBytes(length);
      const expected = hash(bytes, 1000);
      for (const size of [1, 3, 7, 31, 32, 33, 64]) expect(hash(bytes, size)).toBe(expected);
    }
  });

  it('of several at once is that of each', () => {
    const [one, other] = [new Xxh64(), new Xxh64()];
    const bytes = makeBytes(500);
    for (let at = 0; at < 500; at += 50) {
      one.update(bytes.subarray(at, at + 50));
      other.update(bytes.subarray(at, at + 10));
    }
    expect(one.digest()).toBe(hash(bytes, 500));
    expect(other.digest()).not.toBe(one.digest());
  });

  it('has the same rounds in WebAssembly and in TypeScript', () => {
    for (const stripes of [1, 2, 3, 5000]) {
      const [ours, plain] = [startLanes(), startLanes()];
      const bytes = makeBytes(32 * stripes + 1).subarray(1);
      for (let i = 0; i < 2; i++) {
        takeStripes(ours, bytes);
        takeInPlain(plain, bytes);
        expect(ours).toEqual(plain);
      }
    }
  });
});
