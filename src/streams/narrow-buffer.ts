/** How much waits in front of a stage that takes documents and batches alike. */
import type { Writable } from 'node:stream';

/**
 * Makes the Writable's buffer count one chunk as full, once batches arrive: 256 documents are
 * little, 256 batches are 256 MiB. Node has no public way to lower a mark after construction.
 */
export function narrowBuffer(stream: Writable): void {
  const { _writableState: state } = stream as unknown as {
    _writableState: { highWaterMark: number };
  };
  state.highWaterMark = 1;
}
