/** Plain bytes to compressed ones. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { checkChoice } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { Compression } from './decompress.ts';

/** What the ending of a name asks for: `.gz`, `.br`, `.zst`. */
export function compressionByName(name: string): Compression {
  if (/\.gz$/i.test(name)) return 'gzip';
  if (/\.br$/i.test(name)) return 'brotli';
  return /\.zst$/i.test(name) ? 'zstd' : 'none';
}

/** The ending that `compressionByName` knows it by; empty for none. */
export function endingOf(compression: Compression): string {
  return { none: '', gzip: '.gz', brotli: '.br', zstd: '.zst' }[compression];
}

/** For formats whose files are not compressed as a whole. Errors: INVALID_ARGUMENT for such an ending. */
export function refuseCompression(format: string, target: unknown): void {
  if (typeof target !== 'string' || compressionByName(target) === 'none') return;
  const problem = `${format} is not compressed as a whole; leave out the last ending`;
  throw new EtlError('INVALID_ARGUMENT', problem, { place: { path: target } });
}

/**
 * A stream that compresses, set for throughput: gzip level 6, brotli quality 4, zstd level 3.
 * Errors: INVALID_ARGUMENT for another; UNSUPPORTED for zstd where this Node has none (before 22.15 and 23.8).
 */
export function createCompressor(compression: 'gzip' | 'brotli' | 'zstd'): Transform {
  checkChoice('compression', compression, ['gzip', 'brotli', 'zstd']);
  const options = { chunkSize: 256 << 10 };
  if (compression === 'gzip') return zlib.createGzip({ ...options, level: 6 });
  if (compression === 'brotli') {
    const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 };
    return zlib.createBrotliCompress({ ...options, params });
  }
  const create = (zlib as { createZstdCompress?: (options: object) => Transform })
    .createZstdCompress;
  if (create) return create(options);
  throw new EtlError(
    'UNSUPPORTED',
    'writing zstd needs Node 22.15 or later; gzip works everywhere',
  );
}
