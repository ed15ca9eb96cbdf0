/** What sinks of folders have left there. */
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The files below a folder, hidden ones too, by their paths in it. */
export function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true, withFileTypes: true }) as Dirent[])
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export const textOf = (folder: string, file: string): string =>
  readFileSync(join(folder, file), 'utf8');
