/** Reading lines as fast as plain JavaScript can, for the baselines and the peers. */
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 1 << 20;

/** Arrays of whole lines, about a mebibyte of text at a time. */
export function* readLines(file, chunkBytes = CHUNK_BYTES) {
  for (const text of readText(file, chunkBytes)) yield text.split('\n');
}

/** Text of whole lines, without the last line end. Lines must fit 64 KiB. */
export function* readText(file, chunkBytes = CHUNK_BYTES) {
  const input = openSync(file, 'r');
  const buffer = Buffer.allocUnsafe(chunkBytes + (1 << 16));
  let held = 0;
  try {
    for (;;) {
      const read = readSync(input, buffer, held, chunkBytes, null);
      if (read === 0) break;
      const end = held + read;
      const lastLineEnd = buffer.lastIndexOf(10, end - 1);
      if (lastLineEnd > 0) yield buffer.toString('utf8', 0, lastLineEnd);
      held = end - (lastLineEnd + 1);
      buffer.copyWithin(0, lastLineEnd + 1, end);
    }
    if (held > 0) yield buffer.toString('utf8', 0, held);
  } finally {
    closeSync(input);
  }
}
