/**
 * The chain of records in a file: each names the file's length before it, so the way leads from the end
 * to the beginning. Reads backwards in pieces, small ones where records are large, so that opening a file
 * of large payloads does not read them.
 */
import { type DiskFile, type FileView, wasCut } from '../../io/index.ts';
import {
  alignPayload,
  type DriveTable,
  METADATA_BYTES,
  WALK_BYTES,
  type WalkStep,
} from '../../kernels/drive-types.ts';
import { crc32 } from '../archive/crc32.ts';
import { readU32, readU64 } from './entry-metadata.ts';

const SMALLEST_PIECE = 1 << 12;
const FIRST_PIECE = 1 << 16;
const SUM_BYTES = 1 << 20;
/** Shortest record: a tombstone. */
export const MIN_RECORD: number = 1 + METADATA_BYTES;
/** Largest offset that the format's readers keep. */
export const MAX_OFFSET: number = 2 ** 48 - 1;

/** Reads a chain from its tail down, a piece at a time. Errors: IO_ERROR, INPUT_CHANGED for a file that was cut. */
export class ChainReader {
  readonly #file: DiskFile;
  #want = FIRST_PIECE;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** The next step from `cursor` to the beginning, for live entries; synchronously. */
  reportSync(table: DriveTable, cursor: number): WalkStep {
    const [base, piece] = this.#next(table, cursor);
    this.#check(this.#file.readSync(piece, base), base, piece);
    return this.#take(table.walk(piece, base, cursor, 0, { report: true }), cursor);
  }

  /** The next step from `cursor` to the beginning, into the table. */
  async step(table: DriveTable, cursor: number, check: number | undefined): Promise<WalkStep> {
    const [base, piece] = this.#next(table, cursor);
    // Where records are large there is one step for each: a turn through the thread pool costs more than reading.
    const isLarge = piece.length > SMALLEST_PIECE;
    const got = isLarge ? await this.#file.read(piece, base) : this.#file.readSync(piece, base);
    this.#check(got, base, piece);
    return this.#take(table.walk(piece, base, cursor, 0, { check }), cursor);
  }

  #next(table: DriveTable, cursor: number): [base: number, piece: Uint8Array] {
    const base = Math.max(0, cursor - this.#want);
    return [base, table.pieceMemory(cursor - base)];
  }

  #check(got: number, base: number, piece: Uint8Array): void {
    if (got < piece.length) throw wasCut(this.#file.path, base + got);
  }

  #take(step: WalkStep, from: number): WalkStep {
    const dense = step.records > 0 && (from - step.cursor) / step.records < FIRST_PIECE;
    this.#want = dense ? Math.min(WALK_BYTES, this.#want * 4) : SMALLEST_PIECE;
    return step;
  }
}

/** How a walk over a whole chain ended. */
export interface Walked {
  readonly records: number;
  /** It reached the beginning. */
  readonly whole: boolean;
  /** What `WalkOptions.check` finds. */
  readonly doubtful: readonly number[];
}

/** Fills an empty table from the chain that ends at `tail`; with `check` as in `WalkOptions`. */
export async function indexChain(
  file: DiskFile,
  table: DriveTable,
  tail: number,
  check?: number,
): Promise<Walked> {
  const reader = new ChainReader(file);
  const doubtful: number[] = [];
  let cursor = tail;
  let records = 0;
  while (cursor > 0) {
    const step = await reader.step(table, cursor, check);
    records += step.records;
    for (const found of step.found) doubtful.push(found);
    // What the first piece holds tells how many there may be: growing by doubling costs more.
    if (cursor === tail && step.records > 64 && step.cursor > 0) {
      const estimate = Math.ceil((tail / (tail - step.cursor)) * step.records);
      table.reserve(Math.min(estimate, Math.ceil(tail / MIN_RECORD)));
      const again = await new ChainReader(file).step(table, tail, undefined);
      cursor = again.cursor;
      if (again.broken) return { records, whole: false, doubtful };
      continue;
    }
    if (step.broken) return { records, whole: false, doubtful };
    cursor = step.cursor;
  }
  table.sweep();
  return { records, whole: true, doubtful };
}

/** The place of a record that ends at `tail`; undefined when its metadata cannot be right. */
export interface RecordPlace {
  readonly before: number;
  readonly start: number;
  readonly end: number;
  readonly tombstone: boolean;
  readonly crc32: number;
}

/** A view of the first `end` bytes: of files from `mapFrom` on by maps, of shorter ones by reading. */
export function viewOf(file: DiskFile, end: number, mapFrom: number): FileView {
  const view = file.view(end < mapFrom ? 'read' : 'map');
  view.extend(end);
  return view;
}

/** Single records of a file. */
export class RecordReader {
  readonly #view: FileView;

  constructor(view: FileView) {
    this.#view = view;
  }

  at(tail: number): RecordPlace | undefined {
    if (tail < MIN_RECORD) return undefined;
    const at = this.#view.seek(tail - MIN_RECORD, MIN_RECORD);
    const { memory } = this.#view;
    return placeOf(memory, at + 1, tail, memory[at]!);
  }

  /** Whether the payload has the sum that its metadata tells; a long one is read beside other work. */
  isWhole(record: RecordPlace): boolean | Promise<boolean> {
    const { start, end } = record;
    if (end - start > SUM_BYTES) return this.#isWholeLong(record);
    return crc32(this.#view.bytes(start, end - start), 0) === record.crc32;
  }

  async #isWholeLong({ start, end, crc32: stored }: RecordPlace): Promise<boolean> {
    let sum = 0;
    for (let at = start; at < end; at += SUM_BYTES) {
      sum = crc32(await this.#view.fetch(at, Math.min(SUM_BYTES, end - at)), sum);
    }
    return sum === stored;
  }

  /** The tails of the chain from `floor` (not included) to `tail`, ascending; undefined when it misses the floor. */
  tails(tail: number, floor: number): number[] | undefined {
    const tails: number[] = [];
    for (let at = tail; at !== floor; ) {
      const record = this.at(at);
      if (record === undefined || record.before < floor) return undefined;
      tails.push(at);
      at = record.before;
    }
    return tails.reverse();
  }
}

/** Reads metadata at `at` of `bytes` for a record that would end at `tail`; `last` is the payload's last byte. */
export function placeOf(
  bytes: Uint8Array,
  at: number,
  tail: number,
  last: number,
): RecordPlace | undefined {
  const before = readU64(bytes, at + 8);
  const end = tail - METADATA_BYTES;
  const tombstone = before + 1 === end && last === 0;
  const start = tombstone ? before : alignPayload(before);
  if (before > MAX_OFFSET || start >= end) return undefined;
  return { before, start, end, tombstone, crc32: readU32(bytes, at + 16) };
}
