/** Documents of a collection: filtered, projected and cut on the stored bytes. */
import {
  type FieldsOffer,
  gaveBatch,
  offerFields,
  type Rereading,
  readAgain,
} from '../arrow/fields-offer.ts';
import type { Batch, Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { parsePath } from '../core/path.ts';
import { and, type Predicate } from '../core/predicate.ts';
import type { Source, Wants } from '../core/stage.ts';
import type { FieldStats } from '../kernels/types.ts';
import { FastStore } from '../store/fast-store.ts';
import { openForReading, type ReadingFiles } from '../store/open-reading.ts';
import type { ZdsRoot } from '../store/root.ts';
import type { ScanOptions } from '../store/scan.ts';
import { SourceStream } from '../streams/source-stream.ts';

export type ZdsSourceOptions = ScanOptions;

/** The fields of all documents are to be told before the first is given. */
interface Ask {
  /** Tells of those only that this keeps, too. */
  readonly where: Predicate | undefined;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Undefined where they cannot be told. */
  tell(fields: readonly FieldStats[] | undefined): void;
}

/**
 * Reads a collection in file order, the newest version of each document; one with a file per document
 * in its own order, each read when it is its turn. A path is opened for
 * reading on the first pull and closed at the end: what is committed then is what is read, beside
 * any writer. A store handed in is read with its uncommitted changes, and stays open. `T` is what comes
 * out: with `select`, what that leaves.
 *
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND, INVALID_PATH, INVALID_ARGUMENT, CORRUPTED_DATA,
 * IO_ERROR, ABORTED.
 */
export function zdsSource<T extends object = Document>(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: ZdsSourceOptions = {},
): SourceStream<T> & FieldsOffer {
  const { signal, ids, ...rest } = options;
  // Each reading goes through the ids, which may be there to be gone through once.
  const once = ids === undefined ? rest : { ...rest, ids: [...ids] };
  const isAlone = (): boolean => stream.listenerCount('data') === 1;
  const { source, offer, end } = createZdsSource(root, collection, once, isAlone);
  const stream = new SourceStream<T>(source, signal ? { signal } : {});
  stream.once('close', end);
  return Object.assign(stream, offer);
}

/**
 * `isAlone` says whether one stage gets all that is sent. Each reading opens files of its own: it ends
 * with no other, and what it tells of its documents beforehand is true of them.
 */
function createZdsSource(
  root: string | ZdsRoot | FastStore<object>,
  collection: string,
  options: Omit<ZdsSourceOptions, 'signal'>,
  isAlone: () => boolean,
): { source: Source; offer: FieldsOffer; end: () => void } {
  const given = root instanceof FastStore ? root : undefined;
  if (given && given.collection !== collection) {
    throw new EtlError('INVALID_ARGUMENT', `the store is of collection ${given.collection}`);
  }
  // How many documents are left out is known only of all, as they are committed.
  const { where, limit, offset, ids } = options;
  const select = options.select?.map(parsePath);
  const chooses = [where, select, limit, offset, ids].some((each) => each !== undefined);
  const sent = new WeakSet<Batch>();
  let started = false;
  let asks: Ask[] = [];
  let takesWhole = (): boolean => false;

  /** Whether reading the fields told from whole documents gives the same: they need not be cut out first. */
  const answer = async (files: ReadingFiles, ask: Ask, signal: AbortSignal): Promise<boolean> => {
    const keep = where && ask.where ? and(where, ask.where) : (where ?? ask.where);
    const commit = given?.info().commit?.seq;
    const offered = await files.scan({ ...options, where: keep, signal }).fields();
    // A reader may have gone on to what was committed meanwhile.
    if (given?.info().commit?.seq !== commit) return false;
    ask.tell(offered?.fields);
    return offered?.wholeWillDo ?? false;
  };
  async function* read(
    signal: AbortSignal,
    wants: Wants,
    answered: readonly Ask[],
    isWhole: () => boolean,
  ): AsyncGenerator<Batch, void, void> {
    let files: ReadingFiles | undefined;
    try {
      files = given ?? (await openForReading(root as string | ZdsRoot, collection, Boolean(ids)));
      let willDo = false;
      for (const ask of answered) {
        if (!ask.signal.aborted) willDo = await answer(files, ask, signal);
      }
      const keep = wants.where?.keep ?? where;
      const batches = files.scan({ ...options, where: keep, signal }).batches({
        ...wants,
        get whole() {
          return isWhole() || (willDo && isAlone() && !answered.some((ask) => ask.signal.aborted));
        },
      });
      for await (const batch of batches) {
        sent.add(batch);
        yield batch;
      }
    } finally {
      tellNothing(answered);
      if (!given) await files?.close();
    }
  }
  const again: Rereading = {
    select,
    begin(signal) {
      if (started) return false;
      takesWhole = () => isAlone() && !signal.aborted;
      return true;
    },
    batches: (signal, wants, tell, also) =>
      read(signal, wants, [{ where: also, signal, tell }], () => true),
  };
  // A path into a value drops what is not there to be looked into: that takes more than leaving
  // fields unread.
  const isFlat = !select?.some(({ length }) => length > 1);
  const wholly = given?.mode !== 'write' && limit === undefined && !offset;
  return {
    source: {
      name: 'zdsSource',
      cursors: false,
      selects: !given && !chooses,
      batches(signal, wants) {
        const [answered, isWhole] = [asks, takesWhole];
        started = true;
        asks = [];
        takesWhole = () => false;
        return read(signal, wants, answered, isWhole);
      },
    },
    offer: {
      [readAgain]: wholly && isFlat ? again : undefined,
      [gaveBatch]: (batch) => sent.has(batch),
      async [offerFields](signal, also) {
        // What a writer changes between this pass and the next would not be in the offer. What the
        // receiver leaves out it tells by the fields that it is sent, and these by those stored.
        if (started || given?.mode === 'write' || (also && select)) return undefined;
        return new Promise((tell) => {
          signal.addEventListener('abort', () => tell(undefined), { once: true });
          asks.push({ where: also, signal, tell });
        });
      },
    },
    end() {
      started = true;
      tellNothing(asks);
    },
  };
}

function tellNothing(asks: readonly Ask[]): void {
  for (const { tell } of asks) tell(undefined);
}
