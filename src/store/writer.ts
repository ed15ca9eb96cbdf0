/**
 * The write side of one collection: what is appended, deleted and committed, in which order it
 * reaches the disk, and what happens when the disk refuses.
 *
 * Order. Before the first byte of a session goes to data.jsonl, an `open` line is durable in the
 * log, so that bytes left by a crash are known as ours. A commit syncs the data, then appends its
 * line to the log and syncs that; only then it is acknowledged. Commits run one after the other,
 * while appending goes on. `close` commits, makes index.bin current and says so in the log.
 *
 * Failure. After any failed write or sync nobody knows what the disk holds, so the writer is
 * poisoned: every later call fails with POISONED and the first cause, until the store is opened
 * again and recovers the committed prefix.
 *
 * Memory: at most one block of documents, one of index entries, and a few MiB on their way out.
 */
import { copyJson } from '../core/copy-json.ts';
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import { DEFAULT_MAX_DEPTH, type Kernel } from '../kernels/index.ts';
import { Checkpointer } from './checkpointer.ts';
import type { CommitLog, CommitRecord, Counts } from './commit-log.ts';
import type { Indexer } from './indexer.ts';
import type { CollectionPaths } from './layout.ts';
import { Hold } from './move-writes.ts';
import type { PreparedLines } from './prepare.ts';
import type { OpenState } from './recovery.ts';
import type { SyncFile } from './scan-snapshot.ts';
import type { StoredLines } from './stored-lines.ts';
import { FileTail } from './tail.ts';
import { WriteQueue } from './write-queue.ts';

/** What may travel with a commit. */
export interface CommitOptions {
  /** The source's position after the last document; any JSON value, as it is at the call. */
  readonly cursor?: unknown;
  /** Names the load: one run of a pipeline. */
  readonly loadId?: string | undefined;
  /** Names the pipeline; its cursors are found under this name, else under the load's. */
  readonly run?: string | undefined;
  readonly counts?: Counts | undefined;
}

type Told = Pick<CommitRecord, 'cursor' | 'loadId' | 'run' | 'counts'>;

/**
 * What the options say at this moment: whoever gave them may change them before the log is written.
 * Errors: INVALID_ARGUMENT for what the log cannot hold.
 */
export function copyOptions({ cursor, loadId, run, counts }: CommitOptions): Told {
  for (const [name, text] of Object.entries({ loadId, run })) {
    if (text === undefined || typeof text === 'string') continue;
    throw new EtlError('INVALID_ARGUMENT', `${name} must be a text, not a ${typeof text}`);
  }
  if (counts !== undefined && !Object.values({ ...counts }).every(Number.isFinite)) {
    throw new EtlError('INVALID_ARGUMENT', 'counts must be numbers by their names');
  }
  return {
    ...(cursor === undefined ? {} : { cursor: copyJson('the cursor', cursor) }),
    ...(loadId === undefined ? {} : { loadId }),
    ...(run === undefined ? {} : { run }),
    ...(counts === undefined ? {} : { counts: { ...counts } }),
  };
}

/** What an append did. */
export interface AppendResult {
  readonly documents: number;
  /** Bytes added to data.jsonl. */
  readonly bytes: number;
  /** Documents that took the place of an older version, `duplicates` included. */
  readonly replaced: number;
  /** Documents whose id came again later in the same batch. */
  readonly duplicates: number;
}

/** Text of puts that is gathered before it is looked at. */
const GATHER_CHARS = 64 << 10;
/** Shorter lines are not nested too deep: every level takes two characters. */
const MAYBE_TOO_DEEP_CHARS = 2 * DEFAULT_MAX_DEPTH;
/** Batches below this are gathered; larger ones are written from where they are. */
const GATHER_BYTES = 64 << 10;
/** Bytes that writes in the background may hold when an append resolves. */
const FLYING_BYTES = 2 << 20;

/** The open files that a writer works on. */
export interface WriterInput {
  readonly disk: Disk;
  readonly paths: CollectionPaths;
  readonly kernel: Kernel;
  readonly data: DiskFile;
  readonly log: CommitLog;
  readonly stored: StoredLines;
}

export class Writer {
  /** The last commit acknowledged. */
  commit: CommitRecord | undefined;
  /** While commits wait. */
  held: Hold | undefined;
  readonly #input: WriterInput;
  readonly #indexer: Indexer;
  readonly #tail: FileTail;
  readonly #checkpointer: Checkpointer;
  /** The data end that commits given out so far cover. */
  #promised: number;
  #seq: number;
  #deletes: (readonly [string, number])[] = [];
  #begun = false;
  #lines: number;
  /** Lines put that are in no block and no index yet. */
  #puts = '';
  readonly #queue: WriteQueue;

