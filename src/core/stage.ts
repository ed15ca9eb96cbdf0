/**
 * What a stage is, apart from Node and Web streams: small contracts over batches that run anywhere.
 * `src/streams` puts the Node and Web edges around them.
 *
 * A source opens on the first pull and closes when the iteration ends, however it ends. A sink's
 * `finish` means durable. After an error or abort `abort` is called once, and nothing afterwards but
 * `open`, where the sink is made for that.
 */
import type { Batch } from './batch.ts';
import type { Path } from './path.ts';
import type { Predicate } from './predicate.ts';
import type { OnReject } from './reject.ts';
import type { RunInfo, RunTotals } from './run-info.ts';

/** What a receiving stage asks of the sending one. */
export interface Wants {
  /** The key path to have in the line records (`_id` if absent). A hint: the receiver checks. */
  readonly key?: Path;
  /**
   * The receiver reads every line itself and passes over bad ones: a sender whose lines are good
   * anyway may hand them over unread (`EncodedLines.unread`), without key.
   */
  readonly unread?: boolean;
  /**
   * The receiver takes the objects and nothing else: the sender may make batches of objects at once,
   * which know their ordinals but no other place.
   */
  readonly documents?: boolean;
  /**
   * The receiver calls `batch.release()` once it has done with a batch, and nobody else has a look at
   * it: the sender may lend memory that it then uses again.
   */
  readonly releases?: boolean;
  /**
   * The receiver looks at the objects of all documents, and may need their places and bytes too: a
   * sender that makes objects without JSON in between does, and the bytes if they are asked for.
   */
  readonly objects?: boolean;
  /**
   * Asked only of a source that `selects`: to leave out what `keep` does not keep. `passed` is told of
   * how many documents that was true; at the end of the input of all.
   */
  readonly where?: { readonly keep: Predicate; readonly passed: (count: number) => void };
  /**
   * Takes bad records where the source's own options would stop at the first: it goes on behind
   * them. An `onError` that the source was made with comes first.
   */
  readonly onReject?: OnReject | undefined;
  /** The path of the dead-letter file, which no pattern is to match and no source to read. */
  readonly rejects?: string | undefined;
}

/**
 * Cursors. `batch.cursor` is the source's position behind the batch: JSON, opaque to everyone but
 * the source. It promises that everything of the source up to there lies in this batch or in those
 * before it. A source that cannot go on from the middle gives none; one that can only here and there gives
 * them there, with its last batch at least: what no cursor covers is not committed before the next.
 */
export interface Source {
  readonly name: string;
  /** False where no batch has a cursor of its own: a run that is to resume refuses it at once. */
  readonly cursors?: false;
  /** True where it leaves out documents itself (`Wants.where`) in less time than giving them takes. */
  readonly selects?: boolean;
  /**
   * True where it follows what grows, and is read until it is stopped: what a run has read by then is all
   * that was to come, also for a sink that is `atomic`.
   */
  readonly follows?: boolean;
  /**
   * True once it has begun to read what can be read only once, as a stream or a generator: a run does not open
   * it again then, and what failed, the source or the sink, fails the run.
   */
  readonly spent?: boolean;
  /**
   * Batches in order. `return()` on the iterator closes everything that was opened.
   *
   * `from` is a cursor that this source gave earlier, in this process or in another: the reading
   * goes on behind it, with the same documents as if it had never stopped. Errors: CURSOR_MISMATCH
   * when it is none of this source's, or what was read before is no longer there.
   */
  batches(signal: AbortSignal, wants: Wants, from?: unknown): AsyncGenerator<Batch, void, void>;
}

type Output = Iterable<Batch> | AsyncIterable<Batch> | Promise<Iterable<Batch>>;

/**
 * A transform that holds documents back (a group, a window) gives batches without a cursor as long
 * as it does; one that makes several batches of one leaves the cursor to the last.
 */
