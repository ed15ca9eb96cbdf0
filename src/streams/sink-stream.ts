/**
 * The Node and Web edge of a sink: a Writable that takes batches and documents in any mix. 'finish'
 * means durable. The sink is opened by the first chunk, or by `end()`.
 *
 * In flight at most: one batch being written, one being gathered, and in the Writable's buffer one
 * batch or 256 documents.
 *
 * The sink's `abort` is called once if the stream is destroyed before it has finished, with the
 * first cause; `finish` has then not been called or has failed.
 */
import { Writable } from 'node:stream';
import { WritableStream } from 'node:stream/web';
import { Batch, type BatchCodec } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Sink } from '../core/stage.ts';
import { watchAbort } from './abort.ts';
import { Intake } from './intake.ts';
import { narrowBuffer } from './narrow-buffer.ts';
import { askForBatches, stopEarly } from './outlet.ts';
import type { StreamOptions } from './source-stream.ts';

/** Documents the Writable's buffer may hold while a gathered batch is being written. */
const DOCUMENT_BUFFER = 256;

type Callback = (error?: Error | null) => void;

export class SinkStream<Summary = unknown> extends Writable {
  /**
   * What the sink's `finish` returned; rejects with the first cause if it never finishes, once
   * everything has been closed.
   */
  readonly summary: Promise<Summary>;
  /** What is under the stream; `run` takes it from here. */
  readonly sink: Sink<Summary>;
  readonly #intake: Intake;
  readonly #controller = new AbortController();
  #opening: Promise<void> | undefined;
  readonly #upstreams = new Set<object>();
  #finished = false;
  #outcome!: { resolve(summary: Summary): void; reject(cause: unknown): void };

  constructor(sink: Sink<Summary>, codec: BatchCodec, options: StreamOptions = {}) {
    super({ objectMode: true, highWaterMark: DOCUMENT_BUFFER });
    this.sink = sink;
    this.#intake = new Intake(
      codec,
      (batch) => this.#deliver(batch),
      (error) => this.destroy(error),
    );
    this.summary = new Promise((resolve, reject) => {
      this.#outcome = { resolve, reject };
    });
    // Whoever does not ask for the summary learns of the failure from the stream.
    this.summary.catch(() => {});
    this.on('pipe', (source) => {
      this.#upstreams.add(source);
      askForBatches(source, sink.wants ?? {});
    });
    this.on('unpipe', (source) => this.#upstreams.delete(source));
    watchAbort(this, options.signal);
  }

  /** The sink's name, for messages. */
  get sinkName(): string {
    return this.sink.name;
  }

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | Callback,
    callback?: Callback,
  ): boolean {
    if (chunk instanceof Batch) narrowBuffer(this);
    return typeof encoding === 'function'
      ? super.write(chunk, encoding)
      : super.write(chunk, encoding as BufferEncoding, callback);
  }

  /** A Web stream over this sink; its `close` resolves when all is durable. */
  toWeb(): WritableStream<unknown> {
    return new WritableStream<unknown>(
      {
        start: (controller) => {
          this.once('error', (error) => controller.error(error));
        },
        write: (chunk) => promised((callback) => this.write(chunk, callback)),
        close: async () => {
          this.end();
          await this.summary;
        },
        abort: (reason) => {
          this.destroy(reason instanceof Error ? reason : abortedBy(reason));
        },
      },
      { highWaterMark: 1 },
    );
  }

  /** Aborts unless finished; resolves when all is closed. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => {
      this.once('close', resolve);
      this.once('error', () => {});
      this.destroy();
    });
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: Callback): void {
    this.#intake.take(chunk, callback);
  }

  override _final(callback: Callback): void {
    this.#finish().then(() => process.nextTick(callback), callback);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    if (this.#finished) {
      callback(error);
      return;
    }
    const cause = error ?? new EtlError('ABORTED', `${this.sink.name} was closed before its end`);
    this.#controller.abort(cause);
    const done = (): void => {
      this.#outcome.reject(cause);
      callback(error);
    };
    // The first cause is known; what closing says after it is its consequence.
    this.#abort(cause).then(done, done);
  }

  async #deliver(batch: Batch): Promise<void> {
    // What was gathered when the stream was destroyed must not open the sink anew.
    this.#controller.signal.throwIfAborted();
    this.#opening ??= this.sink.open(this.#controller.signal);
    await this.#opening;
    if (batch.length > 0) await this.sink.write(batch);
    if (!this.sink.satisfied) return;
    // Of several, each may have what the sink still needs.
    if (this.#upstreams.size === 1) stopEarly([...this.#upstreams][0]);
  }

  async #finish(): Promise<void> {
    this.#opening ??= this.sink.open(this.#controller.signal);
    await this.#opening;
    this.#controller.signal.throwIfAborted();
    await this.#intake.drain();
    this.#controller.signal.throwIfAborted();
    const summary = await this.sink.finish();
    this.#finished = true;
    this.#outcome.resolve(summary);
  }

  async #abort(cause: unknown): Promise<void> {
    if (!this.#opening) return;
    await this.#opening.catch(() => {});
    await this.sink.abort(cause);
  }
}

function promised(start: (callback: Callback) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

function abortedBy(reason: unknown): EtlError {
  return new EtlError('ABORTED', 'the work was stopped', { cause: reason });
}
