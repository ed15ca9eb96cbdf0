/**
 * A store as one file: a ZIP archive of its folder, as the Rust crate makes it.
 *
 * Beside a writer the archive holds the last commit of each collection, and looks as if the writer had
 * closed. Documents kept in a file each are taken as they stand, one after the other: pack those while
 * nobody writes. The lock and unfinished files (`*.tmp`, those of a compaction) are left out. Links and other things that are
 * neither file nor folder are refused rather than left out in silence.
 *
 * The archive appears under its name only when it is whole and synced: it is written under a temporary
 * name beside and renamed. On failure the temporary file is removed; a killed process may leave it.
 */
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { checkChoice } from '../../core/check-option.ts';
import { EtlError } from '../../core/errors.ts';
import { type Disk, type DiskFile, nodeDisk } from '../../io/index.ts';
import { followLink } from '../../io/replacing.ts';
import { asOfTarget, temporaryBeside } from '../../io/temporary.ts';
import { forgetTemporary } from '../../io/temporary-registry.ts';
import { type Kernel, sharedKernel } from '../../kernels/index.ts';
import { isLeftover } from '../generation.ts';
import { type CollectionPaths, kindOf, Layout, notAStore } from '../layout.ts';
import { isDocumentFile } from '../names.ts';
import { checkWork, type PackOptions, type PackSummary } from './options.ts';
import { PackedCollection } from './packed-collection.ts';
import { ZipWriter } from './zip-writer.ts';

const PIECE_BYTES = 1 << 20;

interface Found {
  /** Path in the archive. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly kind: 'file' | 'folder';
  /** A document of a collection that has a file for each. */
  readonly isDocument: boolean;
  /** The data of this collection, whose index and log go with it. */
  readonly paths?: CollectionPaths;
}

interface Job extends PackOptions {
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly zip: ZipWriter;
  readonly found: readonly Found[];
}

/**
 * Packs the store at `root` into the archive `file`, replacing one that is there.
 * Errors: NOT_A_STORE, INVALID_PATH for what is no file at `file` and for a link in the store, CORRUPTED_DATA, CORRUPTED_INDEX,
 * IO_ERROR, ABORTED.
 */
export async function pack(
  root: string,
  file: string,
  options: PackOptions = {},
): Promise<PackSummary> {
  const { disk = nodeDisk, compression = 'deflate', kernel = sharedKernel(), signal } = options;
  checkChoice('compression', compression, ['deflate', 'store']);
  checkWork(signal);
  if ((await Layout.inspect(root, disk)) !== 'store') throw notAStore(root);
  const kind = (await disk.stat(file))?.kind ?? 'file';
  if (kind !== 'file') {
    const what = kind === 'folder' ? 'is a folder' : 'is no file: an archive would take its place';
    throw new EtlError('INVALID_PATH', what, { place: { path: file } });
  }
  const found = await findAll(disk, root, file);
  const place = await followLink(disk, resolve(file));
  const temporary = temporaryBeside(place);
  let target: DiskFile | undefined;
  try {
    target = await disk.open(temporary, 'create', place);
    const zip = new ZipWriter(target, compression);
    const done = await addAll({ ...options, disk, kernel, zip, found });
    const archiveBytes = await zip.finish();
    await target.sync();
    await target.close();
    await disk.rename(temporary, place);
    await disk.syncDir(dirname(place));
    return { path: file, entries: zip.entries, archiveBytes, ...done };
  } catch (error) {
    await target?.close().catch(() => undefined);
    await disk.remove(temporary).catch(() => undefined);
    throw asOfTarget(error, temporary, file);
  } finally {
    forgetTemporary(temporary);
  }
}

