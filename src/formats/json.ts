/**
 * JSON text to batches: the elements of an array, top-level or at a path, documents one after the
 * other, or a single one. Elements are brought into lines and read by the kernels, so every one is
 * validated and keeps its bytes. Runs anywhere.
 *
 * Memory is bounded by a few pieces of the reader and one element of `maxLineBytes`. Documents have
 * offsets and ordinals for places, no lines.
 */
import { type Batch, sourcePlace } from '../core/batch.ts';
import type { Path } from '../core/path.ts';
import type { ByteReader } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { readChunks } from './chunk-reader.ts';
import { cutElements, type ElementBlock } from './cut-elements.ts';
import { batchBytesOf } from './jsonl.ts';
import { DEFAULT_MAX_LINE_BYTES, type DecoderOptions, LineDecoder } from './line-decoder.ts';

/** A place between two elements. */
export interface JsonCursor {
  /** Path, URL or name, where known. */
  readonly source?: string;
  readonly offset: number;
  /** Arrays and objects open at the place. */
  readonly level: number;
  /**
   * What comes there: an element, or behind one a comma or the end. Absent where the cursor was made before
   * this was kept.
   */
  readonly next?: 'value' | 'comma';
}

export interface JsonOptions extends Omit<DecoderOptions, 'cursorAt'> {
  /** Keys from each top-level object to its array of documents. Default none: the top level itself. */
  readonly path?: Path;
  /** Where the first byte stands in its source. Default its very start. */
  readonly from?: JsonCursor;
  /** As for JSON Lines. Default the JsonCursor alone. */
  readonly cursorAt?: (place: JsonCursor, ordinal: number) => unknown;
}

/**
 * Batches of the documents in `chunks`, which may be cut anywhere. A bad element stops the reading
 * or is passed over, as `onError` says; what is wrong between elements always stops it.
 *
 * Errors: those of `decodeJsonl` for elements; JSON_ERROR for what stands between them, and when
 * nothing stands at the path; TRUNCATED_INPUT; whatever the iterable throws, unchanged.
 */
export async function* decodeJson(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: JsonOptions = {},
): AsyncGenerator<Batch, void, void> {
  yield* decodeElements(readChunks(chunks, { chunkBytes: batchBytesOf(options) }), options);
}

/** As `decodeJson`, over a reader, which it closes. */
export async function* decodeElements(
  reader: ByteReader,
  options: JsonOptions = {},
): AsyncGenerator<Batch, void, void> {
  const { path = [], maxLineBytes = DEFAULT_MAX_LINE_BYTES, from = { offset: 0 } } = options;
  const { kernel = sharedKernel(), cursorAt = (place: JsonCursor) => place } = options;
  let current: ElementBlock | undefined;
  const diagnose = (bytes: Uint8Array): { offset: number; reason: string } | undefined => {
    const bad = kernel.lines(bytes).bad[0];
    return bad && bad.offset < bytes.length ? bad : undefined;
  };
  const place = sourcePlace(options.source);
  try {
    const decoder = new LineDecoder(
      {
        ...options,
        cursorAt({ line: _, ...place }, ordinal) {
          const isEnd = place.offset === current!.end;
          const level = isEnd ? current!.level : current!.inner;
          return cursorAt({ ...place, level, next: isEnd ? 'comma' : 'value' }, ordinal);
        },
      },
      { offset: from.offset },
    );
    for await (const block of cutElements(reader, { path, maxLineBytes, from, place, diagnose })) {
      current = block;
      yield* decoder.batches(block);
      if (decoder.failure) throw decoder.failure;
    }
  } finally {
    await reader.close();
  }
}
