/**
 * The column snapshot of a collection: meta/columns.drive, an R-Drive file in the place that other programs
 * ignore. Under the key `manifest` stands what it was made from and what it holds, as JSON; under `chunk/N`
 * the columns of a stretch of data.jsonl, an Arrow IPC stream with one record batch, whose last column says
 * where each row's line begins.
 *
 * Everything in it can be made anew from the documents, and it is used only where that would give the same:
 * the manifest is written and synced after its chunks, carries its checksum, and names the generation of the
 * collection and the bytes that it covers by their beginning and end. Where these are others (it was compacted, say),
 * only the columns' definition is taken, to make the same anew. Whatever is wrong with the file is as if it were not
 * there.
 */

import { isEtlError } from '../../core/errors.ts';
import type { Disk, DiskFile } from '../../io/disk.ts';
import { hasher } from '../../kernels/hasher.ts';
import type { Column, Kernel } from '../../kernels/types.ts';
import { formatSum } from '../commit-log.ts';
import { type EntryLookup, openLookup } from '../drive/chain-lookup.ts';
import type { DataStore } from '../drive/data-store.ts';
import type { EntryHandle } from '../drive/entry-handle.ts';
import type { CollectionPaths } from '../layout.ts';
import type { Snapshot } from '../scan-snapshot.ts';
import type { ColumnStats } from './measure.ts';

/** What tells one moment of a collection from others. */
export interface Moment {
  readonly generation: number;
  /** Document lines before the snapshot's end, and how many of them are alive. */
  readonly lines: number;
  readonly documents: number;
  /** A log of ours vouches for the bytes. */
  readonly isLogged: boolean;
  readonly snapshot: Pick<Snapshot, 'file' | 'end'>;
}

/** A collection at some moment, as a scan sees it. */
export interface CollectionState extends Moment {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly snapshot: Snapshot;
}

/** What the columns are made of. */
export interface Definition {
  /** Dotted paths; all top-level fields where absent. */
  readonly fields?: readonly string[];
  /** The types were given, not found. */
  readonly typed?: true;
  /** Documents to take, as an expression. */
  readonly where?: string;
}

/** The columns of the living documents in the bytes [from, to). */
export interface Chunk {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** Size and checksum of the entry. */
  readonly bytes: number;
  readonly crc: number;
  /** Where its payload ended when the manifest was written; the drive may have been compacted since. */
  readonly place?: number;
  /** All rows were alive when the manifest was written. */
  readonly whole: boolean;
  /** Where in the entry the values of each column begin that are plain (`DecodedChunk.plainValues`); null for others. */
  readonly values?: readonly (number | null)[];
  readonly stats: readonly ColumnStats[];
}

export interface Manifest {
  readonly format: 'zds-columns';
  readonly version: 1;
  readonly generation: number;
  /** One past the last byte covered. */
  readonly end: number;
  /** Hashes of the first and the last of the bytes covered. */
  readonly head: string;
  readonly tail: string;
  /** Lines covered, and how many of them were alive. */
  readonly lines: number;
  readonly documents: number;
  readonly definition: Definition;
  readonly columns: readonly Column[];
  /** In the order of the bytes; what lies between them held no document to take. */
  readonly chunks: readonly Chunk[];
  readonly at: string;
}

/** The key of the manifest. */
export const MANIFEST_KEY = 'manifest';
const PROBE_BYTES = 4096;
/** Of a shorter file the columns asked for are read in less time than it takes to map it. */
const MAP_FROM = 64 << 20;

/** The key of a chunk. */
export const chunkKey = (id: number): string => `chunk/${id}`;

/** Hashes that tell the bytes before `end` from others. */
export async function probe(file: DiskFile, end: number): Promise<Pick<Manifest, 'head' | 'tail'>> {
  const read = async (from: number, to: number): Promise<string> => {
    const bytes = new Uint8Array(to - from);
    await file.read(bytes, from);
    return formatSum(hasher.hash(bytes));
  };
  const [head, tail] = await Promise.all([
    read(0, Math.min(end, PROBE_BYTES)),
    read(Math.max(0, end - PROBE_BYTES), end),
  ]);
  return { head, tail };
}

