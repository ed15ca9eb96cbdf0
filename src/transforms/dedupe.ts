/**
 * Lets the first document of each key through.
 *
 * For runs that resume, the keys taken in are told as they come, 16 bytes each: four words of 32 bits,
 * little-endian, in the order of their coming, behind a first four that tell what makes a key.
 */
import type { Batch } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { formatPath, type PathInput } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { Fingerprints, KEY_WORDS } from './fingerprints.ts';
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
 *
 * A run that resumes knows the keys of the one before, 16 bytes each on the disk; any other run begins
 * anew. Errors: INVALID_ARGUMENT; LIMIT_EXCEEDED; CURSOR_MISMATCH on resuming with another `by` or `window`.
 */
export function dedupeTransform(options: DedupeOptions = {}): Transform {
  return new Dedupe(options);
}

class Dedupe implements Transform {
  readonly name = 'dedupe';
  readonly #reader: KeyReader;
  readonly #maxKeys: number;
  readonly #window: number | undefined;
  /** Four words that stand in front of the keys. */
  readonly #header: Uint32Array;
  #keys = new Fingerprints(sharedKernel());
  #older: Fingerprints | undefined;
  /** Keys that `additions` has not told yet; absent where nobody asks for them. */
  #fresh: number[] | undefined;

  constructor({ by = '_id', maxKeys = 4_000_000, window }: DedupeOptions) {
    const paths = pathsOf(by);
    if (paths.length === 0) {
      throw new EtlError('INVALID_ARGUMENT', 'by must be one path or several, not none');
    }
    this.#reader = new KeyReader(paths);
    this.#maxKeys = maxKeys;
    this.#window = window;
    checkLimits({ maxKeys, window: window ?? 1 });
    const header = new Fingerprints(sharedKernel());
    header.add(JSON.stringify([paths.map(formatPath), window]));
    this.#header = header.last.slice();
  }

  additions(): Uint8Array {
    const words = this.#fresh ?? [];
    this.#fresh = [];
    const view = new DataView(new ArrayBuffer(words.length * 4));
    for (const [i, word] of words.entries()) view.setUint32(i * 4, word, true);
    return new Uint8Array(view.buffer);
  }

  recall(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const key = new Uint32Array(KEY_WORDS);
    const read = (at: number): Uint32Array => {
      for (let i = 0; i < KEY_WORDS; i++) key[i] = view.getUint32((at + i) * 4, true);
      return key;
    };
    const words = bytes.byteLength / 4;
    this.#keys = new Fingerprints(sharedKernel());
    this.#older = undefined;
    this.#fresh = words === 0 ? [...this.#header] : [];
    if (words === 0) return;
    if (words % KEY_WORDS !== 0 || !read(0).every((word, i) => word === this.#header[i])) {
      throw new EtlError('CURSOR_MISMATCH', 'dedupe: the keys there are made in another way');
    }
    for (let at = KEY_WORDS; at < words; at += KEY_WORDS) {
      this.#keys.addKey(read(at));
      this.#turnOver();
    }
  }

  apply(batch: Batch, _signal: AbortSignal, onReject?: OnReject): Batch[] {
    const kept: number[] = [];
    this.#reader.read(batch, onReject, (index, values) => {
      const key = keyOf(values);
      if (key === undefined || this.#isFirst(key)) kept.push(index);
    });
    if (kept.length === batch.length) return [batch];
    return kept.length === 0 ? [] : [batch.pick(kept)];
  }

  #isFirst(key: string): boolean {
    const wasOlder = this.#older?.has(key) === true;
    // What is found among the older ones is remembered anew.
    if (!this.#keys.add(key)) return false;
    this.#fresh?.push(...this.#keys.last);
    this.#turnOver();
    return !wasOlder;
  }

  /** Begins a new set where the one in use is full. */
  #turnOver(): void {
    if (this.#keys.size <= (this.#window ?? this.#maxKeys)) return;
    if (this.#window === undefined) {
      const text = `dedupe: more than ${this.#maxKeys} keys; raise maxKeys`;
      throw new EtlError('LIMIT_EXCEEDED', text);
    }
    this.#older = this.#keys;
    this.#keys = new Fingerprints(sharedKernel());
  }
}
