/**
 * The contents of an archive's entry, held against what the directory claims: the entry's own header
 * names it and lies in the file, inflating gives exactly the claimed bytes (one more stops it at once,
 * whatever the directory said), and the sum is right.
 */
import { pipeline, Readable } from 'node:stream';
import { createInflateRaw, inflateRawSync } from 'node:zlib';
import { EtlError, isEtlError } from '../../core/errors.ts';
import type { DiskFile } from '../../io/disk.ts';
import { crc32 } from './crc32.ts';
import type { ArchiveEntry } from './directory.ts';

const HEADER_BYTES = 30;
const PIECE_BYTES = 1 << 20;
/** Entries up to this are inflated at one go. */
const SMALL_BYTES = 64 << 10;

/**
 * Where the contents of an entry begin.
 * Errors: CORRUPTED_INPUT, TRUNCATED_INPUT, UNSAFE_ARCHIVE for a header of another name.
 */
export async function findContents(file: DiskFile, entry: ArchiveEntry): Promise<number> {
  const header = Buffer.alloc(HEADER_BYTES + entry.rawName.length);
  const got = await file.read(header, entry.offset);
  if (got < header.length) throw fault('TRUNCATED_INPUT', file, entry, 'begins behind the end');
  if (header.readUInt32LE(0) !== 0x04034b50) {
    throw fault('CORRUPTED_INPUT', file, entry, 'has no header where the directory says');
  }
  // What one program lists must not be another name than what the next one unpacks.
  const nameBytes = header.readUInt16LE(26);
  if (
    nameBytes !== entry.rawName.length ||
    header.compare(entry.rawName, 0, undefined, HEADER_BYTES) !== 0
  ) {
    throw fault('UNSAFE_ARCHIVE', file, entry, 'has another name in its own header');
  }
  const start = entry.offset + HEADER_BYTES + nameBytes + header.readUInt16LE(28);
  if (start + entry.packedSize > (await file.size())) {
    throw fault('TRUNCATED_INPUT', file, entry, 'ends behind the end of the archive');
  }
  return start;
}

/**
 * The contents from `start` on, in pieces, each in memory of its own. Errors: CORRUPTED_INPUT,
 * TRUNCATED_INPUT, UNSAFE_ARCHIVE, IO_ERROR; what came before must not be used then.
 */
export async function* readContents(
  file: DiskFile,
  entry: ArchiveEntry,
  start: number,
): AsyncGenerator<Uint8Array, void, void> {
  let crc = 0;
  let size = 0;
  try {
    for await (const piece of inflated(file, entry, start)) {
      size += piece.length;
      if (size > entry.size) {
        throw fault(
          'UNSAFE_ARCHIVE',
          file,
          entry,
          `holds more than the ${entry.size} bytes it says`,
        );
      }
      crc = crc32(piece, crc);
      yield piece;
    }
  } catch (cause) {
    if (isEtlError(cause)) throw cause;
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw fault('UNSAFE_ARCHIVE', file, entry, `holds more than the ${entry.size} bytes it says`);
    }
    throw fault('CORRUPTED_INPUT', file, entry, `cannot be inflated: ${message}`, cause);
  }
  if (size < entry.size) {
    throw fault('CORRUPTED_INPUT', file, entry, `holds ${size} bytes, but says ${entry.size}`);
  }
  if (crc !== entry.crc) throw fault('CORRUPTED_INPUT', file, entry, 'has a wrong sum');
}

async function* inflated(
  file: DiskFile,
  entry: ArchiveEntry,
  start: number,
): AsyncGenerator<Uint8Array, void, void> {
  const packed = readPacked(file, entry, start);
  if (!entry.deflated) return yield* packed;
  if (entry.packedSize <= SMALL_BYTES && entry.size <= PIECE_BYTES) {
    for await (const bytes of packed) {
      yield inflateRawSync(bytes, { maxOutputLength: Math.max(1, entry.size) });
    }
    return;
  }
  const inflate = createInflateRaw({ chunkSize: SMALL_BYTES });
  // A failure of the reads comes out of the iteration below.
  pipeline(Readable.from(packed), inflate, () => undefined);
  yield* inflate;
}

async function* readPacked(
  file: DiskFile,
  entry: ArchiveEntry,
  start: number,
): AsyncGenerator<Uint8Array, void, void> {
  const end = start + entry.packedSize;
  for (let at = start; at < end; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at));
    if ((await file.read(piece, at)) < piece.length) {
      throw fault('TRUNCATED_INPUT', file, entry, 'ends behind the end of the archive');
    }
    yield piece;
    at += piece.length;
  }
}

function fault(
  code: 'CORRUPTED_INPUT' | 'TRUNCATED_INPUT' | 'UNSAFE_ARCHIVE',
  file: DiskFile,
  entry: ArchiveEntry,
  what: string,
  cause?: unknown,
): EtlError {
  const place = { path: file.path, offset: entry.offset };
  return new EtlError(code, `the entry ${JSON.stringify(entry.name)} ${what}`, { place, cause });
}
