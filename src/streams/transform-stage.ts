/**
 * The Node edge of a transform: a Duplex that takes and sends batches between stages of ours, and
 * documents from and to strangers.
 *
 * In flight at most: one batch in the writable buffer (or 256 documents), one being gathered, one
 * in the transform, and one going out. The transform is not pulled on before what it gave last has
 * been asked for. What becomes due while nothing comes in (`Transform.due`) goes out by a timer.
 */
import { Duplex } from 'node:stream';
import { Batch, type BatchCodec, type Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { type OnReject, withoutUnwritable } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { timerMs } from '../core/timer.ts';
import { watchAbort } from './abort.ts';
import { Intake, settle } from './intake.ts';
import { narrowBuffer } from './narrow-buffer.ts';
import { askForBatches, Outlet, stopEarly } from './outlet.ts';
import { closeStream, type StreamOptions } from './source-stream.ts';

const DOCUMENT_BUFFER = 256;

type Callback = (error?: Error | null) => void;
type Output = ReturnType<Transform['apply']>;

export interface StageOptions extends StreamOptions {
  /** Takes documents that the transform refuses; without it the first one ends the work. */
  readonly onReject?: OnReject;
}

/** `In` and `Out` are the documents' types, for whoever writes to it and reads from it. */
export class TransformStage<In extends object = Document, Out extends object = In> extends Duplex {
  declare readonly documentTypes?: (document: In) => Out;
  /** What is under the stream; `run` takes it from here. */
  readonly transform: Transform;
  readonly #intake: Intake;
  readonly #onReject: OnReject | undefined;
  readonly #outlet = new Outlet(this, () => stopEarly(this.#upstream));
  readonly #controller = new AbortController();
  #upstream: object | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(transform: Transform, codec: BatchCodec, options: StageOptions = {}) {
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: DOCUMENT_BUFFER });
    this.transform = transform;
    this.#onReject = options.onReject;
    this.#intake = new Intake(
      codec,
      (batch) => this.#apply(batch),
      (error) => this.destroy(error),
    );
    this.on('pipe', (source) => {
      this.#upstream = source;
      askForBatches(source, transform.wants ?? {});
    });
    watchAbort(this, options.signal);
  }

  override pipe<D extends NodeJS.WritableStream>(destination: D, options?: { end?: boolean }): D {
    return this.#outlet.watchPipe(destination, () => super.pipe(destination, options));
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

  /** Closes the stage; resolves when that is done. Never rejects. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await closeStream(this);
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: Callback): void {
    this.#intake.take(chunk, callback);
  }

  override _read(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  override _final(callback: Callback): void {
    settle(this.#finish(), callback);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#controller.abort(error ?? new EtlError('ABORTED', `${this.transform.name} was closed`));
    clearTimeout(this.#timer);
    this._read();
    callback(error);
  }

  async #apply(batch: Batch): Promise<void> {
    await this.#flushing;
    clearTimeout(this.#timer);
    const taken = withoutUnwritable(batch, this.transform.wants, this.#onReject);
    await this.#forward(this.transform.apply(taken, this.#controller.signal, this.#onReject));
    this.#flushWhenDue();
  }

  #flushWhenDue(): void {
    const { due } = this.transform;
    if (due === undefined || this.destroyed) return;
    this.#timer = setTimeout(
      () => {
        this.#flushing = this.#flush().then(
          () => this.#flushWhenDue(),
          (error) => void this.destroy(error),
        );
      },
      timerMs(due - performance.now()),
    );
  }

  async #finish(): Promise<void> {
    await this.#intake.drain();
    await this.#flushing;
    clearTimeout(this.#timer);
    await this.#flush();
    this.push(null);
  }

  async #flush(): Promise<void> {
    const rest = this.transform.flush?.(this.#controller.signal, this.#onReject);
    if (rest) await this.#forward(rest);
  }

  async #forward(output: Output): Promise<void> {
    for await (const batch of await output) {
      if (this.destroyed) return;
      if (batch.length > 0 && !this.#send(batch)) await this.#asked();
    }
  }

  #send(batch: Batch): boolean {
    if (this.#outlet.sendsBatches()) return this.push(batch);
    let room = true;
    for (const document of batch.documents()) room = this.push(document);
    return room;
  }

  #asked(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.destroyed) this._read();
    });
  }
}
