/** Makes batches of a wanted size: cuts large ones, joins small ones. */
import { Batch } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import type { Transform } from '../core/stage.ts';

export interface BatchOptions {
  /** Most documents in a batch. Default: any number. */
  readonly count?: number;
  /** Most bytes of JSON Lines in a batch, unless one document alone has more. Default 1 MiB. */
  readonly bytes?: number;
  /** Longest wait of a document for others, also while nothing comes. Default: until they come. */
  readonly waitMs?: number;
}

/**
 * A batch that is too large is cut evenly and goes on at once; small ones are held back until the
 * next would not fit. No batch has both pieces of one and another whole, so that every batch that
 * came whole leaves its cursor where all of it and nothing else has gone on. Held: at most `bytes`,
 * and with `waitMs` not longer than that, unless what comes behind takes longer with the batch before.
 *
 * Documents keep their places unless batches of several sources come together.
 */
export function batchTransform(options: BatchOptions): Transform {
  const { count = Number.POSITIVE_INFINITY, bytes = 1 << 20, waitMs } = options;
  checkLimits({ count, bytes, waitMs: waitMs ?? 1 });
  let held: Batch[] = [];
  let heldCount = 0;
  let heldBytes = 0;
  let due: number | undefined;

  const release = (): Batch[] => {
    const parts = held;
    held = [];
    heldCount = 0;
    heldBytes = 0;
    due = undefined;
    return parts.length === 0 ? [] : [parts.length === 1 ? parts[0]! : Batch.join(parts)];
  };
  return {
    name: 'batch',
    regroups: true,
    restore: () => void release(),
    *apply(batch) {
      const size = batch.bytes().byteLength;
      const fits = heldCount + batch.length <= count && heldBytes + size <= bytes;
      if (!fits) yield* release();
      if (batch.length > count || size > bytes) yield* cut(batch, count, bytes);
      else {
        held.push(batch);
        heldCount += batch.length;
        heldBytes += size;
        if (waitMs !== undefined) due ??= performance.now() + waitMs;
        const isDue = due !== undefined && due <= performance.now();
        if (isDue || heldCount >= count || heldBytes >= bytes) yield* release();
      }
    },
    flush: release,
    get due() {
      return due;
    },
  };
}

/** Even pieces within the limits; the last has the cursor. */
export function* cut(batch: Batch, count: number, bytes: number): Generator<Batch, void, void> {
  const size = batch.bytes().byteLength;
  const pieces = Math.max(Math.ceil(batch.length / count), Math.ceil(size / bytes));
  const evenCount = Math.ceil(batch.length / pieces);
  let from = 0;
  let held = 0;
  for (let i = 0; i < batch.length; i++) {
    const { start, end } = batch.span(i);
    const length = end - start + 1;
    if (i > from && (i - from >= evenCount || held + length > bytes)) {
      yield batch.slice(from, i);
      from = i;
      held = 0;
    }
    held += length;
  }
  yield from === 0 ? batch : batch.slice(from, batch.length).withCursor(batch.cursor);
}
