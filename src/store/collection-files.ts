/**
 * The open files of one collection and the state that they are in: what a handle reads from. A
 * reader follows the log from here; a writer adds to the same state. When the collection was written
 * anew the handle opens the new files beside these, which stay open until their last scan is done.
 */
import type { Table } from 'apache-arrow';
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { Kernel, LineTable } from '../kernels/index.ts';
import {
  type CollectionState,
  type ColumnsOptions,
  partsToRead,
  readTable,
} from './columns/index.ts';
import { type CommitLog, type CommitRecord, type LogRecord, openLog } from './commit-log.ts';
import {
  type CompactInput,
  type CompactOptions,
  type CompactReport,
  compactCollection,
} from './compact.ts';
import { finishReplacement, openSettled, readGeneration } from './generation.ts';
import type { Indexer } from './indexer.ts';
import type { CollectionPaths } from './layout.ts';
import { moveWrites } from './move-writes.ts';
import type { StoreInfo } from './options.ts';
import { readPieces } from './pieces.ts';
import { type OpenState, openState, type Recovery } from './recovery.ts';
import { beginReplacement, type Replacement } from './replacement.ts';
import type { Snapshot, Snapshots, SyncSnapshot } from './scan-snapshot.ts';
import { StoredLines } from './stored-lines.ts';
import { Writer } from './writer.ts';

/** Bytes of a commit that a reader goes on to; for larger ones the files are opened anew. */
const MOST_FOLLOWED = 64 << 20;

/** Which collection, and how. */
export interface FilesInput {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly writable: boolean;
  /** Begin anew from nothing, to take the old files' place in the end. */
  readonly replace?: boolean;
  /** Ends the opening while the index is made anew. */
  readonly signal?: AbortSignal | undefined;
}

/** What the files are opened with: the input, and where exactly they stand. */
interface PlacedInput extends FilesInput {
  readonly generation: number;
  readonly replacement?: Replacement;
}

export class CollectionFiles implements Snapshots {
  readonly data: DiskFile;
  readonly stored: StoredLines;
  readonly writer: Writer | undefined;
  readonly log: CommitLog | undefined;
  readonly generation: number;
  /** Set where these files are to take the collection's place. */
  readonly replacement: Replacement | undefined;
  /** True when the collection was compacted here and its new files are to be opened. */
  isReplaced = false;
  readonly #input: FilesInput;
  readonly #scans: Set<Set<number>> = new Set();
  readonly #sound = { until: 0 };
  /** Earlier files of this handle that scans still read. */
  #earlier: Set<CollectionFiles> = new Set();
  /** Where these files stand among the earlier ones; undefined while they are the handle's own. */
  #shelf: Set<CollectionFiles> | undefined;
  #closing: Promise<void> | undefined;
  #state: OpenState;
  /** What kept a reader from going on to a commit, half of which is in the index. */
  #torn: { readonly cause: unknown } | undefined;

  private constructor(
    input: PlacedInput,
    data: DiskFile,
    stored: StoredLines,
    log: CommitLog | undefined,
    state: OpenState,
  ) {
    this.#input = input;
    this.data = data;
    this.stored = stored;
    this.log = log;
    this.generation = input.generation;
    this.replacement = input.replacement;
    this.#state = state;
    state.indexer.onRetire = (offset) => {
      for (const retired of this.#scans) retired.add(offset);
    };
    if (input.writable) this.writer = new Writer({ ...input, data, stored, log: log! }, state);
  }

  /** Opens the files and brings them to their committed state. A writer makes those missing. */
  static async open(input: FilesInput): Promise<CollectionFiles> {
    const { disk, paths } = input;
    if (!input.writable) {
      return openSettled(
        disk,
        paths,
        (located) => CollectionFiles.#openPlaced({ ...input, ...located }),
        (files) => files.close(),
      );
    }
    const removed = await finishReplacement(disk, paths);
    if (input.replace) {
      const replacement = await beginReplacement(disk, paths, input.kernel);
      const { generation, paths: next } = replacement;
      return CollectionFiles.#openPlaced({ ...input, paths: next, generation, replacement });
    }
    const generation = await readGeneration(disk, paths.log);
    const files = await CollectionFiles.#openPlaced({ ...input, generation });
    if (removed.length > 0) files.recovery.leftovers = removed;
    return files;
  }

  static async #openPlaced(input: PlacedInput): Promise<CollectionFiles> {
    const { disk, paths, writable } = input;
    const opened: { close(): unknown }[] = [];
    // Index entries may be on their way before there is a writer to hear that they failed.
    let hear = (cause: unknown): void => {
      failed ??= { cause };
    };
    let failed: { readonly cause: unknown } | undefined;
    try {
      const made = writable ? [paths.data, paths.log, paths.index] : [];
      const fresh = (await Promise.all(made.map((path) => disk.stat(path)))).includes(undefined);
      const data = await disk.open(paths.data, writable ? 'create' : 'read');
      opened.push(data);
      const log = await openLog(disk, paths.log, input.kernel, writable);
      if (log) opened.push(log);
      const stored = new StoredLines(data.reader(), input.kernel, data.path);
      opened.push(stored);
      const onFailure = (cause: unknown): void => hear(cause);
      const state = await openState({ ...input, data, stored, log, opened, onFailure });
      if (fresh) await disk.syncDir(paths.meta);
      if (failed !== undefined) throw (failed as { cause: unknown }).cause;
      const files = new CollectionFiles(input, data, stored, log, state);
      hear = (cause) => files.writer?.poison(cause);
      return files;
    } catch (error) {
      for (const file of opened.reverse()) await file.close();
      throw error;
    }
  }

