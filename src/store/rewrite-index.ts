/**
 * index.bin written anew with exactly the living documents: one pass over the data.
 */

import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { IdIndex, Kernel } from '../kernels/index.ts';
import { appendLiving, type IndexPoint, rewriteIndex } from './index-file.ts';
import type { CollectionPaths } from './layout.ts';
import { readPieces } from './pieces.ts';

/** Bytes that writes in the background may hold. */
const FLYING_BYTES = 2 << 20;

/** Where the data is, and where its index belongs. */
export interface IndexSource {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly data: DiskFile;
}

/** Writes the entries of the lines in [0, end) that `index` knows. Errors: CORRUPTED_INDEX, IO_ERROR. */
export async function rewriteFromData(
  { disk, paths, kernel, data }: IndexSource,
  index: IdIndex,
  end: number,
): Promise<IndexPoint> {
  return rewriteIndex(disk, paths.index, paths.meta, async (tail) => {
    let entries = 0;
    for await (const { bytes, base } of readPieces(data, 0, end, { reuse: true })) {
      const { records, count } = kernel.lines(bytes);
      const dead = index.live(records, count, base);
      entries += appendLiving(kernel, tail, bytes, records, count, base, dead);
      await tail.settle(FLYING_BYTES);
    }
    if (entries !== index.size) {
      throw new EtlError('CORRUPTED_INDEX', `${index.size} documents, but ${entries} found`, {
        place: { path: paths.data },
      });
    }
    return entries;
  });
}
