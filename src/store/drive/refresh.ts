/**
 * Following a writer: what has come behind the tail that a reader knows. The file is looked up by name, so
 * that one put in its place (a compaction) is noticed, and read anew. What lies behind the tail is read, and mapped
 * only when it is known to be whole: a writer whose stream fails cuts what it has written of it.
 */
import type { DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, METADATA_BYTES } from '../../kernels/index.ts';
import { RecordReader } from './chain.ts';
import { readU32 } from './entry-metadata.ts';
import { type DriveFile, openDrive, upToEnd } from './open-drive.ts';
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
  const { file, view, table, tail } = known;
  const latest = await where.disk.open(where.path, 'read');
  const replaced = (await latest.id()) !== (await file.id());
  await latest.close();
  if (replaced) return openDrive(where, 'read');
  const end = await upToEnd(file, (size) => (size > tail ? findNewEnd(file, tail, size) : tail));
  if (end === tail) return undefined;
  before();
  view.extend(end);
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
}
