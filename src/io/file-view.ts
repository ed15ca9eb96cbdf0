/**
 * Views of a file that only grows: by memory maps under leases where the system gives them, by
 * positioned reads where not.
 *
 * Maps are windows of at most 1 GiB on a fixed grid, made on first use and made anew when the file has
 * grown by an eighth (at least 1 MiB) over what they cover; until then what is new is read by position,
 * or mapped by itself where it is large. Only bytes that exist are mapped: touching a mapped page
 * past the end of its file kills the process. For the same reason the file must not be cut below what
 * was promised to exist (`extend`): once in every turn of the event loop the size is looked at, and a
 * file that became shorter is INPUT_CHANGED from then on.
 *
 * Nobody counts leases: a window's memory is unmapped when no view of it can be reached any more
 * (`native.lease`), so closing with views outside is safe, and so is a native call that still reads.
 */
import { fstatSync } from 'node:fs';
import { EtlError } from '../core/errors.ts';
import type { DiskFile, FileView } from './disk.ts';
import { type MapOptions, WINDOW_BYTES } from './map.ts';
import { native } from './native.ts';

const REMAP_BYTES = 1 << 20;
/** What is at least this long is worth a map of its own. */
const LARGE = 1 << 16;
const BLOCK_BYTES = 1 << 16;
const PAGE = 1 << 16;
const NOTHING = new Uint8Array(0);

/** A map, and what is asked of it by the million: the getters of an array cost a call each. */
interface Window {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Grants nothing, not even no bytes. */
const NONE: Window = { buffer: NOTHING.buffer, bytes: NOTHING, length: -1 };

type ReadableFile = Pick<DiskFile, 'path' | 'read' | 'readSync'>;

/** Views of an open file; `fd` where there is one to map. */
export function openFileView(file: ReadableFile, fd?: number, options: MapOptions = {}): FileView {
  const { use = 'auto', windowBytes = WINDOW_BYTES } = options;
  const mapped = use === 'auto' && fd !== undefined && native() !== undefined;
  return mapped ? new MappedView(file, fd, windowBytes) : new ReadView(file);
}

/** By positioned reads, with the block read last kept. */
class ReadView implements FileView {
  readonly way: 'map' | 'read' = 'read';
  memory: Uint8Array = NOTHING;
  protected readonly file: ReadableFile;
  protected size = 0;
  #block: Uint8Array = NOTHING;
  #blockStart = 0;
  #blockEnd = 0;
  #closed = false;

  constructor(file: ReadableFile) {
    this.file = file;
  }

  extend(size: number): void {
    if (size > this.size) this.size = size;
  }

  seek(offset: number, length: number): number {
    this.check(offset, length);
    return this.seekByReading(offset, length);
  }

  bytes(offset: number, length: number): Uint8Array {
    this.check(offset, length);
    return this.readBytes(offset, length);
  }

  async fetch(offset: number, length: number): Promise<Uint8Array> {
    this.check(offset, length);
    const target = roomFor(length);
    await this.fetchInto(target, offset);
    return target;
  }

  async fetchInto(target: Uint8Array, offset: number): Promise<void> {
    this.check(offset, target.length);
    this.#checkRead(await this.file.read(target, offset), target, offset);
  }

  touch(_stretches: Float64Array): void {}

  close(): void {
    this.#closed = true;
    this.memory = NOTHING;
    this.#block = NOTHING;
    this.#blockEnd = 0;
  }

