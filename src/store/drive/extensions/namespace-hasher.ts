/**
 * Keys of a namespace: 16 bytes, XXH3-64 of the namespace and XXH3-64 of the key, both little-endian. Used
 * in the place of the key, so that equal keys of different namespaces do not meet.
 */
import type { DriveKey } from '../../../kernels/index.ts';
import { hashKey } from '../key-indexer.ts';

export class NamespaceHasher {
  readonly #prefix: bigint;

  constructor(namespace: DriveKey) {
    this.#prefix = hashKey(namespace);
  }

  /** The key to use for `key` of this namespace. */
  namespace(key: DriveKey): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, this.#prefix, true);
    view.setBigUint64(8, hashKey(key), true);
    return bytes;
  }
}

/** The namespaces that the original's extensions keep for themselves begin and end with bytes no text has. */
export function reservedNamespace(name: string): NamespaceHasher {
  return new NamespaceHasher(Uint8Array.of(0xf7, ...Buffer.from(name), 0xfd));
}
