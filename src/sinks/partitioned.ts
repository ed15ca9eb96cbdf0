/**
 * One sink over many files: a folder per value of some fields, a new file after so many documents or
 * bytes. Works with every sink that writes a file.
 *
 * Files are written in a staging folder inside the target (`.staging-….tmp`) and get their names when
 * all are whole and synced, so that a run that fails leaves nothing; what a killed process leaves is
 * that folder. Renaming goes file by file: a power cut in the middle leaves some of them, each whole.
 * A folder that must be empty is locked until the sink has ended (`.sink.lock`): a second sink would give its
 * files the same names.
 *
 * Held: what `maxOpenFiles` sinks hold. When one more is needed, the file written to longest ago is
 * closed; documents that come for it later begin its next part.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Batch } from '../core/batch.ts';
import { checkChoice, checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { Path, PathInput } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import type { RunInfo } from '../core/run-info.ts';
import type { Sink } from '../core/stage.ts';
import type { Disk, DiskLock } from '../io/disk.ts';
import { nodeDisk } from '../io/node-disk.ts';
import { removeTree } from '../io/temporary.ts';
import { forgetTemporary, registerTemporary } from '../io/temporary-registry.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { KeyReader, pathsOf } from '../transforms/key-reader.ts';
import { tryDocument } from '../transforms/reject-document.ts';
import { type AnySink, bareSink, shareOf } from './any-sink.ts';
import { foldName, partitionName } from './partition-name.ts';

export interface PartitionOptions {
  /** A folder per value of these fields, one in another: `country=DE/year=2024`. */
  readonly partitionBy?: string | readonly PathInput[];
  /** A new file after so many documents, or bytes of JSON Lines; a document is never cut. */
  readonly rotate?: { readonly documents?: number; readonly bytes?: number };
  /** Files open at a time. Default 32. */
  readonly maxOpenFiles?: number;
  /**
   * Files written at most, then LIMIT_EXCEEDED: many partitions in changing order make many small
   * files. Default 10,000.
   */
  readonly maxFiles?: number;
  /**
   * When files get their names: all at the end, or each when it is whole; then a failure leaves those
   * that were. Default 'end'.
   */
  readonly publish?: 'end' | 'each';
  /**
   * What a folder that is not empty means: an error, or files beside those there, with names that
   * none of them has. Default 'error'.
   */
  readonly existing?: 'error' | 'append';
}

/** Options with which a sink of one file writes a folder of them: one of the two at least. */
export type FolderOptions = PartitionOptions &
  (
    | { readonly partitionBy: NonNullable<PartitionOptions['partitionBy']> }
    | { readonly rotate: NonNullable<PartitionOptions['rotate']> }
  );

/** Options without those: of types that could have them nobody knows which summary comes. */
export interface OneFile {
  readonly partitionBy?: never;
  readonly rotate?: never;
}

export interface PartitionedOptions extends PartitionOptions {
  /** Ending of the files' names, `.jsonl` for example. */
  readonly extension: string;
  readonly signal?: AbortSignal;
}

/** What the summary of a file's sink must have. */
export interface FileSummary {
  readonly documents: number;
  readonly bytesWritten: number;
  /** Documents that it passed over. */
  readonly filtered?: number;
}

export interface WrittenFile extends Required<FileSummary> {
  /** Below the folder, with `/`. */
  readonly path: string;
}

export interface PartitionedSummary extends Required<FileSummary> {
  /** In the order in which they were closed. */
  readonly files: readonly WrittenFile[];
}

/**
 * A sink over files `part-0000…` below `folder`, each written by a sink that `makeSink` gives.
 * Missing and null values go to `field=__HIVE_DEFAULT_PARTITION__`.
 *
 * Errors: INVALID_ARGUMENT for a folder that is not empty, LOCKED where another sink writes to it,
 * LIMIT_EXCEEDED, IO_ERROR (also for a file that has appeared meanwhile), those of the sinks. Rejects: those of the sinks, and INVALID_DOCUMENT for a value that cannot be the name of a folder.
 */
