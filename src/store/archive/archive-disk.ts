/**
 * An archive as a disk that can only be read: a store is opened in it without being unpacked.
 *
 * Stored entries are read in place, by offset, at no cost. Deflated ones are inflated whole on first
 * use and their sums checked: up to 8 MiB into memory, larger ones into a file in a temporary folder,
 * which `close` removes (a killed process leaves it in the system's temporary folder). So opening a
 * deflated collection costs one pass of inflating, and its size in temporary space.
 *
 * The archive is held open until `close`; replacing it by a new file does no harm meanwhile.
 */
import { join, normalize, relative, sep } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import {
  type Disk,
  type DiskEntry,
  type DiskFile,
  type DiskLock,
  type FileView,
  nodeDisk,
  type OpenMode,
  openFileView,
  type RandomReader,
} from '../../io/index.ts';
import { makeTemporaryFolder, removeTree } from '../../io/temporary.ts';
import { forgetTemporary } from '../../io/temporary-registry.ts';
import { type ArchiveEntry, isArchive, readDirectory } from './directory.ts';
import { findContents, readContents } from './entry-data.ts';
import { EntryTree } from './entry-tree.ts';
import type { ArchiveLimits } from './options.ts';
import { checkIsStore } from './unpack.ts';

const MEMORY_BYTES = 8 << 20;

/** Where the contents of an entry can be read. */
type Contents =
  | { readonly kind: 'place'; readonly start: number; readonly size: number }
  | { readonly kind: 'memory'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string };

/** True for a file that begins as a ZIP archive; false for anything else, folders included. */
export async function isArchiveAt(disk: Disk, path: string): Promise<boolean> {
  if ((await disk.stat(path))?.kind !== 'file') return false;
  const file = await disk.open(path, 'read');
  try {
    return await isArchive(file);
  } finally {
    await file.close();
  }
}

/** Paths below that of the archive lead into it; all others lead nowhere. */
export class ArchiveDisk implements Disk {
  readonly #path: string;
  readonly #archive: DiskFile;
  /** Opened with the archive: a reader opened later could be of another file of its name. */
  readonly #reader: RandomReader;
  readonly #tree: EntryTree;
  readonly #contents: Map<ArchiveEntry, Promise<Contents>> = new Map();
  #temporary: Promise<string> | undefined;
  /** Made in the temporary folder, each named by its number. */
  #files = 0;
  #closed = false;

  private constructor(path: string, archive: DiskFile, tree: EntryTree) {
    this.#path = path;
    this.#archive = archive;
    this.#reader = archive.reader();
    this.#tree = tree;
  }

