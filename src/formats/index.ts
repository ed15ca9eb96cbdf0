/** Bytes to batches and back, without I/O. */
export { type ChunkReaderOptions, readChunks } from './chunk-reader.ts';
export {
  DEFAULT_BATCH_BYTES,
  DEFAULT_MAX_LINE_BYTES,
  decodeJsonl,
  decodeLines,
  type JsonlOptions,
  type LineCursor,
} from './jsonl.ts';
