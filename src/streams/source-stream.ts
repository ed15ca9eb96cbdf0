/**
 * The Node and Web edge of a source. Strangers read documents from it, as from any object-mode
 * Readable; stages of ours ask for batches when they are piped to. Nothing is opened before the
 * first read.
 *
 * A batch that was lent and goes to several is kept: none of them is its only holder.
 *
 * In flight: the source is pulled only when everything pulled before has been taken, so one batch
 * (and what the source itself reads ahead) is held here. Its documents count as taken when the
 * consumer has read the last of them.
 *
 * Errors keep their identity and come after all documents before them. Destroying aborts the
 * source's signal, closes its iterator and only then emits 'close'.
 */
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import type { Batch, Document } from '../core/batch.ts';
import { DocumentIterator, type Documents } from '../core/document-iterator.ts';
import { EtlError } from '../core/errors.ts';
import type { Source, Wants } from '../core/stage.ts';
import { watchAbort } from './abort.ts';
import { Outlet } from './outlet.ts';

export interface StreamOptions {
  /** Stops the work; the error is ABORTED with the signal's reason as its cause. */
  readonly signal?: AbortSignal;
}

/** What strangers need. */
const DOCUMENTS: Wants = { documents: true };

export class SourceStream<T extends object = Document> extends Readable {
  /** What is under the stream; `run` takes it from here. */
  readonly source: Source;
  readonly #outlet = new Outlet(this, () => this.#stop());
  readonly #controller = new AbortController();
  #iterator: AsyncGenerator<Batch, void, void> | undefined;
  #pulling = false;
  #stopped = false;
  /** What is read goes past the Readable's buffer. */
  #claimed = false;

  constructor(source: Source, options: StreamOptions = {}) {
    // One object: `_read` then asks for the next batch only when the buffer has run empty.
    super({ objectMode: true, highWaterMark: 1 });
    this.source = source;
    watchAbort(this, options.signal);
  }

