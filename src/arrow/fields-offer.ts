/** What a source that can read its data twice says to a sink that needs a schema. */
import type { Batch } from '../core/batch.ts';
import type { Path } from '../core/path.ts';
import type { Wants } from '../core/stage.ts';
import type { FieldStats } from '../kernels/types.ts';

/**
 * A stream that can say up front which fields it will send, because it can read its data twice.
 * The receiving stage calls this when it has no schema; undefined means that it cannot after all.
 */
export const offerFields: unique symbol = Symbol.for('zds-stream.offerFields');

export interface FieldsOffer {
  /**
   * The fields of every document that it is going to send, not one fewer. Who takes the offer reads
   * these fields by name and no others: documents may come whole, with more fields than were selected.
   */
  [offerFields](signal: AbortSignal): Promise<readonly FieldStats[] | undefined>;
  /**
   * Where whole documents can stand for what was selected, and all can be read again from the first:
   * lets the receiver begin with a schema made from the first documents. Should one that does not
   * fit come after all, it asks for the fields and starts over.
   */
  readonly [readAgain]?: Rereading | undefined;
}

/** See `FieldsOffer`. */
export const readAgain: unique symbol = Symbol.for('zds-stream.readAgain');

export interface Rereading {
  /** The top-level fields that were asked for; all if absent. */
  readonly select?: readonly Path[] | undefined;
  /** Called before the first read: documents come whole from now on. */
  begin(): void;
  /** All of them from the first, in the state that `offerFields` has told about. */
  batches(signal: AbortSignal, wants: Wants): AsyncIterable<Batch>;
}
