/**
 * Reads a file in large pieces straight to where they are needed.
 *
 * A regular file is read up to the size it had when it was opened: what is appended meanwhile is
 * left for the next run, and if the last line was cut by that bound (the file has grown since), the
 * cut line is left too. A file that has become shorter is INPUT_CHANGED. What is no regular file (a
 * device; named pipes are read by `named-pipe.ts`) is read to its end.
 *
 * Each piece is memory that the caller owns; what is given back is read into again. Reads land 64-byte
 * aligned, which the kernel of the operating system rewards with several times the copying speed.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { EtlError } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';

export interface FileReader extends ByteReader {
  /** Bytes of the file when it was opened; undefined for what is no regular file. */
  readonly size: number | undefined;
  /**
   * `count` bytes from `from` on (default 0), fewer if there are not as many; does not move the
   * reading place. What is no regular file has only its first bytes to show.
   */
  peek(count: number, from?: number): Promise<Uint8Array>;
  /** Moves the reading place of a regular file to this offset. */
  seek(offset: number): void;
}

export interface FileReaderOptions {
  /** Bytes to read at a time. Default 1 MiB. */
  readonly chunkBytes?: number;
}

/** Errors: IO_ERROR naming the file, INPUT_CHANGED from `read`. */
export async function openFileReader(
  path: string,
  options: FileReaderOptions = {},
): Promise<FileReader> {
  const { chunkBytes = 1 << 20 } = options;
  const handle = await ioStep(path, 'cannot be opened', () => open(path, 'r'));
  try {
    const stat = await ioStep(path, 'cannot be read', () => handle.stat());
    if (stat.isDirectory()) throw new EtlError('IO_ERROR', 'is a folder', { place: { path } });
    return new HandleReader(handle, path, stat.isFile() ? stat.size : undefined, chunkBytes);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Pieces of a reader as an iterable; closes the reader at the end. */
export async function* readerChunks(reader: ByteReader): AsyncGenerator<Uint8Array, void, void> {
  const nothing = new Uint8Array(0);
  try {
    for (;;) {
      const piece = await reader.read(nothing);
      if (piece === undefined) return;
      yield piece;
    }
  } finally {
    await reader.close();
  }
}

/** A large Buffer begins 16 bytes after a multiple of 64. */
const BUFFER_SKEW = 16;
/** Sizes are multiples of this, so that memory given back fits whatever is carried into it. */
const MEMORY_STEP = 4096;

class HandleReader implements FileReader {
  readonly size: number | undefined;
  endsMidLine = false;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #chunkBytes: number;
  #position = 0;
  #peeked: Uint8Array | undefined;
  readonly #spare: Buffer[] = [];
  #busy: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, path: string, size: number | undefined, chunkBytes: number) {
    this.#handle = handle;
    this.#path = path;
    this.size = size;
    this.#chunkBytes = chunkBytes;
  }

  async peek(count: number, from = 0): Promise<Uint8Array> {
    const target = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const place = this.#fixed(from + filled);
      const got = await this.#readInto(target, filled, count - filled, place);
      if (got === 0) break;
      filled += got;
    }
    const peeked = target.subarray(0, filled);
    // Nothing but a regular file can be read twice.
    if (this.size === undefined) this.#peeked = peeked;
    return peeked;
  }

  seek(offset: number): void {
    this.#position = offset;
  }

  read(carry: Uint8Array): Promise<Uint8Array | undefined> {
    const reading = this.#read(carry);
    this.#busy = reading.catch(() => {});
    return reading;
  }

  reuse(bytes: Uint8Array): void {
    this.#spare.push(Buffer.from(bytes.buffer as ArrayBuffer));
  }

  close(): Promise<void> {
    this.#closing ??= this.#busy.then(() => this.#handle.close());
    return this.#closing;
  }

  async #read(carry: Uint8Array): Promise<Uint8Array | undefined> {
    const left = this.size === undefined ? this.#chunkBytes : this.size - this.#position;
    if (left <= 0) {
      await this.#checkEnd();
      return undefined;
    }
    const wanted = Math.min(left, this.#chunkBytes);
    const place = Math.ceil((carry.byteLength + BUFFER_SKEW) / 64) * 64 - BUFFER_SKEW;
    const memory = this.#memory(place + wanted);
    const begin = place - carry.byteLength;
    memory.set(carry, begin);
    let got = this.#takePeeked(memory, place);
    if (got === 0) got = await this.#readInto(memory, place, wanted, this.#fixed(this.#position));
    if (got === 0) {
      if (this.size !== undefined) {
        throw new EtlError('INPUT_CHANGED', 'the file became shorter while it was read', {
          place: { path: this.#path, offset: this.#position },
        });
      }
      return undefined;
    }
    this.#position += got;
    return new Uint8Array(memory.buffer, begin, carry.byteLength + got);
  }

  #memory(size: number): Buffer {
    const spare = this.#spare.pop();
    if (spare !== undefined && spare.length >= size) return spare;
    return Buffer.allocUnsafeSlow(Math.ceil(size / MEMORY_STEP) * MEMORY_STEP);
  }

  /** A regular file has a place to read from; a device has only its next bytes. */
  #fixed(position: number): number | null {
    return this.size === undefined ? null : position;
  }

  #takePeeked(memory: Uint8Array, place: number): number {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    if (!peeked || peeked.byteLength === 0) return 0;
    memory.set(peeked, place);
    return peeked.byteLength;
  }

  #readInto(target: Uint8Array, at: number, length: number, from: number | null): Promise<number> {
    return ioStep(this.#path, 'cannot be read', async () => {
      const { bytesRead } = await this.#handle.read(target, at, length, from);
      return bytesRead;
    });
  }

  async #checkEnd(): Promise<void> {
    if (this.size === undefined) return;
    const { size } = await ioStep(this.#path, 'cannot be read', () => this.#handle.stat());
    this.endsMidLine = size > this.size;
  }
}

/** Runs one file operation; a failure becomes IO_ERROR naming the file, the system's as cause. */
export async function ioStep<T>(path: string, what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new EtlError('IO_ERROR', `${what} (${code})`, { place: { path }, cause });
  }
}
