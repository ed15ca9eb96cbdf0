/**
 * The one door to the disk. Everything that the store does to files goes through these interfaces,
 * so that tests can put a disk behind them that fails, tears and forgets as real ones do.
 *
 * Bytes given to `write` belong to the call until its promise settles. Every failure is an EtlError
 * `IO_ERROR` whose place names the path and whose cause is the system's own error; a failed write
 * may have written any part of its bytes.
 */

/** Random access for single documents. */
export interface RandomReader {
  /** The bytes [offset, offset + length) decoded as UTF-8. Errors: IO_ERROR past the end. */
  text(offset: number, length: number): string;
  /**
   * The bytes [offset, offset + length), to be used before the next call of the reader and not to be
   * kept: they may be a map's. Errors: IO_ERROR past the end.
   */
  view(offset: number, length: number): Uint8Array;
  /** Releases the map, if there is one; the reader must not be used again. */
  close(): void;
}

/**
 * Bytes of a file that only grows, without copying where the system maps files. The same answers come
 * by positioned reads where it does not.
 *
 * A view is its own lease: the memory stays as long as the view can be reached, whatever is closed
 * meanwhile. Views must not be written to, and their buffers not be transferred.
 */
export interface FileView {
  readonly way: 'map' | 'read';
  /** What `seek` looks into; another array after every call of it. */
  readonly memory: Uint8Array;
  /** Says that the file has at least so many bytes, which do not change any more. */
  extend(size: number): void;
  /**
   * Makes the bytes [offset, offset + length), at most 64 KiB, readable in `memory` until the next call;
   * answers their place there. Errors: IO_ERROR past what `extend` promised, INPUT_CHANGED past the end of a
   * file that was cut, CLOSED.
   */
  seek(offset: number, length: number): number;
  /** The bytes [offset, offset + length). Errors: as `seek`. */
  bytes(offset: number, length: number): Uint8Array;
  /** The same, read beside other work where the file is not mapped. */
  fetch(offset: number, length: number): Promise<Uint8Array>;
  /** Fills the target with what stands at `offset`, beside other work where the file is not mapped. */
  fetchInto(target: Uint8Array, offset: number): Promise<void>;
  /**
   * Loads the beginnings of stretches into the processor's caches, all at once; one after the other they
   * would be waited for. Two numbers each: begin and end; negative ones stand for nothing, and where the
   * begin is negative the end is loaded. Does nothing where that gains nothing. Errors: CLOSED, INPUT_CHANGED.
   */
  touch(stretches: Float64Array): void;
  /** Views handed out stay; no new ones come. */
  close(): void;
}

/** An open file. */
export interface DiskFile {
  readonly path: string;
  /** Names the file itself: another one put at its path has another. */
  id(): Promise<string>;
  /** Current size in bytes. */
  size(): Promise<number>;
  /** Fills `target` from `offset` on; answers fewer bytes only at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>;
  readSync(target: Uint8Array, offset: number): number;
  /** Writes all of `bytes` at `offset`, to the operating system only. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  writeSync(bytes: Uint8Array, offset: number): void;
  /** fdatasync: what was written survives a power cut once this resolves. */
  sync(): Promise<void>;
  syncSync(): void;
  truncate(size: number): Promise<void>;
  /** Random access to this file; ends with `close` of the reader, before that of the file. */
  reader(): RandomReader;
  /** Views of this file, by reading alone if told so; they end with its `close`, those handed out excepted. */
  view(way?: FileView['way']): FileView;
  close(): Promise<void>;
}

/** A name in a folder. */
export interface DiskEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** What stands at a path. */
export interface DiskStat {
  readonly kind: DiskEntry['kind'];
  readonly size: number;
  /** Milliseconds since 1970 of the last change of the contents; absent where it is not known. */
  readonly modifiedMs?: number;
}

/** A lock that is held until released, or until the process ends. */
export interface DiskLock {
  release(): Promise<void>;
}

/** `read`: must exist, read only. `write`: must exist. `create`: made empty when missing. */
export type OpenMode = 'read' | 'write' | 'create';

export interface Disk {
  /** `like`: one that a file which is made gets owner and permissions of, if it is there. */
  open(path: string, mode: OpenMode, like?: string): Promise<DiskFile>;
  /** What stands at the path; undefined when nothing does. */
  stat(path: string): Promise<DiskStat | undefined>;
  /**
   * The contents of a small file as text, read without leaving the current turn; undefined when it
   * is missing. For collections with a file per document, which are read ahead on disks without it.
   * Errors: INVALID_UTF8, IO_ERROR.
   */
  readTextSync?(path: string): string | undefined;
  /** The entries of a folder by name. Errors: IO_ERROR when it is missing. */
  list(path: string): Promise<DiskEntry[]>;
  /** Makes the folder and its parents; no error when it is there. */
  mkdir(path: string): Promise<void>;
  /** Renames a file over another one, or a folder to a name that is free. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; no error when it is missing. */
  remove(path: string): Promise<void>;
  /** Removes an empty folder. Errors: IO_ERROR when it is missing, or not empty. */
  removeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncDir(path: string): Promise<void>;
  /**
   * Takes an exclusive lock in the file at `path` (made if missing) or fails at once.
   * Errors: LOCKED, its message naming the holder.
   */
  lock(path: string): Promise<DiskLock>;
  /**
   * One name for one file or folder however it is written, links followed; the path itself where nothing is.
   * Errors: IO_ERROR.
   */
  identity(path: string): Promise<string>;
}
