/**
 * What can be asked of a drive, apart from how it is stored. Keys are bytes, or text that stands for its
 * UTF-8; only their hashes (XXH3-64) are stored. The forms with a hash take one that was made before.
 *
 * Reading is synchronous: it looks into memory (the index, the mapped file). Writing gives promises.
 * Every write answers the tail, the file's length after it.
 */
import type { Disk } from '../../io/index.ts';
import type { DriveKey } from '../../kernels/index.ts';
import type { ByteSource } from './appender.ts';
import type { EntryHandle } from './entry-handle.ts';
import type { EntryMetadata } from './entry-metadata.ts';

export interface DataStoreReader {
  exists(key: DriveKey): boolean;
  existsWithKeyHash(keyHash: bigint): boolean;
  /** The newest entry of a key; undefined when there is none, or it was deleted. */
  read(key: DriveKey): EntryHandle | undefined;
  readWithKeyHash(keyHash: bigint): EntryHandle | undefined;
  /** The record written last, a deletion's too. */
  readLastEntry(): EntryHandle | undefined;
  /** `read` of each, faster than one by one. */
  batchRead(keys: readonly DriveKey[]): (EntryHandle | undefined)[];
  batchReadHashedKeys(keyHashes: readonly bigint[]): (EntryHandle | undefined)[];
  readMetadata(key: DriveKey): EntryMetadata | undefined;
  /** Keys that have an entry. */
  len(): number;
  isEmpty(): boolean;
  /** Bytes of the file, replaced and deleted entries included. */
  fileSize(): number;
}

export interface DataStoreWriter {
  /**
   * Errors: INVALID_ARGUMENT for an empty payload, for a single zero byte, and for what is no Uint8Array
   * (a Float64Array, say).
   */
  write(key: DriveKey, payload: Uint8Array): Promise<number>;
  writeWithKeyHash(keyHash: bigint, payload: Uint8Array): Promise<number>;
  /**
   * Writes all in order, in few calls of the system. The entries are the drive's until the promise
   * settles. Errors: as `write`, before anything is written.
   */
  batchWrite(entries: readonly (readonly [DriveKey, Uint8Array])[]): Promise<number>;
  batchWriteWithKeyHashes(entries: readonly (readonly [bigint, Uint8Array])[]): Promise<number>;
  /** Writes a payload as it comes, in bounded memory. When the source fails nothing of it stays. */
  writeStream(key: DriveKey, source: ByteSource, options?: StreamWriteOptions): Promise<number>;
  writeStreamWithKeyHash(
    keyHash: bigint,
    source: ByteSource,
    options?: StreamWriteOptions,
  ): Promise<number>;
  /**
   * Writes the entry under another key and deletes the first. Errors: KEY_NOT_FOUND; INVALID_ARGUMENT for the same
   * key, and for a table (`writeTable`), which has other entries too.
   */
  rename(oldKey: DriveKey, newKey: DriveKey): Promise<number>;
  /**
   * Writes the entry to another drive; answers that one's tail. Errors: KEY_NOT_FOUND; INVALID_ARGUMENT for the same
   * drive, and for a table.
   */
  copy(key: DriveKey, target: DataStoreWriter): Promise<number>;
  /** As `copy`, then deletes the entry here once it is durable there. */
  transfer(key: DriveKey, target: DataStoreWriter): Promise<number>;
  /** Marks a key as deleted; writes nothing when it has no entry. */
  delete(key: DriveKey): Promise<number>;
  batchDelete(keys: readonly DriveKey[]): Promise<number>;
  batchDeleteKeyHashes(keyHashes: readonly bigint[]): Promise<number>;
  /** Makes everything written durable. */
  sync(): Promise<void>;
}

export interface StreamWriteOptions {
  /**
   * Stops the write with ABORTED, also while the source is silent; nothing of it stays. The source is told to
   * end (its iterator's `return`), which is not waited for.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface DataStoreOptions {
  /** `write` (default) takes the lock, and makes the file when there is none. */
  readonly mode?: 'read' | 'write' | undefined;
  /** Where the file is. Default: this machine's disk. */
  readonly disk?: Disk | undefined;
  /**
   * Files shorter than this are read and not mapped, so payloads are copies: for who looks at a few
   * entries, once, a map costs more than it saves. Default 0.
   */
  readonly mapFrom?: number | undefined;
}

/** What opening a drive found; `cutBytes` is 0 and the rest absent for one in good order. */
export interface DriveRecovery {
  /** Bytes behind the last whole record: a writer cuts them, a reader leaves them out. */
  readonly cutBytes: number;
  /** Where they were put, unless they were the unfinished write of a session of ours. */
  readonly cutPath?: string;
  /** The last record does not have its checksum; it was kept. */
  readonly damaged?: boolean;
}
