/**
 * The small files in a collection's meta folder: read as a whole, grown at the end, or replaced as
 * a whole by a rename. None of them is the truth (the documents' own files are), so growing them is
 * left to the system to write out, and `sync` is for the end of a session.
 */
import type { Disk, DiskFile } from '../../io/disk.ts';
import { openIfThere } from '../../io/open-if-there.ts';

/** A file's contents; undefined when it is missing. Errors: IO_ERROR. */
export async function readBytes(disk: Disk, path: string): Promise<Buffer | undefined> {
  return (await disk.stat(path))?.kind === 'file' ? readWhole(disk, path) : undefined;
}

/** The same of what was just found to be a file; it may have gone since. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer | undefined> {
  const file = await openIfThere(disk, path);
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.allocUnsafe(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** The contents as text; undefined when the file is missing. */
export async function readText(disk: Disk, path: string): Promise<string | undefined> {
  return (await readBytes(disk, path))?.toString();
}

/** Objects of a JSON Lines text; `whole` is false where a line was torn or is none. */
export function parseLines(text: string): {
  readonly values: { [field: string]: unknown }[];
  readonly whole: boolean;
} {
  const values: { [field: string]: unknown }[] = [];
  let whole = text === '' || text.endsWith('\n');
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) values.push(value as (typeof values)[0]);
      else whole = false;
    } catch {
      whole = false;
    }
  }
  return { values, whole };
}

/** A count of bytes or seconds, or a number of a batch. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The id of a schema: 64 hex digits. */
export function isSchemaId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** One file of the meta folder, open for as long as its writer. */
export class MetaFile {
  readonly path: string;
  readonly #disk: Disk;
  #file: DiskFile | undefined;
  #end = 0;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /** Adds to the end; with the system, not on disk, once this resolves. */
  async append(text: string): Promise<void> {
    if (text === '') return;
    const file = await this.#open();
    const bytes = Buffer.from(text);
    await file.write(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Cuts what stands behind `size` bytes, durably. */
  async cut(size: number): Promise<void> {
    const file = await this.#open();
    if (this.#end <= size) return;
    await file.truncate(size);
    await file.sync();
    this.#end = size;
  }

  /** Makes `text` the whole contents: all of it or the old ones. The name is durable once the folder is synced. */
  async replace(text: string, sync: boolean): Promise<void> {
    await this.close();
    const temporary = `${this.path}.tmp`;
    await writeWhole(this.#disk, temporary, Buffer.from(text), sync);
    await this.#disk.rename(temporary, this.path);
  }

  async sync(): Promise<void> {
    await (await this.#open()).sync();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #open(): Promise<DiskFile> {
    if (this.#file === undefined) {
      this.#file = await this.#disk.open(this.path, 'create');
      this.#end = await this.#file.size();
    }
    return this.#file;
  }
}

/** Writes a file from its first byte to its last, and syncs it if asked to. */
export async function writeWhole(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  sync: boolean,
): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    // What an earlier attempt left under this name may be longer.
    if ((await file.size()) > 0) await file.truncate(0);
    if (bytes.length > 0) await file.write(bytes, 0);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
}
