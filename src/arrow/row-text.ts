/** Rows of Arrow columns as JSONL bytes, a bounded number of bytes at a time. */
import { EtlError, isEtlError, type Place } from '../core/errors.ts';
import type { CellWriter } from './cell-writers.ts';
import { JsonOut } from './json-out.ts';

/** Lines of text, and the row behind the last of them. */
export interface RowsText {
  readonly bytes: Uint8Array;
  readonly next: number;
}

/** Room for the row that goes over the wanted size. */
const SLACK_BYTES = 1 << 14;

/** Turns rows into lines; one for all the record batches of a source. */
export class RowText {
  readonly #out: JsonOut;
  readonly #pieceBytes: number;
  #write: CellWriter = () => {};
  #first: Place = {};

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
    this.#out = new JsonOut(pieceBytes + SLACK_BYTES);
  }

  /** What writes a row as an object from now on, and where the first row stands. */
  bind(make: (out: JsonOut) => CellWriter, first: Place): void {
    this.#write = make(this.#out);
    this.#first = first;
  }

  /**
   * Lines of the rows [from, to), up to about `pieceBytes`; with `rows`, of those that it lists there.
   * Errors: LIMIT_EXCEEDED and the writer's own, with the row's place.
   */
  lines(from: number, to: number, rows?: Uint32Array): RowsText {
    const out = this.#out;
    const write = this.#write;
    const end = this.#pieceBytes;
    let row = from;
    try {
      if (rows) {
        for (; row < to && out.at < end; row++) {
          write(rows[row]!);
          out.byte(0x0a);
        }
      } else {
        for (; row < to && out.at < end; row++) {
          write(row);
          out.byte(0x0a);
        }
      }
    } catch (cause) {
      if (!isEtlError(cause)) throw cause;
      const { ordinal = 0 } = this.#first;
      const place = { ...this.#first, ordinal: ordinal + (rows ? rows[row]! : row) };
      throw new EtlError(cause.code, cause.reason, { place, cause });
    }
    return { bytes: out.take(), next: row };
  }
}
