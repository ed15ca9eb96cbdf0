/** What tells files apart, whatever links lead to them. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { nodeDisk } from './node-disk.ts';

/** The same text for two paths of one file, hard links too, and for two of a file yet to be made. Errors: IO_ERROR. */
export async function fileIdentity(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found) return `${found.dev} ${found.ino}`;
  const folder = await nodeDisk.identity(dirname(resolve(path)));
  return nodeDisk.identity(join(folder, basename(path)));
}
