/**
 * Writes a ZIP archive (PKWARE APPNOTE 6.3) into an empty file: entries one after the other, then the
 * directory of them all.
 *
 * Small contents are compressed in memory, so that their header is right at once. Of larger ones the
 * header is written first and filled in when sum and sizes are known: no data descriptors, which some
 * programs cannot read for stored entries. An entry that may pass 4 GiB keeps room for 64-bit sizes
 * (zip64) in its header; offsets and the number of entries go over to zip64 by themselves.
 *
 * Every date is 1980-01-01, so equal contents give equal archives. Memory: the largest piece given,
 * 1 MiB on its way out, and some 100 bytes an entry for the directory. On failure the file is left as
 * it is, for the caller to remove.
 */
import { pipeline, Readable } from 'node:stream';
import { createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { DiskFile } from '../../io/disk.ts';
import { crc32 } from './crc32.ts';

/** How contents are kept. */
export type Compression = 'deflate' | 'store';

/** Contents up to this are compressed at one go. */
const SMALL_BYTES = 64 << 10;
const GATHER_BYTES = 1 << 20;
/** What fits 32 bits; the value itself says "see zip64". */
const MAX_32 = 0xffff_ffff;
/** A file this large may be larger than 4 GiB in the archive. */
const MAY_BE_LARGE = 0xfff0_0000;
const DATE_1980 = 0x0021;
const UTF8_NAME = 0x0800;
/** Made on Unix, by version 4.5, which knows zip64. */
const MADE_BY = (3 << 8) | 45;
const FILE_ATTRIBUTES = 0o100644 * 0x1_0000;
const FOLDER_ATTRIBUTES = 0o040755 * 0x1_0000 + 0x10;

interface Entry {
  readonly name: Buffer;
  readonly method: 0 | 8;
  readonly attributes: number;
  readonly offset: number;
  /** The header has room for 64-bit sizes. */
  readonly large: boolean;
  crc: number;
  size: number;
  packed: number;
}

export class ZipWriter {
  readonly #file: DiskFile;
  readonly #compression: Compression;
  readonly #directory: Buffer[] = [];
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #written = 0;

  constructor(file: DiskFile, compression: Compression) {
    this.#file = file;
    this.#compression = compression;
  }

  get entries(): number {
    return this.#directory.length;
  }

  /** Adds a folder; `name` is its path without a slash at the end. */
  async addFolder(name: string): Promise<void> {
    const entry = this.#entry(`${name}/`, 0, FOLDER_ATTRIBUTES, false);
    await this.#put(localHeader(entry));
    this.#directory.push(directoryRecord(entry));
  }

  /**
   * Adds a file of the bytes that come; they must not change afterwards. `atMost` bounds their number,
   * where known. Answers how many there were.
   */
  async addFile(
    name: string,
    contents: AsyncIterable<Uint8Array>,
    atMost?: number,
  ): Promise<number> {
    const deflate = this.#compression === 'deflate';
    const iterator = contents[Symbol.asyncIterator]();
    try {
      const { head, ended } = await readHead(iterator);
      const large = !ended && (atMost === undefined || atMost > MAY_BE_LARGE);
      const entry = this.#entry(name, deflate && head.length > 0 ? 8 : 0, FILE_ATTRIBUTES, large);
      if (ended) await this.#addSmall(entry, head);
      else await this.#addLarge(entry, head, iterator);
      this.#directory.push(directoryRecord(entry));
      return entry.size;
    } finally {
      await iterator.return?.();
    }
  }

  /** Writes the directory; answers the size of the archive. */
  async finish(): Promise<number> {
    const start = this.#end;
    let size = 0;
    for (const record of this.#directory) {
      await this.#put(record);
      size += record.length;
    }
    await this.#put(endRecords(this.#directory.length, start, size));
    await this.#flush();
    return this.#written;
  }

  get #end(): number {
    return this.#written + this.#gatheredBytes;
  }

  #entry(name: string, method: 0 | 8, attributes: number, large: boolean): Entry {
    const offset = this.#end;
    return {
      name: Buffer.from(name),
      method,
      attributes,
      offset,
      large,
      crc: 0,
      size: 0,
      packed: 0,
    };
  }

  async #addSmall(entry: Entry, contents: Uint8Array): Promise<void> {
    const packed = entry.method === 8 ? deflateRawSync(contents) : contents;
    entry.crc = crc32(contents, 0);
    entry.size = contents.length;
    entry.packed = packed.length;
    await this.#put(localHeader(entry));
    await this.#put(packed);
  }

  async #addLarge(
    entry: Entry,
    head: Uint8Array,
    iterator: AsyncIterator<Uint8Array>,
  ): Promise<void> {
    await this.#put(localHeader(entry));
    async function* counted(): AsyncGenerator<Uint8Array, void, void> {
      for (let piece: Uint8Array | undefined = head; piece !== undefined; ) {
        entry.crc = crc32(piece, entry.crc);
        entry.size += piece.length;
        yield piece;
        const step = await iterator.next();
        piece = step.done ? undefined : step.value;
      }
    }
    for await (const piece of entry.method === 8 ? deflated(counted()) : counted()) {
      entry.packed += piece.length;
      await this.#put(piece);
    }
    await this.#flush();
    await this.#file.write(localHeader(entry), entry.offset);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= GATHER_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const [first, ...more] = this.#gathered;
    if (first === undefined) return;
    const bytes = more.length === 0 ? first : Buffer.concat(this.#gathered);
    await this.#file.write(bytes, this.#written);
    this.#written += bytes.length;
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }
}

