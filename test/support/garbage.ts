/** Memory that is held, apart from what merely waits to be collected: how long that takes is V8's affair. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
/** Collects what nothing holds. */
export const collect = runInNewContext('gc') as () => void;

/** Bytes of array buffers that something holds. */
export function heldBuffers(): number {
  // Buffers found dead are freed beside the program; the next collection waits for that.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
