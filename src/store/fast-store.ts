/**
 * A collection: documents by id in one JSON Lines file, with an index of where each stands.
 *
 * Puts and deletes are in memory at once and visible to this handle; `flush` makes all of them durable and
 * visible to others as one unit. Readers see the last commit and `refresh` to the next. How it reaches the
 * disk is the Writer's business, how it is found again the recovery's.
 *
 * Cost: `get` one lookup and one read from a memory map; `put` no system call (1 MiB is gathered);
 * memory 16 to 32 bytes a document for the index, no ids.
 */
import type { Table } from 'apache-arrow';
import type { Batch, Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Selected } from '../core/path.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import { type Kernel, sharedKernel } from '../kernels/index.ts';
import { Appends } from './appends.ts';
import { BatchCommits } from './batch-commits.ts';
import { CollectionFiles } from './collection-files.ts';
import type { ColumnsOptions, SnapshotOptions, SnapshotReport } from './columns/index.ts';
import { type CommitRecord, lastCursor } from './commit-log.ts';
import type { AutoCompactOptions, CompactOptions, CompactReport } from './compact.ts';
import { encodePut, type JsonlInput, jsonlBatches } from './encode.ts';
import { HeldFiles } from './held-files.ts';
import { keyText } from './indexer.ts';
import { Layout, noSuchDocument, prepareInLines } from './layout.ts';
import { checkId } from './names.ts';
import type { FastStoreOptions, GetOptions, StoreInfo } from './options.ts';
import { type IdOptions, prepareRaw, refuseExisting } from './prepare.ts';
import type { Recovery } from './recovery.ts';
import { type RootOptions, type StoreMode, ZdsRoot } from './root.ts';
import { Scan, type ScanOptions } from './scan.ts';
import { type AppendResult, type CommitOptions, copyOptions, type Writer } from './writer.ts';

const NO_OPTIONS: IdOptions = {};
const SUMS = ['documents', 'bytes', 'replaced', 'duplicates'] as const;

export class FastStore<T extends object = Document> {
  readonly root: string;
  readonly collection: string;
  readonly mode: StoreMode;
  readonly disk: ZdsRoot['disk'];
  readonly #held: HeldFiles;
  readonly #dataPath: string;
  readonly #kernel: Kernel;
  readonly #schema: StandardSchema<T> | undefined;
  readonly #autoCompact: AutoCompactOptions | undefined;
  readonly #batches: BatchCommits | undefined;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #appends: Appends;
  /** The end of this handle, once it has begun. */
  #ending: Promise<void> | undefined;

  private constructor(
    root: ZdsRoot,
    name: string,
    kernel: Kernel,
    held: HeldFiles,
    options: FastStoreOptions<T>,
  ) {
    this.root = root.path;
    this.collection = name;
    this.disk = root.disk;
    this.mode = held.current.writer ? 'write' : 'read';
    this.#held = held;
    this.#dataPath = Layout.dataFile(root.path, name);
    this.#kernel = kernel;
    this.#schema = options.schema;
    this.#appends = new Appends(kernel, options.schema);
    this.#autoCompact = options.autoCompact;
    const size = options.batchSize;
    if (size !== undefined) this.#batches = new BatchCommits(size, () => this.flush());
  }

  /**
   * Opens a collection, and the root with it when a path is given; a number instead of options is the
   * `batchSize`. Errors: as `ZdsRoot.open` and `ZdsRoot.collection`.
   */
  static async open<T extends object = Document>(
    root: ZdsRoot | string,
    collection: string,
    given: (FastStoreOptions<T> & RootOptions) | number = {},
  ): Promise<FastStore<T>> {
    const options = typeof given === 'number' ? { batchSize: given } : given;
    if (typeof root !== 'string') return root.collection(collection, options);
    const own = await ZdsRoot.open(root, options);
    try {
      const store = await own.collection(collection, options);
      store.onClose(() => own.close());
      return store;
    } catch (error) {
      await own.close();
      throw error;
    }
  }

  /** For ZdsRoot, which keeps writers apart: opens without looking for others. */
  static async attach<T extends object>(
    root: ZdsRoot,
    name: string,
    options: FastStoreOptions<T>,
  ): Promise<FastStore<T>> {
    const { mode = root.mode, createIfMissing = true, kernel = sharedKernel() } = options;
    const { replace = false, signal, batchSize = 1 } = options;
    if (!(batchSize >= 1)) throw new EtlError('INVALID_ARGUMENT', 'batchSize must be at least 1');
    const { disk, path } = root;
    const writable = mode === 'write';
    const input = { disk, paths: Layout.collection(path, name), kernel, writable, replace, signal };
    const held = await HeldFiles.open(async () => {
      await prepareInLines(disk, path, name, writable && createIfMissing);
      return CollectionFiles.open(input);
    });
    return new FastStore<T>(root, name, kernel, held, options);
  }

  /** Documents alive, as `len`. */
  get count(): number {
    return this.#files.documents;
  }

  len(): number {
    return this.count;
  }

  isEmpty(): boolean {
    return this.count === 0;
  }

  /** What opening found and mended. */
  get recovery(): Recovery {
    return this.#files.recovery;
  }

