/** Gathers what the WebAssembly module writes, piece by piece, into results the caller owns. */
import { type Document, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { Layout, type LineMachine, Mode, type Program } from './line-machine.ts';
import type { Materialiser } from './materialise.ts';
import type { BadLine, LineTable } from './types.ts';

/** Records of several pieces, and the output bytes they speak of. */
export class RecordList {
  readonly #records: Uint32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  #byteLength = 0;

  add(records: Uint32Array): void {
    this.#records.push(records);
  }

  /** Adds the twin's record of a line that was cut out of the chunk at `start`. */
  addShifted(record: Uint32Array, start: number, line: number): void {
    const moved = record.slice();
    moved[LineRecord.start]! += start;
    moved[LineRecord.end]! += start;
    moved[LineRecord.line] = line;
    if (moved[LineRecord.keyKind] !== 0) {
      moved[LineRecord.keyStart]! += start;
      moved[LineRecord.keyEnd]! += start;
    }
    this.#records.push(moved);
  }

  /** Adds output; the records' offsets are from the start of these bytes. */
  addOutput(records: Uint32Array, bytes: Uint8Array): void {
    if (this.#byteLength > 0) {
      for (let i = 0; i < records.length; i += RECORD_WORDS) {
        records[i]! += this.#byteLength;
        records[i + LineRecord.end]! += this.#byteLength;
      }
    }
    this.#records.push(records);
    this.#bytes.push(bytes);
    this.#byteLength += bytes.length;
  }

  take(): Uint32Array {
    return concat(this.#records, (length) => new Uint32Array(length));
  }

  takeOutput(): Pick<LineTable, 'bytes' | 'records' | 'count'> {
    const records = this.take();
    const bytes = concat(this.#bytes, (length) => new Uint8Array(length));
    return { bytes, records, count: records.length / RECORD_WORDS };
  }
}

/** A bad line of a line that was cut out of the chunk at `start`. */
export function shiftBad(bad: BadLine, start: number, line: number): BadLine {
  return {
    ...bad,
    start: bad.start + start,
    end: bad.end + start,
    offset: bad.offset + start,
    line,
  };
}

/** The table's documents, each followed by a newline, as new bytes. */
export function joinLines({ bytes, records, count }: LineTable): Uint8Array {
  let size = 0;
  for (let i = 0; i < count * RECORD_WORDS; i += RECORD_WORDS) {
    size += records[i + LineRecord.end]! - records[i]! + 1;
  }
  const joined = new Uint8Array(size).fill(0x0a);
  let at = 0;
  for (let i = 0; i < count * RECORD_WORDS; i += RECORD_WORDS) {
    const line = bytes.subarray(records[i], records[i + LineRecord.end]);
    joined.set(line, at);
    at += line.length + 1;
  }
  return joined;
}

/** A program without paths: reads to the tape, or splits. */
export const PLAIN: Program = {
  mode: Mode.tape,
  paths: [],
  image: new Uint8Array(0),
  keySlot: 0,
  hasPredicate: false,
  slowIfTwice: false,
  skims: false,
  at: 0,
  count: 0,
  rowLimit: 0,
  slack: 0,
};
const MAX_RECORDS = (Layout.recordsEnd - Layout.records) / (RECORD_WORDS * 4);

/** The objects of validated lines. */
export function decodeDocuments(
  machine: LineMachine,
  materialiser: Materialiser,
  bytes: Uint8Array,
  records: Uint32Array,
  count: number,
): Document[] {
  const documents: Document[] = [];
  if (count === 0) return documents;
  machine.load(PLAIN, bytes);
  const place = Layout.records >> 2;
  for (let first = 0; first < count; first += MAX_RECORDS) {
    const piece = Math.min(MAX_RECORDS, count - first);
    machine.u32.set(records.subarray(first * RECORD_WORDS, (first + piece) * RECORD_WORDS), place);
    for (let from = 0; from < piece; ) {
      const to = machine.exports.readRecords(Layout.records, from, piece);
      materialiser.build(from, to, documents);
      from = to;
    }
  }
  return documents;
}

/** The parts one after the other; a single part is not copied. */
export function concat<T extends Uint8Array | Uint32Array>(
  parts: readonly T[],
  make: (length: number) => T,
): T {
  if (parts.length === 1) return parts[0]!;
  const whole = make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
