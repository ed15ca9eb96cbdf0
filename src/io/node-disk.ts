/**
 * The disk of this machine, by node:fs. Short writes are carried on until all is written or the
 * system refuses; every refusal becomes an IO_ERROR that names the path.
 *
 * Opening, asking for sizes and reading a page are done in the turn itself: they take microseconds, and a turn of
 * the thread pool ten times as long, of which opening a collection would have twenty.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncate,
  openSync,
  promises,
  read,
  readFileSync,
  readSync,
  type Stats,
  statSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EtlError, isEtlError } from '../core/errors.ts';
import { decodeText } from './decode-text.ts';
import type {
  Disk,
  DiskEntry,
  DiskFile,
  DiskLock,
  DiskStat,
  FileView,
  OpenMode,
  RandomReader,
} from './disk.ts';
import { openFileView } from './file-view.ts';
import { type LockOptions, takeLock } from './lock.ts';
import { makeFolder } from './make-folder.ts';
import { type MapOptions, openReader } from './map.ts';
import { findModel, firstMode, makeAlike } from './replacing.ts';

export interface NodeDiskOptions {
  /** How single documents are read. */
  readonly map?: MapOptions;
  /** How the writer's lock is taken. */
  readonly lock?: LockOptions;
}

const fdatasyncFile = promisify(fdatasync);
const ftruncateFile = promisify(ftruncate);
/** Of a pipe the opening does not wait for its other end. */
const NO_WAIT = constants.O_NONBLOCK ?? 0;
/** What is at most this long is read at once. */
const PAGE_BYTES = 4096;

/** Makes a disk over node:fs. */
export function createNodeDisk(options: NodeDiskOptions = {}): Disk {
  return new NodeDisk(options);
}

class NodeDisk implements Disk {
  readonly #options: NodeDiskOptions;

  constructor(options: NodeDiskOptions) {
    this.#options = options;
  }

