/** The id index of a collection in plain order (clean-state.ts), loaded when an id is first asked for. */
import { EtlError } from '../core/errors.ts';
import type { DiskFile } from '../io/disk.ts';
import type { IdIndex, Kernel } from '../kernels/index.ts';
import type { CleanState } from './clean-state.ts';
import { type CommitRecord, formatSum } from './commit-log.ts';
import { Indexer } from './indexer.ts';
import { tryLoadIndexSync } from './load-index.ts';
import { readPiecesSync } from './pieces.ts';
import type { StoredLines } from './stored-lines.ts';

/** Where the entries and the lines are read. */
export interface CleanFiles {
  readonly kernel: Kernel;
  readonly data: DiskFile;
  readonly index: DiskFile;
  readonly stored: StoredLines;
}

/**
 * The id index of a collection in plain order: from index.bin and the lines behind its checkpoint, or,
 * where that has changed since or is damaged, from all lines. Errors: CORRUPTED_DATA, IO_ERROR.
 */
export function loadClean(files: CleanFiles, { commit, checkpoint }: CleanState): IdIndex {
  const { kernel, index: file, stored } = files;
  const { indexBytes, count, indexSum, end } = checkpoint;
  const index = kernel.createIndex();
  const loaded = tryLoadIndexSync(file, indexBytes, index, count, stored);
  const isSound = loaded?.bytes === indexBytes && formatSum(index.sum) === indexSum;
  if (isSound && insertLines(files, index, end, commit)) return index;
  const anew = kernel.createIndex();
  if (insertLines(files, anew, 0, commit)) return anew;
  throw notAsCommitted(files.data.path, commit.end);
}

/** The error for data of which the lines before `end` are not those that were committed. */
export function notAsCommitted(path: string, end: number): EtlError {
  return new EtlError('CORRUPTED_DATA', 'the committed lines are not there as they were', {
    place: { path, offset: end },
  });
}

/** Indexes the lines from `from` on. False if the documents are not those committed then. */
function insertLines(
  { kernel, data, stored }: CleanFiles,
  index: IdIndex,
  from: number,
  { end, count }: CommitRecord,
): boolean {
  const indexer = new Indexer(kernel, index, stored);
  for (const { bytes, base } of readPiecesSync(data, from, end)) {
    const { records, count: lines } = kernel.lines(bytes);
    indexer.insert(bytes, records, lines, base);
  }
  return index.size === count;
}
