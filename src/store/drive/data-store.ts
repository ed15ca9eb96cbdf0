/**
 * A drive: keys to binary payloads in one append-only file, byte for byte that of the Rust crate
 * `simd-r-drive` (docs/format/drive.md). One writer, held by a lock on `NAME.lock`; any number of
 * readers, which see whole entries and go on with `refresh`.
 *
 * Cost: a read looks into the index (16 to 32 bytes of memory a key) and the mapped file, without a
 * system call and without a promise. A write is one call of the system. Opening reads the chain of
 * metadata, not the payloads. What is durable when: `sync`, and docs/guide/drive.md.
 */
import type { RecordBatch, Table } from 'apache-arrow';
import { checkChoice, checkCount } from '../../core/check-option.ts';
import { EtlError } from '../../core/errors.ts';
import { nodeDisk } from '../../io/index.ts';
import { followLink } from '../../io/replacing.ts';
import { type DriveKey, METADATA_BYTES } from '../../kernels/index.ts';
import { type ByteSource, type Changes, checkPayload } from './appender.ts';
import {
  deleteTable,
  readTable,
  readTableBatches,
  refuseTable,
  type TableInput,
  writeTable,
} from './arrow.ts';
import { checkKey } from './check-bytes.ts';
import { compactedSize, type DriveCompactReport } from './compact-drive.ts';
import type {
  DataStoreOptions,
  DataStoreReader,
  DataStoreWriter,
  DriveRecovery,
  StreamWriteOptions,
} from './contracts.ts';
import { DriveState } from './drive-state.ts';
import { EntryHandle } from './entry-handle.ts';
import type { EntryMetadata } from './entry-metadata.ts';
import { hashKey, high, KeyIndexer, low } from './key-indexer.ts';
import { type EntryPartition, makePartitions } from './partition.ts';
import { KeyTurns } from './turns.ts';
import { type DriveVerifyReport, verifyChain } from './verify-drive.ts';

export class DataStore implements DataStoreReader, DataStoreWriter {
  readonly path: string;
  /** What opening found. */
  readonly recovery: DriveRecovery;
  readonly mode: 'read' | 'write';
  readonly #state: DriveState;
  readonly #tables = new KeyTurns();
  readonly #readEach = readEach;

  private constructor(path: string, mode: 'read' | 'write', state: DriveState) {
    this.path = path;
    this.mode = mode;
    this.recovery = state.recovery;
    this.#state = state;
  }

  /**
   * Opens a drive; with mode `write` (default) an absent one is made.
   * Errors: LOCKED; NOT_A_DRIVE for a file that is none, which stays untouched; INVALID_PATH; IO_ERROR.
   */
  static open(path: string, options: DataStoreOptions = {}): Promise<DataStore> {
    return DataStore.#open(path, options, 'create');
  }

  /** The same for a drive that must be there. Errors: also INVALID_PATH when nothing is there. */
  static openExisting(path: string, options: DataStoreOptions = {}): Promise<DataStore> {
    return DataStore.#open(path, options, 'write');
  }

