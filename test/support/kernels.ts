/** Every kernel that runs here, so that one test covers them all. */
import type { Kernel } from '../../src/kernels/index.ts';
import { createKernel } from '../../src/kernels/index.ts';

const all = [
  createKernel({ implementation: 'typescript' }),
  createKernel({ implementation: 'wasm' }),
];

/** The TypeScript twin, and the WebAssembly kernel where there is one. */
export const kernels: readonly Kernel[] = all.filter(
  (kernel, i) => all.findIndex(({ name }) => name === kernel.name) === i,
);
