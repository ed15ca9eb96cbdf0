/**
 * The index of a collection as a thing to be asked: which documents there are, in which order. For a
 * collection in lines that is index.bin, for one with a file per document order.ids and
 * doc_index.jsonl with schemas.jsonl. Stores keep their indexes themselves; this is for programs that make
 * one anew, look into it, or bring an old one into today's form.
 *
 * `rebuild` and `load` take no lock and write nothing. `save` takes the root's lock, replaces whole
 * files, durably, and refuses where the collection has changed in between.
 *
 * Memory: the ids, and for collections in lines some 50 bytes a document beside.
 */
import { LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { type Disk, nodeDisk } from '../io/index.ts';
import { MetaFile } from './engine/meta-file.ts';
import {
  docIndexLine,
  type EngineState,
  encodeOrder,
  enginePaths,
  type LoadOptions,
  loadState,
} from './engine/state.ts';
import { FastStore } from './fast-store.ts';
import { type IndexEntry, readEntries, writeEntries } from './index-entries.ts';
import { keyText } from './indexer.ts';
import { kindOf, Layout, noSuchCollection } from './layout.ts';
import { ZdsRoot } from './root.ts';

/** Where the files are. */
export interface RegistryOptions {
  /** Default: this machine's disk. */
  readonly disk?: Disk | undefined;
}

/** What is known of the documents: their lines, or their files. */
type Contents =
  | { readonly kind: 'lines'; readonly entries: readonly IndexEntry[]; readonly stamp: string }
  | { readonly kind: 'files'; readonly state: EngineState };

export class IndexRegistry {
  readonly #contents: Contents;
  readonly #ids: readonly string[];
  #known: ReadonlySet<string> | undefined;

  private constructor(contents: Contents) {
    this.#contents = contents;
    this.#ids =
      contents.kind === 'lines'
        ? contents.entries.map(({ id }) => id)
        : [...contents.state.entries.keys()];
  }

  /**
   * Makes the index anew from the documents themselves, committed ones that is; what the store knows
   * to be deleted stays so. Errors: COLLECTION_NOT_FOUND, NOT_A_STORE, CORRUPTED_DATA, IO_ERROR;
   * JSON_ERROR and NOT_AN_OBJECT naming the file, for documents in files.
   */
  static async rebuild(
    root: string,
    collection: string,
    { disk = nodeDisk }: RegistryOptions = {},
  ): Promise<IndexRegistry> {
    if ((await knownKind(disk, root, collection)) === 'files') {
      return IndexRegistry.#ofFiles(disk, root, collection, { as: 'rebuild' });
    }
    const stamp = await stampOf(disk, root, collection);
    const store = await FastStore.open(root, collection, { disk, mode: 'read' });
    try {
      const entries: IndexEntry[] = [];
      for await (const batch of store.scanRaw()) {
        const { bytes, records, count } = batch.lines();
        for (let i = 0; i < count; i++) {
          const word = i * RECORD_WORDS;
          const length = records[word + LineRecord.end]! - records[word + LineRecord.start]! + 1;
          const { offset } = batch.place(i);
          entries.push({ id: keyText(bytes, records, i)!, offset: offset!, length });
        }
      }
      return new IndexRegistry({ kind: 'lines', entries, stamp });
    } finally {
      await store.close();
    }
  }

  /**
   * Loads the index as it is on disk, any form of it. Errors: COLLECTION_NOT_FOUND, CORRUPTED_INDEX
   * for one that is missing beside documents or cannot be read: `rebuild` it.
   */
  static async load(
    root: string,
    collection: string,
    { disk = nodeDisk }: RegistryOptions = {},
  ): Promise<IndexRegistry> {
    if ((await knownKind(disk, root, collection)) === 'files') {
      return IndexRegistry.#ofFiles(disk, root, collection, { as: 'reader' });
    }
    const { index, data } = Layout.collection(root, collection);
    const stamp = await stampOf(disk, root, collection);
    const entries = await readEntries(disk, index);
    if (entries === undefined && ((await disk.stat(data))?.size ?? 0) > 0) {
      throw new EtlError('CORRUPTED_INDEX', 'there is no index', { place: { path: index } });
    }
    return new IndexRegistry({ kind: 'lines', entries: entries ?? [], stamp });
  }

  static async #ofFiles(
    disk: Disk,
    root: string,
    collection: string,
    options: LoadOptions,
  ): Promise<IndexRegistry> {
    const state = await loadState(disk, enginePaths(root, collection), options);
    return new IndexRegistry({ kind: 'files', state });
  }

  /** Documents. */
  len(): number {
    return this.#ids.length;
  }

  /** The id of a document by its place, from 0; undefined behind the last. */
  getDocIdAt(ordinal: number): string | undefined {
    return this.#ids[ordinal];
  }

  contains(id: string): boolean {
    this.#known ??= new Set(this.#ids);
    return this.#known.has(id);
  }

  /** All ids in order. */
  docIds(): string[] {
    return [...this.#ids];
  }

  /**
   * Writes the index, in today's form. Errors: LOCKED; INPUT_CHANGED when the collection is no
   * longer what this index was made from; IO_ERROR.
   */
  async save(
    root: string,
    collection: string,
    { disk = nodeDisk }: RegistryOptions = {},
  ): Promise<void> {
    await knownKind(disk, root, collection);
    const zds = await ZdsRoot.open(root, { mode: 'write', disk });
    try {
      await zds.alone(collection, () =>
        this.#contents.kind === 'files'
          ? this.#writeLists(disk, root, collection)
          : this.#writeIndex(disk, root, collection),
      );
      // Where there is a log, the store has a say in what index.bin is: opening it for writing looks
      // through the index, closing it makes it what it should be, and vouches for it.
      const { log } = Layout.collection(root, collection);
      if (this.#contents.kind === 'lines' && (await disk.stat(log)) !== undefined) {
        await (await FastStore.open(zds, collection)).close();
      }
    } finally {
      await zds.close();
    }
  }

  async #writeIndex(disk: Disk, root: string, collection: string): Promise<void> {
    const contents = this.#contents as Contents & { kind: 'lines' };
    if (contents.stamp !== (await stampOf(disk, root, collection))) throw changed(root, collection);
    const { index, log } = Layout.collection(root, collection);
    if ((await disk.stat(log)) === undefined) await writeEntries(disk, index, contents.entries);
  }

  async #writeLists(disk: Disk, root: string, collection: string): Promise<void> {
    const contents = this.#contents as Contents & { kind: 'files' };
    const paths = enginePaths(root, collection);
    const { entries, schemas, journal } = contents.state;
    const now = await loadState(disk, paths);
    const same = now.journal.size === journal.size && now.entries.size === entries.size;
    if (!same || [...now.entries.keys()].some((id) => !entries.has(id))) {
      throw changed(root, collection);
    }
    let docIndex = '';
    for (const [id, entry] of entries) docIndex += docIndexLine(id, entry);
    await disk.mkdir(paths.meta);
    await new MetaFile(disk, paths.order).replace(encodeOrder(entries.keys()), true);
    await new MetaFile(disk, paths.docIndex).replace(docIndex, true);
    const text = schemas.encode();
    // Loaded from an index alone it may be without the schemas themselves.
    if (text !== '') await new MetaFile(disk, paths.schemas).replace(text, true);
    await disk.syncDir(paths.meta);
  }
}

/** Errors: COLLECTION_NOT_FOUND, INVALID_PATH. */
async function knownKind(disk: Disk, root: string, collection: string): Promise<'lines' | 'files'> {
  const kind = await kindOf(disk, root, collection);
  if (kind !== undefined) return kind;
  throw noSuchCollection(root, collection);
}

/** The same as long as nothing was added, committed or compacted. */
async function stampOf(disk: Disk, root: string, collection: string): Promise<string> {
  const { data, log } = Layout.collection(root, collection);
  const sizes = [await disk.stat(data), await disk.stat(log)].map((found) => found?.size ?? 0);
  return sizes.join(' ');
}

function changed(root: string, collection: string): EtlError {
  return new EtlError('INPUT_CHANGED', `${collection} is not what this index was made from`, {
    place: { path: root },
  });
}
