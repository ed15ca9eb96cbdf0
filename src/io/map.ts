/**
 * Random reads of a file that only grows: through a read-only memory map where the system gives
 * one, by positioned reads where not; both answer the same.
 *
 * The file is mapped in windows of at most 1 GiB, each on first use, and only bytes that exist:
 * reading a mapped page past the end of its file kills the process. Bytes written since a window
 * was mapped are read by position until enough of them have come to map it anew. What `view`
 * hands out points into a map, but nobody keeps it, so closing needs no leases. The file must never be truncated below what was
 * read through here; the store cuts files only before it makes readers.
 *
 * Cost: a mapped read has no system call; a positioned one has one.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { EtlError } from '../core/errors.ts';
import type { RandomReader } from './disk.ts';
import { type NativeMap, native } from './native.ts';

export interface MapOptions {
  /** `auto` maps where possible; `read` never does. Default `auto`. */
  readonly use?: 'auto' | 'read';
  /** Bytes of a window, a multiple of 64 KiB. Default 1 GiB. */
  readonly windowBytes?: number;
}

/** Bytes of a window where nothing else is asked for. */
export const WINDOW_BYTES: number = 1 << 30;

interface Window {
  readonly view: Buffer;
  readonly map: NativeMap;
}

/** A window is mapped anew once this much has been added to what it covers. */
const REMAP_BYTES = 4 << 20;

/** A reader of the file at `path`; opens it anew, so that it outlives other handles. */
export function openReader(path: string, options: MapOptions = {}): RandomReader {
  const { use = 'auto', windowBytes = WINDOW_BYTES } = options;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new EtlError('IO_ERROR', `cannot open: ${String(cause)}`, { place: { path }, cause });
  }
  return new FileReader(path, fd, use === 'auto' ? windowBytes : 0);
}

class FileReader implements RandomReader {
  readonly #path: string;
  readonly #fd: number;
  readonly #windowBytes: number;
  readonly #windows: (Window | undefined)[] = [];
  #scratch: Buffer = Buffer.allocUnsafeSlow(4096);
  #closed = false;

  constructor(path: string, fd: number, windowBytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.#windowBytes = windowBytes;
  }

  text(offset: number, length: number): string {
    const window = this.#window(offset, length);
    if (window !== undefined) {
      const at = offset % this.#windowBytes;
      return window.toString('utf8', at, at + length);
    }
    this.#readInto(offset, length);
    return this.#scratch.toString('utf8', 0, length);
  }

  view(offset: number, length: number): Uint8Array {
    const window = this.#window(offset, length);
    if (window === undefined) {
      this.#readInto(offset, length);
      return this.#scratch.subarray(0, length);
    }
    return new Uint8Array(window.buffer, offset % this.#windowBytes, length);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (let i = 0; i < this.#windows.length; i++) {
      const map = this.#windows[i]?.map;
      this.#windows[i] = undefined;
      map?.unmap();
    }
    closeSync(this.#fd);
  }

  /** The window that holds all of the bytes, or undefined when they must be read by position. */
  #window(offset: number, length: number): Buffer | undefined {
    if (this.#closed) throw new EtlError('CLOSED', 'the reader is closed');
    const size = this.#windowBytes;
    if (size === 0) return undefined;
    const at = offset % size;
    const index = (offset - at) / size;
    const window = this.#windows[index];
    if (window !== undefined && at + length <= window.view.length) return window.view;
    if (at + length > size) return undefined;
    return this.#grow(index, at + length);
  }

  #grow(index: number, needed: number): Buffer | undefined {
    const size = this.#windowBytes;
    const old = this.#windows[index];
    const exists = Math.min(size, fstatSync(this.#fd).size - index * size);
    if (exists < needed) return undefined;
    if (old !== undefined && exists < old.view.length + REMAP_BYTES && exists < size) {
      return undefined;
    }
    const map = native()?.map(this.#fd, index * size, exists);
    if (map === undefined) return undefined;
    this.#windows[index] = { view: Buffer.from(map.buffer), map };
    old?.map.unmap();
    return this.#windows[index]!.view;
  }

  #readInto(offset: number, length: number): void {
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafeSlow(length * 2);
    let done = 0;
    while (done < length) {
      let got: number;
      try {
        got = readSync(this.#fd, this.#scratch, done, length - done, offset + done);
      } catch (cause) {
        throw ioError(this.#path, 'read', offset, cause);
      }
      if (got === 0) throw ioError(this.#path, 'read past the end', offset, undefined);
      done += got;
    }
  }
}

function ioError(path: string, what: string, offset: number, cause: unknown): EtlError {
  const because = cause === undefined ? '' : `: ${String(cause)}`;
  return new EtlError('IO_ERROR', `cannot ${what}${because}`, { place: { path, offset }, cause });
}
