/**
 * meta/index.bin: a checkpoint of the id index that the Rust crate reads too.
 *
 * Layout, little-endian: u32 0x5A445349, u32 1, u64 count, then per entry u16 id bytes, id (UTF-8),
 * u64 offset, u32 length (line end included). A later entry of an id overrides an earlier one, and
 * bytes after `count` entries mean nothing: so entries are appended behind `count` while documents
 * come in, and count for nothing until `publish` patches the count. A crash in between leaves the
 * old checkpoint as it was. Two syncs order the entries before the count.
 *
 * An entry of a deleted document is overwritten in place by a copy of a living one as long
 * (replace-entries.ts). A crash in between leaves an index.bin that is not the checkpoint which the
 * log names, and opening makes it anew from the data.
 */
import { KeyKind, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { Kernel } from '../kernels/index.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';
import { keyText } from './indexer.ts';
import { isValidIdAt } from './names.ts';
import { FileTail } from './tail.ts';

/** Bytes of an entry beside its id. */
export const ENTRY_BYTES = 14;

/** A position in index.bin behind whole entries. */
export interface IndexPoint {
  readonly entries: number;
  readonly bytes: number;
}

/** Bytes to stand over an entry, and where. */
export interface EntryPatch {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** Where entries are put: a `FileTail`, or memory on its way elsewhere. */
export type EntryRoom = Pick<FileTail, 'reserve' | 'claim'>;

/** Writes the entries of line records [from, to) into `tail`. All keys must be plain strings. */
export function appendRecords(
  kernel: Kernel,
  tail: EntryRoom,
  bytes: Uint8Array,
  records: Uint32Array,
  from: number,
  to: number,
  base: number,
): void {
  const entries = kernel.entries(bytes, records, from, to, base);
  const room = tail.reserve(entries.length);
  room.bytes.set(entries, room.at);
  tail.claim(entries.length);
}

/** The first record whose id may not be written, or `count`. All keys must be plain strings. */
export function findInvalidId(bytes: Uint8Array, records: Uint32Array, count: number): number {
  for (let i = 0; i < count; i++) {
    const word = i * RECORD_WORDS;
    const start = records[word + LineRecord.keyStart]!;
    if (!isValidIdAt(bytes, start, records[word + LineRecord.keyEnd]!)) return i;
  }
  return count;
}

/** Writes one entry, its id as text. */
export function appendEntry(tail: EntryRoom, id: string, offset: number, length: number): void {
  const { bytes, at } = tail.reserve(id.length * 3 + ENTRY_BYTES);
  const size = bytes.write(id, at + 2);
  bytes.writeUInt16LE(size, at);
  writePlace(bytes, at + 2 + size, offset, length);
  tail.claim(size + ENTRY_BYTES);
}

/** Writes one entry at `at`; answers where it ends. */
export function writeEntry(
  out: Uint8Array,
  at: number,
  id: Uint8Array,
  offset: number,
  length: number,
): number {
  out[at] = id.length;
  out[at + 1] = id.length >>> 8;
  out.set(id, at + 2);
  return writePlace(out, at + 2 + id.length, offset, length);
}

/** u64 offset and u32 length, byte by byte: entries are not aligned. */
function writePlace(out: Uint8Array, at: number, offset: number, length: number): number {
  const low = offset >>> 0;
  const high = (offset - low) / 0x1_0000_0000;
  out[at] = low;
  out[at + 1] = low >>> 8;
  out[at + 2] = low >>> 16;
  out[at + 3] = low >>> 24;
  out[at + 4] = high;
  out[at + 5] = high >>> 8;
  out[at + 6] = high >>> 16;
  out[at + 7] = high >>> 24;
  out[at + 8] = length;
  out[at + 9] = length >>> 8;
  out[at + 10] = length >>> 16;
  out[at + 11] = length >>> 24;
  return at + 12;
}

/** Entries on their way into an index.bin that is open for appending. */
export class IndexAppender {
  readonly tail: FileTail;
  /** Entries in the file, published or not. */
  entries: number;
  readonly file: DiskFile;
  readonly #kernel: Kernel;
  /** Entries that count. */
  #published: number;

  constructor(
    file: DiskFile,
    point: IndexPoint,
    kernel: Kernel,
    onFailure: (cause: unknown) => void,
  ) {
    this.file = file;
    this.#kernel = kernel;
    this.entries = point.entries;
    this.#published = point.entries;
    this.tail = new FileTail(file, point.bytes, onFailure);
  }

  get point(): IndexPoint {
    return { entries: this.entries, bytes: this.tail.end };
  }

  append(bytes: Uint8Array, records: Uint32Array, from: number, to: number, base: number): void {
    appendRecords(this.#kernel, this.tail, bytes, records, from, to, base);
    this.entries += to - from;
  }

  appendOne(id: string, offset: number, length: number): void {
    appendEntry(this.tail, id, offset, length);
    this.entries++;
  }

  /**
   * Writes `patches` over entries and makes all entries appended count; durable once this resolves.
   */
  async publish(patches: readonly EntryPatch[]): Promise<void> {
    await this.tail.drain();
    for (const { position, bytes } of patches) await this.file.write(bytes, position);
    await this.file.sync();
    if (this.entries === this.#published) return;
    const count = new Uint8Array(8);
    new DataView(count.buffer).setBigUint64(0, BigInt(this.entries), true);
    await this.file.write(count, 8);
    await this.file.sync();
    this.#published = this.entries;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** Writes the entries of the records that are not dead, in runs. Answers how many there were. */
export function appendLiving(
  kernel: Kernel,
  tail: EntryRoom,
  bytes: Uint8Array,
  records: Uint32Array,
  count: number,
  base: number,
  dead: Uint8Array,
): number {
  let entries = 0;
  for (let i = 0; i < count; ) {
    if (dead[i] !== 0) {
      i++;
      continue;
    }
    let to = i;
    while (to < count && dead[to] === 0 && isPlain(records, to)) to++;
    if (to > i) appendRecords(kernel, tail, bytes, records, i, to, base);
    else {
      const start = records[i * RECORD_WORDS]!;
      const length = records[i * RECORD_WORDS + LineRecord.end]! - start + 1;
      appendEntry(tail, keyText(bytes, records, i)!, base + start, length);
      to = i + 1;
    }
    entries += to - i;
    i = to;
  }
  return entries;
}

function isPlain(records: Uint32Array, i: number): boolean {
  return records[i * RECORD_WORDS + LineRecord.keyKind] === KeyKind.plain;
}

/**
 * Writes a whole new index.bin beside the old one and puts it in its place: temporary file, sync,
 * rename, sync of the folder. `fill` appends the entries.
 */
export async function rewriteIndex(
  disk: Disk,
  path: string,
  folder: string,
  fill: (tail: FileTail) => Promise<number>,
): Promise<IndexPoint> {
  const temporary = `${path}.tmp`;
  const file = await disk.open(temporary, 'create', path);
  try {
    await file.truncate(0);
    const failure: { cause?: unknown } = {};
    const tail = new FileTail(file, INDEX_HEADER_BYTES, (cause) => {
      failure.cause ??= cause;
    });
    const entries = await fill(tail);
    await tail.drain();
    if (failure.cause !== undefined) throw failure.cause;
    await file.write(indexHeader(entries), 0);
    await file.sync();
    await disk.rename(temporary, path);
    await disk.syncDir(folder);
    return { entries, bytes: tail.end };
  } finally {
    await file.close();
  }
}
