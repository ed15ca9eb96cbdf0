/** The 16 bytes that meta/index.bin begins with (index-file.ts). */

/** The first four bytes, little-endian. */
export const INDEX_MAGIC = 0x5a445349;
/** The next four. */
export const INDEX_VERSION = 1;
/** Bytes before the first entry. */
export const INDEX_HEADER_BYTES = 16;
/** The header of an index with `count` entries. */
export function indexHeader(count: number): Uint8Array {
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, INDEX_MAGIC, true);
  view.setUint32(4, INDEX_VERSION, true);
  view.setBigUint64(8, BigInt(count), true);
  return header;
}
