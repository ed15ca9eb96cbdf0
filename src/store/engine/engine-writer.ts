/**
 * The one writer of a collection with a file per document.
 *
 * Puts and deletes are in memory at once and seen by this handle; `flush` makes them durable. A
 * flush is no unit: killed half-way it leaves some of its documents changed and others not, each
 * whole. Its order: the documents under temporary names and the journal's lines, all synced; then
 * the renames and removals; sync of the folder, and with that it is acknowledged. The other files
 * follow: order.ids and doc_index.jsonl grow, or are replaced where many documents went, schemas.jsonl
 * is replaced. They can be made anew from documents and journal, so they are synced by `close` only,
 * which then writes a CHECKPOINT into the journal.
 *
 * After any failed write or sync nobody knows what the disk holds: every later call fails with
 * POISONED until the collection is opened again.
 *
 * Cost of a flush: a sync for each document, eight at a time, and two more. Deletes add that of
 * writing the two lists anew once an eighth of what they name has gone, or a document that has gone
 * comes again, or on `close`.
 */
import type { Document } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { sharedKernel } from '../../kernels/index.ts';
import { type RootOptions, ZdsRoot } from '../root.ts';
import { WriteQueue } from '../write-queue.ts';
import { documentPath, encodeFile, encodeRawFile, temporaryPath } from './documents.ts';
import { eachOf, endOf } from './each-of.ts';
import { journalLine } from './journal.ts';
import { encodeManifest, type Manifest } from './manifest.ts';
import { MetaFile, writeWhole } from './meta-file.ts';
import { prepareCollection } from './prepare-collection.ts';
import { schemaMismatch } from './schemas.ts';
import {
  type DocEntry,
  docIndexLine,
  type EnginePaths,
  type EngineState,
  encodeOrder,
  enginePaths,
} from './state.ts';

export interface EngineWriterOptions extends Pick<RootOptions, 'disk'> {
  /** Every document must have the schema of the first. Kept with the collection; default: as it is. */
  readonly strict?: boolean | undefined;
  /** Make the collection when it is missing. Default true. */
  readonly createIfMissing?: boolean | undefined;
  /**
   * Read every document, and write anew all that lies beside them. Default false: only where an
   * interrupted session, or a file that was added or removed by hand, makes it necessary.
   */
  readonly reread?: boolean | undefined;
}

/** A document on its way to its file, or one that is to go. */
interface Operation {
  /** Undefined: deleted. */
  readonly text: string | undefined;
  readonly bytes: number;
  readonly schemaId: string;
  /** Deleted and put again: it goes to the end of the order. */
  readonly moved: boolean;
}

type Operations = Map<string, Operation>;

/** The lists are written anew when so many times the ids that have gone are as many as all. */
const GONE_SHARE = 8;
const DELETED: Operation = { text: undefined, bytes: 0, schemaId: '', moved: false };

export class EngineWriter<T extends object = Document> {
  readonly root: string;
  readonly collection: string;
  readonly #disk: Disk;
  readonly #paths: EnginePaths;
  readonly #state: EngineState;
  readonly #letGo: () => Promise<void>;
  readonly #journal: MetaFile;
  readonly #order: MetaFile;
  readonly #docIndex: MetaFile;
  readonly #schemas: MetaFile;
  readonly #manifest: Manifest | undefined;
  /** The schema that all documents must have, once there is one. */
  #strictSchema: string | undefined;
  #indexLines: number;
  /** Ids that the lists name and that no document has. */
  readonly #gone = new Set<string>();
  #batchId: number;
  #count: number;
  #pending: Operations = new Map();
  #pendingBytes = 0;
  /** Given to flushes that are not done, oldest first. */
  readonly #flying: Operations[] = [];
  readonly #queue: WriteQueue;
  /** The journal does not end in a checkpoint. */
  #begun: boolean;
  /** Once `close` or `abandon` was called. */
  #ending: Promise<void> | undefined;

  private constructor(
    root: ZdsRoot,
    collection: string,
    state: EngineState,
    letGo: () => Promise<void>,
  ) {
    this.root = root.path;
    this.collection = collection;
    this.#disk = root.disk;
    this.#paths = enginePaths(root.path, collection);
    this.#state = state;
    this.#queue = new WriteQueue(this.#paths.folder);
    this.#letGo = letGo;
    this.#journal = new MetaFile(root.disk, this.#paths.journal);
    this.#order = new MetaFile(root.disk, this.#paths.order);
    this.#docIndex = new MetaFile(root.disk, this.#paths.docIndex);
    this.#schemas = new MetaFile(root.disk, this.#paths.schemas);
    this.#manifest = state.manifest;
    this.#indexLines = state.indexLines;
    this.#batchId = state.journal.batchId;
    this.#count = state.entries.size;
    this.#begun = !state.journal.clean;
    if (state.manifest?.strict) this.#strictSchema = state.schemas.first;
  }

