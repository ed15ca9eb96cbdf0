/**
 * Opening a collection that is in plain order to read all of it: its log tells what is committed, and neither the
 * id index nor a kernel is needed for that. Any other collection, or one that cannot be read, is left to
 * `FastStore.open`, which knows what to do or what to say.
 */
import type { Disk, DiskFile } from '../io/disk.ts';
import { nodeDisk } from '../io/index.ts';
import { openAllIfThere } from '../io/open-if-there.ts';
import { hasher } from '../kernels/hasher.ts';
import { readClean } from './clean-state.ts';
import { CommitLog, type CommitRecord } from './commit-log.ts';
import { type Located, openSettled } from './generation.ts';
import { type CollectionPaths, Layout } from './layout.ts';
import { readLog } from './log-state.ts';
import { checkCollectionName } from './names.ts';
import type { ZdsRoot } from './root.ts';

/** The committed lines, all of them alive. */
export interface CleanFiles {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly generation: number;
  /** data.jsonl, to be closed by whoever opened this. */
  readonly data: DiskFile;
  readonly commit: CommitRecord;
}

/** Where a root stands that is a folder, or open. */
export function placeOf(root: string | ZdsRoot): Pick<ZdsRoot, 'disk' | 'path'> {
  return typeof root === 'string' ? { disk: nodeDisk, path: root } : root;
}

/** Opens what is committed; undefined where that takes more than the log and the data. */
export async function openCleanFiles(
  { disk, path }: Pick<ZdsRoot, 'disk' | 'path'>,
  collection: string,
): Promise<CleanFiles | undefined> {
  checkCollectionName(collection);
  return openSettled(
    disk,
    Layout.collection(path, collection),
    (located) => openLocated(disk, located),
    async (opened) => opened?.data.close(),
  );
}

async function openLocated(
  disk: Disk,
  { paths, generation }: Located,
): Promise<CleanFiles | undefined> {
  const opened = await openAllIfThere(disk, [paths.data, paths.log, paths.index]);
  if (opened === undefined) return undefined;
  const [data, log, index] = opened as [DiskFile, DiskFile, DiskFile];
  try {
    const commit = await cleanCommit(data, log, index);
    // Beside no lines there may be documents in files.
    if (commit && commit.end > 0) return { disk, paths, generation, data, commit };
  } catch (error) {
    await data.close();
    throw error;
  }
  await data.close();
  return undefined;
}

/** The last commit, if every line before its end is alive. Log and index are closed then. */
async function cleanCommit(
  data: DiskFile,
  log: DiskFile,
  index: DiskFile,
): Promise<CommitRecord | undefined> {
  try {
    const state = await readLog(new CommitLog(log, hasher));
    return (await readClean(state, index, await data.size()))?.commit;
  } finally {
    await log.close();
    await index.close();
  }
}
