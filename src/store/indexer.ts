/**
 * Keeps the id index in step with the lines of data.jsonl: the newest line of an id wins, equal
 * hashes are confirmed against the stored ids, and whoever scans is told which lines died.
 */
import { KeyKind, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import type { IdIndex, Kernel } from '../kernels/index.ts';
import type { StoredLines } from './stored-lines.ts';

/** What inserting lines found. */
export interface Inserted {
  /** Documents that took the place of an older one. */
  replaced: number;
  /** Of these, how many replaced a line at or after the first inserted one. */
  replacedHere: number;
  /** Lines without a usable string `_id`. */
  withoutId: number;
}

export class Indexer {
  /** Called with the offset of every line that stops being the newest of a living document. */
  onRetire: ((offset: number) => void) | undefined;
  readonly #kernel: Kernel;
  readonly #stored: StoredLines;
  readonly #load: (() => IdIndex) | undefined;
  #index: IdIndex | undefined;

  /** `index`: what the index is loaded by when it is first needed, or the index. */
  constructor(kernel: Kernel, index: IdIndex | (() => IdIndex), stored: StoredLines) {
    this.#kernel = kernel;
    this.#stored = stored;
    if (typeof index === 'function') this.#load = index;
    else this.#index = index;
  }

  get index(): IdIndex {
    this.#index ??= this.#load!();
    return this.#index;
  }

  /** The index where it is in memory. */
  get loaded(): IdIndex | undefined {
    return this.#index;
  }

  /** The entry of `id`, or -1; also where its line is damaged. */
  find(id: string): number {
    return this.#find(id, 'hasId');
  }

  /** The entry of `id`, or -1. Errors: CORRUPTED_DATA where the line that may be its is damaged. */
  findSound(id: string): number {
    return this.#find(id, 'isOf');
  }

  /** Takes `id` out if its newest line starts before `before`. Answers whether it did. */
  remove(id: string, before: number = Number.POSITIVE_INFINITY): boolean {
    const entry = this.find(id);
    if (entry < 0 || this.index.offset(entry) >= before) return false;
    this.onRetire?.(this.index.offset(entry));
    this.index.remove(entry);
    return true;
  }

  /** Inserts the lines of a table whose first byte stands at `base` of the file. */
  insert(bytes: Uint8Array, records: Uint32Array, count: number, base: number): Inserted {
    const result: Inserted = { replaced: 0, replacedHere: 0, withoutId: 0 };
    if (bytes.length > LONGEST_ID) hideLongIds(records, count);
    let i = 0;
    // Where ids are present already, most calls would stop early: they get few lines then.
    let step = count;
    while (true) {
      const to = Math.min(count, i + step);
      i = this.index.insertLines(records, i, to, base);
      if (i >= count) return result;
      step = i === to ? step * 4 : 4;
      if (i === to) continue;
      const word = i * RECORD_WORDS;
      const id = keyText(bytes, records, i);
      if (id === undefined) result.withoutId++;
      else {
        const start = records[word]!;
        const old = this.#place(
          records[word + LineRecord.hashLow]!,
          records[word + LineRecord.hashHigh]!,
          id,
          base + start,
          records[word + LineRecord.end]! - start + 1,
        );
        if (old >= 0) result.replaced++;
        if (old >= base) result.replacedHere++;
      }
      i++;
    }
  }

  #find(id: string, confirm: 'hasId' | 'isOf'): number {
    const { index } = this;
    this.#kernel.hashKey(id);
    const low = this.#kernel.keyHash[0]!;
    const high = this.#kernel.keyHash[1]!;
    for (let entry = index.find(low, high); entry >= 0; entry = index.find(low, high, entry)) {
      if (this.#stored[confirm](index.offset(entry), index.length(entry), id)) return entry;
    }
    return -1;
  }

  /** Sets or adds; answers the offset of the line replaced, or -1. */
  #place(low: number, high: number, id: string, offset: number, length: number): number {
    const { index } = this;
    for (let entry = index.find(low, high); entry >= 0; entry = index.find(low, high, entry)) {
      const old = index.offset(entry);
      if (!this.#stored.hasId(old, index.length(entry), id)) continue;
      this.onRetire?.(old);
      index.set(entry, offset, length);
      return old;
    }
    index.add(low, high, offset, length);
    return -1;
  }
}

/** Longest id that index.bin can hold, in bytes as it stands in the line. */
export const LONGEST_ID = 0xffff;

/** Makes longer ids, which only other programs write, count as none. */
export function hideLongIds(records: Uint32Array, count: number): void {
  for (let word = 0; word < count * RECORD_WORDS; word += RECORD_WORDS) {
    const start = records[word + LineRecord.keyStart]!;
    if (records[word + LineRecord.keyEnd]! - start > LONGEST_ID) {
      records[word + LineRecord.keyKind] = KeyKind.other;
    }
  }
}

/** The key of a record as text; undefined unless it is a string. */
export function keyText(bytes: Uint8Array, records: Uint32Array, i: number): string | undefined {
  const word = i * RECORD_WORDS;
  const kind = records[word + LineRecord.keyKind]!;
  if (kind !== KeyKind.plain && kind !== KeyKind.escaped) return undefined;
  const start = records[word + LineRecord.keyStart]!;
  const end = records[word + LineRecord.keyEnd]!;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'utf8',
    start,
    end,
  );
  return kind === KeyKind.plain ? text : (JSON.parse(`"${text}"`) as string);
}
