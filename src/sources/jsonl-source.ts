/** Documents from JSON Lines: files, patterns, URLs, standard input, streams; compressed or not. */
import type { Batch, Document } from '../core/batch.ts';
import type { Source, Wants } from '../core/stage.ts';
import { DEFAULT_BATCH_BYTES, decodeLines, type JsonlOptions } from '../formats/jsonl.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { type ByteInput, listInputs } from './byte-input.ts';

export interface JsonlSourceOptions
  extends Pick<JsonlOptions, 'batchBytes' | 'maxLineBytes' | 'maxDepth' | 'onError'> {
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads JSON Lines. Files are read in the order given, a pattern's in name order; gzip and zstd are
 * recognised by content, brotli by the ending `.br`. A file is read up to the size it had when it was
 * opened; `batch.cursor` is a LineCursor with its source.
 *
 * Errors: IO_ERROR naming what cannot be opened, TRUNCATED_INPUT and CORRUPTED_INPUT for compressed
 * input, INPUT_CHANGED, ABORTED, and those of `decodeJsonl` for bad lines.
 */
export function jsonlSource<T extends object = Document>(
  input: ByteInput,
  options: JsonlSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createJsonlSource(input, rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createJsonlSource(
  input: ByteInput,
  options: Omit<JsonlSourceOptions, 'signal'> = {},
): Source {
  return {
    name: 'jsonlSource',
    batches: (signal, wants) => readAll(input, options, signal, wants),
  };
}

async function* readAll(
  input: ByteInput,
  options: Omit<JsonlSourceOptions, 'signal'>,
  signal: AbortSignal,
  wants: Wants,
): AsyncGenerator<Batch, void, void> {
  const { batchBytes = DEFAULT_BATCH_BYTES } = options;
  let ordinal = 0;
  for (const { name, open } of await listInputs(input)) {
    signal.throwIfAborted();
    const reader = await open(signal, batchBytes);
    const onError = options.onError ?? wants.onReject ?? 'stop';
    const decoding = { ...options, ...wants, onError, source: name, ordinal };
    for await (const batch of decodeLines(reader, decoding)) {
      ordinal += batch.length;
      yield batch;
      signal.throwIfAborted();
    }
  }
}
