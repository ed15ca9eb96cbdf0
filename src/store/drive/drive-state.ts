/**
 * What a `DataStore` works on, which changes under it: file, views and index are replaced by a compaction
 * (ours, or for a reader that of another process), and walks begun before keep what they saw.
 */
import { dirname } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import type { DiskFile, DiskLock, FileView } from '../../io/index.ts';
import { asOfTarget, temporaryBeside } from '../../io/temporary.ts';
import { forgetTemporary } from '../../io/temporary-registry.ts';
import type { DriveTable } from '../../kernels/index.ts';
import { Appender, type ChangeHooks } from './appender.ts';
import { type DriveCompactReport, writeCompacted } from './compact-drive.ts';
import type { DriveRecovery } from './contracts.ts';
import { EntryHandle } from './entry-handle.ts';
import { EntryIterator, LiveWalk } from './live-walk.ts';
import { type DriveFile, type OpenedDrive, openDrive } from './open-drive.ts';
import { Follower } from './refresh.ts';
import { Turns } from './turns.ts';

/** An entry that is being transferred, and where its metadata lies by now; -1 when it is no longer its key's. */
interface Leaving {
  readonly low: number;
  readonly high: number;
  offset: number;
}

/** A file that was replaced, for those that still read it. */
interface Retired {
  readonly file: DiskFile;
  readonly view: WeakRef<FileView>;
}

/** A file with its index. */
type Held = Pick<OpenedDrive, 'file' | 'view' | 'table' | 'tail'>;

