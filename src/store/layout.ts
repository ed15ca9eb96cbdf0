/**
 * Where things stand in a store's folder (docs/format/collection.md, docs/guide/engine.md), how one
 * is told from any other folder, and whether it is as it should be.
 *
 * Making folders is durable when it returns; checking reads only, and tells everything that is
 * wrong with its place instead of stopping at the first.
 */
import { join } from 'node:path';
import { EtlError, type Place } from '../core/errors.ts';
import { type Disk, nodeDisk } from '../io/index.ts';
import { INDEX_HEADER_BYTES } from './index-header.ts';
import { checkCollectionName, isDocumentFile, isValidId } from './names.ts';

/** The paths of one collection. */
export interface CollectionPaths {
  readonly folder: string;
  readonly meta: string;
  /** The documents, one JSON object per line. */
  readonly data: string;
  /** The checkpoint of the id index. */
  readonly index: string;
  /** What was committed, and when. */
  readonly log: string;
  /** The column snapshot, an R-Drive file. */
  readonly columns: string;
}

/** Something that is not as it should be. */
export interface LayoutProblem {
  readonly place: Place;
  readonly message: string;
}

/** Paths inside a store root, and the making, recognising and checking of roots and collections. */
export const Layout = {
  collections: (root: string): string => join(root, 'collections'),
  lock: (root: string): string => join(root, '.zds', '.zds_write.lock'),

  /** Errors, here and in all functions below that take a name: INVALID_PATH for no plain folder name. */
  collection(root: string, name: string): CollectionPaths {
    checkCollectionName(name);
    const folder = join(root, 'collections', name);
    const meta = join(folder, 'meta');
    return {
      folder,
      meta,
      data: join(meta, 'data.jsonl'),
      index: join(meta, 'index.bin'),
      log: join(meta, 'commits.log'),
      columns: join(meta, 'columns.drive'),
    };
  },

  metaDir: (root: string, name: string): string => Layout.collection(root, name).meta,
  /** One JSON file per document, for collections of that kind. */
  docsDir: (root: string, name: string): string =>
    join(Layout.collection(root, name).folder, 'docs'),
  dataFile: (root: string, name: string): string => Layout.collection(root, name).data,
  indexFile: (root: string, name: string): string => Layout.collection(root, name).index,
  /** Version, strictness and counts of a collection of files. */
  manifestFile: (root: string, name: string): string => inMeta(root, name, 'manifest.json'),
  /** What was put and deleted. */
  journalFile: (root: string, name: string): string => inMeta(root, name, 'journal.log'),
  /** The schemas of the documents, with counts. */
  schemasFile: (root: string, name: string): string => inMeta(root, name, 'schemas.jsonl'),
  /** Schema, size and time of every document. */
  docIndexFile: (root: string, name: string): string => inMeta(root, name, 'doc_index.jsonl'),
  /** The ids in the order in which they came. */
  orderFile: (root: string, name: string): string => inMeta(root, name, 'order.ids'),

  /** Makes an empty store. A folder that is one already is left as it is. Errors: NOT_A_STORE. */
  async initRoot(root: string, disk: Disk = nodeDisk): Promise<void> {
    const state = await Layout.inspect(root, disk);
    if (state === 'foreign') throw notAStore(root);
    if (state === 'store') return;
    await disk.mkdir(join(root, 'metadata'));
    await disk.mkdir(join(root, 'collections'));
    await disk.syncDir(root);
  },

  /** Makes the folders of a collection, durably. */
  async initCollection(root: string, name: string, disk: Disk = nodeDisk): Promise<void> {
    const { folder, meta } = Layout.collection(root, name);
    if ((await disk.stat(meta)) !== undefined) return;
    await disk.mkdir(meta);
    await disk.syncDir(folder);
    await disk.syncDir(Layout.collections(root));
    await disk.syncDir(root);
  },

  /** Everything wrong with a store's folders; empty when all is well. */
  async validate(root: string, disk: Disk = nodeDisk): Promise<LayoutProblem[]> {
    const problems = await Layout.validateRoot(root, disk);
    const collections = Layout.collections(root);
    if ((await disk.stat(collections))?.kind !== 'folder') return problems;
    for (const { name, kind } of await disk.list(collections)) {
      if (kind !== 'folder' || name.startsWith('.')) continue;
      problems.push(...(await Layout.validateCollection(root, name, disk)));
    }
    return problems;
  },

  /** The same without what is wrong inside the collections. */
  async validateRoot(root: string, disk: Disk = nodeDisk): Promise<LayoutProblem[]> {
    const found = await disk.stat(root);
    if (found === undefined) return [problem(root, 'there is nothing here')];
    if (found.kind !== 'folder') return [problem(root, 'a store is a folder')];
    const collections = Layout.collections(root);
    const missing = await missingFolder(disk, collections);
    const problems = [...missing, ...(await missingFolder(disk, join(root, 'metadata')))];
    if (missing.length > 0) return problems;
    for (const { name, kind } of await disk.list(collections)) {
      if (kind === 'folder') continue;
      problems.push(problem(join(collections, name), 'a file among the collections'));
    }
    return problems;
  },

  /** Everything wrong with a collection's folders and the names in them; empty when all is well. */
  async validateCollection(
    root: string,
    name: string,
    disk: Disk = nodeDisk,
  ): Promise<LayoutProblem[]> {
    const { folder, meta, data, index } = Layout.collection(root, name);
    const missing = await missingFolder(disk, folder);
    if (missing.length > 0) return missing;
    const problems = await missingFolder(disk, meta);
    const docs = Layout.docsDir(root, name);
    const lines = await disk.stat(data);
    const hasData = lines !== undefined;
    const hasDocs = (await disk.stat(docs)) !== undefined;
    if (hasDocs) problems.push(...(await wrongNames(disk, docs)));
    if (!hasData && (await disk.stat(index)) !== undefined) {
      problems.push(problem(index, 'an index without its data.jsonl'));
    }
    if (hasData && lines.size > 0 && (await hasDocuments(disk, docs))) {
      problems.push(problem(docs, 'documents beside data.jsonl, which nothing reads'));
    }
    if (!hasData && !hasDocs) problems.push(problem(folder, 'neither meta/data.jsonl nor docs/'));
    return problems;
  },

  /** `none`: nothing there, or an empty folder, which a store may be made in. */
  async inspect(root: string, disk: Disk = nodeDisk): Promise<'store' | 'none' | 'foreign'> {
    if (root === '') throw new EtlError('INVALID_PATH', 'a store needs a path');
    const found = await disk.stat(root);
    if (found === undefined) return 'none';
    if (found.kind !== 'folder') return 'foreign';
    const entries = await disk.list(root);
    if (entries.length === 0) return 'none';
    const known = entries.some(
      ({ name, kind }) => kind === 'folder' && (name === 'collections' || name === 'metadata'),
    );
    return known ? 'store' : 'foreign';
  },
};

