/** Memory of the WebAssembly modules. */
import { EtlError } from '../core/errors.ts';

/** Bytes that memory grows by. */
export const PAGE = 0x10000;

/**
 * Makes the memory reach to byte `end`; true where it grew, and views of it are to be made anew.
 * Errors: INVALID_ARGUMENT for more than there can be (4 GiB).
 */
export function growTo(memory: WebAssembly.Memory, end: number): boolean {
  const missing = end - memory.buffer.byteLength;
  if (missing <= 0) return false;
  try {
    memory.grow(Math.ceil(missing / PAGE));
  } catch (cause) {
    throw new EtlError('INVALID_ARGUMENT', `a chunk needs ${end} bytes of kernel memory`, {
      cause,
    });
  }
  return true;
}
