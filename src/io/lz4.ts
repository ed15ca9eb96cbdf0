/**
 * LZ4, the block and the frame format, to memory of known size. Every copy is checked against the
 * input and the output, so damage ends in a RangeError. Checksums of frames are passed over: what they
 * guard is checked by who uses the bytes.
 * Source: lz4_Block_format.md and lz4_Frame_format.md of the LZ4 project.
 */

const FRAME_MAGIC = 0x184d_2204;
const MIN_MATCH = 4;

/** The bytes of a frame, which must be `size` many. Errors: RangeError. */
export function decodeLz4Frame(frame: Uint8Array, size: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const out = new Uint8Array(size);
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw new RangeError('no LZ4 frame');
  const flags = view.getUint8(4);
  if (flags >> 6 !== 1) throw new RangeError('an unknown version of LZ4 frames');
  const hasBlockSums = (flags & 0x10) !== 0;
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
  let end = 0;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const length = word & 0x7fff_ffff;
    if (at + length > frame.length) throw new RangeError('a block goes past the frame');
    const block = frame.subarray(at, at + length);
    if (word >>> 31) {
      if (end + length > size) throw new RangeError('more bytes than announced');
      out.set(block, end);
      end += length;
    } else end = decodeBlock(block, out, end);
    at += length + (hasBlockSums ? 4 : 0);
  }
  if (end !== size) throw new RangeError(`${end} bytes where ${size} were announced`);
  return out;
}

/** The bytes of a block alone, which must be `size` many. Errors: RangeError. */
export function decodeLz4Block(block: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const end = decodeBlock(block, out, 0);
  if (end !== size) throw new RangeError(`${end} bytes where ${size} were announced`);
  return out;
}

/** Writes from `start` on, behind what earlier blocks wrote; answers the end. */
function decodeBlock(block: Uint8Array, out: Uint8Array, start: number): number {
  let at = 0;
  let end = start;
  const readLength = (short: number): number => {
    let length = short;
    if (short < 15) return length;
    let byte = 255;
    while (byte === 255) {
      if (at >= block.length) throw new RangeError('a length is cut');
      byte = block[at++]!;
      length += byte;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = readLength(token >> 4);
    if (at + literals > block.length || end + literals > out.length) {
      throw new RangeError('literals go past the end');
    }
    if (literals > 32) out.set(block.subarray(at, at + literals), end);
    else for (let i = 0; i < literals; i++) out[end + i] = block[at + i]!;
    at += literals;
    end += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw new RangeError('a match is cut');
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    const length = readLength(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > end || end + length > out.length) {
      throw new RangeError('a match goes past the end');
    }
    // What overlaps repeats itself, so it is copied byte by byte.
    if (distance >= length && length > 32)
      out.copyWithin(end, end - distance, end - distance + length);
    else for (let i = 0; i < length; i++) out[end + i] = out[end - distance + i]!;
    end += length;
  }
  return end;
}