  /** Bytes appended that no commit covers yet; 0 for readers. */
  get uncommittedBytes(): number {
    return this.#files.writer?.uncommittedBytes ?? 0;
  }

  /**
   * Stores a document under an id, replacing the one there; its own `_id`, if any, must be the same. Errors:
   * INVALID_ID, ID_MISMATCH, INVALID_DOCUMENT, NESTING_TOO_DEEP, READ_ONLY, CLOSED, POISONED.
   */
  put(id: string, document: T): void {
    const writer = this.#writing();
    checkId(id);
    writer.put(encodePut(id, document, this.#schema));
    this.#batches?.note(1);
  }

  /**
   * Stores a document given as the bytes of its JSON text, on one line, as they are; with a schema what it
   * makes of them. Errors: as `put`, and the kernel's codes for bytes that are no document.
   */
  putRaw(id: string, bytes: Uint8Array): Promise<AppendResult> {
    const writer = this.#writing();
    checkId(id);
    const appended = writer.append(prepareRaw(id, bytes, this.#kernel, this.#schema));
    this.#batches?.note(1);
    return appended;
  }

  /**
   * Stores the documents of a batch, as bytes where they are fit for it; of equal ids the last wins.
   * Visible at once, behind an asynchronous schema when that has answered; resolves when the next may come.
   * It is refused whole, or released once written.
   * Errors: INVALID_ID, MISSING_ID, ID_MISMATCH, DUPLICATE_ID, INVALID_DOCUMENT with the place.
   */
  async append(batch: Batch, options: IdOptions = NO_OPTIONS): Promise<AppendResult> {
    this.#writing();
    if (batch.length === 0) return { documents: 0, bytes: 0, replaced: 0, duplicates: 0 };
    return this.#appends.append(batch, options, (lines) => {
      if (options.refuseExisting) refuseExisting(lines, batch, this.#files.indexer);
      const appended = this.#files.writer!.append(lines, () => batch.release());
      this.#batches?.note(lines.count);
      return appended;
    });
  }

  /**
   * Appends JSON Lines: a text, bytes, or chunks of bytes in order. To be awaited: `flush` and `close` do not wait for
   * it. Errors: as `append`, INVALID_ARGUMENT.
   */
  async writeJsonl(input: JsonlInput, options: IdOptions = NO_OPTIONS): Promise<AppendResult> {
    const total = { documents: 0, bytes: 0, replaced: 0, duplicates: 0 };
    for await (const batch of jsonlBatches(input, this.#kernel)) {
      const result = await this.append(batch, options);
      for (const each of SUMS) total[each] += result[each];
    }
    return total;
  }

  /** The document under an id. Errors: DOCUMENT_NOT_FOUND, CORRUPTED_DATA. */
  get(id: string, options: GetOptions = {}): T {
    const document = this.tryGet(id, options);
    if (document !== undefined) return document;
    throw noSuchDocument(id, this.#dataPath);
  }

  /** The document under an id, or undefined. Errors: CORRUPTED_DATA where its line is damaged. */
  tryGet(id: string, options: GetOptions = {}): T | undefined {
    this.#check();
    const { index } = this.#files.indexer;
    const kernel = this.#kernel;
    kernel.hashKey(id);
    const low = kernel.keyHash[0]!;
    const high = kernel.keyHash[1]!;
    for (let entry = index.find(low, high); entry >= 0; entry = index.find(low, high, entry)) {
      const document = this.#files.stored.document(index.offset(entry), index.length(entry));
      if (document._id !== id) continue;
      if (options.withId !== false) return document as T;
      const { _id, ...rest } = document;
      return rest as T;
    }
    return undefined;
  }

  /** The stored bytes, without line end. Errors: DOCUMENT_NOT_FOUND; CORRUPTED_DATA if no id is left. */
  getRaw(id: string): Uint8Array {
    this.#check();
    const entry = this.#files.indexer.findSound(id);
    if (entry < 0) throw noSuchDocument(id, this.#dataPath);
    const { index } = this.#files.indexer;
    return this.#files.stored.view(index.offset(entry), index.length(entry)).slice();
  }

  exists(id: string): boolean {
    this.#check();
    return this.#files.indexer.findSound(id) >= 0;
  }

  /** Removes the document under an id. Answers whether there was one. Errors: CORRUPTED_DATA as `getRaw`. */
  delete(id: string): boolean {
    const found = this.#writing().remove(id);
    if (found) this.#batches?.note(1);
    return found;
  }

  /** Documents in file order, the newest of each. Errors: INVALID_ARGUMENT; reading: CORRUPTED_DATA. */
  scan(options?: ScanOptions & { readonly select?: undefined }): Scan<T>;
  scan(options: ScanOptions): Scan<Selected<T>>;
  scan(options: ScanOptions = {}): Scan<T> | Scan<Selected<T>> {
    this.#check();
    const host = { kernel: this.#kernel, path: this.#dataPath, snapshots: () => this.#check() };
    return new Scan<T>(host, options);
  }

  /**
   * Commits, or as a reader goes on to the last commit, and writes columns as Arrow buffers into a file beside, for
   * `table` and scans with a predicate (docs/guide/snapshots.md). Errors: LOCKED, INVALID_ARGUMENT, SCHEMA_CHANGED, ABORTED.
   */
  async snapshot(options: SnapshotOptions = {}): Promise<SnapshotReport> {
    this.#check();
    return this.#held.snapshot(options);
  }

  /**
   * The documents as they are now, as an Arrow table in file order: from the newest snapshot, mapped,
   * and what came after it from the documents. Errors: SCHEMA_CHANGED, INVALID_ARGUMENT, ABORTED.
   */
  async table(options: ColumnsOptions = {}): Promise<Table> {
    return this.#check().readColumns(options);
  }

  /** All documents, in memory. */
  scanAll(): Promise<T[]> {
    return this.scan().toArray();
  }

  /** The stored lines as batches. */
  scanRaw(): AsyncGenerator<Batch, void, void> {
    return this.scan().batches();
  }

  /** All documents as JSON Lines in one piece of memory. */
  async readJsonlBlob(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const batch of this.scanRaw()) parts.push(batch.bytes());
    return new Uint8Array(Buffer.concat(parts));
  }

  /** The ids in file order. */
  async *docIds(): AsyncGenerator<string, void, void> {
    for await (const batch of this.scanRaw()) {
      const { bytes, records, count } = batch.lines();
      for (let i = 0; i < count; i++) yield keyText(bytes, records, i)!;
    }
  }

  /**
   * Commits: everything put, appended and deleted so far is durable once this resolves, as one
   * unit. Nothing new and nothing to tell: no I/O. Answers the last commit. Errors: POISONED, IO_ERROR;
   * INVALID_ARGUMENT for a cursor that JSON cannot hold, with nothing changed.
   */
  async flush(options: CommitOptions = {}): Promise<CommitRecord | undefined> {
    this.#writing();
    const told = copyOptions(options);
    return this.#appends.after(() => this.#files.writer!.flush(told));
  }

  /** Every commit in the log, oldest first; compaction leaves the last one before it. */
  async *commits(): AsyncGenerator<CommitRecord, void, void> {
    this.#check();
    for await (const record of this.#files.past()) if (record.op === 'commit') yield record;
  }

  /** The cursor committed last, or last under the name of a run (or load); undefined for none. */
  async cursor(name?: string): Promise<unknown> {
    this.#check();
    return lastCursor(this.#files.past(), name);
  }

  /**
   * For readers: goes on to the last commit, of another collection where one has been made in the place of
   * this. Writers see everything already. Errors, with nothing changed: COLLECTION_NOT_FOUND once it is removed.
   */
  async refresh(): Promise<void> {
    if (this.#ending || this.mode === 'write') this.#check();
    else await this.#held.refresh();
  }

  /** `refresh` by the crate's name. */
  refreshMmap(): Promise<void> {
    return this.refresh();
  }

  /**
   * Commits, then drops superseded and deleted documents, as one unit. Scans, readers, puts and deletes
   * go on meanwhile; commits of this handle wait until it is done, and then hold what they would have
   * held. Needs room for a second copy of what is alive. Nothing to drop: no I/O. Errors: ABORTED and, while the disk has
   * no room, IO_ERROR leave all as it was; POISONED; READ_ONLY.
   */
  compact(options: CompactOptions = {}): Promise<CompactReport> {
    this.#writing();
    return this.#held.compact(options);
  }

  info(): StoreInfo {
    const { root: path, collection, mode, count: documents } = this;
    return { path, collection, mode, documents, ...this.#files.sizes };
  }

  /** Commits, makes index.bin current and lets go of everything. Errors: POISONED, IO_ERROR at every call; INVALID_ARGUMENT first. */
  async close(options: CommitOptions = {}): Promise<void> {
    const told = this.#ending ? {} : copyOptions(options);
    const end = () => this.#held.close(told, this.#autoCompact);
    this.#ending ??= this.#end(() => this.#appends.after(end));
    return this.#ending;
  }

  /** Closes without committing what is not committed; the next open cuts it. Waits for a `close` under way. */
  async abandon(): Promise<void> {
    const closing = this.#ending?.catch(() => undefined);
    this.#ending ??= this.#end(async () => this.#appends.giveUp());
    await (closing ?? this.#ending);
  }

  /** Runs when this handle has let go of its files. */
  onClose(work: () => Promise<void>): void {
    this.#closers.push(work);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ending ? this.abandon() : this.close();
  }

  /** The files in use now; others after a compaction. */
  get #files(): CollectionFiles {
    return this.#held.current;
  }

  #check(): CollectionFiles {
    if (this.#ending) throw new EtlError('CLOSED', 'the store is closed');
    this.#files.check();
    return this.#files;
  }

  #writing(): Writer {
    const { writer } = this.#check();
    if (writer) return writer;
    const place = { path: this.#dataPath };
    throw new EtlError('READ_ONLY', 'the store was opened for reading', { place });
  }

  async #end(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } finally {
      try {
        await this.#held.release();
      } finally {
        for (const closer of this.#closers) await closer();
      }
    }
  }
}
