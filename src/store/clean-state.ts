/**
 * Collections in plain order: by the log and the sizes of the files, every line before the last commit's
 * end is a living document, and nobody but us has been there. A scan needs no id index then, and a reader
 * loads it when an id is first asked for, within that turn.
 *
 * What looks like another program's work (an index.bin of another size or count than the checkpoint's,
 * bytes behind a closed session's end) or has dead lines is not, and opened as recovery.ts does it.
 */
import type { DiskFile } from '../io/disk.ts';
import type { CheckpointRecord, CommitRecord } from './commit-log.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';
import type { LogState } from './log-state.ts';

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
