/**
 * A store's folder: its collections, and the writer's lock on it.
 *
 * One process holds the lock once, however many handles it has on the root; of one collection there
 * is at most one writing handle. Readers take no lock.
 */
import type { Document } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { type Disk, type DiskLock, nodeDisk } from '../io/index.ts';
import { checkAutoCompact } from './compact.ts';
import { FastStore } from './fast-store.ts';
import { Layout, notAStore } from './layout.ts';
import { checkCollectionName } from './names.ts';
import type { FastStoreOptions } from './options.ts';

export type StoreMode = 'read' | 'write';

export interface RootOptions {
  /** `write` (default) takes the lock and makes the store when there is none. */
  readonly mode?: StoreMode | undefined;
  /** Where the files are. Default: this machine's disk. */
  readonly disk?: Disk | undefined;
}

/** The lock of a root as this process holds it. */
interface HeldLock {
  readonly lock: DiskLock;
  readonly writing: Set<string>;
  users: number;
}

/** What a root closes. */
interface Closable {
  close(): Promise<unknown>;
}

const heldLocks: WeakMap<Disk, Map<string, Promise<HeldLock>>> = new WeakMap();

export class ZdsRoot {
  readonly path: string;
  readonly mode: StoreMode;
  readonly disk: Disk;
  readonly #held: HeldLock | undefined;
  readonly #letGo: () => Promise<void>;
  /** What is open here, and what is being opened. */
  readonly #open = new Set<Closable>();
  #closing: Promise<void> | undefined;

  private constructor(
    path: string,
    mode: StoreMode,
    disk: Disk,
    held: HeldLock | undefined,
    letGo: () => Promise<void>,
  ) {
    this.path = path;
    this.mode = mode;
    this.disk = disk;
    this.#held = held;
    this.#letGo = letGo;
  }

  /**
   * Opens a store. A folder that holds something else is left untouched. With mode `read` the path may
   * be that of an archive (`pack`), which is read without unpacking it.
   * Errors: INVALID_ARGUMENT for another mode; NOT_A_STORE, LOCKED, IO_ERROR; READ_ONLY for an archive to be
   * written; for one to be read also those of `ArchiveDisk.open`.
   */
  static async open(path: string, options: RootOptions = {}): Promise<ZdsRoot> {
    const { mode = 'write', disk = nodeDisk } = options;
    checkChoice('mode', mode, ['read', 'write']);
    const state = await Layout.inspect(path, disk);
    if (state === 'foreign') {
      // Loaded for what may be an archive only.
      const { ArchiveDisk, isArchiveAt } = await import('./archive/archive-disk.ts');
      if (!(await isArchiveAt(disk, path))) throw notAStore(path);
      if (mode === 'read') {
        const archive = await ArchiveDisk.open(path, { disk });
        return new ZdsRoot(path, mode, archive, undefined, () => archive.close());
      }
      throw new EtlError('READ_ONLY', 'an archive can only be read; unpack it to change it', {
        place: { path },
      });
    }
    if (state === 'none' && mode === 'read') throw notAStore(path);
    if (mode === 'read') return new ZdsRoot(path, mode, disk, undefined, async () => undefined);
    await Layout.initRoot(path, disk);
    const { held, letGo } = await hold(disk, path);
    return new ZdsRoot(path, mode, disk, held, letGo);
  }

