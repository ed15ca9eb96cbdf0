/**
 * One file that is followed: the descriptor of what was read last, and the place reached in it. Reads
 * whole lines only as long as the file may grow.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { EtlError, isEtlError } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import { joinBytes } from '../formats/chunk-reader.ts';
import { ioStep } from '../io/file-reader.ts';
import { HEAD_BYTES, type InputReader, readFrom, readThrough, TAIL_BYTES } from './input-place.ts';
import {
  findNext,
  findRenamed,
  findRest,
  type OpenedRotated,
  type RotatedFile,
} from './tail-rotated.ts';
import type { TailPlace } from './tail-source.ts';

const NEVER = new AbortController().signal;
const NOTHING = new Uint8Array(0);

/**
 * What a look at the file finds: nothing new; more bytes; that the name has gone to another file
 * while this one is open; that this one has been deleted; or that the bytes before the place are no
 * longer what they were.
 */
export type FileState = 'same' | 'grown' | 'replaced' | 'deleted' | 'other';

export interface FollowOptions {
  /** Begin behind what is there. */
  readonly fromEnd: boolean;
  /** A file that has been replaced or deleted is left when nothing was written to it for so long. */
  readonly graceMs: number;
  /** Bytes read at a time. */
  readonly chunkBytes: number;
}

export class FollowedFile {
  readonly path: string;
  /** Where reading goes on; undefined before the first line. */
  place: TailPlace | undefined;
  #fromEnd: boolean;
  #handle: FileHandle | undefined;
  /** Size up to which it has been read, an unfinished line included. */
  #seen = -1;
  #modifiedMs = -1;
  /** When it was first seen to be replaced or deleted, and nothing was written since. */
  #quietSince: number | undefined;
  /** The one that had the name before, as long as nothing is known of the one that has it now. */
  #old: RotatedFile | undefined;
  readonly #options: FollowOptions;

  constructor(path: string, place: TailPlace | undefined, options: FollowOptions) {
    this.path = path;
    this.place = place;
    this.#options = options;
    this.#fromEnd = options.fromEnd;
  }

  /** It has been replaced or deleted, and is left once it has been quiet for long enough. */
  get isLeaving(): boolean {
    return this.#quietSince !== undefined;
  }

