/**
 * Looking forward for records in what lies behind a tail and may be unfinished: a record that follows names
 * that tail, and its sum is that of all between. One pass over the bytes, which are read beside other work.
 */
import type { FileView } from '../../io/index.ts';
import { alignPayload, METADATA_BYTES } from '../../kernels/index.ts';
import { crc32, crc32ByTable } from '../archive/crc32.ts';
import { readU32 } from './entry-metadata.ts';

const PIECE_BYTES = 1 << 20;
/** Up to so many bytes a call of the system's own sum costs more than it saves. */
const FEW_BYTES = 16;
const TOMBSTONE = Uint8Array.of(0);

export class RecordSearch {
  readonly #view: FileView;
  readonly #size: number;
  #piece: Uint8Array = new Uint8Array(0);
  #base = 0;
  /** The sum of the bytes from the payload's start to `#summed`, for a record behind `#before`. */
  #before = -1;
  #summed = 0;
  #sum = 0;

  /** Of the first `size` bytes. */
  constructor(view: FileView, size: number) {
    this.#view = view;
    this.#size = size;
  }

  /**
   * The end of the first whole record behind the tail `before` with its metadata at `from` or later;
   * undefined when there is none. Asked again with the same tail, `from` only grows. Errors: IO_ERROR, INPUT_CHANGED.
   */
  async next(before: number, from: number): Promise<number | undefined> {
    const start = alignPayload(before);
    if (before !== this.#before) {
      this.#before = before;
      this.#summed = start;
      this.#sum = 0;
      if (from <= before + 1 && (await this.#isTombstone(before)))
        return before + 1 + METADATA_BYTES;
    }
    for (let at = Math.max(from, start + 1); at + METADATA_BYTES <= this.#size; ) {
      await this.#load(at);
      for (at = this.#find(at); at >= 0; at = this.#find(at + 1)) {
        if (this.#summed < this.#base) await this.#sumUpToPiece();
        this.#sumUpTo(at);
        if (readU32(this.#piece, at - this.#base + 16) === this.#sum) return at + METADATA_BYTES;
      }
      at = this.#base + this.#piece.length - METADATA_BYTES + 1;
    }
    return undefined;
  }

  /** That of the record found last. */
  get sum(): number {
    return this.#sum;
  }

  /** Where in the piece, from `at` on, metadata may lie that names the tail; -1 for nowhere. */
  #find(at: number): number {
    const piece = this.#piece;
    const low = this.#before >>> 0;
    const high = Math.floor(this.#before / 2 ** 32);
    const first = low & 0xff;
    for (let i = at - this.#base; i + METADATA_BYTES <= piece.length; i++) {
      if (piece[i + 8] !== first) continue;
      if (readU32(piece, i + 8) === low && readU32(piece, i + 12) === high) return this.#base + i;
    }
    return -1;
  }

  async #isTombstone(before: number): Promise<boolean> {
    const at = before + 1;
    if (at + METADATA_BYTES > this.#size) return false;
    await this.#load(before);
    const isThere = this.#piece[before - this.#base] === 0 && this.#find(at) === at;
    return isThere && readU32(this.#piece, at - this.#base + 16) === crc32(TOMBSTONE, 0);
  }

  async #sumUpToPiece(): Promise<void> {
    while (this.#summed < this.#base) {
      const length = Math.min(PIECE_BYTES, this.#base - this.#summed);
      this.#sum = crc32(await this.#view.fetch(this.#summed, length), this.#sum);
      this.#summed += length;
    }
  }

  #sumUpTo(at: number): void {
    const [from, to] = [this.#summed - this.#base, at - this.#base];
    if (to - from <= FEW_BYTES) this.#sum = crc32ByTable(this.#piece, this.#sum, from, to);
    else this.#sum = crc32(this.#piece.subarray(from, to), this.#sum);
    this.#summed = at;
  }

  /** Has all of the metadata at `at` in the piece. */
  async #load(at: number): Promise<void> {
    const isThere = at >= this.#base && at + METADATA_BYTES <= this.#base + this.#piece.length;
    if (isThere) return;
    this.#piece = await this.#view.fetch(at, Math.min(PIECE_BYTES, this.#size - at));
    this.#base = at;
  }
}
