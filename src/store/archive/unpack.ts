/**
 * An archive back into a folder, whoever made it. All names, kinds and claimed sizes are judged before
 * anything is written; contents then go to a temporary folder beside the target, their real sizes and
 * sums counted while they are inflated, and only when all of them are right and synced does the folder
 * get its name, by one rename. On failure the temporary folder is removed; a killed process may leave
 * it (its name begins with a dot and ends in `.tmp`).
 *
 * The lock of the store that was packed is left out: whoever held it is not here.
 */
import { dirname, join, resolve } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import { type Disk, type DiskFile, nodeDisk } from '../../io/index.ts';
import { asOfTarget, removeTree, temporaryBeside } from '../../io/temporary.ts';
import { forgetTemporary } from '../../io/temporary-registry.ts';
import { type ArchiveEntry, readDirectory } from './directory.ts';
import { findContents, readContents } from './entry-data.ts';
import { EntryTree } from './entry-tree.ts';
import { checkWork, type UnpackOptions, type UnpackSummary } from './options.ts';

/** Files being synced while the next are written. */
const MAX_SYNCING = 16;
const LOCK = '.zds/.zds_write.lock';

/**
 * Unpacks the archive `file` into `folder`, which must be missing or empty.
 * Errors: NOT_A_STORE, INVALID_PATH, UNSAFE_ARCHIVE, UNSUPPORTED, CORRUPTED_INPUT, TRUNCATED_INPUT,
 * IO_ERROR, ABORTED.
 */
export async function unpack(
  file: string,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackSummary> {
  const { disk = nodeDisk, signal } = options;
  checkWork(signal);
  const isThere = await checkTarget(disk, folder);
  // What a link leads to is replaced, not the link.
  const target = isThere ? await disk.identity(resolve(folder)) : resolve(folder);
  const archive = await disk.open(file, 'read');
  try {
    const entries = await readDirectory(archive, options);
    const tree = new EntryTree(file, entries);
    checkIsStore(tree, file);
    const temporary = temporaryBeside(target);
    try {
      await disk.mkdir(temporary);
      if (!(await keepsCase(disk, temporary))) new EntryTree(file, entries, { keepsCase: false });
      const done = await writeAll(archive, tree, temporary, { ...options, disk });
      if (isThere) await disk.removeFolder(target);
      await disk.rename(temporary, target);
      await disk.syncDir(dirname(target));
      return { path: folder, ...done };
    } catch (error) {
      await removeTree(disk, temporary).catch(() => undefined);
      throw asOfTarget(error, temporary, folder);
    } finally {
      forgetTemporary(temporary);
    }
  } finally {
    await archive.close();
  }
}

/** Errors: NOT_A_STORE, saying where the store may be. */
export function checkIsStore(tree: EntryTree, path: string): void {
  const names = (folder: string): string[] =>
    (tree.folders.get(folder) ?? [])
      .filter(({ kind }) => kind === 'folder')
      .map(({ name }) => name);
  const isStore = (found: readonly string[]): boolean =>
    found.includes('collections') || found.includes('metadata');
  if (isStore(names(''))) return;
  const inside = names('').find((name) => isStore(names(name)));
  const where = inside === undefined ? '' : `; one is in its folder ${JSON.stringify(inside)}`;
  throw new EtlError('NOT_A_STORE', `the archive is not of a store${where}`, { place: { path } });
}

/** Whether the folder is there; it must be empty then. */
async function checkTarget(disk: Disk, folder: string): Promise<boolean> {
  const there = await disk.stat(folder);
  if (there === undefined) return false;
  if (there.kind === 'folder' && (await disk.list(folder)).length === 0) return true;
  throw new EtlError('INVALID_PATH', 'is there already, and is no empty folder', {
    place: { path: folder },
  });
}

/** Whether the temporary folder is found only under the name it was given, which ends in `.tmp`. */
async function keepsCase(disk: Disk, folder: string): Promise<boolean> {
  return (await disk.stat(folder.replace(/tmp$/, 'TMP'))) === undefined;
}

async function writeAll(
  archive: DiskFile,
  tree: EntryTree,
  folder: string,
  options: UnpackOptions & { readonly disk: Disk },
): Promise<Omit<UnpackSummary, 'path'>> {
  const { disk, signal, onProgress } = options;
  const files = [...tree.files].filter(([name]) => name !== LOCK);
  // In the order in which they stand in the archive, where none may reach into the next.
  files.sort(([, a], [, b]) => a.offset - b.offset);
  const folders = tree.folderPaths();
  const totalEntries = files.length + folders.length;
  const totalBytes = files.reduce((sum, [, { size }]) => sum + size, 0);
  for (const path of folders) await disk.mkdir(join(folder, path));
  const syncing = new SyncQueue();
  let entries = folders.length;
  let bytes = 0;
  let end = 0;
  try {
    for (const [name, entry] of files) {
      checkWork(signal);
      const start = await findContents(archive, entry);
      checkApart(archive, entry, end);
      end = start + entry.packedSize;
      const out = await disk.open(join(folder, name), 'create');
      await syncing.add(out, async () => {
        let at = 0;
        for await (const piece of readContents(archive, entry, start)) {
          checkWork(signal);
          await out.write(piece, at);
          at += piece.length;
          bytes += piece.length;
          onProgress?.({ entries, totalEntries, bytes, totalBytes, name });
        }
      });
      entries++;
      onProgress?.({ entries, totalEntries, bytes, totalBytes, name });
    }
  } finally {
    await syncing.end();
  }
  syncing.check();
  for (const path of ['', ...folders]) await disk.syncDir(join(folder, path));
  return { entries, bytes };
}

/** Entries that share bytes inflate a small archive to any size. */
function checkApart(archive: DiskFile, entry: ArchiveEntry, end: number): void {
  if (entry.offset >= end) return;
  throw new EtlError(
    'UNSAFE_ARCHIVE',
    `the entry ${JSON.stringify(entry.name)} shares bytes with another one`,
    { place: { path: archive.path, offset: entry.offset } },
  );
}

/** Syncs and closes files behind the back of who writes the next ones, a few at a time. */
class SyncQueue {
  readonly #running: Set<Promise<void>> = new Set();
  #failure: { readonly cause: unknown } | undefined;

  /** Writes a file; it is synced and closed soon, closed in any case. */
  async add(file: DiskFile, write: () => Promise<void>): Promise<void> {
    this.check();
    try {
      await write();
    } catch (error) {
      await file.close();
      throw error;
    }
    const work = file
      .sync()
      .finally(() => file.close())
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
    if (this.#running.size >= MAX_SYNCING) await Promise.race(this.#running);
  }

  /** Resolves when nothing runs any more, however it ended. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }
}