  override pipe<D extends NodeJS.WritableStream>(destination: D, options?: { end?: boolean }): D {
    if (this.#claimed) throw this.#inUse();
    return this.#outlet.watchPipe(destination, () => super.pipe(destination, options));
  }

  /**
   * The batches, asked for explicitly. Leaving the loop closes the source. Like every way of
   * reading, it can be used once.
   */
  batches(wants: Wants = {}): AsyncIterableIterator<Batch, undefined> {
    this.#claim();
    return new BatchIterator(this, () => this.#pull(wants));
  }

  /** The documents. Leaving the loop closes the source. Errors: INVALID_ARGUMENT for a second loop. */
  override [Symbol.asyncIterator](): Documents<T> {
    // What is left to whoever has read some by `read`, 'data' or 'readable'.
    if (this.#iterator && !this.#claimed) return super[Symbol.asyncIterator]();
    this.#claim();
    return new DocumentIterator<T>(new BatchIterator(this, () => this.#pull(DOCUMENTS)));
  }

  /** A Web stream of documents, or of batches; pulled, never pushed. Cancelling it closes the source. */
  toWeb(options: { readonly batches: true }): ReadableStream<Batch>;
  toWeb(options?: { readonly batches?: false }): ReadableStream<T>;
  toWeb(options: { readonly batches?: boolean } = {}): ReadableStream<T> | ReadableStream<Batch> {
    const batches = this.batches(options.batches ? {} : DOCUMENTS);
    return new ReadableStream<unknown>(
      {
        async pull(controller) {
          let step = await batches.next();
          while (!step.done && step.value.length === 0) step = await batches.next();
          if (step.done) controller.close();
          else if (options.batches) controller.enqueue(step.value);
          else for (const document of step.value.documents()) controller.enqueue(document);
        },
        async cancel() {
          await batches.return?.();
        },
      },
      { highWaterMark: 0 },
    ) as ReadableStream<T>;
  }

  /** Closes everything that was opened; resolves when that is done. Never rejects. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await closeStream(this);
  }

  override _read(): void {
    if (this.#claimed) this.destroy(this.#inUse());
    else if (!this.#pulling) void this.#push();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#controller.abort(error ?? new EtlError('ABORTED', `${this.source.name} was closed`));
    const closing = this.#iterator?.return() ?? Promise.resolve();
    closing.then(
      () => callback(error),
      // The first cause is known; what closing says after an abort is its consequence.
      () => callback(error),
    );
  }

  async #push(): Promise<void> {
    this.#pulling = true;
    try {
      const batches = this.#outlet.sendsBatches();
      const wants = batches ? this.#outlet.wants : DOCUMENTS;
      let step = await this.#pull(wants);
      while (!step.done && step.value.length === 0) step = await this.#pull(wants);
      this.#pulling = false;
      if (this.destroyed) return;
      if (step.done) this.push(null);
      else if (batches) {
        if (this.listenerCount('data') > 1) step.value.keep();
        this.push(step.value);
      } else for (const document of step.value.documents()) this.push(document);
    } catch (error) {
      // Stopped, it fails because it was told to: that is its end.
      if (this.#stopped) this.push(null);
      else this.destroy(error as Error);
    }
  }

  #stop(): void {
    this.#stopped = true;
    this.#controller.abort(new EtlError('ABORTED', 'nobody needs more'));
  }

  #pull(wants: Wants): Promise<IteratorResult<Batch, void>> {
    if (this.#stopped && this.#iterator) return this.#iterator.return();
    this.#iterator ??= this.source.batches(this.#controller.signal, wants);
    return this.#iterator.next();
  }

  #claim(): void {
    if (this.#claimed || this.#iterator || this.#outlet.decided) throw this.#inUse();
    this.#claimed = true;
    this.#outlet.sendsBatches();
  }

  #inUse(): EtlError {
    return new EtlError('INVALID_ARGUMENT', `${this.source.name} is already being read`);
  }
}

/** Destroys a stream without an error and waits for its 'close'. */
export function closeStream(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) return resolve();
    stream.once('close', () => resolve());
    stream.once('error', () => {});
    stream.destroy();
  });
}

/**
 * Batches pulled straight from the source, past the Readable's buffer. Keeps the stream's state
 * true: it ends, fails or is destroyed with the iteration, and its destruction ends the iteration.
 */
class BatchIterator implements AsyncIterableIterator<Batch, undefined> {
  readonly #stream: Readable;
  readonly #pull: () => Promise<IteratorResult<Batch, void>>;
  #fail: ((error: Error) => void) | undefined;
  #failure: Error | undefined;
  #done = false;

  constructor(stream: Readable, pull: () => Promise<IteratorResult<Batch, void>>) {
    this.#stream = stream;
    this.#pull = pull;
    this.#failure = stream.errored ?? undefined;
    stream.once('error', (error) => {
      this.#failure = error;
    });
    stream.once('close', () => this.#fail?.(this.#failure ?? closedEarly()));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Batch, undefined>> {
    if (this.#failure) throw this.#takeFailure();
    if (this.#done) return { done: true, value: undefined };
    if (this.#stream.destroyed) {
      this.#done = true;
      // Its 'error' comes only once all is closed.
      throw this.#stream.errored ?? closedEarly();
    }
    try {
      const step = await this.#pullOrFail();
      if (!step.done) return step;
    } catch (error) {
      this.#done = true;
      this.#stream.destroy(error as Error);
      await closeStream(this.#stream);
      throw this.#failure ?? error;
    }
    this.#done = true;
    this.#stream.push(null);
    this.#stream.resume();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Batch, undefined>> {
    this.#done = true;
    await closeStream(this.#stream);
    return { done: true, value: undefined };
  }

  #pullOrFail(): Promise<IteratorResult<Batch, void>> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#pull().then(resolve, reject);
    });
  }

  #takeFailure(): Error {
    this.#done = true;
    return this.#failure!;
  }
}

function closedEarly(): EtlError {
  return new EtlError('ABORTED', 'the stream was closed while it was read');
}
