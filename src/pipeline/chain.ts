/**
 * The transforms of a run, one behind the other, driven batch by batch: a batch goes all the way to
 * the sink before the next one comes, so nothing waits between two transforms.
 *
 * Cursors. A batch may leave with a cursor only if all that the cursor covers has left with or before
 * it. A transform without `flush` holds nothing back: the last of what it gives for a batch gets
 * that batch's cursor, and a batch it gives nothing for goes on empty, as a position. What one with
 * `flush` still holds only it knows, so its own cursors count; nor does anybody else know whether what it
 * took and has not given is held back or left out: that is counted as filtered once it has been flushed.
 *
 * Time. What a transform holds back for a while only (`Transform.due`) leaves while the source is waited for,
 * between two batches, never beside one.
 */
import { Batch } from '../core/batch.ts';
import { type OnReject, withoutUnwritable } from '../core/reject.ts';
import { waitMs } from '../core/retry.ts';
import type { Transform } from '../core/stage.ts';
import { bytesOf, type OpenCounts } from './ledger.ts';
import type { Memory } from './memories.ts';
import { openOf, Position } from './position.ts';

/** A transform with what goes with it. */
export interface Link {
  readonly transform: Transform;
  readonly counts: OpenCounts;
  readonly onReject: OnReject | undefined;
  /** What the transform remembers now. */
  readonly remember: () => Memory | undefined;
}

export class Chain {
  readonly #links: readonly Link[];
  readonly #signal: AbortSignal;
  readonly #deliver: (batch: Batch) => Promise<void>;

  constructor(
    links: readonly Link[],
    signal: AbortSignal,
    deliver: (batch: Batch) => Promise<void>,
  ) {
    this.#links = links;
    this.#signal = signal;
    this.#deliver = deliver;
  }

  /** Resolves when all that became of the batch has been delivered. */
  push(batch: Batch): Promise<void> {
    return this.#pass(batch, 0);
  }

  /** What `work` gives. While it is waited for, what transforms hold back is delivered when it is due. */
  during<T>(work: Promise<T>): Promise<T> {
    const dues = this.#links.map(({ transform }) => transform.due ?? Number.POSITIVE_INFINITY);
    const due = Math.min(...dues);
    return due === Number.POSITIVE_INFINITY
      ? work
      : this.#deliverDuring(work, dues.indexOf(due), due);
  }

  /** Delivers what the transforms still hold, first that of the first one. */
  async flush(): Promise<void> {
    for (const [at, { counts }] of this.#links.entries()) {
      await this.#flush(at, (out) => this.#pass(out.withCursor(undefined), at + 1));
      settle(counts, false);
    }
  }

  /** Delivers what is held back by transforms that only put documents together anew. */
  async regroup(): Promise<void> {
    for (const [at, { transform }] of this.#links.entries()) {
      if (transform.regroups) await this.#flushEarly(at);
    }
  }

  /** Ends without a flush: what is still held back counts as filtered. */
  abandon(): void {
    for (const { counts } of this.#links) settle(counts, false);
  }

  async #deliverDuring<T>(work: Promise<T>, at: number, due: number): Promise<T> {
    if (await settlesBefore(work, due)) return work;
    await this.#flushEarly(at);
    return this.during(work);
  }

  async #flushEarly(at: number): Promise<void> {
    await this.#flush(at, (out) => this.#pass(out, at + 1));
    settle(this.#links[at]!.counts, true);
  }

  #flush(at: number, each: (out: Batch) => Promise<void>): Promise<void> {
    const { transform, counts, onReject } = this.#links[at]!;
    return this.#work(() => transform.flush?.(this.#signal, onReject) ?? [], 0, counts, each);
  }

  async #pass(batch: Batch, at: number): Promise<void> {
    const link = this.#links[at];
    if (at > 0 && batch.cursor instanceof Position) {
      const { counts, remember } = this.#links[at - 1]!;
      batch.cursor.leaveTransform(at - 1, counts, remember());
    }
    if (link === undefined) return this.#deliver(batch);
    const { transform, counts, onReject } = link;
    const knowsCursors = transform.flush !== undefined;
    if (batch.length === 0) {
      if (!knowsCursors) await this.#pass(batch, at + 1);
      return;
    }
    const held: { last?: Batch } = {};
    const produce = () => {
      const taken = withoutUnwritable(batch, transform.wants, onReject);
      return taken.length === 0 ? [] : transform.apply(taken, this.#signal, onReject);
    };
    await this.#work(produce, batch.length, counts, async (out) => {
      if (knowsCursors) return this.#pass(out, at + 1);
      if (held.last) await this.#pass(held.last.withCursor(undefined), at + 1);
      held.last = out;
    });
    settle(counts, knowsCursors);
    if (knowsCursors) return;
    const { last = positionOf(batch) } = held;
    await this.#pass(last.withCursor(batch.cursor), at + 1);
  }

  /** Runs a transform's work and counts; time spent further down is not its own. */
  async #work(
    produce: () => ReturnType<Transform['apply']>,
    taken: number,
    counts: OpenCounts,
    each: (out: Batch) => Promise<void>,
  ): Promise<void> {
    counts.in += taken;
    let since = performance.now();
    const pause = (): void => {
      counts.seconds += (performance.now() - since) / 1000;
    };
    for await (const out of await produce()) {
      this.#signal.throwIfAborted();
      pause();
      counts.out += out.length;
      counts.bytes += bytesOf(out);
      if (out.length > 0 || out.cursor !== undefined) await each(out);
      since = performance.now();
    }
    pause();
  }
}

/** Counts what a transform has left out or added; what it may be holding back only when it comes out. */
function settle(counts: OpenCounts, mayHold: boolean): void {
  const open = openOf(counts, counts.in);
  if (open < 0) counts.expanded -= open;
  else if (!mayHold) counts.filtered += open;
}

/** False when `due`, on the clock of `performance.now`, has come first. Keeps no timer behind. */
function settlesBefore(work: Promise<unknown>, due: number): Promise<boolean> {
  const settled = new AbortController();
  const settle = (): void => settled.abort();
  work.then(settle, settle);
  return waitMs(due - performance.now(), settled.signal).then(
    () => false,
    () => true,
  );
}

/** A batch without documents that says how far its source is. */
export function positionOf(batch: Batch): Batch {
  return Batch.fromDocuments([], batch.codec, {}, batch.cursor);
}
