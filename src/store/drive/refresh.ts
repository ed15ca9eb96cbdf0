/**
 * Following a writer: what has come behind the tail that a reader knows. The file is looked up by name, so
 * that one put in its place (a compaction) is noticed, and read anew.
 */
import type { DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, METADATA_BYTES } from '../../kernels/index.ts';
import { RecordReader } from './chain.ts';
import { readU32 } from './entry-metadata.ts';
import { type DriveFile, openDrive, viewOf } from './open-drive.ts';
import { findNewEnd } from './recovery.ts';

/** What a reader knows. */
export interface Known {
  readonly file: DiskFile;
  readonly view: FileView;
  readonly table: DriveTable;
  readonly tail: number;
}

/** Goes on; undefined when there is nothing new. `before` is told when the table is about to change. */
export async function follow(
  where: DriveFile,
  known: Known,
  before: () => void,
): Promise<Known | undefined> {
  const { file, table, tail } = known;
  const latest = await where.disk.open(where.path, 'read');
  const replaced = (await latest.id()) !== (await file.id());
  await latest.close();
  if (replaced) return openDrive(where, 'read');
  const size = await file.size();
  if (size <= tail) return undefined;
  const view = viewOf(file, size, where.mapFrom);
  try {
    const end = findNewEnd(file, view, tail, size);
    if (end === tail) return undefined;
    before();
    const records = new RecordReader(view);
    for (const at of records.tails(end, tail)!) {
      const { tombstone } = records.at(at)!;
      const place = at - METADATA_BYTES;
      const word = view.seek(place, 8);
      const [low, high] = [readU32(view.memory, word), readU32(view.memory, word + 4)];
      if (tombstone) table.remove(low, high);
      else table.set(low, high, place);
    }
    return { ...known, tail: end };
  } finally {
    view.close();
  }
}