/** The manifest in a drive, and whether its chunks are of the collection as it is. */
export interface FoundManifest {
  readonly manifest: Manifest;
  /** Where false it only tells what the snapshot is made of. */
  readonly holds: boolean;
}

/** Undefined where there is none that can be read. */
export async function readManifest(
  drive: Pick<EntryLookup, 'read'>,
  state: CollectionState,
): Promise<FoundManifest | undefined> {
  const manifest = parseManifest(drive);
  return manifest && { manifest, holds: await holdsFor(manifest, state) };
}

/** The manifest, whatever became of the collection; undefined where there is none that can be read. */
export function parseManifest(drive: Pick<EntryLookup, 'read'>): Manifest | undefined {
  const entry = drive.read(MANIFEST_KEY);
  if (entry === undefined || !entry.isValidChecksum()) return undefined;
  const manifest = parse(entry);
  return manifest?.format === 'zds-columns' && manifest.version === 1 ? manifest : undefined;
}

/** Whether the snapshot's chunks are of the collection as it is. */
export async function holdsFor(
  { generation, end, lines, documents, head, tail }: Manifest,
  state: Moment,
): Promise<boolean> {
  const { snapshot } = state;
  if (!state.isLogged || generation !== state.generation) return false;
  if (end > snapshot.end || lines > state.lines) return false;
  // Lines that died stay dead: where more have than here, it was made later, without what lives here.
  if (lines - documents > state.lines - state.documents) return false;
  const found = await probe(snapshot.file, end);
  return found.head === head && found.tail === tail;
}

/** A snapshot with its drive, open for reading. */
export interface OpenSnapshot {
  readonly manifest: Manifest;
  readonly drive: EntryLookup;
}

/** Opens the snapshot of a collection; undefined where there is none that can be read. */
export async function openSnapshot({
  disk,
  paths,
}: Pick<CollectionState, 'disk' | 'paths'>): Promise<OpenSnapshot | undefined> {
  let drive: EntryLookup | undefined;
  try {
    drive =
      (await openLookup(disk, paths.columns, MAP_FROM)) ?? (await openWhole(disk, paths.columns));
    const manifest = parseManifest(drive);
    if (manifest) return { drive, manifest };
  } catch (error) {
    await drive?.close();
    if (isEtlError(error)) return undefined;
    throw error;
  }
  await drive.close();
  return undefined;
}

/** A drive that must be searched for its end. */
async function openWhole(disk: Disk, path: string): Promise<DataStore> {
  const { DataStore } = await import('../drive/data-store.ts');
  return DataStore.open(path, { mode: 'read', disk, mapFrom: MAP_FROM });
}

/** The entry of a chunk. Errors: RangeError where it is not the one that the manifest means. */
export function findChunk(
  drive: Pick<EntryLookup, 'at' | 'read'>,
  { id, bytes, crc, place }: Chunk,
): EntryHandle {
  const key = chunkKey(id);
  const isMeant = (entry: EntryHandle | undefined): entry is EntryHandle =>
    entry?.size === bytes && entry.checksum === crc;
  const placed = place === undefined ? undefined : drive.at?.(place, key);
  if (isMeant(placed)) return placed;
  const entry = drive.read(key);
  if (isMeant(entry)) return entry;
  throw new RangeError(`chunk ${id} is another`);
}

/** Rows of the chunks together. */
export function sumRows(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { rows }) => sum + rows, 0);
}

function parse(entry: EntryHandle): Manifest | undefined {
  try {
    return JSON.parse(Buffer.from(entry.payload).toString()) as Manifest;
  } catch {
    return undefined;
  }
}
