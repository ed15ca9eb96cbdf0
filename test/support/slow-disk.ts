/**
 * A disk each of whose operations begins some turns of the event loop after it was asked for and is heard of
 * some turns after it is done, as a seed has it: what runs beside each other overlaps in every way. Files behave
 * as this machine's: closing waits for the calls under way, and a closed file is CLOSED. What is open is counted.
 */
import { setImmediate } from 'node:timers/promises';
import { EtlError } from '../../src/core/errors.ts';
import type {
  Disk,
  DiskEntry,
  DiskFile,
  DiskLock,
  DiskStat,
  FileView,
  OpenMode,
  RandomReader,
} from '../../src/io/disk.ts';
import { openFileView } from '../../src/io/index.ts';
import type { Fault } from './fault-disk.ts';

/** What fails without ending the machine. */
export const FAULTS: readonly Fault[] = ['EIO', 'ENOSPC', 'short', 'EBUSY', 'late'];
/** Turns that an operation waits for, at most, before and after it is done. */
const MOST_TURNS = 4;

export class SlowDisk implements Disk {
  /** Paths of what is open, locks included. */
  readonly held: Set<{ readonly path: string }> = new Set();
  readonly readTextSync?: (path: string) => string | undefined;
  readonly #inner: Disk;
  readonly #random: () => number;

  constructor(inner: Disk, random: () => number) {
    this.#inner = inner;
    this.#random = random;
    if (inner.readTextSync) this.readTextSync = (path) => inner.readTextSync!(path);
  }

  open(path: string, mode: OpenMode, like?: string): Promise<DiskFile> {
    return this.slowly(async () => new SlowFile(this, await this.#inner.open(path, mode, like)));
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.slowly(() => this.#inner.stat(path));
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.slowly(() => this.#inner.list(path));
  }

  mkdir(path: string): Promise<void> {
    return this.slowly(() => this.#inner.mkdir(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.slowly(() => this.#inner.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.slowly(() => this.#inner.remove(path));
  }

  removeFolder(path: string): Promise<void> {
    return this.slowly(() => this.#inner.removeFolder(path));
  }

  syncDir(path: string): Promise<void> {
    return this.slowly(() => this.#inner.syncDir(path));
  }

  lock(path: string): Promise<DiskLock> {
    return this.slowly(async () => {
      const lock = await this.#inner.lock(path);
      const held = { path };
      this.held.add(held);
      const release = async () => {
        await lock.release();
        this.held.delete(held);
      };
      return { release: () => this.slowly(release) };
    });
  }

  identity(path: string): Promise<string> {
    return this.slowly(() => this.#inner.identity(path));
  }

  /** Does the work between two waits. */
  async slowly<R>(work: () => Promise<R>): Promise<R> {
    await this.#wait();
    try {
      return await work();
    } finally {
      await this.#wait();
    }
  }

  async #wait(): Promise<void> {
    // Half of the calls do not wait at all.
    const turns = Math.max(0, Math.floor((this.#random() * 2 - 1) * (MOST_TURNS + 1)));
    for (let turn = 0; turn < turns; turn++) await setImmediate();
  }
}

class SlowFile implements DiskFile {
  readonly path: string;
  readonly #disk: SlowDisk;
  readonly #inner: DiskFile;
  #calls = 0;
  #closing: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(disk: SlowDisk, inner: DiskFile) {
    this.#disk = disk;
    this.#inner = inner;
    this.path = inner.path;
    disk.held.add(this);
  }

  id(): Promise<string> {
    return this.#call(() => this.#inner.id());
  }

  size(): Promise<number> {
    return this.#call(() => this.#inner.size());
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.#call(() => this.#inner.read(target, offset));
  }

  readSync(target: Uint8Array, offset: number): number {
    this.#check();
    return this.#inner.readSync(target, offset);
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#call(() => this.#inner.write(bytes, offset));
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#check();
    this.#inner.writeSync(bytes, offset);
  }

  sync(): Promise<void> {
    return this.#call(() => this.#inner.sync());
  }

  syncSync(): void {
    this.#check();
    this.#inner.syncSync();
  }

  truncate(size: number): Promise<void> {
    return this.#call(() => this.#inner.truncate(size));
  }

  reader(): RandomReader {
    return this.#inner.reader();
  }

  view(way?: FileView['way']): FileView {
    const view = this.#inner.view(way);
    // What is read beside other work goes through the waits above.
    return view.way === 'read' ? openFileView(this) : view;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await this.#disk.slowly(() => this.#inner.close());
    this.#disk.held.delete(this);
  }

  async #call<R>(work: () => Promise<R>): Promise<R> {
    this.#check();
    this.#calls++;
    try {
      return await this.#disk.slowly(work);
    } finally {
      if (--this.#calls === 0) this.#whenIdle?.();
    }
  }

  #check(): void {
    if (this.#closing === undefined) return;
    throw new EtlError('CLOSED', 'the file is closed', { place: { path: this.path } });
  }
}
