/** Lets documents through at a given rate. */
import type { Batch } from '../core/batch.ts';
import { checkPositive } from '../core/check-option.ts';
import { waitMs } from '../core/retry.ts';
import type { Transform } from '../core/stage.ts';
import { cut } from './batch.ts';

export interface ThrottleOptions {
  readonly documentsPerSecond?: number;
  /** Of JSON Lines. */
  readonly bytesPerSecond?: number;
}

/** What goes on at a time is at most what a tenth of a second allows. */
const STEPS_PER_SECOND = 10;

/**
 * Batches are cut, so that documents flow rather than come in bursts; each waits until what went
 * before has had its time. A pause of the source is not made up for.
 */
export function throttleTransform(options: ThrottleOptions): Transform {
  const { documentsPerSecond = Infinity, bytesPerSecond = Infinity } = options;
  checkPositive('documentsPerSecond', documentsPerSecond);
  checkPositive('bytesPerSecond', bytesPerSecond);
  const count = Math.max(1, Math.floor(documentsPerSecond / STEPS_PER_SECOND));
  const bytes = Math.max(1, Math.floor(bytesPerSecond / STEPS_PER_SECOND));
  /** When the next may go, on the clock of `performance.now`. */
  let free = 0;
  return {
    name: 'throttle',
    async *apply(batch: Batch, signal: AbortSignal) {
      for (const piece of cut(batch, count, bytes)) {
        const now = performance.now();
        if (free > now) await waitMs(free - now, signal);
        const seconds = Math.max(
          piece.length / documentsPerSecond,
          piece.byteLength / bytesPerSecond,
        );
        free = Math.max(free, now) + seconds * 1000;
        yield piece;
      }
    },
  };
}
