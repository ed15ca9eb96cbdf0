/** What is taken for bytes. Other typed arrays would be cut to a byte each where they are copied. */
import { EtlError } from '../../core/errors.ts';
import type { DriveKey } from '../../kernels/index.ts';

/** Throws INVALID_ARGUMENT for what is no Uint8Array. */
export function checkBytes(bytes: Uint8Array): void {
  if (bytes instanceof Uint8Array) return;
  const way = 'new Uint8Array(view.buffer, view.byteOffset, view.byteLength)';
  const text = `bytes are a Uint8Array; those of another view are ${way}`;
  throw new EtlError('INVALID_ARGUMENT', text);
}

/** Throws INVALID_ARGUMENT for what is neither text nor bytes. */
export function checkKey(key: DriveKey): void {
  if (typeof key !== 'string') checkBytes(key);
}