  static async #open(
    path: string,
    options: DataStoreOptions,
    writing: 'create' | 'write',
  ): Promise<DataStore> {
    const { mode = 'write', disk = nodeDisk, mapFrom = 0 } = options;
    checkChoice('mode', mode, ['read', 'write']);
    // Lock, mark and what replaces the file are beside the file itself, whatever link led to it.
    const where = { disk, path: await followLink(disk, path), mapFrom };
    const found = await disk.stat(path);
    const missing = found === undefined && (mode === 'read' || writing === 'write');
    if (missing || (found !== undefined && found.kind !== 'file')) {
      const what = missing ? 'there is no such file' : 'is no file';
      throw new EtlError('INVALID_PATH', what, { place: { path } });
    }
    if (mode === 'read') return new DataStore(path, mode, await DriveState.open(where, 'read'));
    const lock = await disk.lock(`${where.path}.lock`);
    try {
      return new DataStore(path, mode, await DriveState.open(where, writing, lock));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  exists(key: DriveKey): boolean {
    return this.#state.table().findKey(key) >= 0;
  }

  existsWithKeyHash(keyHash: bigint): boolean {
    return this.#state.table().find(low(keyHash), high(keyHash)) >= 0;
  }

  read(key: DriveKey): EntryHandle | undefined {
    const offset = this.#state.table().findKey(key);
    return offset < 0 ? undefined : new EntryHandle(this.#state.view, offset);
  }

  readWithKeyHash(keyHash: bigint): EntryHandle | undefined {
    return this.#state.handle(this.#state.table().find(low(keyHash), high(keyHash)));
  }

  readLastEntry(): EntryHandle | undefined {
    this.#state.table();
    return this.#state.tail === 0
      ? undefined
      : this.#state.handle(this.#state.tail - METADATA_BYTES);
  }

  batchRead(keys: readonly DriveKey[]): (EntryHandle | undefined)[] {
    // `call` on a field hides what is called: its loops are compiled by themselves, at once, instead of as a part
    // of every loop that asks for batches, which would wait for that in slow code.
    return this.#readEach.call(null, this.#state, keys);
  }

  batchReadHashedKeys(keyHashes: readonly bigint[]): (EntryHandle | undefined)[] {
    return keyHashes.map((keyHash) => this.readWithKeyHash(keyHash));
  }

  readMetadata(key: DriveKey): EntryMetadata | undefined {
    return this.read(key)?.metadata;
  }

  len(): number {
    return this.#state.table().size;
  }

  isEmpty(): boolean {
    return this.len() === 0;
  }

  fileSize(): number {
    this.#state.table();
    return this.#state.tail;
  }

  /** How payloads come: from maps of the file, or by positioned reads. */
  get way(): 'map' | 'read' {
    return this.#state.view.way;
  }

  /** The index. To be looked at; changes to it are not in the file. */
  get keyIndexer(): KeyIndexer {
    return new KeyIndexer(this.#state.table());
  }

  /**
   * Live entries, newest first, as they are now; later changes do not show. Errors: CLOSED, also when the drive is
   * closed before the end; CORRUPTED_DATA, INPUT_CHANGED where another program wrote to the file; IO_ERROR.
   */
  iterEntries(): IterableIterator<EntryHandle> {
    return this.#state.walk();
  }

  [Symbol.iterator](): IterableIterator<EntryHandle> {
    return this.iterEntries();
  }

  /** The live entries in parts, to be read by as many worker threads with `readPartition`. */
  parIterEntries(workers: number): EntryPartition[] {
    checkCount('workers', workers);
    return makePartitions(this.path, this.#state.table().offsets(), workers);
  }

  async write(key: DriveKey, payload: Uint8Array): Promise<number> {
    checkKey(key);
    checkPayload(payload);
    return this.#append([[key, payload]]);
  }

  async writeWithKeyHash(keyHash: bigint, payload: Uint8Array): Promise<number> {
    return this.batchWriteWithKeyHashes([[keyHash, payload]]);
  }

  async batchWrite(entries: readonly (readonly [DriveKey, Uint8Array])[]): Promise<number> {
    for (let i = 0; i < entries.length; i++) {
      checkKey(entries[i]![0]);
      checkPayload(entries[i]![1]);
    }
    return this.#append(entries);
  }

  async batchWriteWithKeyHashes(
    entries: readonly (readonly [bigint, Uint8Array])[],
  ): Promise<number> {
    return this.#append(
      entries.map(([keyHash, payload]) => {
        checkPayload(payload);
        return { low: low(keyHash), high: high(keyHash), payload };
      }),
    );
  }

  async writeStream(
    key: DriveKey,
    source: ByteSource,
    options: StreamWriteOptions = {},
  ): Promise<number> {
    return this.writeStreamWithKeyHash(hashKey(key), source, options);
  }

  async writeStreamWithKeyHash(
    keyHash: bigint,
    source: ByteSource,
    { signal }: StreamWriteOptions = {},
  ): Promise<number> {
    return this.#state.exclusively(({ appender }) =>
      appender.appendStream(low(keyHash), high(keyHash), source, signal),
    );
  }

  /**
   * Stores a table under a key, an entry for each record batch, and makes it durable as one: batches
   * given one by one are held one at a time. A table that was there before stays until this one is whole.
   * Waits for tables that are being written or deleted under the same key.
   * Errors: INVALID_ARGUMENT for no batch at all, and for batches of several schemas.
   */
  async writeTable(key: DriveKey, table: TableInput): Promise<number> {
    return this.#tables.take(hashKey(key), () => writeTable(this, key, table));
  }

  /**
   * The table of a key, over the mapped file: nothing is read before it is used. Undefined when there
   * is none. Errors: CORRUPTED_DATA.
   */
  readTable(key: DriveKey): Table | undefined {
    return readTable(this, key);
  }

  /** The record batches of a table one by one; none when there is no table. Errors: CORRUPTED_DATA. */
  readTableBatches(key: DriveKey): IterableIterator<RecordBatch> {
    return readTableBatches(this, key);
  }

  /** Deletes a table with all of its entries. */
  async deleteTable(key: DriveKey): Promise<number> {
    return this.#tables.take(hashKey(key), () => deleteTable(this, key));
  }

  async rename(oldKey: DriveKey, newKey: DriveKey): Promise<number> {
    const [oldHash, newHash] = [hashKey(oldKey), hashKey(newKey)];
    if (oldHash === newHash) {
      throw new EtlError('INVALID_ARGUMENT', 'a key cannot be renamed to itself');
    }
    return this.#state.exclusively(async ({ appender }) => {
      const entry = this.#readExisting(oldHash);
      await appender.appendStream(low(newHash), high(newHash), entry.chunks());
      return appender.append([{ low: low(oldHash), high: high(oldHash) }]);
    });
  }

  async copy(key: DriveKey, target: DataStoreWriter): Promise<number> {
    this.#checkOther(target);
    const keyHash = hashKey(key);
    const find = () => this.#readExisting(keyHash);
    const entry = this.mode === 'write' ? await this.#state.exclusively(find) : find();
    return target.writeStreamWithKeyHash(keyHash, entry.chunks());
  }

  async transfer(key: DriveKey, target: DataStoreWriter): Promise<number> {
    this.#checkOther(target);
    const keyHash = hashKey(key);
    const copy = async (entry: EntryHandle) => {
      await target.writeStreamWithKeyHash(keyHash, entry.chunks());
      await target.sync();
    };
    return this.#state.transfer(() => this.#readExisting(keyHash), copy);
  }

  async delete(key: DriveKey): Promise<number> {
    return this.batchDelete([key]);
  }

  /** Deletes the entry of a key if there is one when all asked for before is done, and it passes the test. */
  async deleteIf(key: DriveKey, test: (entry: EntryHandle) => boolean): Promise<number> {
    const keyHash = hashKey(key);
    return this.#state.exclusively(({ appender }) => {
      const entry = this.readWithKeyHash(keyHash);
      const isMeant = entry !== undefined && test(entry);
      return appender.append(isMeant ? [{ low: low(keyHash), high: high(keyHash) }] : []);
    });
  }

  async batchDelete(keys: readonly DriveKey[]): Promise<number> {
    const table = this.#state.writable();
    return this.#delete(
      keys.map((key) => {
        checkKey(key);
        table.hashKey(key);
        const [hashLow, hashHigh] = table.keyHash;
        return { low: hashLow!, high: hashHigh! };
      }),
    );
  }

  async batchDeleteKeyHashes(keyHashes: readonly bigint[]): Promise<number> {
    return this.#delete(keyHashes.map((hash) => ({ low: low(hash), high: high(hash) })));
  }

  async sync(): Promise<void> {
    await this.#state.exclusively(({ appender }) => appender.sync());
  }

  /** Checks every record, replaced ones too, against its checksum. Errors: ABORTED, IO_ERROR. */
  async verify(options: { readonly signal?: AbortSignal } = {}): Promise<DriveVerifyReport> {
    this.#state.table();
    return verifyChain(this.#state.view, this.#state.tail, options.signal);
  }

  /** Bytes that `compact` would give back. Looks at every live entry. */
  estimateCompactionSavings(): number {
    return this.#state.tail - compactedSize(this.#state.view, this.#state.table().offsets().sort());
  }

  /**
   * Writes the file anew with live entries only, in their order, and puts it in the place of the old one
   * when it is durable. Handles made before stay good. Errors: ABORTED (the drive is as it was), POISONED,
   * READ_ONLY, IO_ERROR.
   */
  async compact(options: { readonly signal?: AbortSignal } = {}): Promise<DriveCompactReport> {
    return this.#state.compact(options.signal);
  }

  /** For readers: goes on to what has been written since; true when there was something. */
  async refresh(): Promise<boolean> {
    return this.#state.refresh();
  }

  /**
   * Syncs, and lets go of file and lock. Payloads that were taken stay readable. After a failed write what it
   * left is cut, so that the file holds whole entries, as if it had not been asked for. Errors: IO_ERROR, when
   * not all could be made durable or the session's mark not removed; file and lock are let go of all the same.
   */
  close(): Promise<void> {
    return this.#state.close();
  }

  /** Lets go of everything without syncing, as if the process had ended. */
  abandon(): Promise<void> {
    return this.#state.abandon();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #append(changes: Changes): Promise<number> {
    return this.#state.exclusively(({ appender }) => appender.append(changes));
  }

  /** Marks those that have an entry, each once. */
  #delete(hashes: readonly { readonly low: number; readonly high: number }[]): Promise<number> {
    return this.#state.exclusively(({ appender }) => {
      const table = this.#state.table();
      const seen = new Set<number>();
      const there = hashes.filter((hash) => {
        const offset = table.find(hash.low, hash.high);
        return offset >= 0 && !seen.has(offset) && seen.add(offset);
      });
      return appender.append(there);
    });
  }

  #checkOther(target: DataStoreWriter): void {
    if (target instanceof DataStore && target.#state.path === this.#state.path) {
      throw new EtlError('INVALID_ARGUMENT', 'an entry is copied to another drive; see rename');
    }
  }

  #readExisting(keyHash: bigint): EntryHandle {
    const entry = this.readWithKeyHash(keyHash);
    const place = { path: this.path };
    if (!entry) throw new EtlError('KEY_NOT_FOUND', 'there is no entry of this key', { place });
    refuseTable(entry);
    return entry;
  }
}

/** As `DataStore.batchRead`. */
function readEach(state: DriveState, keys: readonly DriveKey[]): (EntryHandle | undefined)[] {
  const places = state.table().findKeys(keys);
  const { view } = state;
  view.touch(places);
  const handles: (EntryHandle | undefined)[] = new Array(keys.length);
  for (let i = 0; i < handles.length; i++) {
    const end = places[2 * i + 1]!;
    handles[i] = end < 0 ? undefined : new EntryHandle(view, end, places[2 * i]!);
  }
  return handles;
}