  /**
   * Opens a collection; a writing root makes it when it is missing (`createIfMissing`, default true).
   * Errors: INVALID_PATH, COLLECTION_NOT_FOUND, INVALID_ARGUMENT for one with a file per document, for `replace`
   * with mode `read` and for impossible options, LOCKED, READ_ONLY, CORRUPTED_DATA, IO_ERROR.
   */
  async collection<T extends object = Document>(
    name: string,
    options: FastStoreOptions<T> = {},
  ): Promise<FastStore<T>> {
    this.#check();
    checkCollectionName(name);
    const { mode = this.mode, replace } = options;
    checkAutoCompact(options.autoCompact);
    const reads = checkChoice('mode', mode, ['read', 'write']) === 'read';
    if (reads && replace) {
      throw new EtlError('INVALID_ARGUMENT', 'replace is for writing, not for reading');
    }
    const letGo = reads ? () => undefined : this.#claim(name);
    return this.#hold(letGo, async (gone) => {
      const store = await FastStore.attach<T>(this, name, { ...options, mode });
      store.onClose(async () => gone());
      return store;
    });
  }

  /**
   * Opens a writer of a collection with a file per document. It counts as the collection's one writer until
   * it calls what it is given, and is closed with the root, also while it is being opened.
   * Errors: LOCKED, READ_ONLY, CLOSED; those of `open`.
   */
  async openWriter<W extends Closable>(
    name: string,
    open: (gone: () => void) => Promise<W>,
  ): Promise<W> {
    this.#check();
    return this.#hold(this.#claim(name), open);
  }

  /** Runs `work` as the collection's one writer; closing the root waits for it. Errors: as `openWriter`. */
  async alone<R>(name: string, work: () => Promise<R>): Promise<R> {
    const done = await this.openWriter(name, async (gone) => {
      const result = await work();
      gone();
      return { result, close: async () => undefined };
    });
    return done.result;
  }

  /** Names of the collections, sorted. */
  async collections(): Promise<string[]> {
    const folder = Layout.collections(this.path);
    if ((await this.disk.stat(folder)) === undefined) return [];
    const entries = await this.disk.list(folder);
    return entries
      .filter(({ name, kind }) => kind === 'folder' && !name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  }

  /** Closes what is open here or being opened, and then lets go of the lock. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Makes sure that nobody else in this process writes to the collection, until the answer is called. */
  #claim(name: string): () => void {
    const writing = this.#held?.writing;
    if (writing === undefined) throw new EtlError('READ_ONLY', 'the root was opened for reading');
    if (writing.has(name)) {
      throw new EtlError('LOCKED', `collection ${name} is open for writing in this process`, {
        place: { path: this.path },
      });
    }
    writing.add(name);
    return () => writing.delete(name);
  }

  /** What `open` opens, closed with the root from now on until `gone` is called. Lets go where that fails. */
  async #hold<H extends Closable>(
    letGo: () => void,
    open: (gone: () => void) => Promise<H>,
  ): Promise<H> {
    const handle: Closable = {
      close: () =>
        opening.then(
          (opened) => opened.close(),
          () => undefined,
        ),
    };
    const gone = (): void => {
      this.#open.delete(handle);
      letGo();
    };
    this.#open.add(handle);
    const opening = open(gone);
    try {
      return await opening;
    } catch (error) {
      gone();
      throw error;
    }
  }

  #check(): void {
    if (this.#closing) throw new EtlError('CLOSED', 'the root is closed');
  }

  async #close(): Promise<void> {
    const closing = await Promise.allSettled([...this.#open].map((handle) => handle.close()));
    await this.#letGo();
    for (const result of closing) if (result.status === 'rejected') throw result.reason;
  }
}

async function hold(
  disk: Disk,
  path: string,
): Promise<{ held: HeldLock; letGo: () => Promise<void> }> {
  const key = await disk.identity(path);
  const locks = heldLocks.get(disk) ?? new Map<string, Promise<HeldLock>>();
  heldLocks.set(disk, locks);
  let taking = locks.get(key);
  if (taking === undefined) {
    taking = disk.lock(Layout.lock(path)).then((lock) => ({ lock, writing: new Set(), users: 0 }));
    locks.set(key, taking);
    taking.catch(() => locks.delete(key));
  }
  const held = await taking;
  held.users++;
  const letGo = async (): Promise<void> => {
    held.users--;
    if (held.users > 0) return;
    locks.delete(key);
    await held.lock.release();
  };
  return { held, letGo };
}
