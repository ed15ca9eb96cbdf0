/** What else stands in a collection's meta folder, and is for somebody to look at or to remove. */
import { join } from 'node:path';
import { isEtlError } from '../../core/errors.ts';
import type { Disk, DiskEntry } from '../../io/disk.ts';
import { isAside } from './aside.ts';
import type { Findings } from './findings.ts';

/** Notices what was put aside, and the paths that work which did not end left over. */
export async function inspectNames(
  disk: Disk,
  meta: string,
  findings: Findings,
  isLeft: (path: string) => boolean,
): Promise<void> {
  let entries: DiskEntry[];
  try {
    entries = await disk.list(meta);
  } catch (cause) {
    if (isEtlError(cause, 'IO_ERROR')) return;
    throw cause;
  }
  for (const { name, kind } of entries) {
    const path = join(meta, name);
    if (isLeft(path)) {
      findings.add('notice', 'IO_ERROR', { path }, 'left over from work that did not end');
    } else if (isAside(name)) {
      const what = kind === 'folder' ? 'files' : 'lines';
      findings.add('notice', 'CORRUPTED_DATA', { path }, `${what} that were put aside`);
    }
  }
}
