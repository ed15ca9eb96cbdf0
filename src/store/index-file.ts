/**
 * meta/index.bin: a checkpoint of the id index that the Rust crate reads too.
 *
 * Layout, little-endian: u32 0x5A445349, u32 1, u64 count, then per entry u16 id bytes, id (UTF-8),
 * u64 offset, u32 length (line end included). A later entry of an id overrides an earlier one, and
 * bytes after `count` entries mean nothing: so entries are appended behind `count` while documents
 * come in, and count for nothing until `publish` patches the count. A crash in between leaves the
 * old checkpoint as it was. Two syncs order the entries before the count.
 */
import { KeyKind, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { isEtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { IdIndex } from '../kernels/index.ts';
import { keyText } from './indexer.ts';
import { isValidIdAt } from './names.ts';
import type { StoredLines } from './stored-lines.ts';
import { FileTail } from './tail.ts';

const INDEX_MAGIC = 0x5a445349;
const INDEX_VERSION = 1;
/** Bytes before the first entry. */
export const INDEX_HEADER_BYTES = 16;
/** Bytes of an entry beside its id. */
const ENTRY_BYTES = 14;
const PIECE_BYTES = 1 << 20;
const CONFLICT_STEP_BYTES = 128;

/** A position in index.bin behind whole entries. */
export interface IndexPoint {
  readonly entries: number;
  readonly bytes: number;
}

/** What an index.bin held; `end` is the largest offset + length in it. */
export interface LoadedIndex extends IndexPoint {
  readonly end: number;
}

/** Says whether the entry in conflict is of the same id as the stored line at `offset`. */
export type ConfirmId = (offset: number, length: number, id: Uint8Array) => boolean;

/**
 * Loads index.bin, binary or legacy text, into an empty index. Answers what was read and the
 * largest end of an entry; undefined where there is no readable index (missing, empty, damaged).
 */
export async function loadIndex(
  file: DiskFile,
  index: IdIndex,
  confirm: ConfirmId,
): Promise<LoadedIndex | undefined> {
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  const got = await file.read(header, 0);
  const view = new DataView(header.buffer);
  if (got === INDEX_HEADER_BYTES && view.getUint32(0, true) === INDEX_MAGIC) {
    if (view.getUint32(4, true) !== INDEX_VERSION) return undefined;
    const count = Number(view.getBigUint64(8, true));
    const size = (await file.size()) - INDEX_HEADER_BYTES;
    return loadBinary((target, offset) => file.read(target, offset), size, index, count, confirm);
  }
  return got === 0 ? undefined : loadText(file, index, confirm);
}

/** The same, confirmed against the stored lines; undefined also where its entries lead to none. */
export async function tryLoadIndex(
  file: DiskFile,
  index: IdIndex,
  stored: StoredLines,
): Promise<LoadedIndex | undefined> {
  try {
    return await loadIndex(file, index, (offset, length, id) =>
      stored.hasId(offset, length, Buffer.from(id).toString()),
    );
  } catch (error) {
    // Entries that lead to no document: not an index of this data.
    const wrong = isEtlError(error, 'IO_ERROR') || isEtlError(error, 'CORRUPTED_INDEX');
    if (wrong || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function loadBinary(
  read: (target: Uint8Array, offset: number) => Promise<number>,
  size: number,
  index: IdIndex,
  count: number,
  confirm: ConfirmId,
): Promise<LoadedIndex | undefined> {
  // The index makes room for as many entries as it is told of.
  if (count * ENTRY_BYTES > size) return undefined;
  let left = count;
  let end = 0;
  let at = INDEX_HEADER_BYTES;
  let buffer = new Uint8Array(Math.max(1, Math.min(PIECE_BYTES, size)));
  while (left > 0) {
    const got = await read(buffer, at);
    let used = 0;
    // A call costs as much as the bytes it is given: few where ids come again and again.
    let step = buffer.length;
    while (left > 0) {
      const piece = buffer.subarray(used, Math.min(got, used + step));
      const loaded = index.load(piece, left);
      used += loaded.consumed;
      left -= loaded.count;
      end = Math.max(end, loaded.end);
      const { conflict } = loaded;
      if (conflict === undefined) {
        if (used + piece.length - loaded.consumed >= got) break;
        step *= 4;
        continue;
      }
      step = CONFLICT_STEP_BYTES;
      const id = piece.subarray(conflict.idStart, conflict.idEnd);
      const { hashLow, hashHigh, offset, length } = conflict;
      place(index, hashLow, hashHigh, offset, length, id, confirm);
      used += conflict.size;
      left--;
      end = Math.max(end, offset + length);
    }
    at += used;
    if (left > 0 && used === 0) {
      if (got < buffer.length) return undefined;
      buffer = new Uint8Array(buffer.length * 2);
    }
  }
  return { entries: count, bytes: at, end };
}

/** Puts an entry whose hash is present: over the entry of the same id, else beside it. */
function place(
  index: IdIndex,
  low: number,
  high: number,
  offset: number,
  length: number,
  id: Uint8Array,
  confirm: ConfirmId,
): void {
  for (let found = index.find(low, high); found >= 0; found = index.find(low, high, found)) {
    if (confirm(index.offset(found), index.length(found), id)) {
      index.set(found, offset, length);
      return;
    }
  }
  index.add(low, high, offset, length);
}

/** The old form, `id\toffset\tlength\n`, is loaded by writing it out in the new one first. */
async function loadText(
  file: DiskFile,
  index: IdIndex,
  confirm: ConfirmId,
): Promise<LoadedIndex | undefined> {
  const text = Buffer.alloc(await file.size());
  await file.read(text, 0);
  const lines = text.toString().split('\n');
  const out = Buffer.alloc(text.length + lines.length * ENTRY_BYTES);
  let at = 0;
  let entries = 0;
  for (const line of lines) {
    if (line === '') continue;
    const parts = /^(.+)\t(\d+)\t(\d+)\r?$/.exec(line);
    if (parts === null) return undefined;
    at = writeEntry(out, at, Buffer.from(parts[1]!), Number(parts[2]), Number(parts[3]));
    entries++;
  }
  const read = async (target: Uint8Array, offset: number): Promise<number> => {
    const part = out.subarray(
      offset - INDEX_HEADER_BYTES,
      Math.min(at, offset - INDEX_HEADER_BYTES + target.length),
    );
    target.set(part);
    return part.length;
  };
  const loaded = await loadBinary(read, at, index, entries, confirm);
  // Never the checkpoint that the log names, whatever it holds: no entries can be appended to it.
  return loaded && { ...loaded, bytes: 0 };
}

/** Where entries are put: a `FileTail`, or memory on its way elsewhere. */
export type EntryRoom = Pick<FileTail, 'reserve' | 'claim'>;

/** Writes the entries of line records [from, to) into `tail`. All keys must be plain strings. */
export function appendRecords(
  tail: EntryRoom,
  bytes: Uint8Array,
  records: Uint32Array,
  from: number,
  to: number,
  base: number,
): void {
  let size = 0;
  for (let i = from; i < to; i++) {
    const word = i * RECORD_WORDS;
    size += records[word + LineRecord.keyEnd]! - records[word + LineRecord.keyStart]!;
  }
  size += (to - from) * ENTRY_BYTES;
  const room = tail.reserve(size);
  const out = room.bytes;
  let at = room.at;
  for (let i = from; i < to; i++) {
    const word = i * RECORD_WORDS;
    const start = records[word]!;
    const end = records[word + LineRecord.end]!;
    const keyStart = records[word + LineRecord.keyStart]!;
    const keyEnd = records[word + LineRecord.keyEnd]!;
    const idBytes = keyEnd - keyStart;
    out[at] = idBytes;
    out[at + 1] = idBytes >>> 8;
    at += 2;
    for (let k = keyStart; k < keyEnd; k++) out[at++] = bytes[k]!;
    at = writePlace(out, at, base + start, end - start + 1);
  }
  tail.claim(size);
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

function writeEntry(
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
  readonly #file: DiskFile;

  constructor(file: DiskFile, point: IndexPoint, onFailure: (cause: unknown) => void) {
    this.#file = file;
    this.entries = point.entries;
    this.tail = new FileTail(file, point.bytes, onFailure);
  }

  get point(): IndexPoint {
    return { entries: this.entries, bytes: this.tail.end };
  }

  append(bytes: Uint8Array, records: Uint32Array, from: number, to: number, base: number): void {
    appendRecords(this.tail, bytes, records, from, to, base);
    this.entries += to - from;
  }

  appendOne(id: string, offset: number, length: number): void {
    appendEntry(this.tail, id, offset, length);
    this.entries++;
  }

  /** Makes the entries up to `point` count; durable once this resolves. */
  async publish(point: IndexPoint): Promise<void> {
    await this.tail.drain();
    await this.#file.sync();
    const count = new Uint8Array(8);
    new DataView(count.buffer).setBigUint64(0, BigInt(point.entries), true);
    await this.#file.write(count, 8);
    await this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The header of an index with `count` entries. */
export function indexHeader(count: number): Uint8Array {
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, INDEX_MAGIC, true);
  view.setUint32(4, INDEX_VERSION, true);
  view.setBigUint64(8, BigInt(count), true);
  return header;
}

/** Writes the entries of the records that are not dead, in runs. Answers how many there were. */
export function appendLiving(
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
    if (to > i) appendRecords(tail, bytes, records, i, to, base);
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
  const file = await disk.open(temporary, 'create');
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
