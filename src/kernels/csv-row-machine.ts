/**
 * One instance of the "rows" WebAssembly module and the memory it works in: copies lines in, binds a
 * program, and takes rows out. The instance is shared by all writers of a thread; nothing but the
 * program bound last stays in it between calls. What the module leaves (a key with an escape, a field
 * that is no column) is the twin's, line by line.
 */
import { compactLines, type EncodedLines, LineRecord, RECORD_WORDS } from '../core/lines.ts';
import type { CsvRowProgram, CsvRowWriter, OnUnwritable } from './csv-types.ts';
import { rowsModule } from './generated/rows-module.ts';
import { TwinCsvRowWriter } from './twin/csv-rows.ts';
import { decodeBase64 } from './wasm-bytes.ts';
import { growTo } from './wasm-memory.ts';
import { concat } from './wasm-results.ts';

type Address = 'STATE' | 'NULL' | 'NULL_END' | 'COLUMNS' | 'COLUMNS_END' | 'KEYS' | 'KEYS_END';

interface RowExports extends Record<Address | 'INPUT' | 'LEFT', WebAssembly.Global> {
  setColumns(
    count: number,
    delimiter: number,
    nullBytes: number,
    lineEnd: number,
    quotesAll: number,
    dropsExtra: number,
    extra: number,
  ): void;
  run(base: number, record: number, recordsEnd: number, out: number, outEnd: number): number;
}

/** Bytes that may be read behind the lines, and written behind the rows. */
const SLACK = 64;
const MIN_OUTPUT = 1 << 20;
const COLUMN_WORDS = 4;
const RECORD_BYTES = RECORD_WORDS * 4;
/** Lines that are less than this part of the bytes they lie in are copied out of them first. */
const SPARSE = 1 / 4;
const encoder = new TextEncoder();

let shared: RowMachine | undefined;

/** A writer in WebAssembly; undefined when the program does not fit its memory's fixed parts. */
export function createWasmCsvRowWriter(program: CsvRowProgram): CsvRowWriter | undefined {
  shared ??= new RowMachine();
  const image = shared.prepare(program);
  return image && new WasmCsvRowWriter(shared, image);
}

class WasmCsvRowWriter implements CsvRowWriter {
  readonly name = 'wasm';
  readonly #machine: RowMachine;
  readonly #image: Image;
  readonly #twin: TwinCsvRowWriter;
  #dropped = 0;

  constructor(machine: RowMachine, image: Image) {
    this.#machine = machine;
    this.#image = image;
    this.#twin = new TwinCsvRowWriter(image.program);
  }

  get dropped(): number {
    return this.#dropped + this.#twin.dropped;
  }

  rows(lines: EncodedLines, onUnwritable: OnUnwritable): Uint8Array {
    const parts: Uint8Array[] = [];
    this.#dropped += this.#machine.write(this.#image, together(lines), parts, (ordinal) =>
      this.#twin.row(lines, ordinal, onUnwritable),
    );
    return concat(parts, (length) => new Uint8Array(length));
  }
}

/** A program as it goes into the module's memory. */
interface Image {
  readonly program: CsvRowProgram;
  readonly columns: Uint32Array;
  readonly keys: Uint8Array;
  readonly null: Uint8Array;
  /** Bytes that a row may need beside twice its line. */
  readonly extra: number;
}

class RowMachine {
  readonly #exports: RowExports;
  readonly #memory: WebAssembly.Memory;
  readonly #input: number;
  #u8!: Uint8Array;
  #u32!: Uint32Array;
  #bound: Image | undefined;

  constructor() {
    const module = new WebAssembly.Module(decodeBase64(rowsModule));
    this.#memory = new WebAssembly.Memory({ initial: 32, maximum: 65536 });
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.#exports = instance.exports as unknown as RowExports;
    this.#input = this.#exports.INPUT.value;
    this.#refresh();
  }

