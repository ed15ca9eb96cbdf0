/** Documents from anybody's iterable or stream. */
import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Batch, Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { isReadOnce } from '../core/iterate.ts';
import type { Source } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { gatherBatches } from '../streams/gather.ts';
import { SourceStream, type StreamOptions } from '../streams/source-stream.ts';

/**
 * A source over documents, batches or both, from an array, a generator, an object-mode Readable or
 * anything else that iterates. Each is read once, and closed when the source is.
 * Errors: INVALID_DOCUMENT with the ordinal for what is no object; the iterable's own, unchanged.
 */
export function fromIterable<T extends object = Document>(
  items: AsyncIterable<T | Batch> | Iterable<T | Batch>,
  options: StreamOptions = {},
): SourceStream<T> {
  return new SourceStream<T>(createIterableSource('fromIterable', items), options);
}

/** As `fromIterable`, over a Web stream, which is cancelled if the source is closed early. */
export function fromWeb<T extends object = Document>(
  stream: ReadableStream<T | Batch>,
  options: StreamOptions = {},
): SourceStream<T> {
  return new SourceStream<T>(createIterableSource('fromWeb', stream), options);
}

/**
 * As `fromIterable`, over a Node stream of objects, which is destroyed if the source is closed early.
 * Errors: INVALID_ARGUMENT at once for a stream of bytes, which `jsonlSource` and its like take.
 */
export function fromNode<T extends object = Document>(
  stream: Readable,
  options: StreamOptions = {},
): SourceStream<T> {
  if (!stream.readableObjectMode) {
    throw new EtlError('INVALID_ARGUMENT', 'fromNode takes a stream of objects, not of bytes');
  }
  return new SourceStream<T>(createIterableSource('fromNode', stream), options);
}

function createIterableSource(
  name: string,
  items: AsyncIterable<unknown> | Iterable<unknown>,
): Source {
  const { codec } = sharedKernel();
  let spent = false;
  return {
    name,
    cursors: false,
    get spent() {
      return spent;
    },
    batches(signal) {
      spent = isReadOnce(items);
      return gatherBatches(items, codec, signal);
    },
  };
}
