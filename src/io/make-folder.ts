/**
 * Making folders with their parents. Node's own way of doing so (20 and before) never ends where the
 * system lets nothing be made and says that the parent is missing, as in /proc.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those that it stands in; no error when it is there. Errors: the system's. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (cause) {
    if (isFolder(path)) return;
    const parent = dirname(path);
    const isOrphan = (cause as NodeJS.ErrnoException).code === 'ENOENT' && !isFolder(parent);
    if (!isOrphan || parent === path) throw cause;
    makeFolder(parent);
    makeFolder(path);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
