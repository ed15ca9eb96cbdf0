/**
 * Putting a whole new collection in the place of the old one: data, index and log together or not
 * at all, while others read.
 *
 * The three new files are written beside the old ones as `NAME.next-G`, G being the generation that
 * the new log states in its first line, and synced. The rename of the log is the moment of truth:
 * before it the new files are leftovers, from it on the collection is the new one, and a data or
 * index file still called `next-G` is the real one. The other renames only tidy up; whoever opens
 * for writing next finishes them. index.bin is gone while data.jsonl is exchanged, so that programs
 * which know nothing of this index the data anew instead of reading at wrong places.
 *
 * Readers take no lock: they look where the files are, open them, look again, and start over when
 * something moved in between. Open files stay readable whatever becomes of their names.
 */
import { EtlError } from '../core/errors.ts';
import type { Disk } from '../io/disk.ts';
import { openIfThere } from '../io/open-if-there.ts';
import type { CollectionPaths } from './layout.ts';

/** Where the files of the current generation stand. */
export interface Located {
  readonly generation: number;
  readonly paths: CollectionPaths;
}

const HEAD_BYTES = 256;
const FIRST_LINE = /^\{"sum":"[0-9a-f]{16}","op":"compact","generation":(\d+),/;
const MOST_TRIES = 1000;

/** The generation of the log in place; 0 for one that was never written anew, and for none. */
export async function readGeneration(disk: Disk, path: string): Promise<number> {
  const file = await openIfThere(disk, path);
  if (file === undefined) return 0;
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    await file.read(head, 0);
    return Number(FIRST_LINE.exec(head.toString('latin1'))?.[1] ?? 0);
  } finally {
    await file.close();
  }
}

/** The names that the files of a new generation are written under. */
export function nextPaths(paths: CollectionPaths, generation: number): CollectionPaths {
  const next = (path: string): string => `${path}.next-${generation}`;
  return { ...paths, data: next(paths.data), index: next(paths.index), log: next(paths.log) };
}

/** What a file of a new generation takes the place of. */
export function replacedBy(path: string): string {
  return path.replace(/\.next-\d+$/, '');
}

/** True for names that only a collection being written anew has. */
export function isLeftover(name: string): boolean {
  return /^(data\.jsonl|index\.bin|commits\.log)\.next-\d+$/.test(name) || name === 'index.bin.tmp';
}

/**
 * For readers: runs `open` on files of one generation. `discard` undoes an opening that came
 * between two generations.
 */
export async function openSettled<T>(
  disk: Disk,
  paths: CollectionPaths,
  open: (located: Located) => Promise<T>,
  discard: (opened: T) => Promise<void>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const before = await locate(disk, paths);
    const result = await open(before).then(
      (value) => ({ value }),
      (cause: unknown) => ({ cause }),
    );
    const after = await locate(disk, paths);
    const moved =
      before.generation !== after.generation ||
      before.paths.data !== after.paths.data ||
      before.paths.index !== after.paths.index;
    if (!moved && 'value' in result) return result.value;
    if (!moved && 'cause' in result) throw result.cause;
    if ('value' in result) await discard(result.value);
    if (attempt === MOST_TRIES) {
      throw new EtlError('IO_ERROR', 'the files were replaced again and again while opening', {
        place: { path: paths.data },
      });
    }
  }
}

/** For a writer with the lock: ends what a crash interrupted. Answers the names removed. */
export async function finishReplacement(disk: Disk, paths: CollectionPaths): Promise<string[]> {
  const left = (await disk.list(paths.meta)).filter(({ name }) => isLeftover(name));
  if (left.length === 0) return [];
  const { paths: real } = await locate(disk, paths);
  await moveInPlace(disk, paths, real);
  const removed: string[] = [];
  for (const { name } of left) {
    const path = `${paths.meta}/${name}`;
    if (path === real.data || path === real.index) continue;
    await disk.remove(path);
    removed.push(name);
  }
  return removed;
}

/**
 * Makes the synced files of `generation` the collection. A failure leaves one of the two states;
 * which one, the next opening finds out.
 */
export async function replaceCollection(
  disk: Disk,
  paths: CollectionPaths,
  generation: number,
): Promise<void> {
  await disk.syncDir(paths.meta);
  const next = nextPaths(paths, generation);
  await disk.rename(next.log, paths.log);
  await disk.syncDir(paths.meta);
  await moveInPlace(disk, paths, next);
}

/** Removes the files of a generation that is not to be. */
export async function discardNext(
  disk: Disk,
  paths: CollectionPaths,
  generation: number,
): Promise<void> {
  const next = nextPaths(paths, generation);
  for (const path of [next.log, next.index, next.data]) await disk.remove(path);
}

async function locate(disk: Disk, paths: CollectionPaths): Promise<Located> {
  const generation = await readGeneration(disk, paths.log);
  if (generation === 0) return { generation, paths };
  const next = nextPaths(paths, generation);
  const has = async (path: string) => (await disk.stat(path)) !== undefined;
  // The data first: it is renamed first, and index.bin beside the new data is never the old one.
  const data = (await has(next.data)) ? next.data : paths.data;
  const index = (await has(next.index)) ? next.index : paths.index;
  return { generation, paths: { ...paths, data, index } };
}

async function moveInPlace(
  disk: Disk,
  paths: CollectionPaths,
  real: CollectionPaths,
): Promise<void> {
  if (real.data !== paths.data) {
    if (real.index !== paths.index) {
      await disk.remove(paths.index);
      await disk.syncDir(paths.meta);
    }
    await disk.rename(real.data, paths.data);
    await disk.syncDir(paths.meta);
  }
  if (real.index === paths.index) return;
  await disk.rename(real.index, paths.index);
  await disk.syncDir(paths.meta);
}
