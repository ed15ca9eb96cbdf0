/** Documents to JSON Lines: a file, standard output or a stream; compressed or not. */
import type { Writable } from 'node:stream';
import type { Batch } from '../core/batch.ts';
import type { Sink } from '../core/stage.ts';
import { compressionByName, endingOf } from '../io/compress.ts';
import type { Compression } from '../io/decompress.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { asksForFolder, folderOf } from './folder-options.ts';
import { Held } from './held.ts';
import {
  type FolderOptions,
  type OneFile,
  type PartitionedSummary,
  type PartitionOptions,
  partitioned,
} from './partitioned.ts';
import { isFile, openTextTarget, type TextTarget } from './text-target.ts';

export interface JsonlSinkOptions {
  /** By the ending of the path (`.gz`, `.br`, `.zst`) if absent. */
  readonly compression?: Compression;
  /** Stops the writing with ABORTED; a file under way is removed. */
  readonly signal?: AbortSignal;
}

export interface JsonlSinkSummary {
  readonly documents: number;
  /** JSONL bytes, before compression. */
  readonly bytes: number;
  /** Bytes written, after compression. */
  readonly bytesWritten: number;
}

/**
 * Writes JSON Lines. A file appears under its name only when it is whole and synced; what stood
 * there before stays until then. `-` is standard output, which is not closed; when its reader goes
 * away the source is ended early, quietly. Another stream is ended.
 *
 * Errors: IO_ERROR naming the path, INVALID_DOCUMENT naming the record, UNSUPPORTED for zstd where
 * Node cannot write it, ABORTED.
 */
export function jsonlSink(
  target: string | Writable,
  options?: JsonlSinkOptions & OneFile,
): SinkStream<JsonlSinkSummary>;
/** Writes a folder of files, with `partitionBy` or `rotate`; see `partitioned`. */
export function jsonlSink(
  folder: string,
  options: JsonlSinkOptions & FolderOptions,
): SinkStream<PartitionedSummary>;
export function jsonlSink(
  target: string | Writable,
  options: JsonlSinkOptions & PartitionOptions = {},
): SinkStream<JsonlSinkSummary> | SinkStream<PartitionedSummary> {
  const { signal, ...rest } = options;
  if (asksForFolder('jsonlSink', options)) {
    const { compression = 'none' } = options;
    const make = (path: string) => createJsonlSink(path, { compression });
    const extension = `.jsonl${endingOf(compression)}`;
    return partitioned(folderOf('jsonlSink', target), make, { ...options, extension });
  }
  const sink = createJsonlSink(target, rest);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createJsonlSink(
  target: string | Writable,
  options: Omit<JsonlSinkOptions, 'signal'> = {},
): Sink<JsonlSinkSummary> {
  const { compression = typeof target === 'string' ? compressionByName(target) : 'none' } = options;
  let held = new Held<Batch>();
  let text: TextTarget | undefined;
  let documents = 0;
  let bytes = 0;
  return {
    name: 'jsonlSink',
    get atomic() {
      return isFile(target);
    },
    wants: { releases: true },
    get satisfied() {
      return text?.closed === true;
    },
    async open(_signal, run) {
      held = new Held();
      documents = 0;
      bytes = 0;
      text = await openTextTarget(target, compression, run);
    },
    async write(batch: Batch) {
      const lines = batch.bytes();
      documents += batch.length;
      bytes += lines.byteLength;
      held.add(batch, bytes, text!);
      await text!.write(lines);
      for (const written of held.released(text!)) written.release();
    },
    async finish() {
      return { documents, bytes, bytesWritten: await text!.finish() };
    },
    async abort() {
      await text?.abort();
    },
  };
}
