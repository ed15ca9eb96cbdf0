/**
 * The receiving half of a stage: takes batches and documents in any mix and delivers batches, one
 * at a time and in order. Documents are gathered, at most `GATHER_COUNT` at a time; when the input
 * pauses, what is gathered goes out at the event loop's next turn, so a slow trickle flows.
 *
 * In flight at most: one batch being delivered and one being gathered. A delivery that fails while
 * nobody waits for it is reported through `onError`.
 */
import { Batch, type BatchCodec, type Document, isDocument } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';

/** Documents gathered into one batch at most. */
export const GATHER_COUNT = 1000;

type Callback = (error?: Error | null) => void;

export class Intake {
  readonly #codec: BatchCodec;
  readonly #deliver: (batch: Batch) => Promise<void>;
  readonly #onError: (error: Error) => void;
  #gathered: Document[] = [];
  #ordinal = 0;
  #pumping: Promise<void> | undefined;

  constructor(
    codec: BatchCodec,
    deliver: (batch: Batch) => Promise<void>,
    onError: (error: Error) => void,
  ) {
    this.#codec = codec;
    this.#deliver = deliver;
    this.#onError = onError;
  }

  /**
   * Takes a chunk of a Writable; `callback` follows once there is room for the next.
   * Errors: INVALID_DOCUMENT with the ordinal for what is neither a batch nor an object.
   */
  take(chunk: unknown, callback: Callback): void {
    if (chunk instanceof Batch) {
      settle(this.#takeBatch(chunk), callback);
      return;
    }
    if (!isDocument(chunk)) {
      callback(notADocument(chunk, this.#ordinal + this.#gathered.length));
      return;
    }
    const count = this.#gathered.push(chunk);
    if (count >= GATHER_COUNT) {
      settle(this.drain(), callback);
      return;
    }
    if (count === 1) setImmediate(this.#flushIdle);
    callback();
  }

  /** Delivers everything gathered. */
  async drain(): Promise<void> {
    while (this.#pumping || this.#gathered.length > 0) {
      this.#pumping ??= this.#pump();
      await this.#pumping;
    }
  }

  readonly #flushIdle = (): void => {
    this.drain().catch(this.#onError);
  };

  async #takeBatch(batch: Batch): Promise<void> {
    if (this.#pumping || this.#gathered.length > 0) await this.drain();
    await this.#deliver(batch);
    this.#ordinal += batch.length;
  }

  async #pump(): Promise<void> {
    const documents = this.#gathered;
    this.#gathered = [];
    const origin = { ordinal: this.#ordinal };
    this.#ordinal += documents.length;
    try {
      await this.#deliver(Batch.fromDocuments(documents, this.#codec, origin));
    } finally {
      this.#pumping = undefined;
    }
  }
}

/** The error for a chunk that cannot be a document. */
export function notADocument(value: unknown, ordinal: number): EtlError {
  const text = `expected an object, found ${describe(value)}`;
  return new EtlError('INVALID_DOCUMENT', text, { place: { ordinal } });
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  const isText = typeof value === 'string' || ArrayBuffer.isView(value);
  if (!isText) return `a ${typeof value}`;
  const kind = typeof value === 'string' ? 'a string' : 'bytes';
  return `${kind}: a stream of text is for jsonlSource, csvSource or jsonSource`;
}

/** Hands a promise's end to a callback, outside the promise so that a throw in it is not lost. */
export function settle(promise: Promise<void>, callback: Callback): void {
  promise.then(
    () => process.nextTick(callback),
    (error: Error) => process.nextTick(callback, error),
  );
}
