/** Documents from JSON Lines: files, patterns, URLs, standard input, streams; compressed or not. */
import type { Document } from '../core/batch.ts';
import type { Source } from '../core/stage.ts';
import { decodeLines } from '../formats/jsonl.ts';
import { SourceStream } from '../streams/source-stream.ts';
import type { ByteInput, Input } from './byte-input.ts';
import { createTextSource, type TextSourceOptions } from './text-source.ts';

export interface JsonlSourceOptions extends TextSourceOptions {
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads JSON Lines. Files are read in the order given, a pattern's in name order; gzip and zstd are
 * recognised by content, brotli by the ending `.br`. A file is read up to the size it had when it was
 * opened. Each batch's cursor is a LineCursor with its source, from which a later run goes on in the
 * middle of a file.
 *
 * Errors: IO_ERROR and HTTP_ERROR naming what cannot be opened, TRUNCATED_INPUT and CORRUPTED_INPUT for
 * compressed input, INPUT_CHANGED, ABORTED, and those of `decodeJsonl` for bad lines.
 */
export function jsonlSource<T extends object = Document>(
  input: ByteInput,
  options: JsonlSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createJsonlSource(input, rest), signal ? { signal } : {});
}

/** The same without the stream around it, also over inputs that are named already. */
export function createJsonlSource(
  input: ByteInput | readonly Input[],
  options: Omit<JsonlSourceOptions, 'signal'> = {},
): Source {
  return createTextSource('jsonlSource', 'line', input, options, decodeLines);
}
