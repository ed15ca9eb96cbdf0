/**
 * Writes a file as a whole or not at all: bytes go to a temporary name in the same folder, and only
 * `finish` gives it its name, after syncing it; then the folder is synced. `abort` removes it, also
 * while `finish` is under way, up to the moment when it is renamed. A file that it replaces has its
 * owner and permissions; where a link leads to one, it is that one.
 *
 * What must not be replaced (a device, a pipe) is written to as `in-place.ts` says.
 *
 * Bytes are taken over, not copied: whoever writes must not change them afterwards. Small writes
 * to a file are gathered to 1 MiB, or to half of `maxMemory` where that is less. One write is under way while
 * the next is gathered; `write` resolves at once as long as no more than half of `maxMemory` waits
 * behind it, so that a record batch of an Arrow file is written while the next is filled. After a
 * failure every call fails with it.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { ioStep } from './file-reader.ts';
import { isInPlace, openInPlace } from './in-place.ts';
import { nodeDisk } from './node-disk.ts';
import { findModel, firstMode, followLink, makeAlike } from './replacing.ts';
import { temporaryBeside } from './temporary.ts';
import { forgetTemporary } from './temporary-registry.ts';

const WRITE_BYTES = 1 << 20;
const MAX_MEMORY = 32 << 20;
/** After so many bytes the disk is told to begin, so that little is left to sync at the end. */
const SYNC_BYTES = 16 << 20;

export interface WriteTarget {
  /**
   * Bytes, of those written first, that nobody looks at any more: their memory may be used again.
   * Absent where that is not known.
   */
  readonly released?: number | undefined;
  /** Nobody sees anything of it before `finish`, so that it can be begun anew. Absent where it is seen at once. */
  readonly hidden?: boolean;
  /** True when nobody reads any longer, so that writing on is of no use. Absent where that is not known. */
  readonly closed?: boolean;
  /** Resolves when the next may come. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves with the bytes written when all of them are where they belong. */
  finish(): Promise<number>;
  /** Gives up; nothing of it stays where that is possible. Never rejects. */
  abort(): Promise<void>;
}

/**
 * Holds at most `maxMemory` bytes (32 MiB, if more are allowed) and what one call gives.
 * Errors: IO_ERROR naming the path, from here and from every call; ABORTED after `abort`, and as `openInPlace` says.
 */
export async function createFileWriter(
  target: string,
  maxMemory: number = MAX_MEMORY,
  stopping?: AbortSignal,
): Promise<WriteTarget> {
  const mostHeld = Math.min(maxMemory, MAX_MEMORY) / 2;
  if (await ioStep(target, 'cannot be written', async () => isInPlace(target))) {
    return openInPlace(target, stopping);
  }
  const path = await followLink(nodeDisk, target);
  const temporary = temporaryBeside(path);
  try {
    const handle = await ioStep(path, 'cannot be written', async () => {
      const model = findModel(path);
      const made = await open(temporary, 'wx', firstMode(model));
      makeAlike(made.fd, model);
      return made;
    });
    return new FileWriter(handle, path, temporary, mostHeld);
  } catch (error) {
    forgetTemporary(temporary);
    throw error;
  }
}

class FileWriter implements WriteTarget {
  readonly hidden = true;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #temporary: string;
  /** Bytes that may wait behind those being written. */
  readonly #mostHeld: number;
  /** Bytes that are enough for a write; not more than may wait, or what waits would wait for ever. */
  readonly #enough: number;
  #parts: Uint8Array[] = [];
  #held = 0;
  #total = 0;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  /** Bytes that a sync was begun for. */
  #synced = 0;
  #failure: { readonly cause: unknown } | undefined;
  #closed = false;

  constructor(handle: FileHandle, path: string, temporary: string, mostHeld: number) {
    this.#handle = handle;
    this.#path = path;
    this.#temporary = temporary;
    this.#mostHeld = mostHeld;
    this.#enough = Math.max(1, Math.min(WRITE_BYTES, mostHeld));
  }

  get released(): number {
    return this.#total;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#rethrow();
    if (bytes.byteLength === 0) return;
    this.#parts.push(bytes);
    this.#held += bytes.byteLength;
    if (this.#held >= this.#enough) this.#flush();
    while (this.#held > this.#mostHeld) await this.#written();
  }

  async finish(): Promise<number> {
    while (this.#held > 0 || this.#writing) {
      this.#flush();
      await this.#written();
    }
    await this.#syncing;
    this.#rethrow();
    await this.#step(() => this.#handle.sync());
    await this.#close();
    // It may have been given up meanwhile.
    this.#rethrow();
    await this.#step(() => rename(this.#temporary, this.#path));
    forgetTemporary(this.#temporary);
    await this.#step(() => syncFolder(dirname(this.#path)));
    return this.#total;
  }

  async abort(): Promise<void> {
    const place = { path: this.#path };
    this.#failure ??= { cause: new EtlError('ABORTED', 'the file was given up', { place }) };
    await this.#writing;
    await this.#syncing;
    await this.#close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
    forgetTemporary(this.#temporary);
  }

  /** Starts writing what is held, if nothing is being written; goes on as long as there is much. */
  #flush(): void {
    if (this.#writing || this.#failure) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#held = 0;
    this.#writing = this.#step(() => this.#writeAll(parts)).then(
      () => {
        this.#writing = undefined;
        if (this.#total - this.#synced >= SYNC_BYTES) this.#syncEarly();
        if (this.#held >= this.#enough) this.#flush();
      },
      (cause: unknown) => {
        this.#writing = undefined;
        this.#failure ??= { cause };
      },
    );
  }

  /** Syncs what has been written so far while more is written; one at a time. */
  #syncEarly(): void {
    if (this.#syncing) return;
    this.#synced = this.#total;
    this.#syncing = this.#step(() => this.#handle.datasync()).then(
      () => {
        this.#syncing = undefined;
      },
      (cause: unknown) => {
        this.#syncing = undefined;
        this.#failure ??= { cause };
      },
    );
  }

  /** The end of the write under way. */
  async #written(): Promise<void> {
    await this.#writing;
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.cause;
  }

  async #writeAll(parts: Uint8Array[]): Promise<void> {
    let rest = parts;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest);
      this.#total += bytesWritten;
      rest = dropFront(rest, bytesWritten);
    }
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#step(() => this.#handle.close());
  }

  #step<T>(run: () => Promise<T>): Promise<T> {
    return ioStep(this.#path, 'cannot be written', run);
  }
}

/** What is left of the parts when the first `count` bytes of them have been written. */
function dropFront(parts: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let index = 0;
  while (index < parts.length && left >= parts[index]!.byteLength) {
    left -= parts[index++]!.byteLength;
  }
  const rest = parts.slice(index);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}

/** Makes a rename in the folder durable; a system that cannot sync folders does it its own way. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
