/**
 * The directory of a ZIP archive: what entries it says it has. yauzl finds and decodes it (zip64, names
 * in UTF-8, code page 437 or the Unicode path field); what an entry may be is decided here, before a
 * byte of contents is read: plain files and folders, stored or deflated, not encrypted, of sizes within
 * the limits. Sizes and sums are only claims until the contents were read (entry-data.ts).
 */
import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from 'yauzl';
import { checkLimits } from '../../core/check-option.ts';
import { EtlError, isEtlError } from '../../core/errors.ts';
import type { DiskFile } from '../../io/disk.ts';
import type { ArchiveLimits } from './options.ts';

/** What the directory says of an entry. */
export interface ArchiveEntry {
  /** As it stands there; of folders with the slash at the end. */
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly kind: 'file' | 'folder';
  readonly deflated: boolean;
  /** Bytes of the contents. */
  readonly size: number;
  /** Bytes that they take in the archive. */
  readonly packedSize: number;
  readonly crc: number;
  /** Where the entry's own header begins. */
  readonly offset: number;
}

const BLOCK_BYTES = 256 << 10;
const RATIO_FREE_BYTES = 16 << 20;
const ENCRYPTED = 1;
const UTF8_NAME = 0x0800;
/** Unix and macOS, as the directory numbers them. */
const UNIX_SYSTEMS: readonly number[] = [3, 19];
const FILE_TYPE = 0o170000;

/**
 * All entries of an archive, as they stand in its directory.
 * Errors: NOT_A_STORE for a file that is no ZIP archive, TRUNCATED_INPUT, CORRUPTED_INPUT,
 * UNSAFE_ARCHIVE for links and past the limits, UNSUPPORTED, IO_ERROR, INVALID_ARGUMENT.
 */
export async function readDirectory(
  file: DiskFile,
  limits: ArchiveLimits = {},
): Promise<ArchiveEntry[]> {
  const { maxEntries = 1_000_000, maxBytes = 64 * 2 ** 30, maxRatio = 1 } = limits;
  checkLimits({ maxEntries, maxBytes, maxRatio });
  const { path } = file;
  if (!(await isArchive(file))) {
    throw new EtlError('NOT_A_STORE', 'neither a store nor an archive of one', { place: { path } });
  }
  let zip: ZipFile | undefined;
  const entries: ArchiveEntry[] = [];
  let bytes = 0;
  try {
    zip = await openZip(file);
    if (zip.entryCount > maxEntries) {
      throw unsafe(path, `${zip.entryCount} entries, more than maxEntries (${maxEntries})`);
    }
    for await (const each of zip.eachEntry()) {
      const entry = toEntry(each, path, limits);
      bytes += entry.size;
      if (bytes > maxBytes) {
        throw unsafe(path, `its contents are more than maxBytes (${maxBytes} bytes)`);
      }
      entries.push(entry);
    }
    return entries;
  } catch (cause) {
    throw isEtlError(cause) ? cause : damaged(path, cause);
  } finally {
    zip?.close();
  }
}

/** True for a file that begins as ZIP archives do. */
export async function isArchive(file: DiskFile): Promise<boolean> {
  const head = Buffer.alloc(4);
  if ((await file.read(head, 0)) < 4) return false;
  return ['PK\x03\x04', 'PK\x05\x06'].includes(head.toString('latin1'));
}

async function openZip(file: DiskFile): Promise<ZipFile> {
  const options = { autoClose: false, lazyEntries: true, decodeStrings: false };
  return fromRandomAccessReaderPromise(new BlockReader(file), await file.size(), options);
}

function toEntry(entry: Entry, path: string, limits: ArchiveLimits): ArchiveEntry {
  const { generalPurposeBitFlag: flags, compressionMethod: method } = entry;
  const rawName = entry.fileName as unknown as Buffer;
  const name = decodeName(entry, rawName);
  const shown = `the entry ${JSON.stringify(name)}`;
  const isFolder = name.endsWith('/');
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE;
  if (type !== 0 && type !== (isFolder ? 0o040000 : 0o100000)) {
    throw unsafe(path, `${shown} is ${type === 0o120000 ? 'a link' : 'no plain file or folder'}`);
  }
  if (flags & ENCRYPTED) {
    throw new EtlError('UNSUPPORTED', `${shown} is encrypted; unpack it with a ZIP tool`, {
      place: { path },
    });
  }
  if (method !== 0 && method !== 8) {
    throw new EtlError(
      'UNSUPPORTED',
      `${shown} is compressed by method ${method}; stored and Deflate are read`,
      { place: { path } },
    );
  }
  const { uncompressedSize: size, compressedSize: packedSize } = entry;
  const { maxRatio = 200 } = limits;
  if (isFolder && size > 0) throw unsafe(path, `${shown} is a folder with contents`);
  if (size > RATIO_FREE_BYTES && size > packedSize * maxRatio) {
    throw unsafe(
      path,
      `${shown} grows from ${packedSize} to ${size} bytes, over maxRatio (${maxRatio})`,
    );
  }
  return {
    name,
    rawName,
    kind: isFolder ? 'folder' : 'file',
    deflated: method === 8,
    size,
    packedSize,
    crc: entry.crc32,
    offset: entry.relativeOffsetOfLocalHeader,
  };
}

/**
 * Programs on Unix write the bytes of a name as the system has them, which is UTF-8, and do not always
 * say so; where nothing is said the format means code page 437.
 */
function decodeName(entry: Entry, rawName: Buffer): string {
  const { generalPurposeBitFlag: flags, versionMadeBy, extraFields } = entry;
  if ((flags & UTF8_NAME) === 0 && UNIX_SYSTEMS.includes(versionMadeBy >>> 8)) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(rawName);
    } catch {
      // Not UTF-8: as the format has it.
    }
  }
  return getFileNameLowLevel(flags, rawName, extraFields, true);
}

function unsafe(path: string, message: string): EtlError {
  return new EtlError('UNSAFE_ARCHIVE', message, { place: { path } });
}

function damaged(path: string, cause: unknown): EtlError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const torn = /end of central directory|unexpected eof/i.test(message);
  return new EtlError(
    torn ? 'TRUNCATED_INPUT' : 'CORRUPTED_INPUT',
    `no whole archive: ${message}`,
    {
      place: { path },
      cause,
    },
  );
}

/** Small reads of a file out of blocks: the directory is read 46 bytes at a time. */
class BlockReader extends RandomAccessReader {
  readonly #file: DiskFile;
  #start = 0;
  #block: Buffer = Buffer.alloc(0);

  constructor(file: DiskFile) {
    super();
    this.#file = file;
  }

  override read(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, got?: number) => void,
  ): void {
    this.#fill(position, length).then(
      () => {
        const from = position - this.#start;
        callback(null, this.#block.copy(target, offset, from, from + length));
      },
      (error: Error) => callback(error),
    );
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }

  async #fill(position: number, length: number): Promise<void> {
    const end = this.#start + this.#block.length;
    if (position >= this.#start && position + length <= end) return;
    const block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, length));
    const got = await this.#file.read(block, position);
    this.#block = block.subarray(0, got);
    this.#start = position;
  }
}