/** The first bytes, more than fit a small entry unless the contents end before. */
async function readHead(
  iterator: AsyncIterator<Uint8Array>,
): Promise<{ head: Uint8Array; ended: boolean }> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= SMALL_BYTES) {
    const step = await iterator.next();
    if (step.done) return { head: Buffer.concat(parts), ended: true };
    parts.push(step.value);
    bytes += step.value.length;
  }
  return { head: parts.length === 1 ? parts[0]! : Buffer.concat(parts), ended: false };
}

async function* deflated(
  contents: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const deflate = createDeflateRaw({ chunkSize: SMALL_BYTES });
  // A failure of the contents comes out of the iteration below.
  pipeline(Readable.from(contents), deflate, () => undefined);
  yield* deflate;
}

function localHeader(entry: Entry): Buffer {
  const { name, method, crc, size, packed, large } = entry;
  const header = Buffer.alloc(30 + name.length + (large ? 20 : 0));
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(large ? 45 : 20, 4);
  header.writeUInt16LE(UTF8_NAME, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(DATE_1980, 12);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(large ? MAX_32 : packed, 18);
  header.writeUInt32LE(large ? MAX_32 : size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(large ? 20 : 0, 28);
  name.copy(header, 30);
  if (large) writeZip64(header, 30 + name.length, [size, packed]);
  return header;
}

function directoryRecord(entry: Entry): Buffer {
  const { name, method, crc, size, packed, offset, attributes } = entry;
  const wide = [size, packed, offset].filter((value) => value >= MAX_32);
  const extra = wide.length > 0 ? 4 + wide.length * 8 : 0;
  const record = Buffer.alloc(46 + name.length + extra);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(MADE_BY, 4);
  record.writeUInt16LE(extra > 0 || entry.large ? 45 : 20, 6);
  record.writeUInt16LE(UTF8_NAME, 8);
  record.writeUInt16LE(method, 10);
  record.writeUInt16LE(DATE_1980, 14);
  record.writeUInt32LE(crc, 16);
  record.writeUInt32LE(Math.min(packed, MAX_32), 20);
  record.writeUInt32LE(Math.min(size, MAX_32), 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra, 30);
  record.writeUInt32LE(attributes, 38);
  record.writeUInt32LE(Math.min(offset, MAX_32), 42);
  name.copy(record, 46);
  if (extra > 0) writeZip64(record, 46 + name.length, wide);
  return record;
}

/** The extra field 1: u16 1, u16 bytes, then the values as u64. */
function writeZip64(target: Buffer, at: number, values: readonly number[]): void {
  target.writeUInt16LE(1, at);
  target.writeUInt16LE(values.length * 8, at + 2);
  for (const [i, value] of values.entries()) {
    target.writeBigUInt64LE(BigInt(value), at + 4 + i * 8);
  }
}

/** The end of the directory, with the zip64 records before it where numbers do not fit. */
function endRecords(entries: number, start: number, size: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, 0xffff), 8);
  end.writeUInt16LE(Math.min(entries, 0xffff), 10);
  end.writeUInt32LE(Math.min(size, MAX_32), 12);
  end.writeUInt32LE(Math.min(start, MAX_32), 16);
  if (entries < 0xffff && start < MAX_32 && size < MAX_32) return end;
  const wide = Buffer.alloc(56 + 20);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeUInt16LE(MADE_BY, 12);
  wide.writeUInt16LE(45, 14);
  wide.writeBigUInt64LE(BigInt(entries), 24);
  wide.writeBigUInt64LE(BigInt(entries), 32);
  wide.writeBigUInt64LE(BigInt(size), 40);
  wide.writeBigUInt64LE(BigInt(start), 48);
  wide.writeUInt32LE(0x07064b50, 56);
  wide.writeBigUInt64LE(BigInt(start + size), 64);
  wide.writeUInt32LE(1, 72);
  return Buffer.concat([wide, end]);
}
