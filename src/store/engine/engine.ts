/**
 * Reading a collection that has a file per document (docs/guide/engine.md). Takes no lock and writes
 * nothing. Which documents there are, and their order, is as of `open` or the last `refresh`; a
 * document itself is read from its file each time, so edits are seen at once.
 *
 * Cost: `open` one listing of the folder and two small files; `getDocument` one open, read and close,
 * without leaving the current turn.
 */
import type { Document } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { PathInput } from '../../core/path.ts';
import type { Predicate } from '../../core/predicate.ts';
import type { Disk } from '../../io/disk.ts';
import { isValidId } from '../names.ts';
import type { GetOptions } from '../options.ts';
import { ZdsRoot } from '../root.ts';
import { decodeFile, documentPath } from './documents.ts';
import { Scanner } from './scanner.ts';
import { type EnginePaths, type EngineState, enginePaths, loadState } from './state.ts';

export interface EngineOptions extends GetOptions {
  /** Where the files are. Default: this machine's disk. */
  readonly disk?: Disk | undefined;
}

/** Numbers about a collection. */
export interface CollectionStats {
  readonly collection: string;
  readonly docCount: number;
  /** Schemas that documents have or had. */
  readonly schemaCount: number;
  /** Bytes of all documents. */
  readonly totalSize: number;
  /** Only documents of one schema are accepted. */
  readonly strictMode: boolean;
}

export class Engine<T extends object = Document> {
  readonly root: string;
  readonly collection: string;
  readonly #disk: Disk;
  readonly #paths: EnginePaths;
  readonly #withId: boolean;
  #state: EngineState;
  #ids: readonly string[];

  private constructor(
    root: ZdsRoot,
    collection: string,
    paths: EnginePaths,
    state: EngineState,
    withId: boolean,
  ) {
    this.root = root.path;
    this.collection = collection;
    this.#disk = root.disk;
    this.#paths = paths;
    this.#withId = withId;
    this.#state = state;
    this.#ids = [...state.entries.keys()];
  }

  /** Errors: NOT_A_STORE, INVALID_PATH, COLLECTION_NOT_FOUND, INVALID_ARGUMENT for a collection in lines, IO_ERROR. */
  static async open<T extends object = Document>(
    root: ZdsRoot | string,
    collection: string,
    options: EngineOptions = {},
  ): Promise<Engine<T>> {
    const { disk, withId = true } = options;
    const zds = typeof root === 'string' ? await ZdsRoot.open(root, { mode: 'read', disk }) : root;
    const paths = enginePaths(zds.path, collection);
    if ((await zds.disk.stat(paths.docs)) === undefined) {
      const there = (await zds.disk.stat(paths.folder)) !== undefined;
      throw there
        ? new EtlError(
            'INVALID_ARGUMENT',
            `${collection} has no file per document; open it as a FastStore`,
          )
        : new EtlError('COLLECTION_NOT_FOUND', `there is no collection ${collection}`, {
            place: { path: zds.path },
          });
    }
    return new Engine<T>(zds, collection, paths, await loadState(zds.disk, paths), withId);
  }

  /** Documents as of `open` or the last `refresh`. */
  get length(): number {
    return this.#ids.length;
  }

  /** The document under an id. Errors: DOCUMENT_NOT_FOUND; JSON_ERROR, NOT_AN_OBJECT naming the file. */
  getDocument(id: string, options: GetOptions = {}): T {
    const document = this.#read(id, options.withId ?? this.#withId);
    if (document !== undefined) return document as T;
    throw new EtlError('DOCUMENT_NOT_FOUND', `no document ${JSON.stringify(id)}`, {
      place: { path: this.#paths.docs },
    });
  }

  /** The document at a place in the order, from 0. Errors: as `getDocument`. */
  getDocumentAt(ordinal: number, options: GetOptions = {}): T {
    const id = this.#ids[ordinal];
    if (id !== undefined) return this.getDocument(id, options);
    throw new EtlError('DOCUMENT_NOT_FOUND', `no document number ${ordinal} of ${this.length}`, {
      place: { path: this.#paths.docs },
    });
  }

  /** The ids in order. */
  docIds(): string[] {
    return [...this.#ids];
  }

  exists(id: string): boolean {
    return this.#state.entries.has(id);
  }

  /** The documents that fit, with these fields only. Errors: INVALID_ARGUMENT for a bad path. */
  scan(predicate?: Predicate | null, fields?: readonly PathInput[] | null): Scanner<T> {
    const read = (id: string): Document | undefined => this.#read(id, this.#withId);
    return new Scanner<T>({ ids: this.#ids, read }, predicate, fields);
  }

  stats(): CollectionStats {
    const { entries, schemas, manifest } = this.#state;
    let totalSize = 0;
    for (const { size } of entries.values()) totalSize += size;
    return {
      collection: this.collection,
      docCount: entries.size,
      schemaCount: schemas.size,
      totalSize,
      strictMode: manifest?.strict ?? false,
    };
  }

  /** Looks again which documents there are. */
  async refresh(): Promise<void> {
    this.#state = await loadState(this.#disk, this.#paths);
    this.#ids = [...this.#state.entries.keys()];
  }

  /** Undefined when there is no such document. */
  #read(id: string, withId: boolean): Document | undefined {
    // Ids that are not known yet may be read, but no path that leads elsewhere.
    if (!this.#state.entries.has(id) && !isValidId(id)) return undefined;
    const path = documentPath(this.#paths.docs, id);
    if (this.#disk.readSync === undefined) {
      throw new EtlError('UNSUPPORTED', 'this disk cannot read whole files at once');
    }
    const bytes = this.#disk.readSync(path);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    return decodeFile(id, text, withId, path);
  }
}
