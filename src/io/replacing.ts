/**
 * Files that are written beside others to take their places: they belong to whom the old ones belong, and are
 * as private from their first byte on; and what a link leads to is replaced, not the link.
 */
import { fchmodSync, fchownSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Disk } from './disk.ts';

/** The file that a new one is to be like; undefined where there is none. */
export function findModel(path: string): Stats | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found : undefined;
}

/** The mode to make a file with before `makeAlike`. */
export function firstMode(model: Stats | undefined): number {
  return model === undefined ? 0o666 : 0o600;
}

/** Gives an open file owner and permissions of the model, as far as the system lets this process. */
export function makeAlike(fd: number, model: Stats | undefined): void {
  if (model === undefined) return;
  for (const step of [
    () => fchownSync(fd, model.uid, model.gid),
    () => fchmodSync(fd, model.mode & 0o777),
  ]) {
    try {
      step();
    } catch {
      // Not the owner's process, or a file system without owners: it stays as private as it was made.
    }
  }
}

/** Where the file of a path is: what it leads to where it is a link, else the path as it is. Errors: IO_ERROR. */
export async function followLink(disk: Disk, path: string): Promise<string> {
  const paths = [path, dirname(path)] as const;
  const [real, folder] = await Promise.all(paths.map((each) => disk.identity(each)));
  return real === join(folder!, basename(path)) ? path : real!;
}
