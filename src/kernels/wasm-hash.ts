/** XXH3-64 in a module of its own, which compiles in a fraction of a millisecond. */
import { hashModule } from './generated/hash-module.ts';
import { decodeBase64 } from './wasm-bytes.ts';
import { growTo } from './wasm-memory.ts';

const INPUT = 0x1000;

interface Hasher {
  readonly memory: WebAssembly.Memory;
  hash(at: number, length: number): bigint;
}

let hasher: Hasher | undefined;

/** As `Kernel.hash`. */
export function hashBytes(bytes: Uint8Array): bigint {
  hasher ??= makeHasher();
  const { memory, hash } = hasher;
  growTo(memory, INPUT + bytes.length);
  new Uint8Array(memory.buffer).set(bytes, INPUT);
  return BigInt.asUintN(64, hash(INPUT, bytes.length));
}

function makeHasher(): Hasher {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  const module = new WebAssembly.Module(decodeBase64(hashModule));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, hash: exports.hash as Hasher['hash'] };
}
