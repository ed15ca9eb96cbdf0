/**
 * What to write over the entries of deleted documents in index.bin, so that nothing leads to them any
 * more and the file need not be written anew: a copy of the entry of a living document whose id has
 * as many bytes. The same entry twice means what it meant once, to the Rust crate, too.
 *
 * Costs a pass over the entries in the kernel (about 40 ns each) and no string but for those found.
 */
import type { Kernel } from '../kernels/index.ts';
import { ENTRY_BYTES, type EntryPatch, type IndexAppender } from './index-file.ts';
import { INDEX_HEADER_BYTES } from './index-header.ts';
import type { Indexer } from './indexer.ts';
import { type EntryStop, walkEntries } from './load-index.ts';

/** Documents looked at in search of a living one, before another way is taken. */
const MOST_TRIES = 1000;

/**
 * The patches that take all entries of `ids` out of what was appended and drained; none of these
 * documents may be in `indexer`. Undefined where there is no entry to put in their place.
 */
export async function replaceEntries(
  { file, point }: IndexAppender,
  ids: ReadonlySet<string>,
  kernel: Kernel,
  indexer: Indexer,
): Promise<EntryPatch[] | undefined> {
  const wanted = kernel.createIndex();
  for (const id of ids) {
    kernel.hashKey(id);
    wanted.add(kernel.keyHash[0]!, kernel.keyHash[1]!, 0, 1);
  }
  const fillers = new Map<number, Uint8Array>();
  const patches: EntryPatch[] = [];
  let complete = true;
  const replace = (stop: EntryStop): void => {
    if (!complete || !ids.has(Buffer.from(stop.id).toString())) return;
    const filler = fillers.get(stop.id.length) ?? findLiving(stop, indexer);
    if (filler === undefined) complete = false;
    else {
      fillers.set(stop.id.length, filler);
      patches.push({ position: stop.position, bytes: filler });
    }
  };
  const walked = await walkEntries(
    file,
    point.bytes - INDEX_HEADER_BYTES,
    point.entries,
    (piece, limit) => wanted.seek(piece, limit),
    replace,
  );
  return complete && walked !== undefined ? patches : undefined;
}

/** A copy of the entry of a living document with an id as long, the next one before any earlier one. */
function findLiving({ piece, at, id }: EntryStop, indexer: Indexer): Uint8Array | undefined {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  let tries = MOST_TRIES;
  for (const [from, to] of [
    [at, bytes.length],
    [0, at],
  ] as const) {
    for (let start = from; start + ENTRY_BYTES <= to; ) {
      const idEnd = start + 2 + bytes.readUInt16LE(start);
      const end = idEnd + ENTRY_BYTES - 2;
      if (end > to) break;
      if (idEnd - start - 2 === id.length) {
        const entry = indexer.find(bytes.toString('utf8', start + 2, idEnd));
        const offset = Number(bytes.readBigUInt64LE(idEnd));
        if (entry >= 0 && indexer.index.offset(entry) === offset) return piece.slice(start, end);
        if (--tries === 0) return undefined;
      }
      start = end;
    }
  }
  return undefined;
}
