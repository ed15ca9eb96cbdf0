/**
 * index.bin with its ids, for programs that ask about the index itself. The store does not load it
 * this way: its own index keeps no ids (index-file.ts, which describes the bytes).
 *
 * Reading holds the whole file and an id per document in memory. Writing replaces the file as a
 * whole: temporary file, sync, rename, sync of the folder.
 */
import { dirname } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { Disk } from '../io/disk.ts';
import { appendEntry, rewriteIndex } from './index-file.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';

/** Where the newest version of a document stands in data.jsonl. */
export interface IndexEntry {
  readonly id: string;
  readonly offset: number;
  /** Line end included. */
  readonly length: number;
}

/** Bytes of an entry beside its id. */
const FIXED_BYTES = 14;
const FLYING_BYTES = 2 << 20;

/**
 * The entries of an index, binary or legacy text, by offset; of equal ids the last counts. Undefined
 * where there is none. Errors: CORRUPTED_INDEX with the place, IO_ERROR.
 */
export async function readEntries(disk: Disk, path: string): Promise<IndexEntry[] | undefined> {
  if ((await disk.stat(path))?.kind !== 'file') return undefined;
  const file = await disk.open(path, 'read');
  let bytes: Buffer;
  try {
    bytes = Buffer.allocUnsafe(await file.size());
    bytes = bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
  if (bytes.length === 0) return undefined;
  const magic = indexHeader(0).subarray(0, 4);
  const isBinary = bytes.length >= 4 && bytes.subarray(0, 4).equals(magic);
  const entries = isBinary ? parseBinary(bytes, path) : parseText(bytes, path);
  const newest = new Map(entries.map((entry) => [entry.id, entry]));
  return [...newest.values()].sort((a, b) => a.offset - b.offset);
}

/** Makes these the entries of index.bin, durably. */
export async function writeEntries(
  disk: Disk,
  path: string,
  entries: Iterable<IndexEntry>,
): Promise<void> {
  await rewriteIndex(disk, path, dirname(path), async (tail) => {
    let count = 0;
    for (const { id, offset, length } of entries) {
      appendEntry(tail, id, offset, length);
      if (++count % 4096 === 0) await tail.settle(FLYING_BYTES);
    }
    return count;
  });
}

function parseBinary(bytes: Buffer, path: string): IndexEntry[] {
  const torn = (at: number): EtlError => corrupted(path, at, 'the index ends too early');
  if (bytes.length < INDEX_HEADER_BYTES) throw torn(bytes.length);
  const version = bytes.readUInt32LE(4);
  if (version !== 1) throw corrupted(path, 4, `the index has version ${version}, not 1`);
  const count = Number(bytes.readBigUInt64LE(8));
  const entries: IndexEntry[] = [];
  let at = INDEX_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const idBytes = at + 2 <= bytes.length ? bytes.readUInt16LE(at) : 0;
    const next = at + idBytes + FIXED_BYTES;
    if (next > bytes.length) throw torn(at);
    entries.push({
      id: bytes.toString('utf8', at + 2, at + 2 + idBytes),
      offset: Number(bytes.readBigUInt64LE(next - 12)),
      length: bytes.readUInt32LE(next - 4),
    });
    at = next;
  }
  return entries;
}

function parseText(bytes: Buffer, path: string): IndexEntry[] {
  const entries: IndexEntry[] = [];
  let at = 0;
  for (const line of bytes.toString().split('\n')) {
    const parts = /^(.+)\t(\d+)\t(\d+)\r?$/.exec(line);
    if (parts) entries.push({ id: parts[1]!, offset: Number(parts[2]), length: Number(parts[3]) });
    else if (line !== '') throw corrupted(path, at, 'this is neither form of an index');
    at += Buffer.byteLength(line) + 1;
  }
  return entries;
}

function corrupted(path: string, offset: number, message: string): EtlError {
  return new EtlError('CORRUPTED_INDEX', message, { place: { path, offset } });
}
