/**
 * The three files of a collection written anew beside the old ones: what is alive is copied in runs
 * of bytes, its lines found once and never read as documents. Nothing of the old files changes;
 * `replaceCollection` makes the new ones count.
 *
 * Lines that are no documents of the collection (no JSON object, no string `_id`) belong to whoever
 * wrote them and are kept, unless the caller asks to set them aside. Memory: pieces of 1 MiB, a few of
 * them under way to the disk, and an index of the new places.
 */
import { checkSignal } from '../core/abort.ts';
import { KeyKind, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import type { BadLine, IdIndex, Kernel, LineTable } from '../kernels/index.ts';
import { encodeRecord, formatSum, type IndexState, type LogRecord } from './commit-log.ts';
import { replacedBy } from './generation.ts';
import { appendLiving } from './index-file.ts';
import { INDEX_HEADER_BYTES, indexHeader } from './index-header.ts';
import { hideLongIds, LONGEST_ID } from './indexer.ts';
import type { CollectionPaths } from './layout.ts';
import { deadLines, type Liveness } from './liveness.ts';
import { MovedStates } from './moved-states.ts';
import { readPieces } from './pieces.ts';
import { FileTail } from './tail.ts';

/** How far a pass over the data is. */
export interface RewriteProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Hearing of the pass, and stopping it. */
export interface RewriteOptions {
  readonly onProgress?: ((progress: RewriteProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A line that is no document: where, why, and its bytes. */
export interface StrangeLine {
  readonly offset: number;
  readonly code: BadLine['code'] | 'MISSING_ID';
  readonly reason: string;
  readonly bytes: Uint8Array;
}

export interface RewriteInput extends RewriteOptions {
  readonly disk: Disk;
  readonly kernel: Kernel;
  /** The old data, up to `end`. */
  readonly data: DiskFile;
  readonly end: number;
  /** Says which lines are alive; all where absent. */
  readonly alive: Liveness | undefined;
  /** How many they are. */
  readonly documents: number;
  /** The names to write under. */
  readonly next: CollectionPaths;
  /** Of the old data, as other programs may have read its index.bin; the oldest first. */
  readonly states: readonly IndexState[];
  /** Takes lines that are no documents, which are left out then. Default: they stay. */
  readonly onStrange?: ((line: StrangeLine) => void) | undefined;
}

/** What the new files hold. */
export interface Rewritten {
  readonly end: number;
  readonly lines: number;
  readonly documents: number;
  readonly indexBytes: number;
  readonly indexSum: string;
  /** What has become of the states. */
  readonly states: readonly IndexState[];
}

const FLYING_BYTES = 4 << 20;

/** Writes and syncs the new data and index. Errors: ABORTED, IO_ERROR, CORRUPTED_INDEX. */
export async function rewriteData(input: RewriteInput): Promise<Rewritten> {
  const { disk, kernel, data, end, alive, documents, next, states, signal, onProgress } = input;
  const failure: { cause?: unknown } = {};
  const onFailure = (cause: unknown): void => {
    failure.cause ??= cause;
  };
  const files: DiskFile[] = [];
  const create = async (path: string, from: number): Promise<[DiskFile, FileTail]> => {
    const file = await disk.open(path, 'create', replacedBy(path));
    files.push(file);
    await file.truncate(0);
    return [file, new FileTail(file, from, onFailure)];
  };
  const tails: FileTail[] = [];
  try {
    const [newData, dataTail] = await create(next.data, 0);
    const [newIndex, indexTail] = await create(next.index, INDEX_HEADER_BYTES);
    tails.push(dataTail, indexTail);
    const index = kernel.createIndex();
    const moved = new MovedStates(states);
    let lines = 0;
    const spare: Uint8Array[] = [];
    for await (const { bytes, base, memory } of readPieces(data, 0, end, { spare })) {
      checkSignal(signal, 'compaction was stopped');
      const kept = keepLiving(
        kernel.lines(bytes),
        base,
        alive,
        (offset, place, length, hash) =>
          moved.take(base + offset, dataTail.end + place, length, hash),
        input.onStrange,
      );
      if (kept.bytes.length > 0) {
        const at = dataTail.end;
        lines += kept.count;
        place(index, kept, at);
        appendLiving(kernel, indexTail, kept.bytes, kept.records, kept.count, at, kept.withoutId);
        dataTail.appendPiece(kept.bytes, () => spare.push(memory));
      } else spare.push(memory);
      await dataTail.settle(FLYING_BYTES);
      await indexTail.settle(FLYING_BYTES);
      onProgress?.({ bytes: base + bytes.length, totalBytes: end });
    }
    if (index.size !== documents) {
      throw new EtlError('CORRUPTED_INDEX', `${documents} documents, but ${index.size} found`, {
        place: { path: data.path },
      });
    }
    const result = {
      end: dataTail.end,
      lines,
      documents,
      indexBytes: indexTail.end,
      indexSum: formatSum(index.sum),
      states: moved.finish(dataTail.end),
    };
    await dataTail.drain();
    await indexTail.drain();
    if (failure.cause !== undefined) throw failure.cause;
    await newIndex.write(indexHeader(index.size), 0);
    await newData.sync();
    await newIndex.sync();
    return result;
  } finally {
    // Nothing may be writing to a file that is closed or removed next.
    for (const tail of tails) await tail.landed();
    for (const file of files) await file.close();
  }
}

/** Writes and syncs the new log. */
export async function writeLog(
  { disk, kernel, next }: Pick<RewriteInput, 'disk' | 'kernel' | 'next'>,
  records: readonly LogRecord[],
): Promise<void> {
  const file = await disk.open(next.log, 'create', replacedBy(next.log));
  try {
    await file.truncate(0);
    await file.write(Buffer.concat(records.map((record) => encodeRecord(record, kernel))), 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `MovedStates.take`, with places in a piece and among those of it that stay. */
type Moved = MovedStates['take'];

interface Kept {
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;
  readonly count: number;
  /** A byte per record, 1 for those without an id. */
  readonly withoutId: Uint8Array;
}

/** The lines of a piece that stay, with records that fit their new bytes. */
function keepLiving(
  table: LineTable,
  base: number,
  alive: Liveness | undefined,
  moved: Moved,
  onStrange: RewriteInput['onStrange'],
): Kept {
  const { bytes, records, count, bad } = table;
  if (bytes.length > LONGEST_ID) hideLongIds(records, count);
  const dead = alive === undefined ? new Uint8Array(count) : deadLines(alive, table, base);
  const out = new Cutter(bytes, records);
  const withoutId = new Uint8Array(count);
  let faults = 0;
  for (let i = 0; i <= count; i++) {
    for (; onStrange && faults < bad.length && bad[faults]!.before === i; faults++) {
      const { start, end, code, reason } = bad[faults]!;
      onStrange({ offset: base + start, code, reason, bytes: bytes.slice(start, end) });
      moved(start, out.place(start), 0, undefined);
      out.cut(start, end);
    }
    if (i === count) break;
    const word = i * RECORD_WORDS;
    const start = records[word]!;
    const end = records[word + LineRecord.end]!;
    const kind = records[word + LineRecord.keyKind]!;
    const keyed = kind === KeyKind.plain || kind === KeyKind.escaped;
    const drops = keyed ? dead[i] !== 0 : onStrange !== undefined;
    // As a signed number, which no memory is needed for.
    const hash = records[word + LineRecord.hashLow]! | 0;
    moved(start, out.place(start), drops ? 0 : end - start + 1, hash);
    if (drops) {
      if (!keyed) {
        const reason = 'the document has no usable _id';
        onStrange!({
          offset: base + start,
          code: 'MISSING_ID',
          reason,
          bytes: bytes.slice(start, end),
        });
      }
      out.cut(start, end);
    } else {
      if (!keyed) withoutId[out.count] = 1;
      out.keep(i);
    }
  }
  return { ...out.finish(), withoutId };
}

/** Moves what is not cut together, in the memory of the piece; records follow. */
class Cutter {
  count = 0;
  readonly #bytes: Uint8Array;
  readonly #records: Uint32Array;
  #used = 0;
  /** Everything before is moved or cut. */
  #at = 0;

  constructor(bytes: Uint8Array, records: Uint32Array) {
    this.#bytes = bytes;
    this.#records = records;
  }

  /** Where bytes from `start` on go if they stay. */
  place(start: number): number {
    return start - (this.#at - this.#used);
  }

  /** Takes out the whole line around [start, end). */
  cut(start: number, end: number): void {
    const bytes = this.#bytes;
    const newline = bytes[end] === 10 ? end : bytes.indexOf(10, end);
    const from = bytes[start - 1] === 10 ? start : bytes.lastIndexOf(10, start) + 1;
    this.#moveTo(Math.max(this.#at, from));
    this.#at = newline < 0 ? bytes.length : newline + 1;
  }

  /** Record `i`, which stands behind everything cut so far, stays. Records may be overwritten. */
  keep(i: number): void {
    const records = this.#records;
    const from = i * RECORD_WORDS;
    const to = this.count++ * RECORD_WORDS;
    const shift = this.#at - this.#used;
    if (shift === 0) return;
    records.copyWithin(to, from, from + RECORD_WORDS);
    records[to] = records[to]! - shift;
    for (const word of [LineRecord.end, LineRecord.keyStart, LineRecord.keyEnd]) {
      records[to + word] = records[to + word]! - shift;
    }
  }

  finish(): { bytes: Uint8Array; records: Uint32Array; count: number } {
    const { length } = this.#bytes;
    const torn = this.#at < length && this.#bytes[length - 1] !== 10;
    this.#moveTo(length);
    const bytes = this.#bytes.subarray(0, this.#used);
    return { bytes: torn ? ended(bytes) : bytes, records: this.#records, count: this.count };
  }

  #moveTo(to: number): void {
    if (this.#used < this.#at) this.#bytes.copyWithin(this.#used, this.#at, to);
    this.#used += to - this.#at;
    this.#at = to;
  }
}

/** A last line without newline gets one. */
function ended(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.length + 1);
  whole.set(bytes);
  whole[bytes.length] = 10;
  return whole;
}

/** Enters kept lines, of which no two have one id. */
function place(index: IdIndex, { records, count, withoutId }: Kept, base: number): void {
  for (let i = 0; ; i++) {
    i = index.insertLines(records, i, count, base);
    if (i >= count) return;
    if (withoutId[i] !== 0) continue;
    const word = i * RECORD_WORDS;
    const low = records[word + LineRecord.hashLow]!;
    const high = records[word + LineRecord.hashHigh]!;
    const start = records[word]!;
    index.add(low, high, base + start, records[word + LineRecord.end]! - start + 1);
  }
}
