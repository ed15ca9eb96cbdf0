/**
 * Finding the end of a drive: where its last whole record ends.
 *
 * A file in good order ends with a record whose checksum is right and from which the chain leads to the
 * beginning. Anything else is searched from the end down for the last such place. Of two candidates the
 * one with the longer chain wins: an end with a wrong checksum counts only when it makes the chain longer
 * than every sound one, which is a damaged last payload, not a coincidence in what follows the last
 * record. So neither zeros nor garbage behind a chain cost any of it. A payload may itself be a drive, whose
 * chain leads to the beginning too where that payload is the first: all of it may lie in one record.
 *
 * A session of ours that did not close leaves a mark (`SessionMark`) with the tail that was synced last.
 * Behind that, everything is checked, and what follows the first damaged record is not taken: a power cut
 * may have kept later records and lost earlier ones. The walk that fills the index checks on its way; the
 * search is made only when it leaves a doubt.
 */
import type { DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, METADATA_BYTES } from '../../kernels/index.ts';
import { indexChain, MIN_RECORD, placeOf, RecordReader, viewOf } from './chain.ts';
import { RecordSearch } from './record-search.ts';

const SCAN_BYTES = 1 << 20;

/** What opening found. */
export interface FoundEnd {
  /** The file's length up to its last record. */
  readonly tail: number;
  /** The last record does not have its checksum, but is kept. */
  readonly damaged: boolean;
  /** Whole records follow behind one that the session which died left damaged. */
  readonly dropped?: boolean;
}

/**
 * Finds the end of the chain and fills the (empty) table. `synced` is what a session that died knew to
 * be durable; absent when the last one closed. Nothing is written, and what is behind the end is not mapped: a
 * writer may cut it. Errors: INPUT_CHANGED when one did so meanwhile.
 */
export async function findEnd(
  file: DiskFile,
  table: DriveTable,
  size: number,
  synced: number | undefined,
): Promise<FoundEnd> {
  const view = viewOf(file, size, Number.POSITIVE_INFINITY);
  const { whole, records, doubtful } = await indexChain(file, table, size, synced);
  const search = new Search(view, 0);
  let found: FoundEnd = { tail: size, damaged: false };
  if (synced !== undefined) {
    const isSound = whole && synced <= size && (await search.areSound(doubtful));
    if (!isSound) found = await endOfSession(view, size, synced);
  } else if (size > 0 && !(whole && (await search.isSound(size)))) {
    const tail = await search.last(size - 1);
    const damaged = whole && records > 1 && records > search.length(tail)!;
    found = { tail: damaged ? size : tail, damaged };
  }
  if (found.tail !== size || !whole) {
    table.clear();
    await indexChain(file, table, found.tail);
  }
  return found;
}

/**
 * The last record of a session that died: from what was synced on, all must be sound. Only an end that is
 * sound itself is believed in: in front of zeros (padding whose payload was never written) many a place
 * looks like a record whose chain leads to the beginning.
 */
async function endOfSession(view: FileView, size: number, synced: number): Promise<FoundEnd> {
  const whole = new Search(view, 0);
  const isThere = synced > 0 && synced <= size && whole.length(synced) !== undefined;
  const floor = isThere && (await whole.isSound(synced)) ? synced : 0;
  const search = floor === 0 ? whole : new Search(view, floor);
  const last = await search.last(size);
  let tail = floor;
  for (let end = last; end > tail; ) {
    const { sound, damaged } = await search.soundUpTo(end);
    tail = Math.max(tail, sound);
    // Nothing that follows the damaged record counts, but the chain in front of it may be a chance.
    end = damaged === undefined ? floor : await search.last(damaged - 1);
  }
  return { tail, damaged: false, dropped: tail < last };
}

/**
 * The end of the first record of a file where one ends behind `found`, else `found`; of several the last: others
 * lie in its payload. Metadata is looked for from `from` on. Errors: INPUT_CHANGED.
 */
export async function findFirst(
  view: FileView,
  size: number,
  from: number,
  found = 0,
): Promise<number> {
  const search = new RecordSearch(view, size);
  let last = found;
  for (let next = from; ; ) {
    const end = await search.next(0, next);
    if (end === undefined) return last;
    next = end - METADATA_BYTES + 1;
    // In long zeros some place has a sum of 0: no reason to give up records.
    if (last === 0 || search.sum !== 0) last = end;
  }
}

class Search {
  readonly #view: FileView;
  readonly #floor: number;
  readonly #records: RecordReader;
  /** Lengths of chains asked for before, -1 for none. */
  readonly #known = new Map<number, number>();

  constructor(view: FileView, floor: number) {
    this.#view = view;
    this.#floor = floor;
    this.#records = new RecordReader(view);
  }

  /** Whether the record that ends here has its checksum. */
  isSound(tail: number): boolean | Promise<boolean> {
    const record = this.#records.at(tail);
    return record !== undefined && this.#records.isWhole(record);
  }

  async areSound(tails: readonly number[]): Promise<boolean> {
    for (const tail of tails) if (!(await this.isSound(tail))) return false;
    return true;
  }

  /** Records from the floor to a tail; undefined when no chain leads there. */
  length(tail: number): number | undefined {
    let length = this.#known.get(tail);
    if (length === undefined) {
      length = 0;
      for (let at = tail; at !== this.#floor; length++) {
        const record = this.#records.at(at);
        if (record === undefined || record.before < this.#floor) {
          length = -1;
          break;
        }
        at = record.before;
      }
      this.#known.set(tail, length);
    }
    return length < 0 ? undefined : length;
  }

  /** The last tail at or before `from` with a sound record and a chain to the floor. */
  async last(from: number): Promise<number> {
    if (this.length(from) !== undefined && (await this.isSound(from))) return from;
    for (let high = from; high >= this.#floor + MIN_RECORD; ) {
      const low = Math.max(this.#floor + MIN_RECORD, high - SCAN_BYTES + 1);
      const start = low - MIN_RECORD;
      const bytes = await this.#view.fetch(start, high - start);
      for (let tail = high; tail >= low; tail--) {
        const at = tail - METADATA_BYTES - start;
        // Offsets have at most 48 bits. The first record is looked for in another way.
        if (bytes[at + 14] !== 0 || bytes[at + 15] !== 0) continue;
        const record = placeOf(bytes, at, tail, bytes[at - 1]!);
        if (record === undefined || record.before < this.#floor || record.before === 0) continue;
        if (this.length(record.before) === undefined) continue;
        if (!(await this.#records.isWhole(record))) continue;
        return this.#floor > 0 ? tail : findFirst(this.#view, from, tail, tail);
      }
      high = low - 1;
    }
    return this.#floor > 0 ? this.#floor : findFirst(this.#view, from, 0);
  }

  /**
   * Of the chain that ends at `tail`: the last tail in front of the first damaged record, the floor when
   * that is the first, and the tail of that record.
   */
  async soundUpTo(tail: number): Promise<{ readonly sound: number; readonly damaged?: number }> {
    let sound = this.#floor;
    for (const next of this.#records.tails(tail, this.#floor)!) {
      if (!(await this.isSound(next))) return { sound, damaged: next };
      sound = next;
    }
    return { sound };
  }
}
