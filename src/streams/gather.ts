/**
 * Documents from anybody's iterable, gathered into batches: at most `GATHER_COUNT` at a time, and
 * what there is when the iterable pauses until the event loop's next turn. Batches in it pass as
 * they are. While a batch is being worked on, the next is gathered, and no more.
 */
import { unlessAborted } from '../core/abort.ts';
import { Batch, type BatchCodec, type Document, isDocument } from '../core/batch.ts';
import { iterate } from '../core/iterate.ts';
import { GATHER_COUNT, notADocument } from './intake.ts';

/**
 * Errors: INVALID_DOCUMENT with the ordinal for what is no object; the iterable's own, unchanged,
 * after all documents before them; the signal's reason.
 */
export async function* gatherBatches(
  items: AsyncIterable<unknown> | Iterable<unknown>,
  codec: BatchCodec,
  signal: AbortSignal,
): AsyncGenerator<Batch, void, void> {
  const gathering = new Gathering(items);
  let ordinal = 0;
  try {
    for (;;) {
      await unlessAborted(gathering.some(), signal);
      const documents = gathering.take();
      if (documents.length > 0) yield Batch.fromDocuments(documents, codec, { ordinal });
      ordinal += documents.length;
      const stop = gathering.takeStop();
      if (stop === undefined) continue;
      if ('error' in stop) throw stop.error;
      if ('foreign' in stop) throw notADocument(stop.foreign, ordinal);
      if (stop.batch === undefined) return;
      yield stop.batch;
      ordinal += stop.batch.length;
    }
  } finally {
    await gathering.close();
  }
}

/** Why gathering does not go on: an error, no document, a batch, or the end (`batch` undefined). */
type Stop = { error: unknown } | { foreign: unknown } | { batch: Batch | undefined };

class Gathering {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #synchronous: boolean;
  #documents: Document[] = [];
  #filling: Promise<void> | undefined;
  #stop: Stop | undefined;
  #ended = false;
  #wake: () => void = () => {};

  constructor(items: AsyncIterable<unknown> | Iterable<unknown>) {
    this.#synchronous = !(Symbol.asyncIterator in items);
    this.#iterator = iterate(items);
  }

  /** Resolves when there are documents and the iterable pauses, or there is no room for more. */
  some(): Promise<void> {
    if (this.#synchronous) {
      this.#fillAtOnce();
      return Promise.resolve();
    }
    if (this.#filling === undefined) {
      this.#filling = this.#fill().then(() => {
        this.#filling = undefined;
        this.#wake();
      });
    }
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#documents.length > 0) setImmediate(resolve);
    });
  }

  take(): Document[] {
    const documents = this.#documents;
    this.#documents = [];
    return documents;
  }

  /** The stop that has been reached, once nothing more comes before it. */
  takeStop(): Stop | undefined {
    if (this.#documents.length > 0) return undefined;
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const closing = Promise.resolve(this.#iterator.return?.());
    // A step under way may never come back, and a generator's return() would wait for it.
    if (this.#filling) closing.catch(() => {});
    else await closing;
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#stop && this.#documents.length < GATHER_COUNT) {
        this.#add(await this.#iterator.next());
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fillAtOnce(): void {
    try {
      while (!this.#stop && this.#documents.length < GATHER_COUNT) {
        this.#add((this.#iterator as Iterator<unknown>).next());
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #add(step: IteratorResult<unknown>): void {
    if (step.done) {
      this.#ended = true;
      this.#stop = { batch: undefined };
    } else if (step.value instanceof Batch) this.#stop = { batch: step.value };
    else if (!isDocument(step.value)) this.#stop = { foreign: step.value };
    else if (this.#documents.push(step.value) === 1) setImmediate(this.#pause);
  }

  #fail(error: unknown): void {
    this.#ended = true;
    this.#stop = { error };
  }

  readonly #pause = (): void => this.#wake();
}
