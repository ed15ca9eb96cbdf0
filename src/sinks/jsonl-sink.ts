/** Documents to JSON Lines: a file, standard output or a stream; compressed or not. */
import type { Transform, Writable } from 'node:stream';
import type { Batch } from '../core/batch.ts';
import type { Sink } from '../core/stage.ts';
import { compressionByName, createCompressor } from '../io/compress.ts';
import type { Compression } from '../io/decompress.ts';
import { createFileWriter, type WriteTarget } from '../io/file-writer.ts';
import { createStreamWriter, type StreamTarget } from '../io/stream-writer.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';

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
  options: JsonlSinkOptions = {},
): SinkStream<JsonlSinkSummary> {
  const { signal, ...rest } = options;
  const sink = createJsonlSink(target, rest);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createJsonlSink(
  target: string | Writable,
  options: Omit<JsonlSinkOptions, 'signal'> = {},
): Sink<JsonlSinkSummary> {
  const { compression = typeof target === 'string' ? compressionByName(target) : 'none' } = options;
  let writer: WriteTarget;
  let plain: WriteTarget | StreamTarget;
  let documents = 0;
  let bytes = 0;
  return {
    name: 'jsonlSink',
    get satisfied() {
      return 'closed' in plain && plain.closed;
    },
    async open() {
      const compressor = compression === 'none' ? undefined : createCompressor(compression);
      plain = await openTarget(target);
      writer = compressor ? new CompressedTarget(compressor, plain) : plain;
    },
    async write(batch: Batch) {
      const lines = batch.bytes();
      await writer.write(lines);
      documents += batch.length;
      bytes += lines.byteLength;
    },
    async finish() {
      return { documents, bytes, bytesWritten: await writer.finish() };
    },
    async abort() {
      await writer?.abort();
    },
  };
}

async function openTarget(target: string | Writable): Promise<WriteTarget | StreamTarget> {
  if (typeof target !== 'string') return createStreamWriter(target);
  return target === '-' ? createStreamWriter(process.stdout) : createFileWriter(target);
}

/** A compressor in front of a target; one failure, of either, fails every later call. */
class CompressedTarget implements WriteTarget {
  readonly #compressor: Transform;
  readonly #target: WriteTarget;
  readonly #pumping: Promise<void>;

  constructor(compressor: Transform, target: WriteTarget) {
    this.#compressor = compressor;
    this.#target = target;
    this.#pumping = this.#pump();
    this.#pumping.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#compressor.destroyed) await this.#pumping;
    if (this.#compressor.write(bytes)) return;
    const drained = new Promise<void>((resolve) => {
      this.#compressor.once('drain', resolve);
    });
    await Promise.race([drained, this.#pumping]);
  }

  async finish(): Promise<number> {
    this.#compressor.end();
    await this.#pumping;
    return this.#target.finish();
  }

  async abort(): Promise<void> {
    this.#compressor.destroy();
    await this.#pumping.catch(() => {});
    await this.#target.abort();
  }

  /** Leaving the loop by an error of the target destroys the compressor. */
  async #pump(): Promise<void> {
    for await (const chunk of this.#compressor) await this.#target.write(chunk as Uint8Array);
  }
}
