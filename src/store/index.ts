/** The document store: collections of documents in JSON Lines files, by id. */
export { BufferedWriter, type BufferedWriterOptions, type FlushStats } from './buffered-writer.ts';
export type { CommitRecord, Counts } from './commit-log.ts';
export { FastStore } from './fast-store.ts';
export { createIdGenerator, type GeneratedIds } from './generate-id.ts';
export { type CollectionPaths, Layout } from './layout.ts';
export { isValidId, MAX_ID_BYTES } from './names.ts';
export type { FastStoreOptions, GetOptions, StoreInfo } from './options.ts';
export type { IdOptions } from './prepare.ts';
export type { Recovery } from './recovery.ts';
export { type RootOptions, type StoreMode, ZdsRoot } from './root.ts';
export { Scan, type ScanOptions } from './scan.ts';
export type { StandardSchema, ValidationIssue, ValidationResult } from './standard-schema.ts';
export type { AppendResult, CommitOptions } from './writer.ts';