  /** Errors: POISONED; for a reader that `follow` left half-way what stopped it, until other files are opened. */
  check(): void {
    this.writer?.check();
    if (this.#torn) throw this.#torn.cause;
  }

  get indexer(): Indexer {
    this.writer?.takePuts();
    return this.#state.indexer;
  }

  /** Documents alive. */
  get documents(): number {
    this.writer?.takePuts();
    const { indexer, commit } = this.#state;
    return indexer.loaded?.size ?? commit!.count;
  }

  get recovery(): Recovery {
    return this.#state.recovery;
  }

  /** One past the last document that this handle sees. */
  get end(): number {
    return this.writer?.end ?? this.#state.end;
  }

  /** Document lines before `end`, dead ones included. */
  get lines(): number {
    return this.writer?.lines ?? this.#state.lines;
  }

  get commit(): CommitRecord | undefined {
    return this.writer ? this.writer.commit : this.#state.commit;
  }

  /** For `FastStore.info`. */
  get sizes(): Pick<StoreInfo, 'lines' | 'dataBytes' | 'indexBytes' | 'commit'> {
    const { commit, lines, end } = this;
    return {
      lines,
      dataBytes: end,
      indexBytes: this.#state.indexer.loaded?.byteLength ?? 0,
      ...(commit ? { commit: { seq: commit.seq, at: commit.at } } : {}),
    };
  }

  /** What a scan sees that begins now; resolves when all of it can be read from the file. */
  async snapshot(ids?: Iterable<string>): Promise<Snapshot> {
    return (await this.state(ids)).snapshot;
  }

  /** The same at once: what is not in the file yet is read from memory. */
  snapshotSync(ids?: Iterable<string>): SyncSnapshot {
    const file = this.writer?.whole() ?? this.data;
    return { ...this.#begin(ids).snapshot, file };
  }

  /** The same with what tells this moment from others; the snapshot is to be released. */
  async state(ids?: Iterable<string>): Promise<CollectionState> {
    const state = this.#begin(ids);
    try {
      await this.writer?.drain();
    } catch (error) {
      state.snapshot.release();
      throw error;
    }
    return state;
  }

  /** Where the collection is. */
  get place(): Pick<FilesInput, 'disk' | 'paths'> {
    return this.#input;
  }

  /** As `state`, of a commit. Errors: INVALID_ARGUMENT where another program has added documents. */
  async commitState(): Promise<CollectionState> {
    const committed = this.writer?.flush();
    const state = await this.state();
    try {
      await committed;
      if ((this.commit?.end ?? 0) >= state.snapshot.end) return state;
      const message = 'another program has added documents: open the collection for writing first';
      throw new EtlError('INVALID_ARGUMENT', message, { place: { path: this.data.path } });
    } catch (error) {
      state.snapshot.release();
      throw error;
    }
  }

  /** As `FastStore.table`. */
  async readColumns(options: ColumnsOptions): Promise<Table> {
    const state = await this.state();
    try {
      return await readTable(state, options);
    } finally {
      state.snapshot.release();
    }
  }

  /**
   * For readers: goes on to the last commit. Answers false when these files cannot tell any more,
   * and others have to be opened. One call at a time.
   */
  async follow(): Promise<boolean> {
    const { log } = this;
    // No log: another program's store, and nothing to go by but the files themselves.
    if (log === undefined || this.#torn) return false;
    if (!(await log.isInPlace(this.#input.disk))) return false;
    let { closed } = this.#state;
    for await (const record of log.records()) {
      closed = record.op === 'close';
      if (record.op !== 'commit') continue;
      if (record.end - this.#state.end > MOST_FOLLOWED) return false;
      await this.#take(record);
    }
    this.#state = { ...this.#state, closed };
    // Nobody of ours is writing, and yet there is more: another program's work.
    return !closed || (await this.data.size()) <= this.#state.end;
  }

  /**
   * Writes the collection anew without its dead lines, unless there is no need (`isReplaced`). The
   * writer is on hold since `committed` was asked for, in this very turn.
   */
  async compact(
    committed: CompactInput['committed'],
    options: CompactOptions,
  ): Promise<CompactReport> {
    const input = { ...this.#input, files: this, writer: this.writer!, committed };
    const { replaced, ...report } = await compactCollection(input, options);
    this.isReplaced = replaced;
    return report;
  }

  /** Brings what was written since compaction began to `fresh`; `then` runs before anything else may. */
  async moveWritesTo(fresh: CollectionFiles, then: () => void): Promise<void> {
    const { data, writer } = this;
    const cut = (bytes: Uint8Array) => this.#input.kernel.lines(bytes);
    if (writer) await moveWrites(writer, fresh.writer!, { data, cut, then });
    else then();
  }

  /** Hands over to `fresh`: these files close once nobody scans them. */
  retireFor(fresh: CollectionFiles): void {
    this.#shelf = this.#earlier.add(this);
    fresh.#earlier = this.#shelf;
    this.#earlier = new Set();
    this.#closeIfIdle();
  }

  /** Lets go of every file; writes nothing. Called again it waits for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const files of this.#earlier) await files.close();
    await this.writer?.release();
    this.stored.close();
    await this.#state.index?.close();
    await this.log?.close();
    await this.data.close();
  }

  /** The records of the log up to now. */
  async *past(): AsyncGenerator<LogRecord, void, void> {
    const release = this.#keep(new Set());
    try {
      if (this.log) yield* this.log.past();
    } finally {
      release();
    }
  }

  /** Keeps these files open until what it answers is called, and hears which lines die meanwhile. */
  #keep(retired: Set<number>): () => void {
    this.#scans.add(retired);
    return () => {
      this.#scans.delete(retired);
      this.#closeIfIdle();
    };
  }

  /** Keeps this moment for a scan; what is pending may not be in the file yet. */
  #begin(ids: Iterable<string> | undefined): CollectionState {
    const { disk, paths, kernel } = this.#input;
    const { documents, generation, lines, end } = this;
    const retired = new Set<number>();
    const snapshot: Snapshot = {
      file: this.data,
      from: 0,
      end,
      whole: { end, lines, documents, sound: this.#sound },
      alive: lines === documents ? undefined : { index: this.indexer.index, retired },
      stored: this.stored,
      places: ids === undefined ? undefined : this.#places(ids),
      parts: (where) => partsToRead(state, where),
      release: this.#keep(retired),
    };
    const isLogged = this.log !== undefined;
    const state = { disk, paths, kernel, generation, lines, documents, isLogged, snapshot };
    return state;
  }

  #closeIfIdle(): void {
    if (this.#shelf === undefined || this.#scans.size > 0) return;
    const shelf = this.#shelf;
    // Only read by now, so that a failure to close loses nothing. Until it is done the handle's end waits for it.
    const closed = () => shelf.delete(this);
    this.close().then(closed, closed);
  }

  /** Reads what a commit added, and goes on to it in one turn: others read from these files meanwhile. */
  async #take(commit: CommitRecord): Promise<void> {
    const { kernel } = this.#input;
    const { indexer, end } = this.#state;
    const tables: (readonly [LineTable, number])[] = [];
    for await (const { bytes, base } of readPieces(this.data, end, commit.end)) {
      tables.push([kernel.lines(bytes), base]);
    }
    this.stored.end = commit.end;
    try {
      for (const [{ bytes, records, count }, base] of tables) {
        indexer.insert(bytes, records, count, base);
      }
      for (const [id, at] of commit.deletes ?? []) indexer.remove(id, at);
    } catch (cause) {
      this.#torn = { cause };
      throw cause;
    }
    this.#state = { ...this.#state, end: commit.end, lines: commit.lines, commit };
  }

  #places(ids: Iterable<string>): (readonly [number, number])[] {
    const { indexer } = this;
    const places: (readonly [number, number])[] = [];
    for (const id of new Set(ids)) {
      const entry = indexer.findSound(id);
      if (entry >= 0) places.push([indexer.index.offset(entry), indexer.index.length(entry)]);
    }
    return places.sort(([a], [b]) => a - b);
  }
}
