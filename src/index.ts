/** The public face of the package for Node. */
export type { SchemaInput, ShortSchema } from './arrow/schema.ts';
export { type BatchInput, type RecordBatchOptions, recordBatches, table } from './arrow/table.ts';
export * from './core/index.ts';
export * from './formats/index.ts';
export {
  createNodeDisk,
  type Disk,
  type DiskEntry,
  type DiskFile,
  type DiskLock,
  type DiskStat,
  type LockOptions,
  type MapOptions as FileMapOptions,
  type NodeDiskOptions,
  type OpenMode,
  type RandomReader,
} from './io/index.ts';
export * from './pipeline/index.ts';
export type { AnySink } from './sinks/any-sink.ts';
export { type ArrowSinkOptions, type ArrowSinkSummary, arrowSink } from './sinks/arrow-sink.ts';
export { type CsvSinkOptions, type CsvSinkSummary, csvSink } from './sinks/csv-sink.ts';
export { type DriveSink, type DriveSinkItem, driveSink } from './sinks/drive-sink.ts';
export { type HttpSinkOptions, type HttpSinkSummary, httpSink } from './sinks/http-sink.ts';
export { jsonSink } from './sinks/json-sink.ts';
export { type JsonlSinkOptions, type JsonlSinkSummary, jsonlSink } from './sinks/jsonl-sink.ts';
export {
  type ParquetSinkOptions,
  type ParquetSinkSummary,
  parquetSink,
} from './sinks/parquet-sink.ts';
export {
  type FileSummary,
  type FolderOptions,
  type PartitionedOptions,
  type PartitionedSummary,
  type PartitionOptions,
  partitioned,
  type WrittenFile,
} from './sinks/partitioned.ts';
export { type RouteOptions, type RouteSummary, route } from './sinks/route.ts';
export { type TeeSummary, tee } from './sinks/tee.ts';
export type { WriteDisposition } from './sinks/zds-disposition.ts';
export { type ZdsSinkOptions, type ZdsSinkSummary, zdsSink } from './sinks/zds-sink.ts';
export { type ArrowSourceOptions, arrowSource } from './sources/arrow-source.ts';
export type { ByteInput } from './sources/byte-input.ts';
export { type CsvSourceOptions, csvSource, sniffCsv } from './sources/csv-source.ts';
export { type DriveItem, type DriveSourceOptions, driveSource } from './sources/drive-source.ts';
export { fromIterable, fromNode, fromWeb } from './sources/from-iterable.ts';
export {
  type Chance,
  type FieldShape,
  type GenerateOptions,
  generateSource,
} from './sources/generate-source.ts';
export type { HttpPage, HttpPages } from './sources/http-next-page.ts';
export {
  type HttpRequestInput,
  type HttpSourceOptions,
  httpSource,
} from './sources/http-source.ts';
export { type JsonSourceOptions, jsonSource } from './sources/json-source.ts';
export { type JsonlSourceOptions, jsonlSource } from './sources/jsonl-source.ts';
export { type ParquetSourceOptions, parquetSource } from './sources/parquet-source.ts';
export { type TailSourceOptions, tailSource } from './sources/tail-source.ts';
export { type ZdsSourceOptions, zdsSource } from './sources/zds-source.ts';
export * from './stages.ts';
export * from './store/index.ts';
export {
  SinkStream,
  SourceStream,
  type StageOptions,
  type StreamOptions,
  TransformStage,
} from './streams/index.ts';
export type {
  AggregateOptions,
  BatchOptions,
  CallOptions,
  CastFunction,
  CastOptions,
  CastType,
  ContractMode,
  ContractOptions,
  ContractType,
  DedupeOptions,
  DocumentFunction,
  FlattenOptions,
  IncrementalOptions,
  LookupOptions,
  LookupSource,
  MapOptions,
  MeasureSpec,
  SampleOptions,
  ThrottleOptions,
  UnnestOptions,
  ValidateOptions,
} from './transforms/index.ts';
