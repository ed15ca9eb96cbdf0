/**
 * A collection written anew from nothing, beside the one that readers see: the files of the next
 * generation (generation.ts) with an empty state in them, for a writer to fill as any other. Only when
 * that writer has closed they take the place of the old ones, all together; until then a crash, or
 * giving up, leaves leftovers that the next writer removes.
 */
import type { Disk } from '../io/disk.ts';
import type { Kernel } from '../kernels/index.ts';
import { CommitLog, type CommitRecord, formatSum } from './commit-log.ts';
import { freshLog, type LogSummary, summariseLog } from './compact.ts';
import { discardNext, nextPaths, readGeneration, replaceCollection } from './generation.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';
import type { CollectionPaths } from './layout.ts';
import { writeLog } from './rewrite.ts';

/** The files of a generation to come. */
export interface Replacement {
  readonly generation: number;
  readonly paths: CollectionPaths;
  /** Makes them the collection; all of them are closed and synced. Errors: IO_ERROR. */
  publish(): Promise<void>;
  /** Removes them. */
  discard(): Promise<void>;
}

/** Makes the empty files of the next generation, which no writer before has left. */
export async function beginReplacement(
  disk: Disk,
  paths: CollectionPaths,
  kernel: Kernel,
): Promise<Replacement> {
  const generation = (await readGeneration(disk, paths.log)) + 1;
  const next = nextPaths(paths, generation);
  const index = await disk.open(next.index, 'create', paths.index);
  try {
    await index.write(indexHeader(0), 0);
    await index.sync();
  } finally {
    await index.close();
  }
  const { commits, seq } = await readOldLog(disk, paths, kernel);
  // Cursors tell what is in the data, and the data begins anew.
  const before = { commits, cursors: [] };
  const at = new Date().toISOString();
  const commit: CommitRecord = { op: 'commit', seq: seq + 1, end: 0, count: 0, lines: 0, at };
  const empty = {
    end: 0,
    lines: 0,
    documents: 0,
    indexBytes: INDEX_HEADER_BYTES,
    indexSum: formatSum(kernel.createIndex().sum),
    states: [],
  };
  await writeLog({ disk, kernel, next }, freshLog(before, generation, commit, empty));
  return {
    generation,
    paths: next,
    publish: () => replaceCollection(disk, paths, generation),
    discard: () => discardNext(disk, paths, generation),
  };
}

async function readOldLog(
  disk: Disk,
  { log }: CollectionPaths,
  kernel: Kernel,
): Promise<LogSummary> {
  if ((await disk.stat(log)) === undefined) return summariseLog([]);
  const file = new CommitLog(await disk.open(log, 'read'), kernel);
  try {
    return await summariseLog(file.records(0));
  } finally {
    await file.close();
  }
}
