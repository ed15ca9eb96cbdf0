/**
 * Writing a drive anew with its live entries only, in the order they were written. Payloads and checksums
 * are copied as they are, so that a damaged one stays known as damaged.
 */
import { checkSignal } from '../../core/abort.ts';
import type { DiskFile, FileView } from '../../io/index.ts';
import { alignPayload, METADATA_BYTES, tailAfter } from '../../kernels/index.ts';
import { EntryHandle } from './entry-handle.ts';
import { EntryMetadata } from './entry-metadata.ts';
import { PieceBuffer } from './piece-buffer.ts';

const ZEROS = new Uint8Array(64);

/** What a compaction did. */
export interface DriveCompactReport {
  readonly entries: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Writes the entries at `offsets` (metadata, ascending) to an empty file and syncs it; its length.
 * Errors: ABORTED, IO_ERROR.
 */
export async function writeCompacted(
  view: FileView,
  offsets: Float64Array,
  target: DiskFile,
  signal: AbortSignal | undefined,
): Promise<number> {
  const pieces = new PieceBuffer(0);
  let written = 0;
  let tail = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    checkSignal(signal, 'stopped');
    for (const full of pieces.add(bytes)) {
      await target.write(full, written);
      written += full.length;
    }
  };
  for (const offset of offsets) {
    const entry = new EntryHandle(view, offset);
    const { hashLow, hashHigh, crc32 } = entry.metadata;
    const start = alignPayload(tail);
    await put(ZEROS.subarray(0, start - tail));
    for (const chunk of entry.chunks()) await put(chunk);
    await put(EntryMetadata.of(hashLow, hashHigh, tail, crc32).serialize());
    tail = start + entry.size + METADATA_BYTES;
  }
  await target.write(pieces.rest(), written);
  await target.sync();
  return tail;
}

/** The length that `writeCompacted` would come to. */
export function compactedSize(view: FileView, offsets: Float64Array): number {
  let tail = 0;
  for (const offset of offsets) tail = tailAfter(tail, new EntryHandle(view, offset).size);
  return tail;
}
