import { describe, expect, it } from 'vitest';
import { kernels } from '../../support/kernels.ts';

/** Byte i is the top byte of i * 2654435761 modulo 2^32; hashes are those of the Rust crate xxhash-rust. */
const data = Uint8Array.from({ length: 5000 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
const byLength: readonly (readonly [number, string])[] = [
  [0, '2d06800538d394c2'],
  [1, 'c44bdff4074eecdb'],
  [2, 'b0a5d4f167a89d5e'],
  [3, 'e14090f554a5ea90'],
  [4, '2e8d078a566e9749'],
  [5, '94b7bed600f8ce63'],
  [7, 'e6f7770846c47df5'],
  [8, 'cd1c7f88482fcaef'],
  [9, 'bfe43def699fa9e3'],
  [12, '027242c0a3b593e8'],
  [15, '9c71639666dfdbc2'],
  [16, '81e9eb8634460bb9'],
  [17, '9998430fd0a655be'],
  [31, '6427c268ccd55706'],
  [32, '938c25dd24c9cf3b'],
  [33, '0e399d30188e9c8e'],
  [63, '9e5edf514e6c4ea2'],
  [64, '22a06b30c4c72936'],
  [65, '7faff6eee7812d5c'],
  [95, '694bdaf06a53ba1b'],
  [96, '324046d7ff9771f1'],
  [97, '00d61f9a16f8effd'],
  [127, '29a5be88e84cd571'],
  [128, '75eca5c5d5594884'],
  [129, 'a05da42e7a4e4667'],
  [130, 'fdfce09ef5789c83'],
  [159, 'dd2d3877b5c10791'],
  [160, 'd298ab4e6e7de4aa'],
  [161, 'bbcae4af9a10ede4'],
  [200, 'e07bfbc15015bf69'],
  [239, 'a44c92feed3d48fa'],
  [240, '5eb2467c8c9e3969'],
  [241, '2d431e984c441f15'],
  [255, '6cb5279bb1267b3b'],
  [256, '1369aaf85f8b805a'],
  [300, 'ebc3ae32ea3a7d0a'],
  [512, 'dcfed6ee2883acd0'],
  [1023, '4e30bb611faa8f67'],
  [1024, 'e99def1145f12936'],
  [1025, '83cba9b371e4e7f4'],
  [1087, '7a31d7be13f5411b'],
  [1088, '8e7e69b3a7124813'],
  [1089, 'a958a59c9718acc1'],
  [2047, 'a585963f99e7d6a8'],
  [2048, '53275d58cfba68fd'],
  [2049, '3cd32460d504d215'],
  [3000, '0cad6ffba8996275'],
  [4096, '9bf67f8deff876ae'],
  [5000, 'b9daede5f99f736e'],
];
const byText: readonly (readonly [string, string])[] = [
  ['a', 'e6c632b61e964e1f'],
  ['doc-1', 'c11d9f2deee2f041'],
  ['Zürich', '0ba44fcc12cca74e'],
  ['user_000123', 'bc0ba210fafb05d9'],
];

describe.each(kernels)('XXH3-64, $name kernel', (kernel) => {
  it.each(byLength)('of %i bytes', (length, expected) => {
    expect(hex(kernel.hash(data.subarray(0, length)))).toBe(expected);
    expect(hex(kernel.hash(Uint8Array.of(9, ...data.subarray(0, length)).subarray(1)))).toBe(
      expected,
    );
  });

  it.each(byText)('of the id %s', (id, expected) => {
    kernel.hashKey(id);
    expect(hex((BigInt(kernel.keyHash[1]!) << 32n) | BigInt(kernel.keyHash[0]!))).toBe(expected);
    const { records } = kernel.lines(new TextEncoder().encode(`{"_id":${JSON.stringify(id)}}\n`));
    expect(records.subarray(6, 8)).toEqual(kernel.keyHash);
  });

  it('of long and of ill-formed ids is that of their UTF-8 bytes', () => {
    for (const id of ['x'.repeat(3000), 'ü'.repeat(2000), 'a\ud800b', '']) {
      kernel.hashKey(id);
      const expected = kernel.hash(new TextEncoder().encode(id));
      expect((BigInt(kernel.keyHash[1]!) << 32n) | BigInt(kernel.keyHash[0]!)).toBe(expected);
    }
  });
});

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
