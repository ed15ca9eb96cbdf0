/**
 * Files as entries: one each, under its path below the folder, with `/` between the steps, or under that
 * path in a namespace. Contents are streamed.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { EtlError, isEtlError } from '../../../core/errors.ts';
import { ioStep } from '../../../io/file-reader.ts';
import type { DriveKey } from '../../../kernels/index.ts';
import type { DataStore } from '../data-store.ts';
import type { EntryHandle } from '../entry-handle.ts';
import { NamespaceHasher } from './namespace-hasher.ts';

/** A file that is an entry now. */
export interface ImportedFile {
  /** Its path below the folder. */
  readonly path: string;
  readonly key: Uint8Array;
  /** The drive's tail behind it. */
  readonly offset: number;
}

export interface ImportReport {
  readonly files: readonly ImportedFile[];
  /** Empty files, which the format has no room for, and those of a single zero byte. */
  readonly skipped: readonly string[];
}

/**
 * Stores every file below a folder, by path in order. Links to files are followed, to folders not.
 * Errors, naming the file or folder: INVALID_PATH for what is no folder and for a name that is not UTF-8,
 * IO_ERROR; those of `writeStream`.
 */
export async function importDirRecursively(
  store: DataStore,
  folder: string,
  options: { readonly namespace?: DriveKey | undefined; readonly signal?: AbortSignal } = {},
): Promise<ImportReport> {
  const found = await ioStep(folder, 'cannot be read', () => stat(folder));
  if (!found.isDirectory()) {
    throw new EtlError('INVALID_PATH', 'is no folder', { place: { path: folder } });
  }
  const files: ImportedFile[] = [];
  const skipped: string[] = [];
  for await (const path of filesBelow(folder, '')) {
    const key = fileKey(path, options.namespace);
    const file = join(folder, path);
    try {
      const offset = await store.writeStream(key, contents(file), { signal: options.signal });
      files.push({ path, key, offset });
    } catch (error) {
      // Errors of the drive are known ones; others are the file's.
      if (!isEtlError(error)) await ioStep(file, 'cannot be read', () => Promise.reject(error));
      else if (error.code !== 'INVALID_ARGUMENT') throw error;
      skipped.push(path);
    }
  }
  return { files, skipped };
}

/** The entry of an imported file, by its path below the folder. */
export function readFileEntry(
  store: DataStore,
  path: string,
  namespace?: DriveKey,
): EntryHandle | undefined {
  return store.read(fileKey(path, namespace));
}

/** The contents of an imported file in pieces. */
export function openFileStream(
  store: DataStore,
  path: string,
  namespace?: DriveKey,
): Generator<Uint8Array, void, void> | undefined {
  return readFileEntry(store, path, namespace)?.chunks();
}

/** Opened when it is asked for: an error before anybody listens would end the process. */
async function* contents(file: string): AsyncGenerator<Uint8Array, void, void> {
  yield* createReadStream(file);
}

async function* filesBelow(folder: string, below: string): AsyncGenerator<string, void, void> {
  const entries = await ioStep(folder, 'cannot be read', () =>
    readdir(join(folder, below), { withFileTypes: true }),
  );
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.includes('\ufffd')) {
      const text = 'its name is not UTF-8, which keys are: rename it';
      throw new EtlError('INVALID_PATH', text, { place: { path: join(folder, path) } });
    }
    if (entry.isDirectory()) yield* filesBelow(folder, path);
    else if (entry.isFile()) yield path;
    else if (entry.isSymbolicLink()) {
      const target = await stat(join(folder, path)).catch(() => undefined);
      if (target?.isFile()) yield path;
    }
  }
}

function fileKey(path: string, namespace: DriveKey | undefined): Uint8Array {
  // Elsewhere a backslash is a character of a name.
  const steps = path
    .split(sep === '\\' ? /[/\\]/ : '/')
    .filter((step) => step !== '' && step !== '.');
  const key = Buffer.from(steps.join('/'));
  return namespace === undefined ? key : new NamespaceHasher(namespace).namespace(key);
}
