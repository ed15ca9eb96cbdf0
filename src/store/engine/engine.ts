/**
 * Reading a collection that has a file per document (docs/guide/engine.md). Takes no lock and writes
 * nothing. Which documents there are, and their order, is as of `open` or the last `refresh`; a
 * document itself is read from its file each time, so edits are seen at once.
 *
 * Cost: `open` one listing of the folder and the files of meta/; `getDocument` one open, read and
 * close, without leaving the current turn. In an archive, whose entries are inflated on the way, `open`
 * reads all documents into memory.
 */
import type { Document } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { PathInput, Selected } from '../../core/path.ts';
import type { Predicate } from '../../core/predicate.ts';
import type { Disk } from '../../io/disk.ts';
import { decodeText } from '../../io/index.ts';
import { sharedKernel } from '../../kernels/index.ts';
import { checkHasNoLines, noSuchCollection, noSuchDocument } from '../layout.ts';
import { isValidId } from '../names.ts';
import type { GetOptions } from '../options.ts';
import { ZdsRoot } from '../root.ts';
import { documentLine } from './document-line.ts';
import { decodeFile, documentPath } from './documents.ts';
import { readBytes } from './meta-file.ts';
import { type KeepsLine, Scanner } from './scanner.ts';
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
  /** Opened here, so closed here. */
  readonly #ownRoot: ZdsRoot | undefined;
  /** The documents' texts, where the disk cannot read them when they are asked for. */
  #held: ReadonlyMap<string, string> | undefined;
  #state: EngineState;
  #ids: readonly string[];
  /** Calls of `refresh` so far, and the last of them whose findings are shown. */
  #looks = 0;
  #shown = 0;

  private constructor(
    root: ZdsRoot,
    collection: string,
    { state, held }: Loaded,
    withId: boolean,
    ownRoot: ZdsRoot | undefined,
  ) {
    this.root = root.path;
    this.collection = collection;
    this.#disk = root.disk;
    this.#paths = enginePaths(root.path, collection);
    this.#withId = withId;
    this.#ownRoot = ownRoot;
    this.#held = held;
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
    const own =
      typeof root === 'string' ? await ZdsRoot.open(root, { mode: 'read', disk }) : undefined;
    const zds = own ?? (root as ZdsRoot);
    try {
      const paths = enginePaths(zds.path, collection);
      await checkIsOfFiles(zds, collection, paths);
      return new Engine<T>(zds, collection, await load(zds.disk, paths), withId, own);
    } catch (error) {
      await own?.close();
      throw error;
    }
  }

  /** Documents as of `open` or the last `refresh`. */
  len(): number {
    return this.#ids.length;
  }

  /** The document under an id. Errors: DOCUMENT_NOT_FOUND; JSON_ERROR, NOT_AN_OBJECT, INVALID_UTF8 naming the file. */
  getDocument(id: string, options: GetOptions = {}): T {
    const document = this.#read(id, options.withId ?? this.#withId);
    if (document !== undefined) return document as T;
    throw noSuchDocument(id, this.#paths.docs);
  }

  /**
   * The document under an id as a line of JSON, `_id` in front, without its end; numbers and escapes as
   * they stand in the file. Errors: as `getDocument`, and NESTING_TOO_DEEP.
   */
  getRaw(id: string): Uint8Array {
    const file = this.#readText(id);
    if (file === undefined) throw noSuchDocument(id, this.#paths.docs);
    return documentLine(id, file.text, file.path, sharedKernel());
  }

  /** The document at a place in the order, from 0. Errors: as `getDocument`. */
  getDocumentAt(ordinal: number, options: GetOptions = {}): T {
    const id = this.#ids[ordinal];
    if (id !== undefined) return this.getDocument(id, options);
    throw new EtlError('DOCUMENT_NOT_FOUND', `no document number ${ordinal} of ${this.len()}`, {
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
  scan(predicate?: Predicate | null, fields?: null): Scanner<T>;
  scan(
    predicate: Predicate | null | undefined,
    fields: readonly PathInput[] | null | undefined,
  ): Scanner<Selected<T>>;
  scan(
    predicate?: Predicate | null,
    fields?: readonly PathInput[] | null,
  ): Scanner<T> | Scanner<Selected<T>> {
    const read = (id: string, keepsLine?: KeepsLine): Document | undefined =>
      this.#read(id, this.#withId, keepsLine);
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
    const look = ++this.#looks;
    const { state, held } = await load(this.#disk, this.#paths);
    // One that began later and was done sooner has seen more.
    if (look < this.#shown) return;
    this.#shown = look;
    this.#state = state;
    this.#held = held;
    this.#ids = [...state.entries.keys()];
  }

  /** Lets go of an archive that `open` opened; a folder needs no closing. */
  async close(): Promise<void> {
    await this.#ownRoot?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Undefined when there is no such document, or its line is not one to keep. */
  #read(id: string, withId: boolean, keepsLine?: KeepsLine): Document | undefined {
    const file = this.#readText(id);
    if (file === undefined) return undefined;
    const { text, path } = file;
    if (keepsLine && !keepsLine(documentLine(id, text, path, sharedKernel()))) return undefined;
    return decodeFile(id, text, withId, path);
  }

  #readText(id: string): { readonly text: string; readonly path: string } | undefined {
    // Ids that are not known yet may be read, but no path that leads elsewhere.
    if (!this.#state.entries.has(id) && !isValidId(id)) return undefined;
    const path = documentPath(this.#paths.docs, id);
    const text = this.#held ? this.#held.get(id) : this.#disk.readTextSync!(path);
    return text === undefined ? undefined : { text, path };
  }
}

interface Loaded {
  readonly state: EngineState;
  readonly held: ReadonlyMap<string, string> | undefined;
}

async function load(disk: Disk, paths: EnginePaths): Promise<Loaded> {
  const state = await loadState(disk, paths);
  if (disk.readTextSync !== undefined) return { state, held: undefined };
  const held = new Map<string, string>();
  for (const id of state.entries.keys()) {
    const path = documentPath(paths.docs, id);
    const bytes = await readBytes(disk, path);
    if (bytes !== undefined) held.set(id, decodeText(bytes, path));
  }
  return { state, held };
}

/** Errors: COLLECTION_NOT_FOUND, INVALID_ARGUMENT for a collection in lines. */
async function checkIsOfFiles(
  { disk, path }: ZdsRoot,
  collection: string,
  { docs, folder }: EnginePaths,
): Promise<void> {
  await checkHasNoLines(disk, path, collection);
  if ((await disk.stat(docs)) !== undefined) return;
  if ((await disk.stat(folder)) === undefined) throw noSuchCollection(path, collection);
  const message = `${collection} has no file per document; open it as a FastStore`;
  throw new EtlError('INVALID_ARGUMENT', message, { place: { path } });
}
