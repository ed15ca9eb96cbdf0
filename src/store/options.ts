/** What a FastStore takes and tells. */
import type { Document } from '../core/batch.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import type { Kernel } from '../kernels/index.ts';
import type { AutoCompactOptions } from './compact.ts';
import type { StoreMode } from './root.ts';

export interface FastStoreOptions<T extends object = Document> {
  /** `write` makes this the collection's one writer. Default: the root's mode. */
  readonly mode?: StoreMode | undefined;
  /** Make the collection when it is missing and the mode is `write`. Default true. */
  readonly createIfMissing?: boolean | undefined;
  /**
   * Begin with an empty collection; readers see the one before until this handle is closed, and then
   * this one, whole. `abandon` and a crash leave the one before. Not for `read`. Default false.
   */
  readonly replace?: boolean | undefined;
  /**
   * Checks every document that is put or appended; what it returns is what is stored, under the id from
   * before. It should make what JSON has: of dates, which `T` then has, texts would be read.
   */
  readonly schema?: StandardSchema<T> | undefined;
  /**
   * Commit in the background whenever this many documents were put or deleted, one commit at a time.
   * Default: only when asked, and on closing.
   */
  readonly batchSize?: number | undefined;
  /** Compact on closing when enough is dead. Default: never. */
  readonly autoCompact?: AutoCompactOptions | undefined;
  /** Ends the opening with ABORTED while the index is made anew; the next opening does that then. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the thread's shared kernel. */
  readonly kernel?: Kernel | undefined;
}

export interface GetOptions {
  /** Leave `_id` in the document. Default true. */
  readonly withId?: boolean | undefined;
}

export interface StoreInfo {
  readonly path: string;
  readonly collection: string;
  readonly mode: StoreMode;
  readonly documents: number;
  /** Document lines, dead ones included. */
  readonly lines: number;
  /** Bytes of data.jsonl that this handle sees. */
  readonly dataBytes: number;
  /** Memory of the id index; 0 while a reader has not loaded it. */
  readonly indexBytes: number;
  /** Sequence number and time of the last commit; absent when there is none. */
  readonly commit?: { readonly seq: number; readonly at: string };
}