  constructor(input: WriterInput, state: OpenState) {
    this.#input = input;
    this.#queue = new WriteQueue(input.paths.data);
    this.#indexer = state.indexer;
    this.#checkpointer = new Checkpointer(input, state);
    this.#tail = new FileTail(input.data, state.end, (cause) => this.poison(cause));
    this.#promised = state.end;
    this.#seq = state.commit?.seq ?? 0;
    // A session that was not closed is carried on: closing this one says that all is well.
    this.#begun = !state.closed;
    this.commit = state.commit;
    this.#lines = state.lines;
    input.stored.tail = this.#tail;
  }

  /** One past the last document, pending ones included. */
  get end(): number {
    this.takePuts();
    return this.#tail.end;
  }

  /** Document lines in the data, pending ones included. */
  get lines(): number {
    this.takePuts();
    return this.#lines;
  }

  /** Bytes appended that no commit covers yet; what was put last counts by its characters. */
  get uncommittedBytes(): number {
    return this.#tail.end - this.#promised + this.#puts.length;
  }

  get poisoned(): boolean {
    return this.#queue.poisoned;
  }

  /** Makes every later call fail; the first cause stays. */
  poison(cause: unknown): void {
    this.#queue.poison(cause);
  }

  /** Errors: POISONED. */
  check(): void {
    this.#queue.check();
  }

