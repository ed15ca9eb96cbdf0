/**
 * Files that a followed one was rotated to, beside it: `a.log.1`, `a-2024.log.gz`.
 *
 * Which of them holds the bytes of a place is told by these bytes. Those that came after it, when there
 * was more than one rotation, are told by their names, which differ from its own in numbers and
 * compression only, and their order by the times of their last changes, which compressors keep; of those
 * changed at once, as file systems count it, by the numbers: from `.3` to `.1`, but dates upwards.
 */
import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isEtlError } from '../core/errors.ts';
import { waitMs } from '../core/retry.ts';
import { type OpenHow, openFileInput } from './byte-input.ts';
import type { InputReader } from './input-place.ts';
import type { TailPlace } from './tail-source.ts';

/** A file that is left, or about to be. */
export interface RotatedFile {
  readonly path: string;
  readonly stats: BigIntStats;
  /** The place reached in it; undefined where nothing of it was read. */
  readonly place: TailPlace | undefined;
}

/** The same with what stands behind the place. The caller closes the reader. */
export type OpenedRotated = RotatedFile & { readonly reader: InputReader };

/** How what is found is read: until when, and how many bytes at a time. */
type Reading = Pick<OpenHow, 'signal' | 'chunkBytes'>;

const COMPRESSED = /\.(gz|zst|br)$/;

/** The file beside `path` with the bytes before a place. Errors: the signal's reason. */
export async function findRest(
  path: string,
  place: TailPlace,
  reading: Reading,
): Promise<OpenedRotated | undefined> {
  for (let files = await listBeside(path); ; ) {
    for (const file of files) {
      const reader = await openAt(file.path, place, reading);
      if (reader) return { ...file, place, reader };
    }
    const now = await listBeside(path);
    if (isSame(files, now)) return undefined;
    files = now;
  }
}

/** What a file that was at `path` has become: by its inode, or compressed by what it begins with. */
export async function findRenamed(
  path: string,
  stats: BigIntStats,
  place: TailPlace | undefined,
): Promise<RotatedFile | undefined> {
  const renamed = (await listBeside(path)).find((other) => other.stats.ino === stats.ino);
  if (renamed || !place) return renamed && { ...renamed, place };
  const { signal } = new AbortController();
  const found = await findRest(path, place, { signal, chunkBytes: 1 << 20 });
  await found?.reader.close();
  return found && { ...found, stats };
}

/**
 * The file that was at `path` next after `old`, if it has gone too. Waits until it has been quiet for
 * `graceMs`, as its writer may not have noticed yet. `current` is the inode of the one there now.
 * Errors: IO_ERROR, the signal's reason.
 */
export async function findNext(
  path: string,
  old: RotatedFile,
  how: Reading & { readonly current: bigint | undefined; readonly graceMs: number },
): Promise<OpenedRotated | undefined> {
  const { current, graceMs, signal } = how;
  for (;;) {
    signal.throwIfAborted();
    const all = await listBeside(path);
    const next = oldestAfter(old, all, path, current);
    if (!next) return undefined;
    const quietMs = Date.now() - Number(next.stats.mtimeMs);
    if (quietMs < graceMs) {
      await waitMs(Math.min(graceMs, graceMs - quietMs), signal);
      continue;
    }
    const isLeft = all.some(({ stats }) => stats.ino === old.stats.ino);
    if (!isLeft && old.place && (COMPRESSED.test(next.path) || compare(next, old, path) === 0)) {
      // The same with another inode; not every compressor keeps the time.
      const reader = await openAt(next.path, old.place, how);
      if (reader) return { ...next, place: old.place, reader };
    }
    const opening = openFileInput(next.path, openHow(next.path, undefined, how));
    const reader = await opening.catch(() => undefined);
    const { ino } = (await stat(next.path, { bigint: true }).catch(() => undefined)) ?? {};
    if (ino === next.stats.ino) return { ...next, place: undefined, reader: await opening };
    // Renamed between the two looks.
    await reader?.close();
  }
}

function oldestAfter(
  old: RotatedFile,
  all: readonly Beside[],
  path: string,
  current: bigint | undefined,
): Beside | undefined {
  const family = familyOf(old.path, path);
  const names = new Set(all.map((each) => each.path));
  const left = all.find(({ stats }) => stats.ino === old.stats.ino);
  const reached = { path: left?.path ?? old.path, stats: old.stats };
  return all
    .filter((each) => each !== left && each.stats.ino !== current)
    .filter((each) => familyOf(each.path, path) === family)
    .filter((each) => compare(each, reached, path) >= (left ? 1 : 0))
    .filter((each) => !COMPRESSED.test(each.path) || !names.has(plainName(each.path)))
    .sort((a, b) => compare(a, b, path))[0];
}

/** Below, at or above 0 as one had the name before, at once with or after the other. */
function compare(one: Beside, other: Beside, path: string): number {
  const age = one.stats.mtimeNs - other.stats.mtimeNs;
  if (age !== 0n) return age < 0n ? -1 : 1;
  const [a, b] = [suffixOf(one.path, path), suffixOf(other.path, path)];
  const order = a.localeCompare(b, 'en', { numeric: true });
  return /\d{4}/.test(a) ? order : -order;
}

/** Opens a file behind a place; undefined where it is no file with these bytes. */
async function openAt(
  path: string,
  place: TailPlace,
  reading: Reading,
): Promise<InputReader | undefined> {
  try {
    return await openFileInput(path, openHow(path, place, reading));
  } catch (error) {
    reading.signal.throwIfAborted();
    if (!isEtlError(error)) throw error;
    return undefined;
  }
}

function openHow(path: string, from: TailPlace | undefined, reading: Reading): OpenHow {
  const { signal, chunkBytes } = reading;
  return { signal, chunkBytes, from, at: { name: path, input: 0 } };
}

type Beside = Pick<RotatedFile, 'path' | 'stats'>;

/** The files beside it whose names begin as its own; looks until no name changes meanwhile. */
async function listBeside(path: string): Promise<Beside[]> {
  for (let before = await lookBeside(path); ; ) {
    const now = await lookBeside(path);
    if (isSame(before, now)) return now;
    before = now;
  }
}

async function lookBeside(path: string): Promise<Beside[]> {
  const folder = dirname(path);
  const stem = stemOf(path);
  const names = await readdir(folder).catch(() => [] as string[]);
  const found: Beside[] = [];
  for (const name of names.sort()) {
    if (name === basename(path) || !name.startsWith(stem)) continue;
    const other = join(folder, name);
    const stats = await stat(other, { bigint: true }).catch(() => undefined);
    if (stats?.isFile()) found.push({ path: other, stats });
  }
  return found;
}

function isSame(some: readonly Beside[], others: readonly Beside[]): boolean {
  const nameOf = ({ path, stats }: Beside): string => `${stats.ino} ${path}`;
  return some.map(nameOf).join('\n') === others.map(nameOf).join('\n');
}

/** What a rotated file's name has beyond that of `path`, numbers and compression apart. */
function familyOf(rotated: string, path: string): string {
  return suffixOf(rotated, path).replaceAll(/\d+/g, '#');
}

function suffixOf(rotated: string, path: string): string {
  return basename(plainName(rotated)).slice(stemOf(path).length);
}

function plainName(path: string): string {
  return path.replace(COMPRESSED, '');
}

function stemOf(path: string): string {
  return basename(path).replace(/\.[^.]*$/, '');
}
