/**
 * Writes a file as a whole or not at all: bytes go to a temporary name in the same folder, and only
 * `finish` gives it its name, after syncing it; then the folder is synced. `abort` removes it.
 *
 * Bytes are taken over, not copied: whoever writes must not change them afterwards. Small writes
 * are gathered to 1 MiB. One write is under way while the next is gathered; `write` resolves when
 * there is room, so at most about 2 MiB and one batch wait. After a failure every call fails with it.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ioStep } from './file-reader.ts';

const WRITE_BYTES = 1 << 20;

export interface WriteTarget {
  /** Resolves when the next may come. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves with the bytes written when all of them are where they belong. */
  finish(): Promise<number>;
  /** Gives up; nothing of it stays where that is possible. Never rejects. */
  abort(): Promise<void>;
}

/** Errors: IO_ERROR naming the path, from here and from every call. */
export async function createFileWriter(path: string): Promise<WriteTarget> {
  const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = join(dirname(path), name);
  const handle = await ioStep(path, 'cannot be written', () => open(temporary, 'wx'));
  return new FileWriter(handle, path, temporary);
}

class FileWriter implements WriteTarget {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #temporary: string;
  #parts: Uint8Array[] = [];
  #held = 0;
  #written = 0;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(handle: FileHandle, path: string, temporary: string) {
    this.#handle = handle;
    this.#path = path;
    this.#temporary = temporary;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    this.#parts.push(bytes);
    this.#held += bytes.byteLength;
    if (this.#held >= WRITE_BYTES) await this.#flush();
  }

  async finish(): Promise<number> {
    await this.#flush();
    await this.#writing;
    await this.#step(() => this.#handle.sync());
    await this.#close();
    await this.#step(() => rename(this.#temporary, this.#path));
    await this.#step(() => syncFolder(dirname(this.#path)));
    return this.#written;
  }

  async abort(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
  }

  /** Waits for the write under way and starts the next. */
  async #flush(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    this.#held = 0;
    await this.#writing;
    this.#writing = this.#step(() => this.#writeAll(parts));
    // It is awaited by the next flush; until then its failure is nobody's surprise.
    this.#writing.catch(() => {});
  }

  async #writeAll(parts: Uint8Array[]): Promise<void> {
    let rest = parts;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest);
      this.#written += bytesWritten;
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
