/** What a source that can read its data twice says to a sink that needs a schema. */
import type { Batch } from '../core/batch.ts';
import type { Path } from '../core/path.ts';
import type { Predicate } from '../core/predicate.ts';
import type { Wants } from '../core/stage.ts';
import type { FieldStats } from '../kernels/types.ts';

/**
 * A stream that can say up front which fields it will send, because it can read its data twice.
 * The receiving stage calls this on the 'pipe' event when it has no schema; undefined means that it cannot
 * after all.
 */
export const offerFields: unique symbol = Symbol.for('zds-stream.offerFields');

/** See `FieldsOffer`. */
export const gaveBatch: unique symbol = Symbol.for('zds-stream.gaveBatch');

export interface FieldsOffer {
  /**
   * The fields of every document that it is going to send and that `where` keeps, not one fewer; told before
   * the first document, or when `signal` says that nobody waits for them. Who takes the offer reads
   * these fields by name and no others: documents may come whole, with more fields than were selected.
   */
  [offerFields](signal: AbortSignal, where?: Predicate): Promise<readonly FieldStats[] | undefined>;
  /**
   * Where whole documents can stand for what was selected, and all can be read again from the first:
   * lets the receiver begin with a schema made from the first documents. Should one that does not
   * fit come after all, it starts over.
   */
  readonly [readAgain]?: Rereading | undefined;
  /** Whether the offer is of this batch, and not of what another stream sends to the same receiver. Default: of all. */
  [gaveBatch]?(batch: Batch): boolean;
}

/** See `FieldsOffer`. */
export const readAgain: unique symbol = Symbol.for('zds-stream.readAgain');

export interface Rereading {
  /** The top-level fields that were asked for; all if absent. */
  readonly select?: readonly Path[] | undefined;
  /**
   * Called on the 'pipe' event: documents come whole, until `signal` takes that back. False when documents are
   * under way already.
   */
  begin(signal: AbortSignal): boolean;
  /**
   * All of them from the first, as they are now. `tell` is called before the first, with the fields of every one
   * that `where` keeps.
   */
  batches(
    signal: AbortSignal,
    wants: Wants,
    tell: (fields: readonly FieldStats[] | undefined) => void,
    where?: Predicate,
  ): AsyncIterable<Batch>;
}

/** What is known of the documents that will come: their fields, or how to read them twice. */
export type KnownFields = (
  | { readonly fields: Promise<readonly FieldStats[] | undefined> }
  | { readonly again: Rereading }
) & {
  /** Whether it is known of the documents of this batch. */
  holds(batch: Batch): boolean;
};
