/** XXH3-64 by itself, for who needs nothing else of a kernel: most of what a kernel loads is not loaded with it. */
import { hashBytes as hashInPlain } from './twin/xxh3.ts';
import type { Kernel } from './types.ts';
import { hashBytes } from './wasm-hash.ts';
import { wasmSupported } from './wasm-supported.ts';

/** What hashes bytes. */
export type Hasher = Pick<Kernel, 'hash'>;

/** As that of every kernel. */
export const hasher: Hasher = { hash: wasmSupported() ? hashBytes : hashInPlain };
