/** Opening files for reading that need not be there: one look at the disk where they are. */
import { isEtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from './disk.ts';

/** The file; undefined where nothing is at its path. Errors: IO_ERROR. */
export async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read');
  } catch (error) {
    if ((await disk.stat(path)) === undefined) return undefined;
    // It has come since.
    const { cause } = isEtlError(error) ? error : {};
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
      return openIfThere(disk, path);
    }
    throw error;
  }
}

/** All of the files, at once; undefined where one is not there. Errors: IO_ERROR. No file stays open then. */
export async function openAllIfThere(
  disk: Disk,
  paths: readonly string[],
): Promise<DiskFile[] | undefined> {
  const opening = paths.map((path) => openIfThere(disk, path));
  const opened: DiskFile[] = [];
  for (const each of await Promise.allSettled(opening)) {
    if (each.status === 'fulfilled' && each.value) opened.push(each.value);
  }
  if (opened.length === paths.length) return opened;
  for (const file of opened) await file.close();
  await Promise.all(opening);
  return undefined;
}