  /**
   * Opens an archive of a store. Errors: NOT_A_STORE, UNSAFE_ARCHIVE, UNSUPPORTED, CORRUPTED_INPUT,
   * TRUNCATED_INPUT, IO_ERROR.
   */
  static async open(
    path: string,
    options: ArchiveLimits & { readonly disk?: Disk | undefined } = {},
  ): Promise<ArchiveDisk> {
    const archive = await (options.disk ?? nodeDisk).open(path, 'read');
    try {
      const tree = new EntryTree(path, await readDirectory(archive, options));
      checkIsStore(tree, path);
      return new ArchiveDisk(path, archive, tree);
    } catch (error) {
      await archive.close();
      throw error;
    }
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (mode !== 'read') throw this.#readOnly(path);
    this.#check();
    const entry = this.#tree.files.get(this.#name(path) ?? '');
    if (entry === undefined) {
      throw new EtlError('IO_ERROR', 'cannot open: no such file in the archive', {
        place: { path },
      });
    }
    let preparing = this.#contents.get(entry);
    if (preparing === undefined) {
      preparing = this.#prepare(entry);
      this.#contents.set(entry, preparing);
    }
    const contents = await preparing;
    this.#check();
    if (contents.kind === 'file') return nodeDisk.open(contents.path, 'read');
    if (contents.kind === 'memory') return new PartFile(path, memoryPart(contents.bytes));
    return new PartFile(path, filePart(this.#archive, this.#reader, contents));
  }

  async stat(path: string): Promise<{ kind: DiskEntry['kind']; size: number } | undefined> {
    const name = this.#name(path);
    if (name === undefined) return undefined;
    if (this.#tree.folders.has(name)) return { kind: 'folder', size: 0 };
    const entry = this.#tree.files.get(name);
    return entry && { kind: 'file', size: entry.size };
  }

  async list(path: string): Promise<DiskEntry[]> {
    const entries = this.#tree.folders.get(this.#name(path) ?? '..');
    if (entries !== undefined) return [...entries];
    throw new EtlError('IO_ERROR', 'cannot list: no such folder in the archive', {
      place: { path },
    });
  }

  async identity(path: string): Promise<string> {
    return normalize(path);
  }

  mkdir(path: string): Promise<void> {
    return Promise.reject(this.#readOnly(path));
  }

  rename(from: string): Promise<void> {
    return Promise.reject(this.#readOnly(from));
  }

  remove(path: string): Promise<void> {
    return Promise.reject(this.#readOnly(path));
  }

  removeFolder(path: string): Promise<void> {
    return Promise.reject(this.#readOnly(path));
  }

  syncDir(path: string): Promise<void> {
    return Promise.reject(this.#readOnly(path));
  }

  lock(path: string): Promise<DiskLock> {
    return Promise.reject(this.#readOnly(path));
  }

  /**
   * Lets go of the archive and of what was inflated; files of it must be closed before. What is being
   * opened fails with CLOSED.
   */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#contents.values());
    this.#reader.close();
    await this.#archive.close();
    const folder = await this.#temporary;
    if (folder === undefined) return;
    await removeTree(nodeDisk, folder);
    forgetTemporary(folder);
  }

  /** The path inside the archive; undefined for one outside. */
  #name(path: string): string | undefined {
    const name = relative(normalize(this.#path), normalize(path));
    return name === '..' || name.startsWith(`..${sep}`) ? undefined : name.split(sep).join('/');
  }

  async #prepare(entry: ArchiveEntry): Promise<Contents> {
    const start = await findContents(this.#archive, entry);
    if (!entry.deflated) return { kind: 'place', start, size: entry.size };
    if (entry.size <= MEMORY_BYTES) {
      const bytes = Buffer.allocUnsafeSlow(entry.size);
      let at = 0;
      for await (const piece of readContents(this.#archive, entry, start)) {
        bytes.set(piece, at);
        at += piece.length;
      }
      return { kind: 'memory', bytes };
    }
    this.#temporary ??= makeTemporaryFolder();
    const path = join(await this.#temporary, String(this.#files++));
    const file = await nodeDisk.open(path, 'create');
    try {
      let at = 0;
      for await (const piece of readContents(this.#archive, entry, start)) {
        await file.write(piece, at);
        at += piece.length;
      }
    } finally {
      await file.close();
    }
    return { kind: 'file', path };
  }

  #check(): void {
    if (this.#closed) throw new EtlError('CLOSED', 'the archive is closed');
  }

  #readOnly(path: string): EtlError {
    return new EtlError('READ_ONLY', 'an archive can only be read; unpack it to change it', {
      place: { path },
    });
  }
}

/** Bytes that do not change. */
interface Part {
  readonly size: number;
  readSync(target: Uint8Array, offset: number): number;
  read(target: Uint8Array, offset: number): Promise<number>;
  reader(): RandomReader;
}

function memoryPart(bytes: Uint8Array): Part {
  const readSync = (target: Uint8Array, offset: number): number => {
    const piece = bytes.subarray(offset, offset + target.length);
    target.set(piece);
    return piece.length;
  };
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    size: bytes.length,
    readSync,
    read: async (target, offset) => readSync(target, offset),
    reader: () => ({
      text: (offset, length) => view.toString('utf8', offset, within(offset, length, view.length)),
      view: (offset, length) => bytes.subarray(offset, within(offset, length, view.length)),
      close: () => undefined,
    }),
  };
}

function filePart(
  file: DiskFile,
  reader: RandomReader,
  { start, size }: { readonly start: number; readonly size: number },
): Part {
  const cut = (target: Uint8Array, offset: number): Uint8Array =>
    target.subarray(0, Math.max(0, Math.min(target.length, size - offset)));
  const length = (offset: number, bytes: number): number => within(offset, bytes, size) - offset;
  return {
    size,
    readSync: (target, offset) => file.readSync(cut(target, offset), start + offset),
    read: (target, offset) => file.read(cut(target, offset), start + offset),
    reader: () => ({
      text: (offset, bytes) => reader.text(start + offset, length(offset, bytes)),
      view: (offset, bytes) => reader.view(start + offset, length(offset, bytes)),
      close: () => undefined,
    }),
  };
}

/** The end of a range that must lie inside. Errors: IO_ERROR past the end. */
function within(offset: number, length: number, size: number): number {
  if (offset + length <= size) return offset + length;
  throw new EtlError('IO_ERROR', `cannot read past the end (${size} bytes)`, { place: { offset } });
}

/** A part of an archive as an open file. */
class PartFile implements DiskFile {
  readonly path: string;
  readonly #part: Part;

  constructor(path: string, part: Part) {
    this.path = path;
    this.#part = part;
  }

  async id(): Promise<string> {
    return this.path;
  }

  async size(): Promise<number> {
    return this.#part.size;
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.#part.read(target, offset);
  }

  readSync(target: Uint8Array, offset: number): number {
    return this.#part.readSync(target, offset);
  }

  reader(): RandomReader {
    return this.#part.reader();
  }

  view(): FileView {
    return openFileView(this);
  }

  write(): Promise<void> {
    return Promise.reject(this.#readOnly());
  }

  writeSync(): void {
    throw this.#readOnly();
  }

  sync(): Promise<void> {
    return Promise.reject(this.#readOnly());
  }

  syncSync(): void {
    throw this.#readOnly();
  }

  truncate(): Promise<void> {
    return Promise.reject(this.#readOnly());
  }

  async close(): Promise<void> {}

  #readOnly(): EtlError {
    return new EtlError('READ_ONLY', 'an archive can only be read', { place: { path: this.path } });
  }
}
