/** Documents of a collection: filtered, projected and cut on the stored bytes. */
import { type FieldsOffer, offerFields, type Rereading, readAgain } from '../arrow/fields-offer.ts';
import type { Batch, Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { parsePath } from '../core/path.ts';
import type { Source, Wants } from '../core/stage.ts';
import { FastStore } from '../store/fast-store.ts';
import { openForReading, type ReadingFiles } from '../store/open-reading.ts';
import type { ZdsRoot } from '../store/root.ts';
import type { Scan, ScanOptions } from '../store/scan.ts';
import { SourceStream } from '../streams/source-stream.ts';

export type ZdsSourceOptions = ScanOptions;

/**
 * Reads a collection in file order, the newest version of each document; one with a file per document
 * in its own order, each read when it is its turn. A path is opened for
 * reading on the first pull and closed at the end: what is committed then is what is read, beside
 * any writer. A store handed in is read with its uncommitted changes, and stays open.
 *
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND, INVALID_PATH, INVALID_ARGUMENT, CORRUPTED_DATA,
 * IO_ERROR, ABORTED.
 */
export function zdsSource<T extends object = Document>(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: ZdsSourceOptions = {},
): SourceStream<T> & FieldsOffer {
  const { signal, ...rest } = options;
  const { source, offer } = createZdsSource(root, collection, rest);
  const stream = new SourceStream<T>(source, signal ? { signal } : {});
  return Object.assign(stream, offer);
}

function createZdsSource(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: Omit<ZdsSourceOptions, 'signal'>,
): { source: Source; offer: FieldsOffer } {
  const given = root instanceof FastStore ? root : undefined;
  if (given && given.collection !== collection) {
    throw new EtlError('INVALID_ARGUMENT', `the store is of collection ${given.collection}`);
  }
  let own: Promise<ReadingFiles> | undefined;
  // Who takes the offer reads those fields and no others, so they need not be cut out first.
  const live = { whole: false };
  const open = (): Promise<ReadingFiles> => {
    if (given) return Promise.resolve(given);
    own ??= openForReading(root as string | ZdsRoot, collection, options.ids !== undefined);
    return own;
  };
  const start = async (signal: AbortSignal, where = options.where): Promise<Scan<object>> =>
    (await open()).scan({ ...options, where, signal });
  const close = async (): Promise<void> => {
    const opened = own;
    own = undefined;
    await (await opened?.catch(() => undefined))?.close();
  };
  let readers = 0;
  async function* batches(signal: AbortSignal, wants: Wants): AsyncGenerator<Batch, void, void> {
    readers++;
    const asked = {
      ...wants,
      get whole() {
        return live.whole;
      },
    };
    try {
      yield* (await start(signal, wants.where?.keep)).batches(asked);
    } finally {
      readers--;
      if (readers === 0) await close();
    }
  }
  const select = options.select?.map(parsePath);
  const wholly = given?.mode !== 'write' && options.limit === undefined && !options.offset;
  // How many documents are left out is known only of all, as they are committed.
  const { where, limit, offset, ids } = options;
  const chooses = [where, select, limit, offset, ids].some((each) => each !== undefined);
  const again: Rereading = {
    select,
    begin() {
      live.whole = true;
    },
    batches,
  };
  return {
    source: { name: 'zdsSource', cursors: false, selects: !given && !chooses, batches },
    offer: {
      // A path into a value drops what is not there to be looked into: that takes more than leaving
      // fields unread.
      [readAgain]: wholly && !select?.some(({ length }) => length > 1) ? again : undefined,
      async [offerFields](signal) {
        // What a writer changes between this pass and the next would not be in the offer.
        if (given?.mode === 'write') return undefined;
        try {
          const offered = await (await start(signal)).fields();
          live.whole = offered?.wholeWillDo ?? false;
          return offered?.fields;
        } catch (error) {
          await close();
          throw error;
        }
      },
    },
  };
}
