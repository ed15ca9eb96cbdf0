// The "hash" module: XXH3-64, and the rounds of XXH64, of bytes that JavaScript puts into its memory from 0x1000
// on. Small, so that a program that only compares checksums need not compile a reader of documents.
import { xxh3 } from './xxh3';

export { takeStripes } from './xxh64';

export function hash(p: usize, length: usize): u64 {
  return xxh3(p, length);
}
