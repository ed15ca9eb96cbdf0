/**
 * Takes bytes from a reader in the amounts that a format wants. What lies in one chunk is a view of it;
 * what does not is put together once, and memory is taken only for bytes that have come.
 */
import type { ByteReader } from '../core/stage.ts';

const NOTHING = new Uint8Array(0);

export class ByteQueue {
  readonly #reader: ByteReader;
  #parts: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #position = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** Bytes in memory, not taken yet. */
  get held(): number {
    return this.#held;
  }

  /** The next `count` bytes, fewer at the end; they stay where they are. */
  async peek(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    const seen = this.#cut(Math.min(count, this.#held));
    if (seen.length > 0) this.#parts.unshift(seen);
    this.#held += seen.length;
    return seen;
  }

  /** The next `count` bytes, 8-byte aligned where they are many; undefined where there are fewer. */
  async take(count: number): Promise<Uint8Array | undefined> {
    await this.#fill(count);
    if (this.#held < count) return undefined;
    this.#position += count;
    return this.#cut(count);
  }

  /** Passes over all there is; answers how much that was, and the last `count` bytes of it. */
  async drain(count: number): Promise<{ length: number; end: Uint8Array }> {
    let length = 0;
    let end: Uint8Array = NOTHING;
    while (this.#held > 0 || !this.#ended) {
      await this.#fill(1);
      const piece = this.#cut(this.#held);
      length += piece.length;
      end = Uint8Array.from([...end, ...piece.subarray(-count)]).subarray(-count);
    }
    this.#position += length;
    return { length, end };
  }

  /**
   * The last `count` bytes of all there are; everything is held until it is taken. Undefined where there
   * are fewer, or more than `limit`.
   */
  async tail(count: number, limit: number): Promise<Uint8Array | undefined> {
    await this.#fill(limit);
    if (!this.#ended || this.#held < count) return undefined;
    const found = new Uint8Array(count);
    let end = count;
    for (let i = this.#parts.length - 1; end > 0; i--) {
      const part = this.#parts[i]!.subarray(-end);
      end -= part.length;
      found.set(part, end);
    }
    return found;
  }

  async #fill(count: number): Promise<void> {
    while (this.#held < count && !this.#ended) {
      const piece = await this.#reader.read(NOTHING);
      if (piece === undefined) this.#ended = true;
      else if (piece.length > 0) {
        this.#parts.push(piece);
        this.#held += piece.length;
      }
    }
  }

  #cut(count: number): Uint8Array {
    const first = this.#parts[0];
    this.#held -= count;
    if (first && first.length >= count) {
      this.#drop(0, count);
      const view = first.subarray(0, count);
      // Columns are read through typed arrays; a copy now spares one for each of them.
      return count >= 4096 && view.byteOffset % 8 !== 0 ? view.slice() : view;
    }
    const whole = new Uint8Array(count);
    let at = 0;
    let index = 0;
    while (at < count) {
      const part = this.#parts[index]!;
      const used = Math.min(part.length, count - at);
      whole.set(used === part.length ? part : part.subarray(0, used), at);
      at += used;
      if (used < part.length) {
        this.#drop(index, used);
        return whole;
      }
      index++;
    }
    this.#parts.splice(0, index);
    return whole;
  }

  /** Drops `index` whole parts and the first bytes of the next. */
  #drop(index: number, bytes: number): void {
    const rest = this.#parts[index]!.subarray(bytes);
    this.#parts.splice(0, index + 1, ...(rest.length > 0 ? [rest] : []));
  }
}
