/** Gathers pieces of a stream to writes of 1 MiB. */
const PIECE_BYTES = 1 << 20;

export class PieceBuffer {
  #buffer = new Uint8Array(PIECE_BYTES);
  #filled: number;

  /** `padding`: zeros in front. */
  constructor(padding: number) {
    this.#filled = padding;
  }

  /** Takes a piece over; gives what is full, to be written before the next is asked for. */
  *add(piece: Uint8Array): Generator<Uint8Array, void, void> {
    for (let at = 0; at < piece.length; ) {
      const room = Math.min(piece.length - at, PIECE_BYTES - this.#filled);
      this.#buffer.set(piece.subarray(at, at + room), this.#filled);
      this.#filled += room;
      at += room;
      if (this.#filled < PIECE_BYTES) return;
      yield this.#buffer;
      this.#filled = 0;
    }
  }

  /** What is left; a view. */
  rest(): Uint8Array {
    return this.#buffer.subarray(0, this.#filled);
  }
}