  /** Undefined if it does not fit. */
  prepare(program: CsvRowProgram): Image | undefined {
    const { KEYS, KEYS_END, COLUMNS, COLUMNS_END, NULL, NULL_END } = this.#exports;
    const literals = program.columns.map((name) => encoder.encode(`,${JSON.stringify(name)}:`));
    const columns = new Uint32Array(literals.length * COLUMN_WORDS);
    let size = 0;
    for (const [i, { length }] of literals.entries()) {
      columns.set([KEYS.value + size, length], i * COLUMN_WORDS);
      size += Math.ceil(length / 16) * 16;
    }
    const nullBytes = encoder.encode(program.null);
    const fits =
      columns.byteLength <= COLUMNS_END.value - COLUMNS.value &&
      size <= KEYS_END.value - KEYS.value &&
      nullBytes.length <= NULL_END.value - NULL.value;
    if (!fits) return undefined;
    const keys = new Uint8Array(size);
    for (const [i, literal] of literals.entries()) {
      keys.set(literal, columns[i * COLUMN_WORDS]! - KEYS.value);
    }
    const extra = literals.length * (nullBytes.length + 3) + SLACK;
    return { program, columns, keys, null: nullBytes, extra };
  }

  /**
   * Adds the rows to `parts`; what is to stand for a line that the module leaves, `leave` answers.
   * Answers how many fields were left out.
   */
  write(
    image: Image,
    { bytes, records, count }: EncodedLines,
    parts: Uint8Array[],
    leave: (ordinal: number) => Uint8Array,
  ): number {
    if (count === 0) return 0;
    const from = records[0]!;
    const until = records[(count - 1) * RECORD_WORDS + LineRecord.end]!;
    const recordsAt = align(this.#input + until - from + SLACK);
    const out = recordsAt + count * RECORD_BYTES;
    const outEnd = out + Math.max(2 * (until - from), MIN_OUTPUT) + image.extra;
    this.#reserve(outEnd + SLACK);
    this.#bind(image);
    this.#u8.set(bytes.subarray(from, until), this.#input);
    this.#u32.set(records.subarray(0, count * RECORD_WORDS), recordsAt >> 2);
    const { run, LEFT } = this.#exports;
    const state = this.#exports.STATE.value >> 2;
    let dropped = 0;
    for (let at = recordsAt; at < out; ) {
      at = run(this.#input - from, at, out, out, outEnd);
      const [status, outAt, droppedNow] = this.#u32.subarray(state, state + 3);
      parts.push(this.#u8.slice(out, outAt));
      dropped += droppedNow!;
      if (status !== LEFT.value) continue;
      parts.push(leave((at - recordsAt) / RECORD_BYTES));
      at += RECORD_BYTES;
    }
    return dropped;
  }

  #bind(image: Image): void {
    if (this.#bound === image) return;
    const { COLUMNS, KEYS, NULL } = this.#exports;
    this.#u32.set(image.columns, COLUMNS.value >> 2);
    this.#u8.set(image.keys, KEYS.value);
    this.#u8.set(image.null, NULL.value);
    const { columns, delimiter, lineEnd, quotesAll, dropsExtra } = image.program;
    this.#exports.setColumns(
      columns.length,
      delimiter,
      image.null.length,
      lineEnd === '\n' ? 0x0a : 0x0d0a,
      quotesAll ? 1 : 0,
      dropsExtra ? 1 : 0,
      image.extra,
    );
    this.#bound = image;
  }

  #reserve(end: number): void {
    if (growTo(this.#memory, end)) this.#refresh();
  }

  #refresh(): void {
    this.#u8 = new Uint8Array(this.#memory.buffer);
    this.#u32 = new Uint32Array(this.#memory.buffer);
  }
}

/** The lines without what lies between them, where that is most of it. */
function together(lines: EncodedLines): EncodedLines {
  const { records, count } = lines;
  if (lines.dense || count === 0) return lines;
  const span = records[(count - 1) * RECORD_WORDS + LineRecord.end]! - records[0]!;
  let size = 0;
  for (let at = 0; at < count * RECORD_WORDS; at += RECORD_WORDS) {
    size += records[at + LineRecord.end]! - records[at]!;
  }
  return size < span * SPARSE ? compactLines(lines) : lines;
}

function align(address: number): number {
  return Math.ceil(address / SLACK) * SLACK;
}
