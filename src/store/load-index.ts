/**
 * Reading index.bin (index-file.ts has the layout) into an id index, piece by piece and without a
 * string per entry; equal hashes are confirmed against the stored ids. Writes nothing. An index that
 * is missing, cut short or of no known form is none; entries that cannot be right are CORRUPTED_INDEX.
 */
import { isEtlError } from '../core/errors.ts';
import type { DiskFile } from '../io/disk.ts';
import type { IdIndex, IndexLoad } from '../kernels/index.ts';
import { ENTRY_BYTES, type IndexPoint, writeEntry } from './index-file.ts';
import { INDEX_HEADER_BYTES, INDEX_MAGIC, INDEX_VERSION } from './index-header.ts';
import type { SyncFile } from './scan-snapshot.ts';
import type { StoredLines } from './stored-lines.ts';

const PIECE_BYTES = 1 << 20;
const CONFLICT_STEP_BYTES = 128;

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
    return follow(loadBinary(size, index, count, confirm), readerOf(file));
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
    return await loadIndex(file, index, confirmBy(stored));
  } catch (error) {
    if (isForeign(error)) return undefined;
    throw error;
  }
}

/** The same within this turn, of the first `count` entries of a binary index.bin of `size` bytes. */
export function tryLoadIndexSync(
  file: SyncFile,
  size: number,
  index: IdIndex,
  count: number,
  stored: StoredLines,
): LoadedIndex | undefined {
  try {
    const loading = loadBinary(size - INDEX_HEADER_BYTES, index, count, confirmBy(stored));
    let step = loading.next(0);
    while (!step.done) step = loading.next(file.readSync(step.value.target, step.value.offset));
    return step.value;
  } catch (error) {
    if (isForeign(error)) return undefined;
    throw error;
  }
}

function confirmBy(stored: StoredLines): ConfirmId {
  return (offset, length, id) => stored.hasId(offset, length, Buffer.from(id).toString());
}

/** Entries that lead to no document: not an index of this data. */
function isForeign(error: unknown): boolean {
  const wrong = isEtlError(error, 'IO_ERROR') || isEtlError(error, 'CORRUPTED_INDEX');
  return wrong || error instanceof SyntaxError;
}

/** An entry that a walk stopped in front of. */
export interface EntryStop {
  /** Entries around it, the first from its first byte on; the last one may be cut. */
  readonly piece: Uint8Array;
  /** Where it begins in the piece, and in the file. */
  readonly at: number;
  readonly position: number;
  readonly entry: NonNullable<IndexLoad['conflict']>;
  readonly id: Uint8Array;
}

/** Reads index.bin from a place on, as `DiskFile.read`. */
export type ReadEntries = (target: Uint8Array, offset: number) => Promise<number>;

/** Yields what it wants filled from `offset` of index.bin on, and is sent how many bytes that became. */
type Walk = Generator<
  { readonly target: Uint8Array; readonly offset: number },
  LoadedIndex | undefined,
  number
>;

function readerOf(file: DiskFile): ReadEntries {
  return (target, offset) => file.read(target, offset);
}

async function follow(loading: Walk, read: ReadEntries): Promise<LoadedIndex | undefined> {
  let step = loading.next(0);
  while (!step.done) step = loading.next(await read(step.value.target, step.value.offset));
  return step.value;
}

/**
 * Goes through the first `count` entries of an index.bin of `size` bytes behind its header. `step`
 * takes as many of a piece as it can (`IdIndex.append`, `load` or `seek`), and `onStop` gets those that
 * it stops in front of. Undefined where there are fewer, or where a step is.
 */
export function walkEntries(
  file: DiskFile,
  size: number,
  count: number,
  step: WalkStep,
  onStop: (stop: EntryStop) => void,
): Promise<LoadedIndex | undefined> {
  return follow(walk(size, count, step, onStop), readerOf(file));
}

type WalkStep = (piece: Uint8Array, left: number) => IndexLoad | undefined;

function* walk(
  size: number,
  count: number,
  step: WalkStep,
  onStop: (stop: EntryStop) => void,
): Walk {
  let left = count;
  let end = 0;
  let at = INDEX_HEADER_BYTES;
  let buffer = new Uint8Array(Math.max(1, Math.min(PIECE_BYTES, size)));
  while (left > 0) {
    const got = yield { target: buffer, offset: at };
    let used = 0;
    // A call costs as much as the bytes it is given: few where ids come again and again.
    let most = buffer.length;
    while (left > 0) {
      const piece = buffer.subarray(used, Math.min(got, used + most));
      const stepped = step(piece, left);
      if (stepped === undefined) return undefined;
      const { consumed, conflict: entry, ...walked } = stepped;
      used += consumed;
      left -= walked.count;
      end = Math.max(end, walked.end);
      if (entry === undefined) {
        if (used + piece.length - consumed >= got) break;
        most *= 4;
        continue;
      }
      most = CONFLICT_STEP_BYTES;
      const id = piece.subarray(entry.idStart, entry.idEnd);
      onStop({ piece: buffer.subarray(0, got), at: used, position: at + used, entry, id });
      used += entry.size;
      left--;
      end = Math.max(end, entry.offset + entry.length);
    }
    at += used;
    if (left > 0 && used === 0) {
      if (got < buffer.length) return undefined;
      buffer = new Uint8Array(buffer.length * 2);
    }
  }
  return { entries: count, bytes: at, end };
}

/** At once where no two ids have the same hash, as good as always; else entry by entry. */
function* loadBinary(size: number, index: IdIndex, count: number, confirm: ConfirmId): Walk {
  // The index makes room for as many entries as it is told of.
  if (count * ENTRY_BYTES > size) return undefined;
  const onStop = (stop: EntryStop): void => place(index, stop, confirm);
  if (index.reserve(count)) {
    const append = (piece: Uint8Array, left: number) => index.append(piece, left);
    const appended = yield* walk(size, count, append, onStop);
    if (appended && index.settle()) return appended;
    index.reserve(count);
  }
  const load = (piece: Uint8Array, left: number) => index.load(piece, left);
  return yield* walk(size, count, load, onStop);
}

/** Puts an entry whose hash is present: over the entry of the same id, else beside it. */
function place(index: IdIndex, { entry, id }: EntryStop, confirm: ConfirmId): void {
  const { hashLow: low, hashHigh: high, offset, length } = entry;
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
  const read: ReadEntries = async (target, offset) => {
    const part = out.subarray(
      offset - INDEX_HEADER_BYTES,
      Math.min(at, offset - INDEX_HEADER_BYTES + target.length),
    );
    target.set(part);
    return part.length;
  };
  const loaded = await follow(loadBinary(at, index, entries, confirm), read);
  // Never the checkpoint that the log names, whatever it holds: no entries can be appended to it.
  return loaded && { ...loaded, bytes: 0 };
}
