/**
 * zstd where Node has none (before 22.15): `fzstd` undoes the blocks; the frames around them are read here, as it
 * compares neither checksums nor sizes. Holds a block and a frame's window. Source: RFC 8878.
 *
 * A frame of data is: magic (u32), descriptor (u8), window descriptor (u8, unless a single segment), dictionary id
 * (0, 1, 2 or 4 bytes), content size (0, 1, 2, 4 or 8 bytes), blocks (u24: last, type in two bits, size; then the
 * bytes), and where the descriptor says so the low 32 bits of the content's XXH64. A frame to be passed over is:
 * magic (u32), length (u32), bytes. All numbers are little-endian.
 */
import { Decompress } from 'fzstd';
import { Xxh64 } from '../kernels/xxh64.ts';

const MAGIC = 0xfd2fb528;
/** Of frames to be passed over; the low four bits may be any. */
const OTHER_MAGIC = 0x184d2a50;
/** What is passed over is taken in pieces of at most this. */
const PASS_BYTES = 1 << 16;
/** A window is memory that a frame asks for. Node's own zstd gives no more, either. */
const MAX_WINDOW_BYTES = 1 << 27;
const MAX_BLOCK_BYTES = 1 << 17;
/** The type of a block of one byte that is repeated. */
const REPEATED = 1;
/** Bits of the descriptor. */
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;

/** Plain bytes of frames that come in pieces, cut anywhere. Errors: those of damage, with a message of its own. */
export class Unzstd {
  /** Bytes not taken yet, in pieces. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Content of the block just taken. */
  #content: Uint8Array[] = [];
  #insideFrame = false;
  readonly #frames = this.#readFrames();
  #wanted = this.#frames.next().value;

  /** The content that these bytes complete, a block at a time. */
  *push(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    while (this.#heldBytes >= this.#wanted) {
      this.#wanted = this.#frames.next(this.#take(this.#wanted)).value;
      const content = this.#content;
      this.#content = [];
      yield* content;
    }
  }

  /** Throws where the bytes so far end within a frame. */
  end(): void {
    if (this.#insideFrame || this.#heldBytes > 0) throw new Error('unexpected end of file');
  }

  #take(size: number): Buffer {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)];
    const held = this.#held[0]!;
    this.#held = [held.subarray(size)];
    this.#heldBytes -= size;
    return Buffer.from(held.buffer, held.byteOffset, size);
  }

  /** Asks for as many bytes as it yields and is given them. */
  *#readFrames(): Generator<number, never, Buffer> {
    for (;;) {
      this.#insideFrame = false;
      const magic = yield 4;
      this.#insideFrame = true;
      const kind = magic.readUInt32LE(0);
      if (kind === MAGIC) yield* this.#readFrame(magic);
      else if ((kind & ~15) === OTHER_MAGIC) {
        let left = (yield 4).readUInt32LE(0);
        for (; left > 0; left -= Math.min(left, PASS_BYTES)) yield Math.min(left, PASS_BYTES);
      } else throw new Error('no zstd frame where one should begin');
    }
  }

  *#readFrame(magic: Buffer): Generator<number, void, Buffer> {
    const hash = new Xxh64();
    let size = 0;
    const unpacker = new Decompress((content) => {
      if (content.length === 0) return;
      size += content.length;
      hash.update(content);
      this.#content.push(content);
    });
    const descriptor = (yield 1)[0]!;
    const fields = yield countFields(descriptor).all;
    const announced = readContentSize(descriptor, fields);
    unpacker.push(Buffer.concat([magic, Buffer.of(descriptor), fields]));
    for (let isLast = false; !isLast; ) {
      const head = yield 3;
      const block = head.readUIntLE(0, 3);
      isLast = (block & 1) === 1;
      if (block >> 3 > MAX_BLOCK_BYTES) throw new Error('a block is too long');
      unpacker.push(head);
      unpacker.push(yield ((block >> 1) & 3) === REPEATED ? 1 : block >> 3);
    }
    const checksum = yield descriptor & CHECKSUM ? 4 : 0;
    unpacker.push(checksum, true);
    if (announced !== undefined && size !== announced) {
      throw new Error(`a frame holds ${size} bytes where ${announced} were announced`);
    }
    if (
      checksum.length > 0 &&
      BigInt(checksum.readUInt32LE(0)) !== (hash.digest() & 0xffff_ffffn)
    ) {
      throw new Error('the checksum of a frame is not that of its content');
    }
  }
}

/** Bytes of the fields behind a descriptor: the single ones, and all. */
function countFields(descriptor: number) {
  const window = descriptor & SINGLE_SEGMENT ? 0 : 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const size = descriptor >> 6 === 0 ? 1 - window : 1 << (descriptor >> 6);
  return { window, dictionary, size, all: window + dictionary + size };
}

/** The content's size; undefined where the fields do not say. Throws for what cannot be read. */
function readContentSize(descriptor: number, fields: Buffer): number | undefined {
  const count = countFields(descriptor);
  const at = count.window + count.dictionary;
  if (fields.subarray(count.window, at).some((byte) => byte !== 0)) {
    throw new Error('it needs a dictionary');
  }
  let size: number | undefined;
  if (count.size === 8) size = Number(fields.readBigUInt64LE(at));
  else if (count.size > 0) size = fields.readUIntLE(at, count.size) + (count.size === 2 ? 256 : 0);
  const window = count.window ? 2 ** (10 + (fields[0]! >> 3)) * (1 + (fields[0]! & 7) / 8) : size!;
  if (window > MAX_WINDOW_BYTES) throw new Error(`it needs a window of ${window} bytes`);
  return size;
}