  /** There is something to be kept about it: a descriptor, a place, or what had its name before. */
  get isKnown(): boolean {
    return (this.#handle ?? this.place ?? this.#old) !== undefined;
  }

  /** Where a later run goes on: until the name has a line, in what had it before. */
  get lastPlace(): TailPlace | undefined {
    return this.place ?? this.#old?.place;
  }

  /** Errors: IO_ERROR. */
  async look(): Promise<FileState> {
    const now = await stat(this.path).catch(() => undefined);
    if (this.#handle) {
      const mine = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
      const isReplaced = now && (now.ino !== mine.ino || now.dev !== mine.dev);
      // One that was renamed may grow until another one gets the name.
      if (isReplaced || (!now && mine.nlink === 0)) {
        if (this.place && !(await this.#isWhatItWas(this.place))) return 'other';
        return this.#leave(mine.size, isReplaced ? 'replaced' : 'deleted');
      }
      this.#quietSince = undefined;
      if (mine.size === this.#seen && mine.mtimeMs === this.#modifiedMs) return 'same';
      const whole = this.place?.offset ?? 0;
      if (mine.size < whole) return 'other';
      // An unfinished line may have been cut off, and another one come in its place.
      this.#seen = Math.min(this.#seen, whole);
      this.#modifiedMs = mine.mtimeMs;
    } else {
      if (!now) return this.place ? 'other' : 'same';
      if (!now.isFile()) return 'same';
      this.#handle = await ioStep(this.path, 'cannot be opened', () => openIfThere(this.path));
      if (!this.#handle) return this.place ? 'other' : 'same';
    }
    if (this.place && !(await this.#isWhatItWas(this.place))) return 'other';
    if (this.#fromEnd) await this.#skipToEnd();
    const { size } = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
    return size > this.#seen ? 'grown' : 'same';
  }

  /** Its writer may not have noticed yet that it is to be left. */
  #leave(size: number, state: 'replaced' | 'deleted'): FileState {
    if (size > this.#seen || this.#quietSince === undefined) {
      this.#quietSince = performance.now();
      return size > this.#seen ? 'grown' : 'same';
    }
    const { graceMs } = this.#options;
    return performance.now() - this.#quietSince < graceMs ? 'same' : state;
  }

  /**
   * Reads what has come, up to the size of now; the last line only if it has its end. Errors, also of
   * the reader: IO_ERROR; CURSOR_MISMATCH when what stood before is no longer there.
   */
  async openGrown(): Promise<InputReader> {
    const { size } = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
    this.#seen = size;
    return this.#open(size, true);
  }

  /**
   * Reads the rest of a file that nobody will add to, a last line without its end too. Errors: those of
   * `openGrown`.
   */
  async openRest(): Promise<InputReader | undefined> {
    const { size } = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
    if (size <= (this.place?.offset ?? 0)) return undefined;
    return this.#open(size, false);
  }

  /** Finds the rest of what the file was under another name. Errors: the signal's reason. */
  findRest(signal: AbortSignal): Promise<OpenedRotated | undefined> {
    return findRest(this.path, this.place!, { signal, ...this.#options });
  }

  /**
   * A file that had the name after the one that was left, and before the one that has it now.
   * Errors: IO_ERROR, the signal's reason.
   */
  async findBetween(signal: AbortSignal): Promise<OpenedRotated | undefined> {
    if (this.place || !this.#old) return undefined;
    const current = await this.#handle?.stat({ bigint: true });
    const found = await findNext(this.path, this.#old, {
      current: current?.ino,
      signal,
      ...this.#options,
    });
    this.place = found?.place;
    return found;
  }

  /** Begins anew with whatever has the name now; `old` is the file left, if it is not the open one. */
  async forget(old?: RotatedFile): Promise<void> {
    const mine = await this.#handle?.stat({ bigint: true });
    if (old) this.#old = { ...old, place: this.place };
    else if (mine) this.#old = await findRenamed(this.path, mine, this.place);
    await this.#beginAnew();
  }

  /** The same, where nothing that had the name before matters any more. */
  async drop(): Promise<void> {
    this.#old = undefined;
    await this.#beginAnew();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #beginAnew(): Promise<void> {
    await this.close();
    this.place = undefined;
    this.#seen = -1;
    this.#modifiedMs = -1;
    this.#quietSince = undefined;
    this.#fromEnd = false;
  }

  async #open(size: number, mayGrow: boolean): Promise<InputReader> {
    const input = { name: this.path, input: 0 };
    const from = this.place?.offset ?? 0;
    const { chunkBytes } = this.#options;
    const head = await this.#bytes(0, Math.min(from, HEAD_BYTES));
    const start = Math.max(0, from - TAIL_BYTES);
    const before = await this.#bytes(start, from - start);
    const span = { before, from, size, mayGrow, chunkBytes };
    const reader = new SpanReader(this.#handle!, this.path, span);
    if (!this.place) return readThrough(reader, input, undefined, NEVER);
    return readFrom(reader, input, this.place, head, before);
  }

  async #isWhatItWas(place: TailPlace): Promise<boolean> {
    const { size } = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
    if (size < place.offset) return false;
    try {
      await this.#open(place.offset, true);
      return true;
    } catch {
      return false;
    }
  }

  /** Passes over the lines there are; over none of a file that is truncated meanwhile. */
  async #skipToEnd(): Promise<void> {
    this.#fromEnd = false;
    const { size } = await ioStep(this.path, 'cannot be read', () => this.#handle!.stat());
    const reader = await this.#open(size, true);
    try {
      this.place = await placeAtEnd(reader);
    } catch (error) {
      if (!isEtlError(error, 'CURSOR_MISMATCH')) throw error;
    }
  }

  #bytes(from: number, count: number): Promise<Uint8Array> {
    return readBytes(this.#handle!, this.path, from, count);
  }
}

/** Behind the last line that has its end; undefined where there is none. */
async function placeAtEnd(reader: InputReader): Promise<TailPlace | undefined> {
  let place: TailPlace | undefined;
  let offset = 0;
  let end = 0;
  let line = 0;
  for (;;) {
    const piece = await reader.read(NOTHING);
    if (!piece) return place;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) {
      line++;
      end = offset + at + 1;
    }
    offset += piece.length;
    if (end > 0) place = { ...reader.placeAt(end), line };
  }
}

/** Fewer at the end of the file. Errors: IO_ERROR. */
async function readBytes(
  handle: FileHandle,
  path: string,
  from: number,
  count: number,
): Promise<Uint8Array> {
  const target = new Uint8Array(count);
  const read = () => handle.read(target, 0, count, from);
  const { bytesRead } = await ioStep(path, 'cannot be read', read);
  return target.subarray(0, bytesRead);
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Bytes of an open file from one offset to another. After each read it looks whether the bytes in front
 * are still there: a file that was truncated and filled again has others. Does not close it.
 */
class SpanReader implements ByteReader {
  readonly endsMidLine: boolean;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #end: number;
  readonly #chunkBytes: number;
  #at: number;
  /** What stood in front of `#at`, `TAIL_BYTES` of it at most. */
  #before: Uint8Array;

  constructor(
    handle: FileHandle,
    path: string,
    span: {
      before: Uint8Array;
      from: number;
      size: number;
      mayGrow: boolean;
      chunkBytes: number;
    },
  ) {
    this.#handle = handle;
    this.#path = path;
    this.#at = span.from;
    this.#before = span.before;
    this.#end = span.size;
    this.#chunkBytes = span.chunkBytes;
    this.endsMidLine = span.mayGrow;
  }

  /** Errors: IO_ERROR, CURSOR_MISMATCH. */
  async read(carry: Uint8Array): Promise<Uint8Array | undefined> {
    const wanted = Math.min(this.#chunkBytes, this.#end - this.#at);
    if (wanted <= 0) return undefined;
    const target = new Uint8Array(carry.length + wanted);
    target.set(carry);
    const read = () => this.#handle.read(target, carry.length, wanted, this.#at);
    const { bytesRead } = await ioStep(this.#path, 'cannot be read', read);
    await this.#check();
    if (bytesRead === 0) return undefined;
    this.#at += bytesRead;
    const end = carry.length + bytesRead;
    const last = target.subarray(Math.max(carry.length, end - TAIL_BYTES), end);
    const both = joinBytes([this.#before, last], this.#before.length + last.length);
    this.#before = both.slice(-TAIL_BYTES);
    return target.subarray(0, end);
  }

  async close(): Promise<void> {}

  async #check(): Promise<void> {
    const { length } = this.#before;
    const now = await readBytes(this.#handle, this.#path, this.#at - length, length);
    if (Buffer.compare(now, this.#before) === 0) return;
    const place = { path: this.#path, offset: this.#at };
    throw new EtlError('CURSOR_MISMATCH', 'has been changed while it was read', { place });
  }
}
