/** Compressed buffers whose size is known, as column formats have them, to plain ones. */
import zlib from 'node:zlib';
import { decodeLz4Block, decodeLz4Frame } from './lz4.ts';
import { Unzstd } from './unzstd.ts';

export type BlockCodec = 'lz4' | 'lz4-block' | 'zstd' | 'gzip' | 'brotli';

interface BlockOptions {
  readonly maxOutputLength: number;
}

/** zstd came to Node in 22.15 and 23.8; the types are those of the oldest Node. */
const { zstdDecompressSync } = zlib as {
  zstdDecompressSync?: (bytes: Uint8Array, options: BlockOptions) => Uint8Array;
};

/** The `size` bytes that `bytes` stand for. Throws on damage and for any other size. */
export function decompressBlock(codec: BlockCodec, bytes: Uint8Array, size: number): Uint8Array {
  const plain = unpack(codec, bytes, size);
  if (plain.length === size) return plain;
  throw new RangeError(`${plain.length} bytes where ${size} were announced`);
}

function unpack(codec: BlockCodec, bytes: Uint8Array, size: number): Uint8Array {
  // A limit of zero means none.
  const options = { maxOutputLength: Math.max(1, size) };
  switch (codec) {
    case 'lz4':
      return decodeLz4Frame(bytes, size);
    case 'lz4-block':
      return decodeLz4Block(bytes, size);
    case 'zstd':
      return zstdDecompressSync ? zstdDecompressSync(bytes, options) : unpackZstd(bytes, size);
    case 'gzip':
      return zlib.gunzipSync(bytes, options);
    case 'brotli':
      return zlib.brotliDecompressSync(bytes, options);
  }
}

function unpackZstd(bytes: Uint8Array, size: number): Uint8Array {
  const plain = new Uint8Array(size);
  let end = 0;
  const unzstd = new Unzstd();
  for (const content of unzstd.push(bytes)) {
    plain.set(content, end);
    end += content.length;
  }
  unzstd.end();
  return plain.subarray(0, end);
}