/** Everything in the store that belongs into the archive, folders before what is in them. */
async function findAll(disk: Disk, root: string, file: string): Promise<Found[]> {
  const found: Found[] = [];
  const leftOut = new Set([Layout.lock(root), file].map((path) => resolve(path)));
  const visit = async (folder: string): Promise<void> => {
    const inLines = collectionOf(root, folder, 'meta');
    const paths = inLines === undefined ? undefined : Layout.collection(root, inLines);
    const inFiles = collectionOf(root, folder, 'docs');
    const hasDocuments = inFiles !== undefined && (await kindOf(disk, root, inFiles)) === 'files';
    const entries = await disk.list(folder);
    const isPacked =
      paths !== undefined && entries.some(({ name }) => name === basename(paths.data));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, kind } of entries) {
      const path = join(folder, name);
      if (name.endsWith('.tmp') || leftOut.has(resolve(path))) continue;
      if (kind === 'other') {
        throw new EtlError('INVALID_PATH', 'neither a file nor a folder: cannot be packed', {
          place: { path },
        });
      }
      const inArchive = relative(root, path).split(sep).join('/');
      if (kind === 'folder') {
        found.push({ name: inArchive, path, size: 0, kind, isDocument: false });
        await visit(path);
        continue;
      }
      const size = (await disk.stat(path))?.size;
      // Gone meanwhile: a document deleted, a temporary file.
      if (size === undefined) continue;
      // The index and the log go with the data, made to fit it; so does what a compaction is writing.
      if (isPacked && (path === paths.index || path === paths.log || isLeftover(name))) continue;
      const data = isPacked && path === paths.data ? { paths } : {};
      const isDocument = hasDocuments && isDocumentFile(name);
      found.push({ name: inArchive, path, size, kind, isDocument, ...data });
    }
  };
  await visit(root);
  return found;
}

/** The collection whose folder of this name it is. */
function collectionOf(root: string, folder: string, kind: 'meta' | 'docs'): string | undefined {
  const [name, own, ...more] = relative(Layout.collections(root), folder).split(sep);
  return own === kind && more.length === 0 && name && !name.startsWith('.') ? name : undefined;
}

async function addAll(job: Job): Promise<Omit<PackSummary, 'path' | 'entries' | 'archiveBytes'>> {
  const { zip, found, disk, kernel, signal, onProgress } = job;
  const totalEntries = found.length;
  const totalBytes = found.reduce((sum, { size }) => sum + size, 0);
  let entries = 0;
  let bytes = 0;
  let name = '';
  let documents = found.filter(({ isDocument }) => isDocument).length;
  const tell = (): void => onProgress?.({ entries, totalEntries, bytes, totalBytes, name });
  async function* told(
    contents: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of contents) {
      checkWork(signal);
      yield piece;
      bytes += piece.length;
      tell();
    }
  }
  for (const each of found) {
    checkWork(signal);
    name = each.name;
    if (each.kind === 'folder') await zip.addFolder(name);
    else if (each.paths === undefined) await addFile(zip, disk, each, told);
    else {
      const collection = await PackedCollection.open(disk, each.paths, kernel);
      try {
        documents += collection.documents;
        const beside = (other: string) => `${dirname(each.name)}/${other}`;
        await zip.addFile(name, told(collection.data()), collection.dataBytes);
        await zip.addFile(beside('index.bin'), told(collection.index()));
        await zip.addFile(beside('commits.log'), told(collection.log()));
      } finally {
        await collection.close();
      }
    }
    entries++;
    tell();
  }
  const collections = found.filter((each) => /^collections\/[^/]+$/.test(each.name)).length;
  return { collections, documents, bytes };
}

async function addFile(
  zip: ZipWriter,
  disk: Disk,
  { name, path }: Found,
  told: (contents: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): Promise<void> {
  if ((await disk.stat(path)) === undefined) return;
  const file = await disk.open(path, 'read');
  try {
    const size = await file.size();
    await zip.addFile(name, told(contentsOf(file, size)), size);
  } finally {
    await file.close();
  }
}

/** The first `size` bytes: what is appended meanwhile is not part of it. */
async function* contentsOf(file: DiskFile, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < size; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size - at));
    const got = await file.read(piece, at);
    if (got === 0) return;
    yield piece.subarray(0, got);
    at += got;
  }
}