  async open(path: string, mode: OpenMode, like?: string): Promise<DiskFile> {
    return attempt(path, 'open', async () => {
      const model = like === undefined ? undefined : findModel(like);
      if (mode === 'create') await promises.appendFile(path, '', { mode: firstMode(model) });
      const fd = openSync(
        path,
        (mode === 'read' ? constants.O_RDONLY : constants.O_RDWR) | NO_WAIT,
      );
      makeAlike(fd, model);
      return new NodeFile(path, fd, this.#options.map ?? {});
    });
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    try {
      const found = statSync(path);
      return { kind: kindOf(found), size: found.size, modifiedMs: found.mtimeMs };
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw failure(path, 'look at', cause);
    }
  }

  readTextSync(path: string): string | undefined {
    try {
      const text = readFileSync(path, 'utf8');
      // Damaged bytes would be read as this character.
      return text.includes('\ufffd') ? decodeText(readFileSync(path), path) : text;
    } catch (cause) {
      if (isEtlError(cause)) throw cause;
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw failure(path, 'read', cause);
    }
  }

  async list(path: string): Promise<DiskEntry[]> {
    const entries = await attempt(path, 'list', () =>
      promises.readdir(path, { withFileTypes: true }),
    );
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  }

  async mkdir(path: string): Promise<void> {
    await attempt(path, 'make', async () => makeFolder(path));
  }

  rename(from: string, to: string): Promise<void> {
    return attempt(from, 'rename', () => promises.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return attempt(path, 'remove', () => promises.rm(path, { force: true }));
  }

  removeFolder(path: string): Promise<void> {
    return attempt(path, 'remove', () => promises.rmdir(path));
  }

  syncDir(path: string): Promise<void> {
    return attempt(path, 'sync', async () => {
      if (process.platform === 'win32') return;
      const folder = await promises.open(path, 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    });
  }

  async lock(path: string): Promise<DiskLock> {
    return takeLock(path, this.#options.lock);
  }

  identity(path: string): Promise<string> {
    return attempt(path, 'resolve', async () => {
      try {
        return await promises.realpath(path);
      } catch (cause) {
        if (!isMissing(cause)) throw cause;
        // A link may lead to what is yet to be made.
        const to = await promises.readlink(path).catch(() => undefined);
        if (to === undefined) return path;
        return this.identity(resolve(await promises.realpath(dirname(path)), to));
      }
    });
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #map: MapOptions;
  #closing: Promise<void> | undefined;
  /** Calls under way, for which closing waits: the number of a closed file is soon another file's. */
  #calls = 0;
  #whenIdle: (() => void) | undefined;

  constructor(path: string, fd: number, map: MapOptions) {
    this.path = path;
    this.#fd = fd;
    this.#map = map;
  }

  async id(): Promise<string> {
    const { dev, ino } = this.#stats();
    return `${dev}:${ino}`;
  }

  async size(): Promise<number> {
    return this.#stats().size;
  }

  // The callback forms: a FileHandle call costs several times as much, and files here are read
  // and written a million documents at a time.
  async read(target: Uint8Array, offset: number): Promise<number> {
    if (target.length <= PAGE_BYTES) return this.readSync(target, offset);
    const work = () =>
      new Promise<number>((resolve, reject) => {
        let done = 0;
        const next = (): void =>
          read(this.#fd, target, done, target.length - done, offset + done, (cause, got) => {
            if (cause) return reject(cause);
            done += got;
            if (got === 0 || done === target.length) resolve(done);
            else next();
          });
        next();
      });
    return this.#call('read', work, offset);
  }

  readSync(target: Uint8Array, offset: number): number {
    this.#check();
    try {
      let done = 0;
      while (done < target.length) {
        const got = readSync(this.#fd, target, done, target.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    } catch (cause) {
      throw failure(this.path, 'read', cause, offset);
    }
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    const work = () =>
      new Promise<void>((resolve, reject) => {
        let done = 0;
        const next = (): void =>
          write(this.#fd, bytes, done, bytes.length - done, offset + done, (cause, put) => {
            if (cause) return reject(cause);
            done += put;
            if (done === bytes.length) resolve();
            else next();
          });
        next();
      });
    return this.#call('write', work, offset);
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#check();
    try {
      let done = 0;
      while (done < bytes.length) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      }
    } catch (cause) {
      throw failure(this.path, 'write', cause, offset);
    }
  }

  sync(): Promise<void> {
    return this.#call('sync', () => fdatasyncFile(this.#fd));
  }

  syncSync(): void {
    this.#check();
    try {
      fdatasyncSync(this.#fd);
    } catch (cause) {
      throw failure(this.path, 'sync', cause);
    }
  }

  truncate(size: number): Promise<void> {
    return this.#call('truncate', () => ftruncateFile(this.#fd, size));
  }

  reader(): RandomReader {
    return openReader(this.path, this.#map);
  }

  view(way: FileView['way'] = 'map'): FileView {
    return openFileView(this, way === 'map' ? this.#fd : undefined, this.#map);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await attempt(this.path, 'close', async () => closeSync(this.#fd));
  }

  async #call<T>(what: string, work: () => Promise<T>, offset?: number): Promise<T> {
    this.#check();
    this.#calls++;
    try {
      return await work();
    } catch (cause) {
      throw failure(this.path, what, cause, offset);
    } finally {
      if (--this.#calls === 0) this.#whenIdle?.();
    }
  }

  #stats(): Stats {
    this.#check();
    try {
      return fstatSync(this.#fd);
    } catch (cause) {
      throw failure(this.path, 'look at', cause);
    }
  }

  #check(): void {
    if (this.#closing === undefined) return;
    throw new EtlError('CLOSED', 'the file is closed', { place: { path: this.path } });
  }
}

async function attempt<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw failure(path, what, cause);
  }
}

function failure(path: string, what: string, cause: unknown, offset?: number): EtlError {
  const place = offset === undefined ? { path } : { path, offset };
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EtlError('IO_ERROR', `cannot ${what}: ${reason}`, { place, cause });
}

function isMissing(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function kindOf(found: { isFile(): boolean; isDirectory(): boolean }): DiskEntry['kind'] {
  if (found.isFile()) return 'file';
  return found.isDirectory() ? 'folder' : 'other';
}

/** The disk with default options. */
export const nodeDisk: Disk = createNodeDisk();
