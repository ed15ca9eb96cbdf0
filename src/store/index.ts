/** The stores: collections of documents in JSON Lines files, and drives of binary entries. */

export type { StandardSchema, ValidationIssue, ValidationResult } from '../core/standard-schema.ts';
export { ArchiveDisk } from './archive/archive-disk.ts';
export type {
  ArchiveLimits,
  ArchiveOptions,
  ArchiveProgress,
  PackOptions,
  PackSummary,
  UnpackOptions,
  UnpackSummary,
} from './archive/options.ts';
export { pack } from './archive/pack.ts';
export { unpack } from './archive/unpack.ts';
export {
  type BufferedTarget,
  BufferedWriter,
  type FlushStats,
  type WriteConfig,
} from './buffered-writer.ts';
export type {
  ColumnsOptions,
  ColumnTotals,
  SnapshotOptions,
  SnapshotReport,
} from './columns/index.ts';
export type { CommitRecord, Counts } from './commit-log.ts';
export type { AutoCompactOptions, CompactOptions, CompactReport } from './compact.ts';
export * from './drive/index.ts';
export { type CollectionStats, Engine, type EngineOptions } from './engine/engine.ts';
export { EngineWriter, type EngineWriterOptions } from './engine/engine-writer.ts';
export { Scanner } from './engine/scanner.ts';
export { SyncWriter } from './engine/sync-writer.ts';
export { FastStore } from './fast-store.ts';
export { IndexRegistry, type RegistryOptions } from './index-registry.ts';
export { type CollectionPaths, Layout, type LayoutProblem } from './layout.ts';
export type { Finding } from './maintenance/findings.ts';
export { type RepairOptions, type RepairReport, reindex, repair } from './maintenance/repair.ts';
export { type VerifyOptions, type VerifyReport, verify, verifyRoot } from './maintenance/verify.ts';
export { isValidId, MAX_ID_BYTES } from './names.ts';
export { collectionTable, columnTotals } from './open-reading.ts';
export type { FastStoreOptions, GetOptions, StoreInfo } from './options.ts';
export type { IdOptions } from './prepare.ts';
export type { Recovery } from './recovery.ts';
export { type RootOptions, type StoreMode, ZdsRoot } from './root.ts';
export { openRunJournal } from './run-journal.ts';
export { listRuns, RunLog, type RunRecord } from './run-log.ts';
export { Scan, type ScanOptions } from './scan.ts';
export type { AppendResult, CommitOptions } from './writer.ts';