export class DriveState {
  readonly recovery: DriveRecovery;
  /**
   * A handle that is always there. When the last of what comes and goes by the million is gone, the engine forgets
   * its shape, and throws away all code compiled for it.
   */
  lasting: EntryHandle;
  readonly #where: DriveFile;
  readonly #lock: DiskLock | undefined;
  readonly #walks = new Set<LiveWalk>();
  readonly #turns = new Turns();
  readonly #follower: Follower;
  readonly #hooks: ChangeHooks = {
    before: () => this.#freeze(),
    after: (end) => {
      this.#tail = end;
      this.#view.extend(end);
    },
  };
  readonly #leaving = new Set<Leaving>();
  readonly #retired = new Set<Retired>();
  /** Closes a replaced file when no handle or walk can reach its view any more. */
  readonly #unneeded = new FinalizationRegistry<Retired>((retired) => {
    // Until it is closed the drive's end waits for it.
    const closed = () => this.#retired.delete(retired);
    retired.file.close().then(closed, closed);
  });
  #held: Held;
  #view: FileView;
  #tail: number;
  #appender: Appender | undefined;
  #ending: Promise<void> | undefined;
  #closed = false;

  private constructor(where: DriveFile, lock: DiskLock | undefined, opened: OpenedDrive) {
    this.#where = where;
    this.#follower = new Follower(where, this.#hooks);
    this.#lock = lock;
    this.recovery = opened.recovery;
    this.#held = opened;
    this.#tail = opened.tail;
    this.#view = opened.view;
    this.lasting = new EntryHandle(opened.view, 0, 0);
    if (lock !== undefined) this.#appender = this.#appenderOf(opened);
  }

  /** Opens the drive; for writing with the lock that was taken on it. */
  static async open(
    where: DriveFile,
    mode: 'read' | 'write' | 'create',
    lock?: DiskLock,
  ): Promise<DriveState> {
    const opened = await openDrive(where, mode);
    const state = new DriveState(where, lock, opened);
    // What a session that died left unsynced is this one's to sync.
    try {
      if (opened.synced !== undefined) await state.#appender?.begin();
      return state;
    } catch (error) {
      await opened.file.close();
      throw error;
    }
  }

  /** Where the file is. */
  get path(): string {
    return this.#where.path;
  }

  get view(): FileView {
    return this.#view;
  }

  get tail(): number {
    return this.#tail;
  }

  /** The index. Errors: CLOSED. */
  table(): DriveTable {
    if (this.#closed) throw this.#closedError();
    return this.#held.table;
  }

  /** The index of a drive that may be changed. Errors: CLOSED, READ_ONLY. */
  writable(): DriveTable {
    const table = this.table();
    if (this.#appender === undefined) throw this.#error('READ_ONLY', 'was opened for reading');
    return table;
  }

  /**
   * Does one piece of work after all before it, with what is there by then: a compaction puts another
   * appender and index in place. Errors: CLOSED, READ_ONLY.
   */
  exclusively<R>(work: (state: this) => R | Promise<R>): Promise<R> {
    this.writable();
    return this.#turns.take(work, this);
  }

  /** That of the file there is; to be asked for in `exclusively`. */
  get appender(): Appender {
    return this.#appender!;
  }

  /** The entry whose metadata lies at an offset, if that is one. */
  handle(offset: number): EntryHandle | undefined {
    return offset < 0 ? undefined : new EntryHandle(this.#view, offset);
  }

  /** Live entries as they are now. */
  walk(): EntryIterator {
    const table = this.table();
    const walk = new LiveWalk(this.#held.file, table, this.#tail, (ended) =>
      this.#walks.delete(ended),
    );
    this.#walks.add(walk);
    return new EntryIterator(walk, this.#view);
  }

  /**
   * Finds an entry in turn, copies it while others have theirs, and then deletes it in turn, unless its key
   * has another one by then; a compaction in between only moves it. Answers the tail.
   */
  async transfer(
    find: () => EntryHandle,
    copy: (entry: EntryHandle) => Promise<void>,
  ): Promise<number> {
    const { entry, leaving } = await this.exclusively(() => {
      const entry = find();
      const { hashLow: low, hashHigh: high } = entry.metadata;
      const leaving: Leaving = { low, high, offset: entry.endOffset };
      this.#leaving.add(leaving);
      return { entry, leaving };
    });
    try {
      await copy(entry);
      return await this.exclusively(({ appender }) =>
        appender.append(isThere(this.table(), leaving) ? [leaving] : []),
      );
    } finally {
      this.#leaving.delete(leaving);
    }
  }

  /** As `DataStore.compact`. */
  compact(signal?: AbortSignal): Promise<DriveCompactReport> {
    return this.exclusively(async ({ appender }) => {
      await appender.append([]);
      const temporary = await this.#writeCompacted(appender, signal);
      const bytesBefore = this.#tail;
      try {
        await this.#where.disk.rename(temporary, this.#where.path);
        await this.#where.disk.syncDir(dirname(this.#where.path));
        await this.#replace();
      } catch (error) {
        appender.poison(error);
        await this.#where.disk.remove(temporary).catch(() => undefined);
        throw error;
      } finally {
        forgetTemporary(temporary);
      }
      return { entries: this.#held.table.size, bytesBefore, bytesAfter: this.#tail };
    });
  }

  /** As `DataStore.refresh`. */
  async refresh(): Promise<boolean> {
    this.table();
    return this.#appender === undefined && this.#turns.take((state) => state.#goOn(), this);
  }

  async #goOn(): Promise<boolean> {
    const table = this.table();
    const { file } = this.#held;
    const found = await this.#follower.follow({ file, table, tail: this.#tail, view: this.#view });
    if (typeof found === 'boolean') return found;
    this.#take(found);
    this.#tail = found.tail;
    return true;
  }

  /** As `DataStore.close`. */
  close(): Promise<void> {
    return this.#end(() => this.#appender?.close());
  }

  /** As `DataStore.abandon`. */
  abandon(): Promise<void> {
    return this.#end(() => this.#appender?.abandon());
  }

  /** Ends the session once, after all that was asked for before. Who asks again waits for that end. */
  #end(work: () => Promise<void> | undefined): Promise<void> {
    if (this.#ending !== undefined) return this.#ending.catch(() => undefined);
    this.#ending = this.#turns.take(async () => {
      try {
        await work();
      } finally {
        await this.#release();
      }
    }, undefined);
    return this.#ending;
  }

  async #release(): Promise<void> {
    this.#closed = true;
    for (const walk of [...this.#walks]) walk.end(this.#closedError());
    this.#retire();
    for (const { file, view } of this.#retired) {
      view.deref()?.close();
      await file.close();
    }
    await this.#lock?.release();
  }

  async #writeCompacted(appender: Appender, signal?: AbortSignal): Promise<string> {
    const temporary = temporaryBeside(this.#where.path);
    let target: DiskFile | undefined;
    try {
      target = await this.#where.disk.open(temporary, 'create', this.#where.path);
      await writeCompacted(this.#view, this.#held.table.offsets().sort(), target, signal);
      await target.close();
      await appender.settle();
      return temporary;
    } catch (error) {
      await target?.close();
      await this.#where.disk.remove(temporary).finally(() => forgetTemporary(temporary));
      throw asOfTarget(error, temporary, this.#where.path);
    }
  }

  /** Goes over to the file that was put in the place of this one. */
  async #replace(): Promise<void> {
    const opened = await openDrive(this.#where, 'write');
    for (const each of this.#leaving) {
      const stays = isThere(this.#held.table, each);
      each.offset = stays ? opened.table.find(each.low, each.high) : -1;
    }
    this.#take(opened);
    this.#tail = opened.tail;
    this.#appender = this.#appenderOf(opened);
  }

  #take(next: Held): void {
    this.#freeze();
    this.#retire();
    this.#held = next;
    this.#view = next.view;
    this.lasting = new EntryHandle(next.view, 0, 0);
  }

  #retire(): void {
    const retired = { file: this.#held.file, view: new WeakRef(this.#view) };
    this.#retired.add(retired);
    this.#unneeded.register(this.#view, retired);
  }

  #freeze(): void {
    for (const walk of [...this.#walks]) walk.freeze();
  }

  #appenderOf({ file, table, tail, synced = tail }: OpenedDrive): Appender {
    return new Appender(
      this.#where.disk,
      file,
      table,
      { tail, synced: Math.min(synced, tail) },
      this.#hooks,
    );
  }

  #closedError(): EtlError {
    return this.#error('CLOSED', 'the drive is closed');
  }

  #error(code: 'CLOSED' | 'READ_ONLY', message: string): EtlError {
    return new EtlError(code, message, { place: { path: this.#where.path } });
  }
}

/** Whether the key leads to this entry still. */
function isThere(table: DriveTable, { low, high, offset }: Leaving): boolean {
  return offset >= 0 && table.find(low, high) === offset;
}