  protected check(offset: number, length: number): void {
    if (this.#closed) throw new EtlError('CLOSED', 'the file is closed', this.#at(offset));
    if (offset < 0 || offset + length > this.size) {
      throw new EtlError('IO_ERROR', 'cannot read past the end', this.#at(offset));
    }
  }

  /** What stands in front is likelier to be wanted next than what follows: payloads precede metadata. */
  protected seekByReading(offset: number, length: number): number {
    if (offset < this.#blockStart || offset + length > this.#blockEnd) {
      const end = Math.min(this.size, offset + length + 256);
      const start = Math.max(0, end - Math.max(4096, length + 256));
      if (this.#block.length < end - start) this.#block = new Uint8Array(BLOCK_BYTES + 512);
      this.#blockEnd = 0;
      this.#fill(this.#block.subarray(0, end - start), start);
      this.#blockStart = start;
      this.#blockEnd = end;
    }
    this.memory = this.#block;
    return offset - this.#blockStart;
  }

  protected readBytes(offset: number, length: number): Uint8Array {
    if (offset >= this.#blockStart && offset + length <= this.#blockEnd) {
      const at = offset - this.#blockStart;
      return this.#block.slice(at, at + length);
    }
    const target = roomFor(length);
    this.#fill(target, offset);
    return target;
  }

  #fill(target: Uint8Array, offset: number): void {
    this.#checkRead(this.file.readSync(target, offset), target, offset);
  }

  #checkRead(got: number, target: Uint8Array, offset: number): void {
    if (got < target.length) throw wasCut(this.file.path, offset + got);
  }

  #at(offset: number): { place: { path: string; offset: number } } {
    return { place: { path: this.file.path, offset } };
  }
}

/** INPUT_CHANGED: a file ends before what was promised to be there. */
export function wasCut(path: string, size: number): EtlError {
  return new EtlError('INPUT_CHANGED', `the file was cut to ${size} bytes meanwhile`, {
    place: { path, offset: size },
  });
}

/** To be filled to the end or not given out: zeros first would cost as much as the reading. */
export function roomFor(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

class MappedView extends ReadView {
  override readonly way = 'map';
  readonly #fd: number;
  readonly #windowBytes: number;
  #windows: (Window | undefined)[] = [];
  /** The first window, while nothing more has to be asked in this turn: one comparison for what comes by the million. */
  #granted = NONE;
  /** Never read; without it the loads of `touch` would be optimised away. */
  protected touched = 0;
  #looked = false;

  constructor(file: ReadableFile, fd: number, windowBytes: number) {
    super(file);
    this.#fd = fd;
    this.#windowBytes = windowBytes;
  }

  override seek(offset: number, length: number): number {
    if (offset >= 0 && offset + length <= this.#granted.length) {
      this.memory = this.#granted.bytes;
      return offset;
    }
    this.check(offset, length);
    const index = Math.floor(offset / this.#windowBytes);
    const at = offset - index * this.#windowBytes;
    const window = this.#window(index, at, length);
    if (window === undefined) return this.seekByReading(offset, length);
    this.memory = window.bytes;
    return at;
  }

  override bytes(offset: number, length: number): Uint8Array {
    const granted = this.#granted;
    if (offset >= 0 && offset + length <= granted.length) {
      return new Uint8Array(granted.buffer, offset, length);
    }
    return this.#bytesAnywhere(offset, length);
  }

  override async fetch(offset: number, length: number): Promise<Uint8Array> {
    return this.bytes(offset, length);
  }

  override async fetchInto(target: Uint8Array, offset: number): Promise<void> {
    target.set(this.bytes(offset, target.length));
  }

  override touch(stretches: Float64Array): void {
    const [window] = this.#windows;
    if (window === undefined) return;
    this.check(0, 0);
    this.#granted = window;
    const { bytes, length } = window;
    let seen = 0;
    for (let i = 0; i < stretches.length; i += 2) {
      const offset = stretches[i]! < 0 ? stretches[i + 1]! : stretches[i]!;
      if (offset >= 0 && offset < length) seen |= bytes[offset]!;
    }
    this.touched = seen;
  }

  override close(): void {
    super.close();
    this.#windows = [];
    this.#granted = NONE;
  }

  protected override check(offset: number, length: number): void {
    super.check(offset, length);
    // By `call` on a field it stays out of the code compiled around it, which would be thrown away when a turn
    // first comes to look.
    this.#look.call(null);
  }

  readonly #look = (): void => {
    if (this.#looked) return;
    this.#looked = true;
    queueMicrotask(() => {
      this.#looked = false;
      this.#granted = NONE;
    });
    const { size } = fstatSync(this.#fd);
    if (size >= this.size) return;
    this.close();
    throw wasCut(this.file.path, size);
  };

  #bytesAnywhere(offset: number, length: number): Uint8Array {
    this.check(offset, length);
    const index = Math.floor(offset / this.#windowBytes);
    const at = offset - index * this.#windowBytes;
    const window = this.#window(index, at, length);
    if (window !== undefined) return new Uint8Array(window.buffer, at, length);
    if (length >= LARGE) {
      const start = offset - (offset % PAGE);
      const own = native()?.lease(this.#fd, start, offset + length - start);
      if (own !== undefined) return new Uint8Array(own, offset - start, length);
    }
    return this.readBytes(offset, length);
  }

  /** The window that holds all of the bytes, or undefined when they must be had in another way. */
  #window(index: number, at: number, length: number): Window | undefined {
    const window = this.#windows[index];
    if (window !== undefined && at + length <= window.length) {
      if (index === 0) this.#granted = window;
      return window;
    }
    return at + length > this.#windowBytes ? undefined : this.#lease(index, window?.length ?? 0);
  }

  #lease(index: number, covered: number): Window | undefined {
    const start = index * this.#windowBytes;
    const length = Math.min(this.#windowBytes, this.size - start);
    const growth = Math.max(REMAP_BYTES, covered / 8);
    const whole = covered === 0 || length === this.#windowBytes;
    if (!whole && length - covered < growth) return undefined;
    const buffer = native()?.lease(this.#fd, start, length);
    if (buffer === undefined) return undefined;
    const grown = { buffer, bytes: new Uint8Array(buffer), length };
    this.#windows[index] = grown;
    return grown;
  }
}
