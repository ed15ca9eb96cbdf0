/**
 * Collections in plain order: by the log and the sizes of the files, every line before the last commit's
 * end is a living document, and nobody but us has been there. A scan needs no id index then, and a reader
 * loads it when an id is first asked for, within that turn.
 *
 * What looks like another program's work (an index.bin of another size or count than the checkpoint's,
 * bytes behind a closed session's end) or has dead lines is not, and opened as recovery.ts does it.
 */
import { EtlError } from '../core/errors.ts';
import type { DiskFile } from '../io/disk.ts';
import type { IdIndex, Kernel } from '../kernels/index.ts';
import { type CheckpointRecord, type CommitRecord, formatSum } from './commit-log.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-file.ts';
import { Indexer } from './indexer.ts';
import { tryLoadIndexSync } from './load-index.ts';
import type { LogState } from './log-state.ts';
import { readPiecesSync } from './pieces.ts';
import type { StoredLines } from './stored-lines.ts';

/** The last commit of a collection in plain order, and the checkpoint before it. */
export interface CleanState {
  readonly commit: CommitRecord;
  readonly checkpoint: CheckpointRecord;
}

/** What the log says, if the collection is in plain order with an index.bin and `size` bytes of data. */
export async function readClean(
  { last, commit, checkpoint }: LogState,
  index: DiskFile,
  size: number,
): Promise<CleanState | undefined> {
  if (last === undefined || commit === undefined || commit.count !== commit.lines) return;
  if (checkpoint === undefined) return;
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  await index.read(header, 0);
  const indexBytes = await index.size();
  // Without dead lines there is an entry for each document and no other.
  if (Buffer.compare(header, indexHeader(checkpoint.count)) !== 0) return;
  const isAsLeft = indexBytes === checkpoint.indexBytes && size === commit.end;
  // A session of ours appends entries behind the checkpoint's, which no other program does.
  const isUnderWay =
    last.op !== 'close' && indexBytes > checkpoint.indexBytes && size >= commit.end;
  return isAsLeft || isUnderWay ? { commit, checkpoint } : undefined;
}

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