/** The error for a path that holds something else than a store. */
export function notAStore(root: string): EtlError {
  return new EtlError('NOT_A_STORE', 'this is no store', { place: { path: root } });
}

/** The error for a name that no collection has. */
export function noSuchCollection(root: string, name: string): EtlError {
  return new EtlError('COLLECTION_NOT_FOUND', `there is no collection ${name}`, {
    place: { path: root },
  });
}

/** The error for an id that no document has; `path` is that of the documents. */
export function noSuchDocument(id: string, path: string): EtlError {
  return new EtlError('DOCUMENT_NOT_FOUND', `no document ${JSON.stringify(id)}`, {
    place: { path },
  });
}

/**
 * How a collection keeps its documents; undefined where there is none. Where there are lines nothing else is
 * read. Without documents it may be either: whoever writes the first one decides. Errors: INVALID_PATH.
 */
export async function kindOf(
  disk: Disk,
  root: string,
  name: string,
): Promise<'lines' | 'files' | undefined> {
  const data = await disk.stat(Layout.dataFile(root, name));
  const docs = Layout.docsDir(root, name);
  if (data === undefined) {
    if ((await disk.stat(docs)) === undefined) return undefined;
    const wasLines = !(await hasDocuments(disk, docs)) && (await isGutted(disk, root, name));
    return wasLines ? undefined : 'files';
  }
  return data.size === 0 && (await hasDocuments(disk, docs)) ? 'files' : 'lines';
}

