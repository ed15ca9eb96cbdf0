/** XXH3-64, and the rounds of XXH64, in a module of its own, which compiles in a fraction of a millisecond. */
import { hashModule } from './generated/hash-module.ts';
import { decodeBase64 } from './wasm-bytes.ts';
import { growTo } from './wasm-memory.ts';

const INPUT = 0x1000;

interface Hasher {
  readonly memory: WebAssembly.Memory;
  hash(at: number, length: number): bigint;
  takeStripes(lanes: number, at: number, end: number): void;
}

let hasher: Hasher | undefined;

/** As `Kernel.hash`. */
export function hashBytes(bytes: Uint8Array): bigint {
  const { hash } = giveBytes(bytes, INPUT);
  return BigInt.asUintN(64, hash(INPUT, bytes.length));
}

/** As that of `twin/xxh64`. */
export function takeStripes(lanes: BigUint64Array, bytes: Uint8Array): void {
  const at = INPUT + lanes.byteLength;
  const { memory, takeStripes: take } = giveBytes(bytes, at);
  const inside = new BigUint64Array(memory.buffer, INPUT, lanes.length);
  inside.set(lanes);
  take(INPUT, at, at + bytes.length);
  lanes.set(inside);
}

/** Puts the bytes into the module's memory. */
function giveBytes(bytes: Uint8Array, at: number): Hasher {
  hasher ??= makeHasher();
  growTo(hasher.memory, at + bytes.length);
  new Uint8Array(hasher.memory.buffer).set(bytes, at);
  return hasher;
}

function makeHasher(): Hasher {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  const module = new WebAssembly.Module(decodeBase64(hashModule));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, ...(exports as unknown as Omit<Hasher, 'memory'>) };
}
