/**
 * What a stage is, apart from Node and Web streams: small contracts over batches that run anywhere.
 * `src/streams` puts the Node and Web edges around them.
 *
 * A source opens on the first pull and closes when the iteration ends, however it ends. A sink's
 * `finish` means durable. After an error or abort `abort` is called once, and nothing afterwards.
 */
import type { Batch } from './batch.ts';
import type { Path } from './path.ts';

/** What a receiving stage asks of the sending one. */
export interface Wants {
  /** The key path to have in the line records (`_id` if absent). A hint: the receiver checks. */
  readonly key?: Path;
}

export interface Source {
  readonly name: string;
  /** Batches in order. `return()` on the iterator closes everything that was opened. */
  batches(signal: AbortSignal, wants: Wants): AsyncGenerator<Batch, void, void>;
}

export interface Transform {
  readonly name: string;
  /** Zero or more batches for one; must not keep the batch. */
  apply(batch: Batch, signal: AbortSignal): Iterable<Batch> | AsyncIterable<Batch> | Promise<Iterable<Batch>>;
  /** What is left when the input has ended. */
  flush?(signal: AbortSignal): Iterable<Batch> | AsyncIterable<Batch> | Promise<Iterable<Batch>>;
}

export interface Sink<Summary> {
  readonly name: string;
  /** What to ask of the sending stage. */
  readonly wants?: Wants;
  open(signal: AbortSignal): Promise<void>;
  /** Resolves when the next batch may come; what is in flight stays bounded. */
  write(batch: Batch): Promise<void>;
  /** Makes all durable and closes. */
  finish(): Promise<Summary>;
  /** Closes after an error, leaving only what was committed. */
  abort(reason: unknown): Promise<void>;
}

/** Receiving stages call this on the sending one (on 'pipe') to get `Batch` objects as chunks. */
export const requestBatches: unique symbol = Symbol.for('zds-stream.requestBatches');

/** A stream that can send batches. Answers false when it must go on sending documents. */
export interface BatchSender {
  [requestBatches](wants: Wants): boolean;
}