/** Errors: INVALID_ARGUMENT for a collection that has lines. */
export async function checkHasNoLines(disk: Disk, root: string, name: string): Promise<void> {
  const path = Layout.dataFile(root, name);
  if (((await disk.stat(path))?.size ?? 0) === 0) return;
  const message = `the documents of ${name} are in one file; open it as a FastStore`;
  throw new EtlError('INVALID_ARGUMENT', message, { place: { path } });
}

/** Whether documents have files of their own; the crate makes their folder for either kind. */
async function hasDocuments(disk: Disk, docs: string): Promise<boolean> {
  const entries = (await disk.stat(docs))?.kind === 'folder' ? await disk.list(docs) : [];
  return entries.some(({ name }) => isDocumentFile(name));
}

/**
 * Sees to it that a collection in lines can be opened; makes the folders of one that is missing if it may.
 * Errors: COLLECTION_NOT_FOUND; INVALID_ARGUMENT for a collection with a file per document; CORRUPTED_DATA for
 * one whose documents are gone.
 */
export async function prepareInLines(
  disk: Disk,
  root: string,
  name: string,
  mayMake: boolean,
): Promise<void> {
  if ((await kindOf(disk, root, name)) === 'lines') return;
  const docs = Layout.docsDir(root, name);
  if (await hasDocuments(disk, docs)) {
    const message = `${name} has a file per document; Engine and BufferedWriter.open are for it`;
    throw new EtlError('INVALID_ARGUMENT', message, { place: { path: docs } });
  }
  const path = Layout.dataFile(root, name);
  if (await isGutted(disk, root, name)) {
    throw new EtlError('CORRUPTED_DATA', GUTTED, { place: { path } });
  }
  if (!mayMake) throw noSuchCollection(root, name);
  await Layout.initCollection(root, name, disk);
}

/** What to say of a collection that is gutted. */
export const GUTTED = 'the documents are gone, but not what stands beside them';

/** Whether there is a log or an index of documents in lines, which are not there. */
export async function isGutted(disk: Disk, root: string, name: string): Promise<boolean> {
  const { data, log, index } = Layout.collection(root, name);
  if ((await disk.stat(data)) !== undefined) return false;
  // Files without content are what a crash leaves of making a collection.
  const [logged, indexed] = [await disk.stat(log), await disk.stat(index)];
  return (logged?.size ?? 0) > 0 || (indexed?.size ?? 0) > INDEX_HEADER_BYTES;
}

function inMeta(root: string, name: string, file: string): string {
  return join(Layout.collection(root, name).meta, file);
}

async function missingFolder(disk: Disk, path: string): Promise<LayoutProblem[]> {
  const found = await disk.stat(path);
  if (found?.kind === 'folder') return [];
  return [problem(path, found === undefined ? 'this folder is missing' : 'this is no folder')];
}

async function wrongNames(disk: Disk, docs: string): Promise<LayoutProblem[]> {
  const problems = await missingFolder(disk, docs);
  if (problems.length > 0) return problems;
  for (const { name, kind } of await disk.list(docs)) {
    const path = join(docs, name);
    if (name.startsWith('.')) {
      if (name.endsWith('.tmp')) problems.push(problem(path, 'left by a writer that was stopped'));
    } else if (kind !== 'file') problems.push(problem(path, 'documents are plain files'));
    else if (!name.endsWith('.json')) problems.push(problem(path, 'documents are named ID.json'));
    else if (!isValidId(name.slice(0, -5))) problems.push(problem(path, 'this is no valid id'));
  }
  return problems;
}

function problem(path: string, message: string): LayoutProblem {
  return { place: { path }, message };
}