export interface Transform {
  readonly name: string;
  /** What to ask of the sending stage. */
  readonly wants?: Wants | undefined;
  /** Leaving out what this does not keep is all that the transform does: a source may do it. */
  readonly keeps?: Predicate;
  /**
   * What the transform remembers from batch to batch, as JSON that does not change afterwards: a copy where
   * the transform goes on changing it. In a run it is asked for as each batch with a cursor leaves the
   * transform, committed with that cursor and given to `restore`, before the first batch, when the run of
   * that name is run again.
   */
  save?(): unknown;
  /**
   * Remembers what `save` gave, perhaps in another process, in place of what it remembers now; without
   * a state what it did when it was made. A transform with a memory has it, or a run cannot go back
   * (`Sink.afterFailure`). Errors: CURSOR_MISMATCH.
   */
  restore?(state: unknown): void;
  /**
   * For memories that only grow, too large to be saved whole each time: what has been added since the
   * last call, as bytes. In a run that a sink keeps journals for it is committed with the cursor.
   */
  additions?(): Uint8Array;
  /**
   * Remembers all that `additions` gave, one behind the other, in place of what it remembers now; of no
   * bytes, nothing. Called before the first batch, and without it nothing has to be ready for
   * `additions`. Unlike `restore` only when the source goes on behind a cursor. Errors: CURSOR_MISMATCH.
   */
  recall?(bytes: Uint8Array): void;
  /**
   * Zero or more batches for one; must not keep the batch. Documents it cannot take go to `onReject`;
   * without it the first one is thrown.
   */
  apply(batch: Batch, signal: AbortSignal, onReject?: OnReject): Output;
  /**
   * What is left when the input has ended. A transform without it holds nothing back: when it
   * answers a batch with nothing, all of that batch has been dealt with.
   */
  flush?(signal: AbortSignal, onReject?: OnReject): Output;
  /**
   * When `flush` is to be called although the input has not ended, on the clock of `performance.now`;
   * undefined as long as nothing waits for a time. Looked at behind each call; more may come after it.
   */
  readonly due?: number | undefined;
  /**
   * True where documents are only put together anew: `flush` may be called at any time, as by a run that is to
   * stop while the last of what it has written has no cursor.
   */
  readonly regroups?: true;
}

/** Bytes that only grow. Errors, of all calls: IO_ERROR. */
export interface RunJournal {
  /** The first bytes; what lies behind them is dropped. Errors: CURSOR_MISMATCH for fewer. */
  recall(byteLength: number): Promise<Uint8Array>;
  append(bytes: Uint8Array): void;
  /** Makes durable what was appended; costs nothing when nothing was. */
  sync(): void;
  close(): Promise<void>;
}

export interface Sink<Summary> {
  readonly name: string;
  /** What to ask of the sending stage. */
  readonly wants?: Wants | undefined;
  /**
   * True when further batches are of no use: the source is then ended early, as if it had no more,
   * and `finish` is called. Batches already under way may still come.
   */
  readonly satisfied?: boolean | undefined;
  /**
   * True where nothing counts before `finish` has made all of it durable, and what was there before stays until
   * then. A run that resumes begins anew; one that is stopped before its source has ended calls `abort`.
   */
  readonly atomic?: boolean | undefined;
  /**
   * What may follow a failure that passes by itself, in a run that retries. `'repeat'`: the same
   * `write` or `finish` again; taking a batch twice does what taking it once does. `'reopen'`: `abort`,
   * then `open` and `lastCursor`, and the run goes on behind that cursor, no two of which are the same;
   * what was not committed has left no trace. Absent: nothing, the failure ends the run.
   */
  readonly afterFailure?: 'repeat' | 'reopen' | undefined;
  /**
   * In a run, a sink that commits as it goes does so behind batches with a cursor only: there all
   * that the cursor covers has been written, and nothing else. A sink may be used for one run after another:
   * what its summary counts begins anew with each.
   */
  open(signal: AbortSignal, run?: RunInfo): Promise<void>;
  /**
   * The cursor committed last under the run's name; called once after each `open`. Only sinks that commit
   * cursors have it, and only they are given batches without documents, to take the cursor from.
   */
  lastCursor?(name: string): Promise<unknown>;
  /**
   * A journal beside the documents, by a name of any text; empty if it is new. For sinks that commit
   * cursors: before a commit, `RunInfo.beforeCommit` syncs the journals.
   */
  openJournal?: ((name: string) => Promise<RunJournal>) | undefined;
  /**
   * Resolves when the next batch may come; what is in flight stays bounded. Documents the sink cannot
   * take go to `onReject`; without it the first one is thrown.
   */
  write(batch: Batch, onReject?: OnReject): Promise<void>;
  /** Makes all durable and closes. */
  finish(run?: RunTotals): Promise<Summary>;
  /**
   * Closes after an error, or a stop (`atomic`), leaving only what was committed. An `open` under way is waited for first, if
   * it ends in time; a `write` may still be under way, with the signal aborted.
   */
  abort(reason: unknown, run?: RunTotals): Promise<void>;
}

/**
 * Bytes with room in front: `read` answers memory that begins with a copy of `carry` and goes on
 * with new bytes, so that the rest of a cut line and what follows it lie together without copying
 * what follows. One call at a time.
 */
export interface ByteReader {
  /** Memory for the caller to own, until it gives it back; undefined at the end, when there is nothing new. */
  read(carry: Uint8Array): Promise<Uint8Array | undefined>;
  /** Takes back what `read` answered: nobody looks at it any more, and a later answer may stand there. */
  reuse?(bytes: Uint8Array): void;
  /**
   * True, after the end, when the input goes on behind it: a last line without its line end is then
   * unfinished and not to be used.
   */
  readonly endsMidLine?: boolean;
  /** True when the reading begins behind a byte that ends no line. */
  readonly startsMidLine?: boolean;
  /** Closes what was opened, also in the middle; safe to call twice. */
  close(): Promise<void>;
}
