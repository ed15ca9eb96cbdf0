/**
 * Parts of a drive for several threads: plain data that can be posted to a worker, which maps the file
 * itself (mapped memory cannot be posted without a copy). A part stays valid as long as the file is not
 * compacted, as entries never move otherwise.
 */
import { type Disk, nodeDisk } from '../../io/index.ts';
import { METADATA_BYTES } from '../../kernels/index.ts';
import { EntryHandle } from './entry-handle.ts';

/** Some of the live entries of a drive. */
export interface EntryPartition {
  readonly path: string;
  /** Where their metadata lies, ascending. */
  readonly offsets: Float64Array;
}

/** Cuts offsets into `count` parts of about equal length. Sorts them. */
export function makePartitions(
  path: string,
  offsets: Float64Array,
  count: number,
): EntryPartition[] {
  offsets.sort();
  const each = Math.ceil(offsets.length / count);
  return Array.from({ length: count }, (_, i) => {
    return { path, offsets: offsets.slice(i * each, (i + 1) * each) };
  });
}

/** The entries of a part, oldest first, in this thread. Errors: IO_ERROR. */
export async function* readPartition(
  partition: EntryPartition,
  disk: Disk = nodeDisk,
): AsyncGenerator<EntryHandle, void, void> {
  const { path, offsets } = partition;
  if (offsets.length === 0) return;
  const file = await disk.open(path, 'read');
  const view = file.view();
  view.extend(offsets.at(-1)! + METADATA_BYTES);
  try {
    for (const offset of offsets) yield new EntryHandle(view, offset);
  } finally {
    view.close();
    await file.close();
  }
}