  /**
   * Commits, and makes all commits after this one wait for `letGo`; the rest goes on. What happens
   * meanwhile can be moved to another writer, and commits that wait are that one's then.
   */
  hold(): { readonly committed: Promise<CommitRecord | undefined>; readonly letGo: () => void } {
    const committed = this.flush();
    const held = new Hold(this.#tail.end);
    this.held = held;
    this.#queue.holdFor(held.ended);
    const letGo = (): void => {
      this.held = undefined;
      held.end();
    };
    return { committed, letGo };
  }

  /** A copy of the data from `offset` on. */
  copyFrom(offset: number): Uint8Array {
    this.takePuts();
    return this.#tail.copyFrom(offset);
  }

  /** The data file with everything appended so far. Errors: POISONED. */
  whole(): SyncFile {
    this.check();
    this.takePuts();
    return this.#tail.whole();
  }

  /**
   * Appends one canonical line, newline included, as text. Its bytes and its place are made later, of
   * many at once; whoever asks for either asks for `takePuts` first.
   * Errors: NESTING_TOO_DEEP, IO_ERROR.
   */
  put(line: string): void {
    this.check();
    if (!this.#begun) this.#guard(() => this.#begin());
    if (line.length > MAYBE_TOO_DEEP_CHARS) {
      this.takePuts();
      this.#takeText(line);
    } else {
      this.#puts += line;
      if (this.#puts.length >= GATHER_CHARS) this.takePuts();
    }
  }

  /** Brings into block and index what `put` has gathered. Errors: IO_ERROR. */
  takePuts(): void {
    if (this.#puts === '') return;
    const text = this.#puts;
    this.#puts = '';
    this.#takeText(text);
  }

  /**
   * Appends lines; they are visible at once, and this resolves when more may come. `landed` is called
   * when nothing looks at their bytes any more.
   */
  async append(lines: PreparedLines, landed?: () => void): Promise<AppendResult> {
    this.check();
    const result = this.take(lines, landed);
    await this.#tail.settle(FLYING_BYTES);
    await this.#checkpointer.settle(FLYING_BYTES);
    return result;
  }

  /** The same without waiting, for few bytes. */
  take(lines: PreparedLines, landed?: () => void): AppendResult {
    this.takePuts();
    return this.#guard(() => this.#take(lines, landed));
  }

  /** Deletes a document. Answers whether it was there. Errors: CORRUPTED_DATA. */
  remove(id: string): boolean {
    this.check();
    this.takePuts();
    if (this.#indexer.findSound(id) < 0) return false;
    return this.#guard(() => {
      if (!this.#indexer.remove(id)) return false;
      this.held?.note(this.#tail.end, (writer) => writer.remove(id));
      this.#deletes.push([id, this.#tail.end]);
      this.#checkpointer.remove(id);
      return true;
    });
  }

  /** Hands everything appended to the operating system. */
  async drain(): Promise<void> {
    this.check();
    this.takePuts();
    await this.#tail.drain();
  }

  /** Commits everything up to now; answers the last commit. Nothing new: no I/O. Errors: as `copyOptions`. */
  flush(options: CommitOptions = {}): Promise<CommitRecord | undefined> {
    this.check();
    const told = copyOptions(options);
    this.takePuts();
    const end = this.#tail.end;
    const isTold = 'cursor' in told || 'loadId' in told || 'counts' in told;
    if (end === this.#promised && this.#deletes.length === 0 && !isTold) {
      return this.#queue.take(async () => this.commit);
    }
    this.#guard(() => this.#begin());
    const grown = end > this.#promised;
    const record: CommitRecord = {
      op: 'commit',
      seq: ++this.#seq,
      end,
      count: this.#indexer.index.size,
      lines: this.#lines,
      ...(this.#deletes.length > 0 ? { deletes: this.#deletes } : {}),
      ...told,
      at: new Date().toISOString(),
    };
    this.#deletes = [];
    this.#promised = end;
    const drained = this.#tail.drain();
    drained.catch(() => undefined);
    let moved: Promise<CommitRecord | undefined> | undefined;
    this.held?.note(end, (writer) => {
      moved = writer.flush(told);
      moved.catch(() => undefined);
    });
    return this.#queue.take(async () => {
      const { data, log } = this.#input;
      if (moved !== undefined) return moved;
      await drained;
      if (grown) await data.sync();
      await log.append(record);
      this.commit = record;
      return record;
    });
  }

  /** Commits, makes index.bin current, and ends the session. */
  async close(options: CommitOptions = {}): Promise<void> {
    await this.flush(options);
    await this.#queue.take(async () => {
      const { log } = this.#input;
      const end = this.#tail.end;
      const { commit } = this;
      const checkpoint = await this.#checkpointer.make({ end, lines: this.#lines, commit });
      if (checkpoint === undefined && !this.#begun) return;
      const at = new Date().toISOString();
      const ended = { op: 'close', end, seq: commit?.seq ?? 0, at } as const;
      await (checkpoint === undefined ? log.append(ended) : log.append(checkpoint, ended));
    });
  }

  /** Waits for what is under way and lets go of index.bin; writes nothing more. */
  async release(): Promise<void> {
    await this.#queue.settled();
    await this.#tail.landed();
    await this.#checkpointer.release();
  }

  /** Makes the log say that bytes behind the last commit are ours, before there are any. */
  #begin(): void {
    if (this.#begun) return;
    const { log } = this.#input;
    log.appendSync({ op: 'open', end: this.#promised, at: new Date().toISOString() });
    this.#begun = true;
  }

  #take({ bytes, records, count }: PreparedLines, landed?: () => void): AppendResult {
    this.#begin();
    const base = this.#tail.end;
    const isSmall = bytes.length < GATHER_BYTES;
    if (isSmall) {
      const room = this.#tail.reserve(bytes.length);
      room.bytes.set(bytes, room.at);
      this.#tail.claim(bytes.length);
    } else this.#tail.appendPiece(bytes, landed);
    const result = this.#enter(bytes, records, count, base);
    if (isSmall) landed?.();
    return result;
  }

  #takeText(text: string): void {
    const room = this.#tail.reserve(3 * text.length);
    const bytes = room.bytes.subarray(room.at, room.at + room.bytes.write(text, room.at));
    const { records, count, bad } = this.#input.kernel.lines(bytes);
    if (bad[0]) throw new EtlError(bad[0].code, bad[0].reason);
    this.#guard(() => {
      const base = this.#tail.end;
      this.#tail.claim(bytes.length);
      this.#enter(bytes, records, count, base);
    });
  }

  /** Enters lines that stand in the tail into the index. */
  #enter(bytes: Uint8Array, records: Uint32Array, count: number, base: number): AppendResult {
    this.#lines += count;
    const { replaced, replacedHere } = this.#indexer.insert(bytes, records, count, base);
    this.#checkpointer.append(bytes, records, count, base);
    return { documents: count, bytes: bytes.length, replaced, duplicates: replacedHere };
  }

  /** Runs changes of memory and disk that must not stop half-way. */
  #guard<R>(work: () => R): R {
    try {
      return work();
    } catch (cause) {
      this.poison(cause);
      throw cause;
    }
  }
}
