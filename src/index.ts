/** The public face of the package for Node. */
export * from './core/index.ts';
export * from './formats/index.ts';
export { type JsonlSinkOptions, type JsonlSinkSummary, jsonlSink } from './sinks/jsonl-sink.ts';
export type { ByteInput } from './sources/byte-input.ts';
export { type JsonlSourceOptions, jsonlSource } from './sources/jsonl-source.ts';
export { SinkStream, SourceStream, type StreamOptions, TransformStage } from './streams/index.ts';
