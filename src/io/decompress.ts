/**
 * Compressed bytes to plain ones. gzip and zstd are told by their first bytes, whatever the name; brotli
 * has none, so only a name ending in `.br` tells it. Where the input ends before those bytes do, a name
 * ending in `.gz` or `.zst` tells that more should have come: an empty file of such a name is cut short.
 *
 * Errors: TRUNCATED_INPUT when the input ends inside a member or frame, CORRUPTED_INPUT for bytes
 * that cannot be decompressed, anything behind the last gzip member included; both with the place
 * (the offset counts decompressed bytes). Errors of the input go through unchanged. All of them come behind
 * what had been decompressed before.
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { EtlError, type Place } from '../core/errors.ts';
import { Unzstd } from './unzstd.ts';

export type Compression = 'none' | 'gzip' | 'brotli' | 'zstd';

/** First bytes to look at. */
export const SNIFF_BYTES = 4;

const CHUNK_BYTES = 1 << 20;
const HIGH_WATER_BYTES = 256 << 10;

type Chunks = AsyncIterable<Uint8Array>;

const GZIP = [0x1f, 0x8b];
/** A frame of data, or one of sixteen that hold something else and are passed over. */
const ZSTD = [
  [0x28, 0xb5, 0x2f, 0xfd],
  ...Array.from({ length: 16 }, (_, i) => [0x50 + i, 0x2a, 0x4d, 0x18]),
];

/** What the first `SNIFF_BYTES`, fewer only at the end of the input, or else the name, say. */
export function detectCompression(head: Uint8Array, name = ''): Compression {
  if (begins(head, GZIP, name, /\.gz$/i)) return 'gzip';
  if (ZSTD.some((magic) => begins(head, magic, name, /\.zst$/i))) return 'zstd';
  return /\.br$/i.test(name) ? 'brotli' : 'none';
}

/** True when more of the first bytes could still tell a compression. */
export function isTooShortToTell(head: Uint8Array): boolean {
  return [GZIP, ...ZSTD].some((magic) => head.length < magic.length && agrees(head, magic));
}

/** Whether `head` begins as `magic`, or would if its name is right and it did not end within. */
function begins(head: Uint8Array, magic: readonly number[], name: string, ending: RegExp): boolean {
  if (head.length < magic.length && !ending.test(name)) return false;
  return agrees(head, magic);
}

/** As far as both go. */
function agrees(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => i >= head.length || head[i] === byte);
}

const ENCODINGS: Readonly<Record<string, Compression>> = {
  identity: 'none',
  gzip: 'gzip',
  'x-gzip': 'gzip',
  br: 'brotli',
  zstd: 'zstd',
};

/** What a Content-Encoding stands for. Errors: UNSUPPORTED. */
export function compressionByEncoding(encoding: string, place: Place): Compression {
  const found = ENCODINGS[encoding];
  if (found) return found;
  throw new EtlError('UNSUPPORTED', `the body is encoded as ${encoding}`, { place });
}

/** The name to look at where an encoding has been undone: none where it says no more than the encoding did. */
export function nameInside(name: string, encoding: string): string {
  return detectCompression(new Uint8Array(0), name) === ENCODINGS[encoding] ? '' : name;
}

/** Plain bytes in pieces of about 1 MiB. Leaving the loop closes the input. */
export async function* decompress(
  chunks: Chunks,
  compression: Compression,
  place: Place = {},
): AsyncGenerator<Uint8Array, void, void> {
  if (compression === 'none') {
    yield* chunks;
    return;
  }
  let offset = 0;
  const input: Input = {};
  const packed = notEmpty(untilFailure(chunks, input));
  const plain =
    compression === 'zstd' && !nodeZstd
      ? unpackZstd(packed)
      : throughZlib(packed, createDecompressor(compression));
  try {
    for await (const chunk of plain) {
      offset += chunk.byteLength;
      yield chunk;
    }
  } catch (cause) {
    const error = explain(cause, { ...place, offset });
    // Cut short by its failure, that is.
    if (!input.failed || error.code !== 'TRUNCATED_INPUT') throw error;
  }
  if (input.failed) throw input.failed.error;
}

interface Input {
  failed?: { readonly error: unknown };
}

/** Takes a failure for the end, and notes it: a decompressor that was told of it would drop what it has. */
async function* untilFailure(chunks: Chunks, input: Input): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* chunks;
  } catch (error) {
    input.failed = { error };
  }
}

/** zstd came to Node in 22.15 and 23.8; the types are those of the oldest Node. */
const nodeZstd = (zlib as { createZstdDecompress?: (options: object) => Transform })
  .createZstdDecompress;

function createDecompressor(compression: 'gzip' | 'brotli' | 'zstd'): Transform {
  const options = { chunkSize: CHUNK_BYTES, highWaterMark: HIGH_WATER_BYTES };
  if (compression === 'gzip') return zlib.createGunzip(options);
  if (compression === 'brotli') return zlib.createBrotliDecompress(options);
  return nodeZstd!(options);
}

/** Every format has a header; not every decompressor misses it. */
async function* notEmpty(chunks: Chunks): AsyncGenerator<Uint8Array, void, void> {
  let isEmpty = true;
  for await (const chunk of chunks) {
    isEmpty &&= chunk.length === 0;
    yield chunk;
  }
  if (isEmpty) throw new Error('unexpected end of file');
}

async function* throughZlib(chunks: Chunks, stream: Transform): AsyncGenerator<Uint8Array> {
  const given = { bytes: 0 };
  const input = Readable.from(countBytes(chunks, given), {
    objectMode: false,
    highWaterMark: HIGH_WATER_BYTES,
  });
  const piped = new Promise<void>((resolve) => pipeline(input, stream, () => resolve()));
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
    const { bytesWritten } = stream as unknown as { bytesWritten: number };
    if (bytesWritten < given.bytes) throw new Error('there are bytes behind the end');
  } catch (error) {
    // The loop ends at once; what had been decompressed is still there.
    const rest: Uint8Array | null = stream.read();
    if (rest) yield rest;
    throw error;
  } finally {
    stream.destroy();
    await piped;
  }
}

/** Counts what is given, up to the last byte that is not zero: zeros behind the end are padding. */
async function* countBytes(
  chunks: Chunks,
  given: { bytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  let before = 0;
  for await (const chunk of chunks) {
    let { length } = chunk;
    while (length > 0 && chunk[length - 1] === 0) length--;
    if (length > 0) given.bytes = before + length;
    before += chunk.length;
    yield chunk;
  }
}

async function* unpackZstd(chunks: Chunks): AsyncGenerator<Uint8Array> {
  const unzstd = new Unzstd();
  for await (const chunk of chunks) yield* unzstd.push(chunk);
  unzstd.end();
}

function explain(cause: unknown, place: Place): EtlError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const text = `${code ?? ''} ${message}`;
  return /Z_BUF_ERROR|unexpected (end of file|EOF)|UNEXPECTED_END/i.test(text)
    ? new EtlError('TRUNCATED_INPUT', 'the compressed input ends too early', { place, cause })
    : new EtlError('CORRUPTED_INPUT', `the compressed input is damaged (${message})`, {
        place,
        cause,
      });
}
