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
import { crc32 } from '../archive/crc32.ts';
import { indexChain, MIN_RECORD, placeOf, RecordReader } from './chain.ts';
import { readU32 } from './entry-metadata.ts';

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
    const isSound = whole && synced <= size && doubtful.every((tail) => search.isSound(tail));
    if (!isSound) found = endOfSession(view, size, synced);
  } else if (size > 0 && !(whole && search.isSound(size))) {
    const tail = search.last(size - 1);
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
function endOfSession(view: FileView, size: number, synced: number): FoundEnd {
  const whole = new Search(view, 0);
  const isThere = synced > 0 && synced <= size && whole.length(synced) !== undefined;
  const floor = isThere && whole.isSound(synced) ? synced : 0;
  const search = floor === 0 ? whole : new Search(view, floor);
  const last = search.last(size);
  let tail = floor;
  for (let end = last; end > tail; ) {
    const { sound, damaged } = search.soundUpTo(end);
    tail = Math.max(tail, sound);
    // Nothing that follows the damaged record counts, but the chain in front of it may be a chance.
    end = damaged === undefined ? floor : search.last(damaged - 1);
  }
  return { tail, damaged: false, dropped: tail < last };
}

/** For readers: the tail of the records that have come behind `floor`; the floor itself when none are whole. Errors: as `findEnd`. */
export function findNewEnd(file: DiskFile, floor: number, size: number): number {
  return new Search(viewOf(file, size, Number.POSITIVE_INFINITY), floor).last(size);
}

/** A view of the first `end` bytes: of files from `mapFrom` on by maps, of shorter ones by reading. */
export function viewOf(file: DiskFile, end: number, mapFrom: number): FileView {
  const view = file.view(end < mapFrom ? 'read' : 'map');
  view.extend(end);
  return view;
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
  isSound(tail: number): boolean {
    const record = this.#records.at(tail);
    return record !== undefined && this.#records.isWhole(record);
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
  last(from: number): number {
    if (this.length(from) !== undefined && this.isSound(from)) return from;
    for (let high = from; high >= this.#floor + MIN_RECORD; ) {
      const low = Math.max(this.#floor + MIN_RECORD, high - SCAN_BYTES + 1);
      const start = low - MIN_RECORD;
      const bytes = this.#view.bytes(start, high - start);
      for (let tail = high; tail >= low; tail--) {
        const at = tail - METADATA_BYTES - start;
        // Offsets have at most 48 bits. The first record is looked for in another way.
        if (bytes[at + 14] !== 0 || bytes[at + 15] !== 0) continue;
        const record = placeOf(bytes, at, tail, bytes[at - 1]!);
        if (record === undefined || record.before < this.#floor || record.before === 0) continue;
        if (this.length(record.before) === undefined || !this.#records.isWhole(record)) continue;
        return this.#floor > 0 ? tail : this.#first(from, tail);
      }
      high = low - 1;
    }
    return this.#floor > 0 ? this.#floor : this.#first(from, 0);
  }

  /**
   * The end of a first record that reaches behind `behind`, a place where the sum of all before is what is
   * written there; `behind` itself where there is none. What is in front is only read where one may be.
   */
  #first(from: number, behind: number): number {
    let sum: number | undefined;
    let summed = behind;
    let found = behind;
    for (let start = behind; start + METADATA_BYTES <= from; start += SCAN_BYTES) {
      const length = Math.min(SCAN_BYTES + METADATA_BYTES, from - start);
      const bytes = this.#view.bytes(start, length);
      for (let at = start === 0 ? 1 : 0; at < SCAN_BYTES && at + METADATA_BYTES <= length; at++) {
        if (readU32(bytes, at + 8) !== 0 || readU32(bytes, at + 12) !== 0) continue;
        const stored = readU32(bytes, at + 16);
        // In long zeros some place has a sum of 0: no reason to give up records.
        if (stored === 0 && behind > 0) continue;
        sum ??= this.#records.sumOf(0, start);
        sum = crc32(bytes.subarray(summed - start, at), sum);
        summed = start + at;
        if (stored === sum) found = start + at + METADATA_BYTES;
      }
      const rest = Math.min(SCAN_BYTES, length);
      if (sum !== undefined) sum = crc32(bytes.subarray(summed - start, rest), sum);
      summed = start + rest;
    }
    return found;
  }

  /**
   * Of the chain that ends at `tail`: the last tail in front of the first damaged record, the floor when
   * that is the first, and the tail of that record.
   */
  soundUpTo(tail: number): { readonly sound: number; readonly damaged?: number } {
    let sound = this.#floor;
    for (const next of this.#records.tails(tail, this.#floor)!) {
      if (!this.isSound(next)) return { sound, damaged: next };
      sound = next;
    }
    return { sound };
  }
}
