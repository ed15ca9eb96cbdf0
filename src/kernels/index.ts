/**
 * The door to the kernels. `sharedKernel` is what stages use; a kernel of one's own is for tests and
 * for choosing the implementation. A kernel is for one thread; kernel calls do not overlap.
 */
import { createTwinKernel } from './twin/index.ts';
import type { Kernel } from './types.ts';
import { createWasmKernel } from './wasm-kernel.ts';
import { wasmSupported } from './wasm-supported.ts';

export {
  alignPayload,
  type DriveEntry,
  type DriveKey,
  type DriveTable,
  MAX_STAGED,
  METADATA_BYTES,
  PAYLOAD_ALIGNMENT,
  tailAfter,
  WALK_BYTES,
  type WalkStep,
} from './drive-types.ts';
export { compareText, compilePredicate, evaluate, needsExactIntegers } from './evaluate.ts';
export { faultCode, faultReasons, Reason } from './reasons.ts';
export { isTransparent, selectFields } from './select-fields.ts';
export { buildSelection, projectDocument, type Selection } from './selection.ts';
export * from './types.ts';

/** Which implementation to use. */
export interface KernelOptions {
  /** The fastest that runs here if absent. `'wasm'` falls back to TypeScript where there is no SIMD. */
  readonly implementation?: 'wasm' | 'typescript';
}

let shared: Kernel | undefined;

/** A new kernel. */
export function createKernel(options: KernelOptions = {}): Kernel {
  const { implementation = 'wasm' } = options;
  return implementation === 'wasm' && wasmSupported() ? createWasmKernel() : createTwinKernel();
}

/** The kernel of this thread, made on first use. */
export function sharedKernel(): Kernel {
  shared ??= createKernel();
  return shared;
}
