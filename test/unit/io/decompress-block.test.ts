import zlib from 'node:zlib';
import { expect, it } from 'vitest';
import { type BlockCodec, decompressBlock } from '../../../src/io/decompress-block.ts';

const plain = Buffer.from('a'.repeat(16));
const BLOCKS: readonly (readonly [BlockCodec, Buffer])[] = [
  ['gzip', zlib.gzipSync(plain)],
  ['brotli', zlib.brotliCompressSync(plain)],
  // By zstd 1.5.4, from a file: a block of one byte repeated, and the checksum.
  ['zstd', Buffer.from('28b52ffd2410450000106161010032c002692162bc', 'hex')],
];

it.each(BLOCKS)('gives what %s holds, and an error for another size', (codec, bytes) => {
  expect(plain.equals(decompressBlock(codec, bytes, 16))).toBe(true);
  for (const size of [0, 15, 17]) expect(() => decompressBlock(codec, bytes, size)).toThrow();
});

it('refuses zstd with a changed or cut checksum', () => {
  const bytes = Buffer.from(BLOCKS.find(([codec]) => codec === 'zstd')![1]);
  bytes[bytes.length - 1]! ^= 1;
  expect(() => decompressBlock('zstd', bytes, 16)).toThrow();
  expect(() => decompressBlock('zstd', bytes.subarray(0, -1), 16)).toThrow();
});
