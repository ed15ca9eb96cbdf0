/** Typed arrays over bytes: without a copy where they lie right for it. */
import { EtlError } from '../../../core/errors.ts';

/** A typed array's constructor. */
export interface TypedArrayOf<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The little-endian numbers in `bytes`: a view where they are aligned to their size (payloads of mapped
 * drives always are), else a copy. Errors: INVALID_ARGUMENT when the length is no multiple of the size.
 */
export function alignOrCopy<T>(bytes: Uint8Array, type: TypedArrayOf<T>): T {
  const size = type.BYTES_PER_ELEMENT;
  if (bytes.length % size !== 0) {
    throw new EtlError('INVALID_ARGUMENT', `${bytes.length} bytes are no multiple of ${size}`);
  }
  if (littleEndian && bytes.byteOffset % size === 0) {
    return new type(bytes.buffer, bytes.byteOffset, bytes.length / size);
  }
  const copy = bytes.slice();
  if (!littleEndian)
    for (let i = 0; i < copy.length; i += size) copy.subarray(i, i + size).reverse();
  return new type(copy.buffer, 0, bytes.length / size);
}
