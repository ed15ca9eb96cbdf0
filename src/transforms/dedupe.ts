/** Lets the first document of each key through. */
import { assert } from '../core/assert.ts';
import { EtlError } from '../core/errors.ts';
import type { PathInput } from '../core/path.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { Fingerprints } from './fingerprints.ts';
import { KeyReader, keyOf, pathsOf } from './key-reader.ts';

export interface DedupeOptions {
  /** The path, or paths, whose values together are the key. Default `_id`. */
  readonly by?: string | readonly PathInput[];
  /**
   * Keys that are remembered, 32 to 64 bytes each. With more there is an end, LIMIT_EXCEEDED, unless
   * `window` is given. Default 4,000,000.
   */
  readonly maxKeys?: number;
  /**
   * Instead of all keys, remember at least the last so many, and at most twice as many: duplicates
   * that lie further apart come through.
   */
  readonly window?: number;
}

/**
 * Keys are equal as JSON values are: 1 and 1.0 are, 1 and "1" are not; arrays and objects as they are
 * written. Documents that have none of the fields go through.
 * Errors: LIMIT_EXCEEDED. Begins anew with every run: keys of an earlier one are forgotten.
 */
export function dedupeTransform(options: DedupeOptions = {}): Transform {
  const { by = '_id', maxKeys = 4_000_000, window } = options;
  const reader = new KeyReader(pathsOf(by));
  const most = window ?? maxKeys;
  assert(most >= 1, 'maxKeys and window are at least 1');
  let keys = new Fingerprints(sharedKernel());
  let older: Fingerprints | undefined;

  const isFirst = (key: string): boolean => {
    const wasOlder = older?.has(key) === true;
    // What is found among the older ones is remembered anew.
    const isNew = keys.add(key) && !wasOlder;
    if (keys.size <= most) return isNew;
    if (window === undefined) {
      throw new EtlError('LIMIT_EXCEEDED', `dedupe: more than ${maxKeys} keys; raise maxKeys`);
    }
    older = keys;
    keys = new Fingerprints(sharedKernel());
    return isNew;
  };
  return {
    name: 'dedupe',
    restore() {
      keys = new Fingerprints(sharedKernel());
      older = undefined;
    },
    apply(batch, _signal, onReject) {
      const kept: number[] = [];
      reader.read(batch, onReject, (index, values) => {
        const key = keyOf(values);
        if (key === undefined || isFirst(key)) kept.push(index);
      });
      if (kept.length === batch.length) return [batch];
      return kept.length === 0 ? [] : [batch.pick(kept)];
    },
  };
}