  /**
   * Opens a collection for writing, taking the root's lock when a path is given, and mends what an
   * interrupted session left. Errors: INVALID_PATH, NOT_A_STORE, LOCKED, COLLECTION_NOT_FOUND,
   * INVALID_ARGUMENT for a collection in lines, SCHEMA_MISMATCH, CORRUPTED_DATA, IO_ERROR.
   */
  static async open<T extends object = Document>(
    root: ZdsRoot | string,
    collection: string,
    options: EngineWriterOptions = {},
  ): Promise<EngineWriter<T>> {
    const own =
      typeof root === 'string'
        ? await ZdsRoot.open(root, { ...options, mode: 'write' })
        : undefined;
    const zds = own ?? (root as ZdsRoot);
    try {
      return await zds.openWriter(collection, async (gone) => {
        const state = await prepareCollection(zds, collection, options);
        const writer = new EngineWriter<T>(zds, collection, state, async () => {
          gone();
          await own?.close();
        });
        await writer.#mend();
        return writer;
      });
    } catch (error) {
      await own?.close();
      throw error;
    }
  }

  /** Documents, pending ones included. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of documents that no flush has taken yet. */
  get uncommittedBytes(): number {
    return this.#pendingBytes;
  }

  exists(id: string): boolean {
    for (const operations of [this.#pending, ...[...this.#flying].reverse()]) {
      const operation = operations.get(id);
      if (operation) return operation.text !== undefined;
    }
    return this.#state.entries.has(id);
  }

  /**
   * Stores a document under an id, replacing the one there.
   * Errors: INVALID_ID, ID_MISMATCH, INVALID_DOCUMENT, NESTING_TOO_DEEP, SCHEMA_MISMATCH, POISONED, CLOSED.
   */
  put(id: string, document: T): void {
    this.#put(id, () => encodeFile(id, document));
  }

  /**
   * The same for a document given as the bytes of its JSON text, whose values stay as they stand: digits,
   * escapes, order. Errors: as `put`, and the kernel's codes for bytes that are no document.
   */
  putRaw(id: string, bytes: Uint8Array): void {
    this.#put(id, () => encodeRawFile(id, bytes, sharedKernel()));
  }

  /** Removes the document under an id. Answers whether there was one. */
  delete(id: string): boolean {
    this.#check();
    if (!this.exists(id)) return false;
    this.#count--;
    this.#forget(id);
    this.#pending.delete(id);
    this.#pending.set(id, DELETED);
    return true;
  }

  /** Everything put and deleted so far is durable once this resolves. Nothing new: no I/O. */
  flush(): Promise<void> {
    this.#check();
    const operations = this.#pending;
    if (operations.size === 0) return this.#queue.take(async () => undefined);
    this.#pending = new Map();
    this.#pendingBytes = 0;
    this.#flying.push(operations);
    return this.#queue.take(async () => {
      await this.#write(operations);
      this.#flying.shift();
    });
  }

  /**
   * Flushes, makes the other files durable and lets go of everything. Called again it waits for the first
   * call, and has its outcome. Errors: POISONED, IO_ERROR.
   */
  close(): Promise<void> {
    this.#ending ??= this.#close();
    return this.#ending;
  }

  /** Lets go without writing what no flush has taken; waits for a `close` that was called before. */
  abandon(): Promise<void> {
    if (this.#ending !== undefined) return this.#ending.catch(() => undefined);
    this.#ending = this.#release();
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #put(id: string, encode: () => string): void {
    this.#check();
    const text = encode();
    const schemaId = this.#state.schemas.identify(text);
    if (this.#manifest?.strict) {
      this.#strictSchema ??= schemaId;
      if (schemaId !== this.#strictSchema) {
        throw schemaMismatch(this.#paths.manifest, id, this.#strictSchema, schemaId);
      }
    }
    if (!this.exists(id)) this.#count++;
    const before = this.#forget(id);
    const bytes = Buffer.byteLength(text);
    const moved = before !== undefined && (before.text === undefined || before.moved);
    if (before?.text === undefined) this.#pending.delete(id);
    this.#pending.set(id, { text, bytes, schemaId, moved });
    this.#pendingBytes += bytes;
  }

  /** Takes a pending operation's bytes off the count. */
  #forget(id: string): Operation | undefined {
    const before = this.#pending.get(id);
    if (before) this.#pendingBytes -= before.bytes;
    return before;
  }

  async #write(operations: Operations): Promise<void> {
    const { entries } = this.#state;
    const { docs } = this.#paths;
    // Put and deleted again before a flush saw it: there is nothing to do.
    const all = [...operations].filter(([id, { text }]) => text !== undefined || entries.has(id));
    const puts = all.filter(([, { text }]) => text !== undefined);
    const lines = all.map(([id, { text, bytes, schemaId }]) =>
      journalLine(
        text === undefined ? { op: 'DELETE', id } : { op: 'PUT', id, schemaId, size: bytes },
      ),
    );
    this.#begun = true;
    await endOf([
      this.#journal.append(lines.join('')).then(() => this.#journal.sync()),
      eachOf(puts, ([id, { text }]) =>
        writeWhole(this.#disk, temporaryPath(docs, id), Buffer.from(text!), true),
      ),
    ]);
    await eachOf(all, ([id, { text }]) =>
      text === undefined
        ? this.#disk.remove(documentPath(docs, id))
        : this.#disk.rename(temporaryPath(docs, id), documentPath(docs, id)),
    );
    await this.#disk.syncDir(docs);
    await this.#journal.append(journalLine({ op: 'COMMIT', batchId: ++this.#batchId }));
    await this.#tell(all);
  }

  /** Brings the other files up to date with operations that are done. */
  async #tell(done: readonly (readonly [string, Operation])[]): Promise<void> {
    const { entries, schemas } = this.#state;
    const mtime = Math.floor(Date.now() / 1000);
    let order = '';
    let docIndex = '';
    let rewrite = false;
    for (const [id, { text, bytes, schemaId, moved }] of done) {
      const old = entries.get(id);
      if (old) schemas.remove(old.schemaId);
      if (old && (text === undefined || moved)) {
        entries.delete(id);
        this.#gone.add(id);
      }
      if (text === undefined) continue;
      // Named twice, a document would be in two places.
      rewrite ||= this.#gone.has(id);
      const entry: DocEntry = { schemaId, size: bytes, mtime };
      if (!old) order += `${id}\n`;
      docIndex += docIndexLine(id, entry);
      this.#indexLines++;
      entries.set(id, entry);
      schemas.add(schemaId);
    }
    if (rewrite || this.#gone.size * GONE_SHARE > entries.size) await this.#replaceLists();
    else {
      await this.#order.append(order);
      await this.#docIndex.append(docIndex);
    }
    await this.#schemas.replace(schemas.encode(), false);
  }

  /** Writes order.ids and doc_index.jsonl anew, durably. */
  async #replaceLists(): Promise<void> {
    const { entries } = this.#state;
    await this.#order.replace(encodeOrder(entries.keys()), true);
    let text = '';
    for (const [id, entry] of entries) text += docIndexLine(id, entry);
    await this.#docIndex.replace(text, true);
    this.#indexLines = entries.size;
    this.#gone.clear();
    await this.#disk.syncDir(this.#paths.meta);
  }

  /** Removes and mends what an interrupted session, or somebody's editing, left. */
  async #mend(): Promise<void> {
    const { journal, leftovers, stale } = this.#state;
    for (const path of leftovers) await this.#disk.remove(path);
    const torn = journal.size > journal.end;
    if (stale || torn) {
      this.#begun = true;
      await this.#schemas.replace(this.#state.schemas.encode(), true);
      await this.#replaceLists();
    }
    // What follows must not be glued to half a line; what is cut has been told to the lists.
    if (torn) await this.#journal.cut(journal.end);
  }

  /** Makes everything beside the documents durable, and says so in the journal. */
  async #finish(): Promise<void> {
    const { entries, schemas } = this.#state;
    if (!this.#begun) return;
    const isCrowded = this.#indexLines > 1.25 * entries.size + 64;
    if (isCrowded || this.#gone.size > 0) await this.#replaceLists();
    await this.#order.sync();
    await this.#docIndex.sync();
    await this.#schemas.replace(schemas.encode(), true);
    if (this.#manifest) {
      const manifest = new MetaFile(this.#disk, this.#paths.manifest);
      await manifest.replace(encodeManifest(this.#manifest, entries.size, schemas.size), true);
    }
    await this.#disk.syncDir(this.#paths.meta);
    // Else the checkpoint could come to the disk, and the commit before it not.
    await this.#journal.sync();
    await this.#journal.append(journalLine({ op: 'CHECKPOINT' }));
    await this.#journal.sync();
  }

  async #close(): Promise<void> {
    try {
      // Called before `#ending` is there, this is the last call that is let in.
      await this.flush();
      await this.#queue.take(() => this.#finish());
    } finally {
      await this.#release();
    }
  }

  async #release(): Promise<void> {
    await this.#queue.settled();
    try {
      for (const file of [this.#journal, this.#order, this.#docIndex]) await file.close();
    } finally {
      await this.#letGo();
    }
  }

  #check(): void {
    if (this.#ending) throw new EtlError('CLOSED', 'the writer is closed');
    this.#queue.check();
  }
}
