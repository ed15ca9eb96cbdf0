/** Opening files for reading that need not be there: one look at the disk where they are. */
import type { Disk, DiskFile } from './disk.ts';

/** The file; undefined where nothing is at its path. Errors: IO_ERROR. */
export async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read');
  } catch (error) {
    if ((await disk.stat(path)) === undefined) return undefined;
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