export function partitioned(
  folder: string,
  makeSink: (path: string) => AnySink<FileSummary>,
  options: PartitionedOptions,
): SinkStream<PartitionedSummary> {
  const { signal } = options;
  const sink = createPartitionedSink(folder, makeSink, options);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. `disk` moves files and makes folders. */
export function createPartitionedSink(
  folder: string,
  makeSink: (path: string) => AnySink<FileSummary>,
  options: PartitionedOptions,
  disk: Disk = nodeDisk,
): Sink<PartitionedSummary> {
  return new PartitionedSink(folder, makeSink, options, disk);
}

interface OpenFile {
  readonly path: string;
  readonly sink: Sink<FileSummary>;
  documents: number;
  bytes: number;
}

class PartitionedSink implements Sink<PartitionedSummary> {
  readonly name = 'partitioned';
  readonly atomic: boolean;
  readonly #folder: string;
  readonly #lockPath: string;
  readonly #makeSink: (path: string) => AnySink<FileSummary>;
  readonly #options: PartitionedOptions;
  readonly #disk: Disk;
  readonly #paths: readonly Path[];
  readonly #reader: KeyReader | undefined;
  readonly #limits: { documents: number; bytes: number; open: number; files: number };
  /** By partition, the one used longest ago first. */
  readonly #open = new Map<string, OpenFile>();
  readonly #parts = new Map<string, number>();
  #closed: WrittenFile[] = [];
  readonly #made = new Set<string>();
  /** Files that have got their names at the end; taken back if not all of them do. */
  #published: string[] = [];
  #lock: DiskLock | undefined;
  #work: string;
  #prefix = 'part-';
  #signal: AbortSignal | undefined;
  #run: RunInfo | undefined;
  #writing: Promise<void> | undefined;
  #finishing: Promise<PartitionedSummary> | undefined;

  constructor(
    folder: string,
    makeSink: (path: string) => AnySink<FileSummary>,
    options: PartitionedOptions,
    disk: Disk,
  ) {
    const { rotate = {}, maxOpenFiles: open = 32, maxFiles: files = 10_000 } = options;
    const { documents = Infinity, bytes = Infinity } = rotate;
    checkLimits({ documents, bytes, maxOpenFiles: open, maxFiles: files });
    this.#limits = { documents, bytes, open, files };
    this.#folder = folder;
    this.#lockPath = join(folder, '.sink.lock');
    this.#work = folder;
    this.#makeSink = makeSink;
    this.#options = options;
    this.#disk = disk;
    checkChoice('existing', options.existing ?? 'error', ['error', 'append']);
    checkChoice('publish', options.publish ?? 'end', ['end', 'each']);
    this.atomic = options.publish !== 'each';
    this.#paths = options.partitionBy === undefined ? [] : pathsOf(options.partitionBy);
    this.#reader = this.#paths.length > 0 ? new KeyReader(this.#paths) : undefined;
  }

  async open(signal: AbortSignal, run?: RunInfo): Promise<void> {
    const { existing = 'error', publish = 'end' } = this.#options;
    this.#signal = signal;
    this.#parts.clear();
    this.#closed = [];
    this.#made.clear();
    this.#published = [];
    this.#run = run && shareOf(run, this.#limits.open);
    await this.#makeFolder(this.#folder);
    const token = randomBytes(6).toString('hex');
    if (existing === 'append') this.#prefix = `part-${token}-`;
    else {
      this.#lock = await this.#disk.lock(this.#lockPath);
      registerTemporary(this.#lockPath);
      const there = (await this.#disk.list(this.#folder)).find(({ name }) => name[0] !== '.');
      if (there) {
        const reason = `the folder is not empty: it has ${there.name}; empty it, or append`;
        throw new EtlError('INVALID_ARGUMENT', reason, { place: { path: this.#folder } });
      }
    }
    if (publish === 'end') {
      this.#work = registerTemporary(join(this.#folder, `.staging-${token}.tmp`));
    }
  }

  write(batch: Batch, onReject?: OnReject): Promise<void> {
    this.#writing = this.#write(batch, onReject);
    return this.#writing;
  }

  finish(): Promise<PartitionedSummary> {
    this.#finishing = this.#finish();
    return this.#finishing;
  }

  async #finish(): Promise<PartitionedSummary> {
    for (const partition of [...this.#open.keys()]) await this.#close(partition);
    if (this.#work !== this.#folder) await this.#publish();
    await this.#syncFolders();
    // From here on they stay, whatever a next run comes to.
    this.#published.length = 0;
    await this.#unlock();
    const total = { documents: 0, bytesWritten: 0, filtered: 0 };
    for (const { documents, bytesWritten, filtered = 0 } of this.#closed) {
      total.documents += documents;
      total.bytesWritten += bytesWritten;
      total.filtered += filtered;
    }
    return { ...total, files: this.#closed };
  }

  async abort(reason: unknown): Promise<void> {
    try {
      await this.#giveUp(reason);
    } finally {
      await this.#unlock();
    }
  }

  async #giveUp(reason: unknown): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(open.map(({ sink }) => sink.abort(reason)));
    // A write under way may be opening one more file, and gives it up itself; a finish gives one more its name.
    await Promise.allSettled([this.#writing, this.#finishing]);
    await Promise.allSettled(this.#published.map((path) => this.#disk.remove(path)));
    if (this.#work !== this.#folder) await this.#removeStaging();
    // Folders without a file would be in the way of the next try; one below another has the longer name.
    const made = [...this.#made].filter((path) => path !== this.#folder);
    made.sort((a, b) => b.length - a.length);
    for (const path of made) await this.#disk.removeFolder(path).catch(() => {});
  }

  async #write(batch: Batch, onReject: OnReject | undefined): Promise<void> {
    for (const [partition, chosen] of this.#divide(batch, onReject)) {
      await this.#writeTo(partition, batch.pick(chosen), onReject);
    }
  }

  /** The documents of each partition, by their ordinals. */
  #divide(batch: Batch, onReject: OnReject | undefined): Map<string, number[]> {
    const divided = new Map<string, number[]>();
    if (!this.#reader)
      return divided.set(
        '',
        Array.from({ length: batch.length }, (_, i) => i),
      );
    this.#reader.read(batch, onReject, (index, values) => {
      const partition = tryDocument(batch, index, onReject, () =>
        values.map((value, i) => partitionName(this.#paths[i]!.join('.'), value)).join('/'),
      );
      if (partition === undefined) return;
      const chosen = divided.get(partition);
      if (chosen) chosen.push(index);
      else divided.set(partition, [index]);
    });
    return divided;
  }

  /** Writes in as many files as the limits make of it. */
  async #writeTo(partition: string, batch: Batch, onReject: OnReject | undefined): Promise<void> {
    for (let from = 0; from < batch.length; ) {
      const file = await this.#fileOf(partition);
      let to = from;
      while (to < batch.length && file.documents < this.#limits.documents) {
        const { start, end } = batch.span(to);
        const size = end - start + 1;
        if (file.documents > 0 && file.bytes + size > this.#limits.bytes) break;
        file.bytes += size;
        file.documents++;
        to++;
      }
      const whole = from === 0 && to === batch.length;
      if (to > from) await file.sink.write(whole ? batch : batch.slice(from, to), onReject);
      from = to;
      const full = from < batch.length || file.documents >= this.#limits.documents;
      if (full || file.bytes >= this.#limits.bytes) await this.#close(partition);
    }
  }

  /** The partition's open file, or its next. */
  async #fileOf(partition: string): Promise<OpenFile> {
    const there = this.#open.get(partition);
    if (there) {
      // Behind all others: it was used last.
      this.#open.delete(partition);
      this.#open.set(partition, there);
      return there;
    }
    const [oldest] = this.#open.keys();
    if (oldest !== undefined && this.#open.size >= this.#limits.open) await this.#close(oldest);
    if (this.#closed.length + this.#open.size >= this.#limits.files) {
      const reason = `more than ${this.#limits.files} files; sort by the partition, or raise maxFiles`;
      throw new EtlError('LIMIT_EXCEEDED', reason, { place: { path: this.#folder } });
    }
    const folded = foldName(partition);
    const number = this.#parts.get(folded) ?? 0;
    this.#parts.set(folded, number + 1);
    const name = `${this.#prefix}${String(number).padStart(4, '0')}${this.#options.extension}`;
    const path = partition === '' ? name : `${partition}/${name}`;
    const target = join(this.#work, path);
    await this.#makeFolder(dirname(target));
    const sink = bareSink(this.#makeSink(target));
    const file = { path, sink, documents: 0, bytes: 0 };
    try {
      await sink.open(this.#signal!, this.#run);
      this.#signal!.throwIfAborted();
    } catch (error) {
      await sink.abort(error);
      throw error;
    }
    this.#open.set(partition, file);
    return file;
  }

  async #close(partition: string): Promise<void> {
    const { path, sink } = this.#open.get(partition)!;
    if (this.#work === this.#folder) await this.#checkFree(path);
    const { documents, bytesWritten, filtered = 0 } = await sink.finish();
    this.#open.delete(partition);
    this.#closed.push({ path, documents, bytesWritten, filtered });
  }

  async #publish(): Promise<void> {
    for (const { path } of this.#closed) await this.#checkFree(path);
    for (const { path } of this.#closed) await this.#makeFolder(dirname(join(this.#folder, path)));
    for (const { path } of this.#closed) {
      const target = join(this.#folder, path);
      this.#signal!.throwIfAborted();
      await this.#disk.rename(join(this.#work, path), target);
      this.#published.push(target);
    }
    await this.#removeStaging();
  }

  async #unlock(): Promise<void> {
    if (this.#lock) forgetTemporary(this.#lockPath);
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.release();
  }

  /** Errors: IO_ERROR for a file that somebody else has put there. */
  async #checkFree(path: string): Promise<void> {
    const target = join(this.#folder, path);
    if ((await this.#disk.stat(target)) === undefined) return;
    const reason = 'a file of this name has appeared meanwhile; nothing was written over';
    throw new EtlError('IO_ERROR', reason, { place: { path: target } });
  }

  async #removeStaging(): Promise<void> {
    await removeTree(this.#disk, this.#work);
    forgetTemporary(this.#work);
  }

  /** Makes the names of new folders durable; those in the staging folder are gone. */
  async #syncFolders(): Promise<void> {
    const staged = this.#work === this.#folder ? undefined : this.#work;
    for (const folder of this.#made) {
      if (staged === undefined || !folder.startsWith(staged)) await this.#disk.syncDir(folder);
    }
  }

  async #makeFolder(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await this.#disk.mkdir(path);
    this.#made.add(path);
    // The folders above it are new with it, perhaps.
    for (let at = path; at !== this.#folder && at !== dirname(at); at = dirname(at)) {
      this.#made.add(at);
    }
  }
}
