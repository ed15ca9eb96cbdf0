/** Documents from JSON Lines: files, patterns, URLs, standard input, streams; compressed or not. */
import type { Batch, Document } from '../core/batch.ts';
import type { Source, Wants } from '../core/stage.ts';
import { DEFAULT_BATCH_BYTES, decodeLines, type JsonlOptions } from '../formats/jsonl.ts';
import type { LineCursor } from '../formats/line-decoder.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { type ByteInput, openInputs } from './byte-input.ts';
import { type InputPlace, parsePlace } from './input-place.ts';

export interface JsonlSourceOptions
  extends Pick<JsonlOptions, 'batchBytes' | 'maxLineBytes' | 'maxDepth' | 'onError'> {
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads JSON Lines. Files are read in the order given, a pattern's in name order; gzip and zstd are
 * recognised by content, brotli by the ending `.br`. A file is read up to the size it had when it was
 * opened. Each batch's cursor is a LineCursor with its source, from which a later run goes on in the
 * middle of a file.
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
    batches: (signal, wants, from) =>
      readAll(input, options, signal, wants, parsePlace<JsonlPlace>(from, ['line', 'ordinal'])),
  };
}

/** A cursor's parts beside the place. */
interface JsonlPlace {
  /** Lines before the place in its input. */
  readonly line: number;
  /** Documents before the place in all inputs. */
  readonly ordinal: number;
}

async function* readAll(
  input: ByteInput,
  options: Omit<JsonlSourceOptions, 'signal'>,
  signal: AbortSignal,
  wants: Wants,
  cursor: (InputPlace & JsonlPlace) | undefined,
): AsyncGenerator<Batch, void, void> {
  const { batchBytes: chunkBytes = DEFAULT_BATCH_BYTES } = options;
  const onError = options.onError ?? wants.onReject ?? 'stop';
  let ordinal = cursor?.ordinal ?? 0;
  for await (const { name, reader, from } of openInputs(input, { signal, chunkBytes }, cursor)) {
    const decoding = {
      ...options,
      ...wants,
      onError,
      source: name,
      ordinal,
      // What follows an end of file without a line end belongs to the line before.
      ...(from ? { from: { ...from, line: from.line - (reader.startsMidLine ? 1 : 0) } } : {}),
      cursorAt: ({ offset, line }: LineCursor, next: number): InputPlace & JsonlPlace => ({
        ...reader.placeAt(offset),
        line,
        ordinal: next,
      }),
    };
    for await (const batch of decodeLines(reader, decoding)) {
      ordinal += batch.length;
      yield batch;
      signal.throwIfAborted();
    }
  }
}
