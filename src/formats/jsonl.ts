/**
 * JSON Lines to batches: a pure async generator over bytes that runs anywhere.
 *
 * Bytes are decompressed UTF-8. A byte order mark at the very start is dropped. Blank lines are
 * skipped. Every byte of a batch lies in memory that nobody else writes to, until it is released;
 * chunks given in are given away. Memory is bounded by a few pieces of `batchBytes` and one line of
 * `maxLineBytes`.
 *
 * A bad line stops the reading by default, after all good documents before it have been yielded.
 */
import type { Batch } from '../core/batch.ts';
import { checkCount } from '../core/check-option.ts';
import type { ByteReader } from '../core/stage.ts';
import { readChunks } from './chunk-reader.ts';
import { cutLines } from './cut-lines.ts';
import {
  DEFAULT_MAX_LINE_BYTES,
  type DecoderOptions,
  type LineCursor,
  LineDecoder,
} from './line-decoder.ts';

export interface JsonlOptions extends DecoderOptions {
  /** Batches are released, so that their memory may be lent. Default false. */
  readonly releases?: boolean;
  /** Where the first byte stands in its source. Default its very start. */
  readonly from?: LineCursor;
}

/** Size of a batch by default, roughly. */
export const DEFAULT_BATCH_BYTES: number = 1 << 20;

/** The `batchBytes` of options. Errors: INVALID_ARGUMENT where it is no whole number from 1 on. */
export function batchBytesOf({
  batchBytes = DEFAULT_BATCH_BYTES,
}: {
  readonly batchBytes?: number | undefined;
}): number {
  return checkCount('batchBytes', batchBytes);
}

/**
 * Batches of the documents in `chunks`, which may be cut anywhere. `batch.cursor` is a LineCursor. A
 * batch may hold no documents, where there were only blank and bad lines.
 * Errors: JSON_ERROR, INVALID_UTF8, NESTING_TOO_DEEP, NOT_AN_OBJECT and LINE_TOO_LONG with the
 * place of the first bad byte, INVALID_ARGUMENT, and whatever the iterable throws, unchanged.
 */
export async function* decodeJsonl(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: JsonlOptions = {},
): AsyncGenerator<Batch, void, void> {
  yield* decodeLines(readChunks(chunks, { chunkBytes: batchBytesOf(options) }), options);
}

/** As `decodeJsonl`, over a reader, which it closes. */
export async function* decodeLines(
  reader: ByteReader,
  options: JsonlOptions = {},
): AsyncGenerator<Batch, void, void> {
  const { maxLineBytes = DEFAULT_MAX_LINE_BYTES, from = { offset: 0, line: 0 } } = options;
  // What follows an end of input without a line end belongs to the line before, and to none a byte order mark.
  const line = Math.max(0, from.line - (reader.startsMidLine ? 1 : 0));
  try {
    const decoder = new LineDecoder(options, { ...from, line });
    for await (const block of cutLines(reader, { maxLineBytes, offset: from.offset })) {
      const { piece } = block;
      const isLent = options.releases && !options.documents && piece;
      for (const batch of decoder.batches(block)) {
        yield isLent ? batch.lend(() => reader.reuse?.(piece)) : batch;
      }
      // Objects are made of copies.
      if (piece && options.documents) reader.reuse?.(piece);
      if (decoder.failure) throw decoder.failure;
    }
  } finally {
    await reader.close();
  }
}
