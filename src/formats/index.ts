/** Bytes to batches and back, without I/O. */
export { type ChunkReaderOptions, readChunks } from './chunk-reader.ts';
export { type CsvCursor, type CsvMisfits, type CsvOptions, decodeCsv } from './csv.ts';
export type { CsvDialectOptions, CsvLayout, CsvRowOptions } from './csv-options.ts';
export { type CsvSniff, type CsvSniffInput, sniffSamples } from './csv-sniff.ts';
export { decodeElements, decodeJson, type JsonCursor, type JsonOptions } from './json.ts';
export { DEFAULT_BATCH_BYTES, decodeJsonl, decodeLines, type JsonlOptions } from './jsonl.ts';
export { DEFAULT_MAX_LINE_BYTES, type DecoderOptions, type LineCursor } from './line-decoder.ts';
