/** Some of the documents: a share, every nth, or so many of all. */

import { Batch } from '../core/batch.ts';
import { checkCount, checkNumber } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { LineBuilder } from './line-editor.ts';

/** One of `share`, `every` and `count`. */
export interface SampleOptions {
  /** Each document with this probability, from 0 to 1. */
  readonly share?: number;
  /** Every nth document, beginning with the first. */
  readonly every?: number;
  /**
   * So many of all, each with the same probability, in their order. They are held in memory until
   * the input has ended, and no longer know their places.
   */
  readonly count?: number;
  /** The same seed and input give the same sample. Drawn anew if absent. */
  readonly seed?: number;
}

/** Errors: INVALID_ARGUMENT unless exactly one way is asked for. */
export function sampleTransform(options: SampleOptions): Transform {
  const { share, every, count, seed = Math.floor(Math.random() * 2 ** 32) } = options;
  if ([share, every, count].filter((way) => way !== undefined).length !== 1) {
    throw new EtlError('INVALID_ARGUMENT', 'sample takes one of share, every and count');
  }
  if (count !== undefined) return reservoir(count, new Random(seed));
  if (share !== undefined) {
    checkNumber('share', share, 0, 1);
    const random = new Random(seed);
    return sampleBy(random, () => random.next() < share);
  }
  const step = checkCount('every', every!);
  const counter = { state: 0 };
  return sampleBy(counter, () => counter.state++ % step === 0);
}

function sampleBy(memory: { state: number }, keep: () => boolean): Transform {
  const { state: first } = memory;
  return {
    name: 'sample',
    save: () => memory.state,
    restore(state = first) {
      if (typeof state !== 'number') {
        throw new EtlError('CURSOR_MISMATCH', 'sample: the state is none of a sample');
      }
      memory.state = state;
    },
    apply(batch) {
      const kept: number[] = [];
      for (let i = 0; i < batch.length; i++) if (keep()) kept.push(i);
      if (kept.length === batch.length) return [batch];
      return kept.length === 0 ? [] : [batch.pick(kept)];
    },
  };
}

/** Algorithm R (Vitter, "Random Sampling with a Reservoir", 1985). */
function reservoir(count: number, random: Random): Transform {
  checkCount('count', count);
  const held: { ordinal: number; bytes: Uint8Array }[] = [];
  const { state: first } = random;
  let ordinal = 0;
  return {
    name: 'sample',
    restore() {
      held.length = 0;
      ordinal = 0;
      random.state = first;
    },
    apply(batch) {
      const { bytes } = batch.lines();
      for (let i = 0; i < batch.length; i++, ordinal++) {
        const slot = ordinal < count ? ordinal : Math.floor(random.next() * (ordinal + 1));
        if (slot >= count) continue;
        const { start, end } = batch.span(i);
        held[slot] = { ordinal, bytes: bytes.slice(start, end) };
      }
      return [];
    },
    *flush() {
      held.sort((a, b) => a.ordinal - b.ordinal);
      const writer = new LineBuilder(1 << 16);
      for (const [i, line] of held.splice(0).entries()) {
        writer.writer.copy(line.bytes);
        writer.endLine(i);
      }
      if (writer.count > 0) yield Batch.fromLines(writer.lines(), sharedKernel().codec);
    },
  };
}

/** Numbers from 0 to below 1: the generator "mulberry32" of Tommy Ettinger. */
class Random {
  state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
