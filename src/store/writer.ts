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
import { KeyKind, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { Kernel } from '../kernels/index.ts';
import {
  type CheckpointRecord,
  type CommitLog,
  type CommitRecord,
  type Counts,
  formatSum,
  withoutDeletes,
} from './commit-log.ts';
import {
  appendEntry,
  appendRecords,
  type EntryRoom,
  type IndexAppender,
  rewriteIndex,
} from './index-file.ts';
import { type Indexer, keyText } from './indexer.ts';
import type { CollectionPaths } from './layout.ts';
import { readPieces } from './pieces.ts';
import type { PreparedLines } from './prepare.ts';
import type { OpenState } from './recovery.ts';
import type { StoredLines } from './stored-lines.ts';
import { FileTail } from './tail.ts';

/** What may travel with a commit. */
export interface CommitOptions {
  /** The source's position after the last document; any JSON value. */
  readonly cursor?: unknown;
  /** Names the load: one run of a pipeline. */
  readonly loadId?: string | undefined;
  /** Names the pipeline; its cursors are found under this name, else under the load's. */
  readonly run?: string | undefined;
  readonly counts?: Counts | undefined;
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
  /** Document lines in the data, pending ones included. */
  lines: number;
  /** The last commit acknowledged. */
  commit: CommitRecord | undefined;
  readonly #input: WriterInput;
  readonly #indexer: Indexer;
  readonly #tail: FileTail;
  #appender: IndexAppender | undefined;
  #checkpoint: CheckpointRecord | undefined;
  /** The data end that commits given out so far cover. */
  #promised: number;
  #seq: number;
  #deletes: (readonly [string, number])[] = [];
  #begun = false;
  /** Documents were deleted, so index.bin has entries too many. */
  #removed = false;
  #frozen = false;
  #poison: { readonly cause: unknown } | undefined;
  #chain: Promise<unknown> = Promise.resolve();

  constructor(input: WriterInput, state: OpenState) {
    this.#input = input;
    this.#indexer = state.indexer;
    this.#appender = state.appender;
    this.#checkpoint = state.trusted ? state.checkpoint : undefined;
    this.#tail = new FileTail(input.data, state.end, (cause) => this.poison(cause));
    this.#promised = state.end;
    this.#seq = state.commit?.seq ?? 0;
    // A session that was not closed is carried on: closing this one says that all is well.
    this.#begun = !state.closed;
    this.commit = state.commit;
    this.lines = state.lines;
    input.stored.tail = this.#tail;
  }

  /** One past the last document, pending ones included. */
  get end(): number {
    return this.#tail.end;
  }

  /** Bytes appended that no commit covers yet. */
  get uncommittedBytes(): number {
    return this.#tail.end - this.#promised;
  }

  get poisoned(): boolean {
    return this.#poison !== undefined;
  }

  /** Makes every later call fail; the first cause stays. */
  poison(cause: unknown): void {
    this.#poison ??= { cause };
  }

  /** Errors: POISONED. */
  check(): void {
    if (this.#poison === undefined) return;
    const { cause } = this.#poison;
    throw new EtlError('POISONED', `an earlier write failed: ${String(cause)}`, {
      place: { path: this.#input.paths.data },
      cause,
    });
  }

  /** Refuses puts, deletes and commits from now on, or no longer; reading goes on. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen;
  }

  /** Appends one line, newline included, as text. */
  put(id: string, line: string): void {
    this.#checkOpen();
    this.#guard(() => {
      this.#begin();
      const offset = this.#tail.end;
      const length = this.#tail.appendText(line);
      this.lines++;
      this.#indexer.put(id, offset, length);
      this.#appender?.appendOne(id, offset, length);
    });
  }

  /** Appends lines; they are visible at once, and this resolves when more may come. */
  async append(lines: PreparedLines): Promise<AppendResult> {
    this.#checkOpen();
    const result = this.#guard(() => this.#take(lines));
    await this.#tail.settle(FLYING_BYTES);
    await this.#appender?.tail.settle(FLYING_BYTES);
    return result;
  }

  /** Deletes a document. Answers whether it was there. */
  remove(id: string): boolean {
    this.#checkOpen();
    return this.#guard(() => {
      if (!this.#indexer.remove(id)) return false;
      this.#deletes.push([id, this.#tail.end]);
      this.#removed = true;
      return true;
    });
  }

  /** Hands everything appended to the operating system. */
  async drain(): Promise<void> {
    this.check();
    await this.#tail.drain();
  }

  /** Commits everything up to now; answers the last commit. Nothing new: no I/O. */
  flush(options: CommitOptions = {}): Promise<CommitRecord | undefined> {
    this.#checkOpen();
    const { cursor, loadId, run, counts } = options;
    const end = this.#tail.end;
    const told = cursor !== undefined || loadId !== undefined || counts !== undefined;
    if (end === this.#promised && this.#deletes.length === 0 && !told) {
      return this.#serial(async () => this.commit);
    }
    this.#guard(() => this.#begin());
    const grown = end > this.#promised;
    const record: CommitRecord = {
      op: 'commit',
      seq: ++this.#seq,
      end,
      count: this.#indexer.index.size,
      lines: this.lines,
      ...(this.#deletes.length > 0 ? { deletes: this.#deletes } : {}),
      ...(cursor === undefined ? {} : { cursor }),
      ...(loadId === undefined ? {} : { loadId }),
      ...(run === undefined ? {} : { run }),
      ...(counts === undefined ? {} : { counts }),
      at: new Date().toISOString(),
    };
    this.#deletes = [];
    this.#promised = end;
    const drained = this.#tail.drain();
    drained.catch(() => undefined);
    return this.#serial(async () => {
      const { data, log } = this.#input;
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
    await this.#serial(async () => {
      const { log } = this.#input;
      const end = this.#tail.end;
      const checkpoint = await this.#makeCheckpoint();
      if (checkpoint === undefined && !this.#begun) return;
      const at = new Date().toISOString();
      const ended = { op: 'close', end, seq: this.commit?.seq ?? 0, at } as const;
      await (checkpoint === undefined ? log.append(ended) : log.append(checkpoint, ended));
    });
  }

  /** Waits for what is under way and lets go of index.bin; writes nothing more. */
  async release(): Promise<void> {
    await this.#chain;
    await this.#tail.landed();
    await this.#appender?.tail.landed();
    await this.#appender?.close();
    this.#appender = undefined;
  }

  #checkOpen(): void {
    this.check();
    if (!this.#frozen) return;
    throw new EtlError('LOCKED', 'the collection is being compacted; await compact() first', {
      place: { path: this.#input.paths.data },
    });
  }

  /** Makes the log say that bytes behind the last commit are ours, before there are any. */
  #begin(): void {
    if (this.#begun) return;
    const { log } = this.#input;
    log.appendSync({ op: 'open', end: this.#promised, at: new Date().toISOString() });
    this.#begun = true;
  }

  #take({ bytes, records, count }: PreparedLines): AppendResult {
    this.#begin();
    const base = this.#tail.end;
    if (bytes.length < GATHER_BYTES) {
      const room = this.#tail.reserve(bytes.length);
      room.bytes.set(bytes, room.at);
      this.#tail.claim(bytes.length);
    } else this.#tail.appendPiece(bytes);
    this.lines += count;
    const { replaced, replacedHere } = this.#indexer.insert(bytes, records, count, base);
    this.#appender?.append(bytes, records, 0, count, base);
    return { documents: count, bytes: bytes.length, replaced, duplicates: replacedHere };
  }

  /** index.bin for the committed state; undefined when it is current. */
  async #makeCheckpoint(): Promise<CheckpointRecord | undefined> {
    const { index } = this.#indexer;
    const end = this.#tail.end;
    const indexSum = formatSum(index.sum);
    const old = this.#checkpoint;
    if (old === undefined ? this.lines === 0 : old.end === end && old.indexSum === indexSum) return;
    let appender = this.#appender;
    // Entries that were replaced stay in the file and slow down opening; past a fifth of all it is
    // cheaper to be rid of them.
    const crowded = appender !== undefined && appender.entries > 1.25 * index.size + 1024;
    if (this.#removed || crowded) {
      await appender?.tail.drain();
      await appender?.close();
      this.#appender = undefined;
      appender = undefined;
    }
    const point = appender === undefined ? await this.#rewriteIndex(end) : appender.point;
    if (appender !== undefined) await appender.publish(point);
    this.#checkpoint = {
      op: 'checkpoint',
      end,
      count: index.size,
      lines: this.lines,
      indexSum,
      indexBytes: point.bytes,
      ...(this.commit ? { commit: withoutDeletes(this.commit) } : {}),
      at: new Date().toISOString(),
    };
    return this.#checkpoint;
  }

  async #rewriteIndex(end: number): Promise<{ entries: number; bytes: number }> {
    const { disk, paths, kernel, data } = this.#input;
    const { index } = this.#indexer;
    return rewriteIndex(disk, paths.index, paths.meta, async (tail) => {
      let entries = 0;
      for await (const { bytes, base } of readPieces(data, 0, end, { reuse: true })) {
        const { records, count } = kernel.lines(bytes);
        const dead = index.live(records, count, base);
        entries += appendLiving(tail, bytes, records, count, base, dead);
        await tail.settle(FLYING_BYTES);
      }
      if (entries !== index.size) {
        throw new EtlError('CORRUPTED_INDEX', `${index.size} documents, but ${entries} found`, {
          place: { path: paths.data },
        });
      }
      return entries;
    });
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

  #serial<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#chain.then(async () => {
      // Asked for before the failure, so the failure itself is the answer.
      if (this.#poison !== undefined) throw this.#poison.cause;
      try {
        return await work();
      } catch (cause) {
        this.poison(cause);
        throw cause;
      }
    });
    this.#chain = result.catch(() => undefined);
    return result;
  }
}

/** Writes the entries of the records that are not dead, in runs. Answers how many there were. */
export function appendLiving(
  tail: EntryRoom,
  bytes: Uint8Array,
  records: Uint32Array,
  count: number,
  base: number,
  dead: Uint8Array,
): number {
  let entries = 0;
  for (let i = 0; i < count; ) {
    if (dead[i] !== 0) {
      i++;
      continue;
    }
    let to = i;
    while (to < count && dead[to] === 0 && isPlain(records, to)) to++;
    if (to > i) appendRecords(tail, bytes, records, i, to, base);
    else {
      const start = records[i * RECORD_WORDS]!;
      const length = records[i * RECORD_WORDS + LineRecord.end]! - start + 1;
      appendEntry(tail, keyText(bytes, records, i)!, base + start, length);
      to = i + 1;
    }
    entries += to - i;
    i = to;
  }
  return entries;
}

function isPlain(records: Uint32Array, i: number): boolean {
  return records[i * RECORD_WORDS + LineRecord.keyKind] === KeyKind.plain;
}
