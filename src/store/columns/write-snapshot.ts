/**
 * Writing a column snapshot (manifest.ts says what it is). What an earlier one that holds has of the same columns
 * stays: only bytes behind it are read, with the last chunk again as long as it is not full, and chunks of
 * which much has died. Chunks are written and synced first, then the manifest, then what nobody needs is
 * deleted; the file is compacted when more than half of it is such.
 *
 * One at a time: the drive has a lock of its own, so that readers may write snapshots beside a writer.
 */

import { makePlan, type Plan } from '../../arrow/schema.ts';
import { checkSignal } from '../../core/abort.ts';
import { checkCount } from '../../core/check-option.ts';
import { isEtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { followLink } from '../../io/replacing.ts';
import { DataStore } from '../drive/data-store.ts';
import { hashKey } from '../drive/key-indexer.ts';
import { asksNothing, type ColumnsOptions, parseWish, type Wish, wishOf } from './begin-table.ts';
import { DecodedChunk, encodeChunk, fillRange, Living } from './chunks.ts';
import {
  type Chunk,
  type CollectionState,
  chunkKey,
  findChunk,
  MANIFEST_KEY,
  type Manifest,
  parseManifest,
  probe,
  readManifest,
  sumRows,
} from './manifest.ts';
import { measure } from './measure.ts';
import { findPlan, noneDied } from './read-table.ts';
import { countRows } from './to-batch.ts';
import { unlessDamaged } from './unless-damaged.ts';

export interface SnapshotOptions extends ColumnsOptions {
  /** Rows of a chunk, for which statistics are kept. Default 65,536. */
  readonly chunkRows?: number | undefined;
}

/** What a snapshot holds, and what was done for it. */
export interface SnapshotReport {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly chunks: number;
  /** Rows and chunks that were filled from documents; the others were there. */
  readonly rowsWritten: number;
  readonly chunksWritten: number;
  /** Of the file. */
  readonly bytes: number;
  readonly seconds: number;
}

type Place = Pick<CollectionState, 'disk' | 'paths'>;

const CHUNK_ROWS = 65_536;
/** A chunk is filled anew when more than one in so many of its rows are dead. */
const DEAD_SHARE = 8;

/**
 * As `FastStore.snapshot`. The state is that of a commit, the last one when the drive is locked: what another process has
 * written by then is of no later one.
 */
export async function writeSnapshot(
  place: Place,
  options: SnapshotOptions,
  commit: () => Promise<CollectionState>,
): Promise<SnapshotReport> {
  const started = performance.now();
  const { chunkRows = CHUNK_ROWS } = options;
  checkCount('chunkRows', chunkRows);
  const drive = await openDrive(place);
  let state: CollectionState | undefined;
  try {
    state = await commit();
    const { manifest, written } = await update(drive, state, options, chunkRows);
    await tidyUp(drive, manifest);
    const bytes = drive.fileSize();
    await drive.close();
    const { chunks, columns } = manifest;
    return {
      path: place.paths.columns,
      columns: columns.map(({ name }) => name),
      rows: sumRows(chunks),
      chunks: chunks.length,
      rowsWritten: sumRows(written),
      chunksWritten: written.length,
      bytes,
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    // What failed first is what is told; a drive that failed itself is left to the next to recover.
    await takeBack(drive, place).catch(() => undefined);
    throw error;
  } finally {
    state?.snapshot.release();
    await drive.abandon();
  }
}

/** Leaves the snapshot that was there, or no file. */
async function takeBack(drive: DataStore, { disk, paths }: Place): Promise<void> {
  const old = parseManifest(drive);
  try {
    // Once the lock is let go of the file may be another's.
    await (old ? tidyUp(drive, old) : disk.remove(paths.columns));
  } finally {
    await drive.close();
  }
}

/** The drive, made anew where it is none any more: nothing in it is missed. */
async function openDrive({ disk, paths }: Place): Promise<DataStore> {
  const open = async (): Promise<DataStore> => {
    const drive = await DataStore.open(paths.columns, { disk });
    const { cutPath } = drive.recovery;
    if (cutPath) await disk.remove(cutPath);
    return drive;
  };
  try {
    return await open();
  } catch (error) {
    if (!isEtlError(error, 'NOT_A_DRIVE')) throw error;
    await removeUnlessDrive(disk, paths.columns);
    return open();
  }
}

/** Another process may have put a drive there since it was looked at. Errors: LOCKED. */
async function removeUnlessDrive(disk: Disk, path: string): Promise<void> {
  const lock = await disk.lock(`${await followLink(disk, path)}.lock`);
  try {
    const drive = await DataStore.open(path, { mode: 'read', disk });
    await drive.close();
  } catch (error) {
    if (isEtlError(error, 'NOT_A_DRIVE')) await disk.remove(path);
    else if (!isEtlError(error, 'INVALID_PATH')) throw error;
  } finally {
    await lock.release();
  }
}

/** What a snapshot is made of, and what of it had to be written. */
interface Updated {
  readonly manifest: Manifest;
  readonly written: readonly Chunk[];
}

async function update(
  drive: DataStore,
  state: CollectionState,
  options: SnapshotOptions,
  chunkRows: number,
): Promise<Updated> {
  const { signal } = options;
  checkSignal(signal, 'the snapshot was stopped');
  const found = await readManifest(drive, state);
  const old = found?.manifest;
  const wish = old && asksNothing(options) ? wishOf(old) : parseWish(options);
  // Chunks that the snapshot in use names must not be overwritten.
  const lastId = Math.max(0, ...(old?.chunks.map(({ id }) => id) ?? []));
  const job = { drive, state, wish, chunkRows, lastId, signal };
  if (old && found?.holds && isSameWish(old, wish)) {
    const parts = await unlessDamaged(() => keepParts(drive, state, old, chunkRows));
    if (parts?.every((part) => 'id' in part && old.chunks.includes(part))) {
      return { manifest: old, written: [] };
    }
    try {
      if (parts) return await write(job, makePlan(old.columns), parts);
    } catch (error) {
      if (wish.plan || !isEtlError(error, 'SCHEMA_CHANGED')) throw error;
    }
  }
  return write(job, await findPlan(state, wish, signal), [{ from: 0, to: state.snapshot.end }]);
}

function isSameWish({ definition, columns }: Manifest, wish: Wish): boolean {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  return same(definition, wish.definition) && (!wish.plan || same(columns, wish.plan.columns));
}

/** A stretch of the data to be filled. */
interface Stretch {
  readonly from: number;
  to: number;
}

/** Chunks to keep and stretches to fill, in order. Errors: what `unlessDamaged` takes. */
async function keepParts(
  drive: DataStore,
  state: CollectionState,
  { chunks, ...old }: Manifest,
  chunkRows: number,
): Promise<(Chunk | Stretch)[]> {
  const parts: (Chunk | Stretch)[] = [];
  const fillUp = (from: number, to: number): void => {
    const last = parts.at(-1);
    if (last && !('id' in last)) last.to = to;
    else parts.push({ from, to });
  };
  const { end } = state.snapshot;
  const same = noneDied(state, old);
  const { fields } = makePlan(old.columns).schema;
  let living: Living | undefined;
  for (const [i, chunk] of chunks.entries()) {
    const entry = findChunk(drive, chunk);
    let alive = chunk.rows;
    if (!same || !chunk.whole) {
      living ??= new Living(state);
      const starts = await new DecodedChunk(entry, fields).starts();
      alive = countRows(living.runs(starts, chunk, old.definition.where === undefined));
    }
    const grows = i === chunks.length - 1 && chunk.rows < chunkRows && end > old.end;
    if (grows || (chunk.rows - alive) * DEAD_SHARE > chunk.rows) fillUp(chunk.from, chunk.to);
    else {
      const whole = alive === chunk.rows;
      const place = entry.endOffset;
      const isAsItWas = whole === chunk.whole && place === chunk.place;
      parts.push(isAsItWas ? chunk : { ...chunk, place, whole });
    }
  }
  if (end > old.end) fillUp(old.end, end);
  return parts;
}

interface Job {
  readonly drive: DataStore;
  readonly state: CollectionState;
  readonly wish: Wish;
  readonly chunkRows: number;
  /** New chunks have higher ids. */
  readonly lastId: number;
  readonly signal: AbortSignal | undefined;
}

/** Fills the stretches, and makes the whole what the drive holds. Errors: SCHEMA_CHANGED. */
async function write(
  { drive, state, wish, chunkRows, lastId, signal }: Job,
  plan: Plan,
  parts: readonly (Chunk | Stretch)[],
): Promise<Updated> {
  const { definition, where } = wish;
  const input = { state, plan, where, allFields: !definition.fields, batchRows: chunkRows, signal };
  const { fields } = plan.schema;
  const chunks: Chunk[] = [];
  const written: Chunk[] = [];
  let id = lastId;
  for (const part of parts) {
    if ('id' in part) {
      chunks.push(part);
      continue;
    }
    let { from } = part;
    for await (const group of fillRange(input, from, part.to)) {
      const key = chunkKey(++id);
      await drive.writeStream(key, encodeChunk(plan, group), { signal });
      const entry = drive.read(key)!;
      const { size: bytes, checksum: crc, endOffset: place } = entry;
      const { rows, end: to } = group;
      const decoded = new DecodedChunk(entry, fields);
      const values = fields.map((field) => decoded.plainValues(field)?.[0] ?? null);
      const stats = plan.columns.map((column, i) => measure(column, group.columns[i]!));
      const chunk = { id, from, to, rows, bytes, crc, place, whole: true, values, stats };
      chunks.push(chunk);
      written.push(chunk);
      from = to;
    }
  }
  await drive.sync();
  const { snapshot, generation, lines, documents } = state;
  const { end } = snapshot;
  const manifest: Manifest = {
    format: 'zds-columns',
    version: 1,
    generation,
    end,
    ...(await probe(snapshot.file, end)),
    lines,
    documents,
    definition,
    columns: plan.columns,
    chunks,
    at: new Date().toISOString(),
  };
  await drive.write(MANIFEST_KEY, Buffer.from(JSON.stringify(manifest)));
  await drive.sync();
  return { manifest, written };
}

/** Deletes what the manifest does not name, and compacts where that is worth it. */
async function tidyUp(drive: DataStore, { chunks }: Manifest): Promise<void> {
  const keys = [MANIFEST_KEY, ...chunks.map(({ id }) => chunkKey(id))];
  const needed = new Set(keys.map(hashKey));
  const stale: bigint[] = [];
  for (const { keyHash } of drive.iterEntries()) if (!needed.has(keyHash)) stale.push(keyHash);
  if (stale.length > 0) await drive.batchDeleteKeyHashes(stale);
  if (drive.estimateCompactionSavings() * 2 > drive.fileSize()) await drive.compact();
}
