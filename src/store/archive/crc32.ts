/** CRC-32 as ZIP has it (reflected polynomial 0xEDB88320): Node's own where there is one (20.15, 22.2). */
import * as zlib from 'node:zlib';

/** The sum of `bytes` behind those that gave `before`; 0 for none. */
export const crc32: (bytes: Uint8Array, before: number) => number = zlib.crc32 ?? crc32ByTable;

let table: Uint32Array | undefined;

/** The same of the bytes [from, to), for older Nodes and for a few bytes at a time; several times slower. */
export function crc32ByTable(
  bytes: Uint8Array,
  before: number,
  from = 0,
  to: number = bytes.length,
): number {
  table ??= makeTable();
  let sum = ~before;
  for (let i = from; i < to; i++) {
    sum = table[(sum ^ bytes[i]!) & 0xff]! ^ (sum >>> 8);
  }
  return ~sum >>> 0;
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    return sum;
  });
}
