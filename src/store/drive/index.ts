/** The R-Drive store: keys to binary payloads in one append-only, memory-mapped file. */

export type { ByteSource } from './appender.ts';
export { asRecordBatch, asTable, asVector, type TableInput } from './arrow.ts';
export type { DriveCompactReport } from './compact-drive.ts';
export type {
  DataStoreOptions,
  DataStoreReader,
  DataStoreWriter,
  DriveRecovery,
  StreamWriteOptions,
} from './contracts.ts';
export { DataStore } from './data-store.ts';
export { EntryHandle } from './entry-handle.ts';
export { EntryMetadata } from './entry-metadata.ts';
export * from './extensions/index.ts';
export { hashKey, KeyIndexer } from './key-indexer.ts';
export { type EntryPartition, readPartition } from './partition.ts';
export type { DamagedRecord, DriveVerifyReport } from './verify-drive.ts';
