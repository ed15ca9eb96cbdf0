/** Documents from JSON text: an array, a nested one, one document after the other, or one. */
import type { Document } from '../core/batch.ts';
import { type PathInput, parsePath } from '../core/path.ts';
import type { Source } from '../core/stage.ts';
import { decodeElements } from '../formats/json.ts';
import { SourceStream } from '../streams/source-stream.ts';
import type { ByteInput } from './byte-input.ts';
import { createTextSource, type TextSourceOptions } from './text-source.ts';

export interface JsonSourceOptions extends TextSourceOptions {
  /**
   * The array of documents in each top-level object, `data.items` or `['data', 'items']`; an object
   * standing there is one document, null none. Default: the elements of a top-level array, and
   * every other top-level value.
   */
  readonly path?: PathInput;
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads JSON text from the same inputs as `jsonlSource`, streaming: an array may be longer than
 * memory, one element at most `maxLineBytes` long. Elements keep their bytes, except that line feeds
 * between their tokens become spaces. A bad element is refused with its offset and ordinal; brackets
 * that do not match end the reading whatever `onError` says, for where the next element begins
 * cannot be told.
 *
 * Errors: IO_ERROR, HTTP_ERROR, TRUNCATED_INPUT, CORRUPTED_INPUT, INPUT_CHANGED, ABORTED,
 * CURSOR_MISMATCH, and those of `decodeJson`.
 */
export function jsonSource<T extends object = Document>(
  input: ByteInput,
  options: JsonSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createJsonSource(input, rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createJsonSource(
  input: ByteInput,
  options: Omit<JsonSourceOptions, 'signal'> = {},
): Source {
  const { path, ...rest } = options;
  const decoding = { ...rest, ...(path === undefined ? {} : { path: parsePath(path) }) };
  return createTextSource('jsonSource', 'level', input, decoding, decodeElements);
}
