/**
 * One instance of the "csv" WebAssembly module and the memory it works in: copies a chunk in, binds a
 * program, and drives the module over the chunk piece by piece. The instance is shared by all readers
 * of a thread; nothing but the program bound last stays in it between calls.
 */
import { type Document, KeyKind, LineRecord, RECORD_WORDS, SITE_WORDS } from '../core/batch.ts';
import { formatPath } from '../core/path.ts';
import { CsvLayout } from './csv-layout.ts';
import { RowBuilder } from './csv-objects.ts';
import {
  type BadRow,
  type CsvMisfit,
  CsvNumbers,
  type CsvObjects,
  type CsvProgram,
  type CsvReader,
  type CsvRows,
  type CsvTable,
} from './csv-types.ts';
import { csvModule } from './generated/csv-module.ts';
import { decodeBase64 } from './wasm-bytes.ts';
import { growTo, PAGE } from './wasm-memory.ts';
import { concat } from './wasm-results.ts';

interface CsvExports {
  setDialect(
    delimiter: number,
    quote: number,
    escapeBy: number,
    comment: number,
    trim: number,
  ): void;
  setColumns(
    count: number,
    key: number,
    keyBytes: number,
    empty: number,
    misfit: number,
    pad: number,
    cut: number,
    nulls: number,
    max: number,
  ): void;
  begin(length: number, last: number, out: number): void;
  run(from: number, outEnd: number): number;
  runTable(from: number, outEnd: number): number;
}

const Status = { done: 0, full: 1, overlong: 2 } as const;
/** Stands for a byte with a meaning that the dialect does not have. */
const NO_BYTE = 0x100;
const PADDING = 64;
const MIN_OUTPUT = 1 << 20;
const encoder = new TextEncoder();

let shared: CsvMachine | undefined;

/** A reader in WebAssembly; undefined when the program does not fit its memory's fixed parts. */
export function createWasmCsvReader(program: CsvProgram): CsvReader | undefined {
  const image = buildImage(program);
  if (!image) return undefined;
  shared ??= new CsvMachine();
  const machine = shared;
  const builder = new RowBuilder(program);
  return {
    name: 'wasm',
    rows: (bytes, last) => machine.read(image, bytes, last),
    objects: (bytes, last) => machine.build(image, builder, bytes, last),
  };
}

/** A program as it goes into the module's memory. */
interface Image {
  readonly program: CsvProgram;
  readonly columns: Uint32Array;
  readonly keys: Uint8Array;
  readonly nulls: Uint8Array;
  readonly longestKey: number;
}

function buildImage(program: CsvProgram): Image | undefined {
  const { columns, nulls } = program;
  const literals = [...columns, { name: '', type: 'string' as const }].map(({ name }) =>
    encoder.encode(`,${JSON.stringify(name)}:"`),
  );
  const words = CsvLayout.columnSize / 4;
  const table = new Uint32Array(literals.length * words);
  let size = 0;
  for (const [i, literal] of literals.entries()) {
    table[i * words] = CsvLayout.keys + size;
    table[i * words + 1] = literal.length;
    table[i * words + 2] = CsvNumbers.type[columns[i]?.type ?? 'string'];
    size += Math.ceil(literal.length / 16) * 16;
  }
  const keys = new Uint8Array(size);
  for (const [i, literal] of literals.entries()) {
    keys.set(literal, table[i * words]! - CsvLayout.keys);
  }
  const texts = nulls.map((text) => encoder.encode(text)).filter((text) => text.length > 0);
  const nullBytes = new Uint8Array(texts.reduce((sum, text) => sum + text.length + 4, 4));
  let at = 0;
  for (const text of texts) {
    new DataView(nullBytes.buffer).setUint32(at, text.length, true);
    nullBytes.set(text, at + 4);
    at += text.length + 4;
  }
  nullBytes.fill(0xff, at);
  const { columns: from, columnsEnd, keysEnd, nulls: nullsAt, nullsEnd } = CsvLayout;
  const fits =
    table.byteLength <= columnsEnd - from &&
    size <= keysEnd - CsvLayout.keys &&
    nullBytes.length <= nullsEnd - nullsAt;
  const longestKey = Math.max(...literals.map(({ length }) => length)) + 16;
  return fits ? { program, columns: table, keys, nulls: nullBytes, longestKey } : undefined;
}

class CsvMachine {
  readonly #exports: CsvExports;
  readonly #memory: WebAssembly.Memory;
  #u8!: Uint8Array;
  #u32!: Uint32Array;
  #bound: Image | undefined;

  constructor() {
    this.#memory = new WebAssembly.Memory({ initial: CsvLayout.input / PAGE, maximum: 65536 });
    const module = new WebAssembly.Module(decodeBase64(csvModule));
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.#exports = instance.exports as unknown as CsvExports;
    this.#refresh();
  }

  read(image: Image, bytes: Uint8Array, last: boolean): CsvTable {
    const pieces = new Pieces();
    const { run } = this.#exports;
    const { key } = image.program;
    const rows = this.#drive(image, bytes, last, run, ({ count, out, outAt }) => {
      const at = CsvLayout.records >> 2;
      const records = this.#u32.slice(at, at + count * RECORD_WORDS);
      pieces.add(this.#u8.slice(out, outAt), records);
    });
    return {
      ...rows,
      ...pieces.join(),
      dense: true,
      ...(key === undefined ? {} : { key: formatPath([key]) }),
    };
  }

  build(image: Image, builder: RowBuilder, bytes: Uint8Array, last: boolean): CsvObjects {
    const documents: Document[] = [];
    const { runTable } = this.#exports;
    const rows = this.#drive(image, bytes, last, runTable, ({ count, out, end }) => {
      builder.build(this.#u8, count, out, end, documents);
    });
    return { ...rows, documents };
  }

  /** Goes over a chunk; what the module leaves in memory is taken piece by piece. */
  #drive(
    image: Image,
    bytes: Uint8Array,
    last: boolean,
    run: CsvExports['run'],
    take: (piece: Piece) => void,
  ): CsvRows {
    const { input } = CsvLayout;
    const out = align(input + bytes.length + PADDING);
    let outEnd = out + Math.max(2 * bytes.length, MIN_OUTPUT) + 2 * image.longestKey;
    this.#reserve(outEnd + PADDING);
    this.#bind(image);
    this.#u8.set(bytes, input);
    this.#exports.begin(bytes.length, last ? 1 : 0, out);
    const bad: BadRow[] = [];
    const sites: Uint32Array[] = [];
    const state = CsvLayout.state >> 2;
    let at: number = input;
    let misfits = 0;
    let found = 0;
    for (;;) {
      at = run(at, outEnd);
      const [status, count, badCount, , outAt, misfit] = this.#u32.subarray(state, state + 6);
      misfits |= misfit!;
      this.#readBad(bad, badCount!, found);
      if (count! > 0) {
        sites.push(this.#readSites(count!, found));
        take({ count: count!, out, outAt: outAt!, end: at });
        found += count!;
      }
      if (status !== Status.full) break;
      if (count === 0 && badCount === 0) {
        outEnd = out + 2 * (outEnd - out);
        this.#reserve(outEnd + PADDING);
      }
    }
    return {
      count: found,
      sites: concat(sites, (length) => new Uint32Array(length)),
      bad,
      lineCount: this.#u32[state + 3]!,
      consumed: at - input,
      overlong: this.#u32[state] === Status.overlong,
      misfits: misfits ? this.#readMisfits(image) : [],
    };
  }

  #bind(image: Image): void {
    if (this.#bound === image) return;
    const { program } = image;
    const { delimiter, quote = NO_BYTE, comment = NO_BYTE, trim, ...dialect } = program.dialect;
    const escapeBy = dialect.escape ?? quote;
    this.#exports.setDialect(delimiter, quote, escapeBy, comment, trim ? 1 : 0);
    this.#u32.set(image.columns, CsvLayout.columns >> 2);
    this.#u8.set(image.keys, CsvLayout.keys);
    this.#u8.set(image.nulls, CsvLayout.nulls);
    const { columns, key, empty, misfit, ragged, nulls, maxRowBytes } = program;
    this.#exports.setColumns(
      columns.length,
      columns.findIndex(({ name }) => name === key),
      image.longestKey,
      CsvNumbers.empty[empty],
      CsvNumbers.misfit[misfit],
      ragged === 'pad' || ragged === 'fit' ? 1 : 0,
      ragged === 'truncate' || ragged === 'fit' ? 1 : 0,
      nulls.length > 0 ? 1 : 0,
      maxRowBytes,
    );
    this.#bound = image;
  }

  #readSites(count: number, before: number): Uint32Array {
    const at = CsvLayout.sites >> 2;
    const sites = this.#u32.slice(at, at + count * SITE_WORDS);
    if (before > 0) for (let i = 2; i < sites.length; i += SITE_WORDS) sites[i]! += before;
    return sites;
  }

  #readBad(found: BadRow[], count: number, rowsBefore: number): void {
    for (let i = 0; i < count; i++) {
      const at = (CsvLayout.bad + i * CsvLayout.badSize) >> 2;
      const [start, end, line, offset, reason, before, fields] = this.#u32.subarray(at, at + 7);
      found.push({
        start: start!,
        end: end!,
        line: line!,
        offset: offset!,
        reason: reason!,
        before: before! + rowsBefore,
        fields: fields!,
      });
    }
  }

  #readMisfits(image: Image): CsvMisfit[] {
    const found: CsvMisfit[] = [];
    for (let column = 0; column < image.program.columns.length; column++) {
      const at = (CsvLayout.columns + column * CsvLayout.columnSize) >> 2;
      const count = this.#u32[at + 3]!;
      if (count === 0) continue;
      found.push({ column, count, start: this.#u32[at + 4]!, line: this.#u32[at + 5]! });
    }
    return found;
  }

  #reserve(end: number): void {
    if (growTo(this.#memory, end)) this.#refresh();
  }

  #refresh(): void {
    this.#u8 = new Uint8Array(this.#memory.buffer);
    this.#u32 = new Uint32Array(this.#memory.buffer);
  }
}

/** What one call of the module has left: rows, where output begins and ends, where input was read to. */
interface Piece {
  readonly count: number;
  readonly out: number;
  readonly outAt: number;
  readonly end: number;
}

/** Gathers the pieces of a chunk's output; offsets and ordinals go on from piece to piece. */
class Pieces {
  #count = 0;
  #size = 0;
  readonly #bytes: Uint8Array[] = [];
  readonly #records: Uint32Array[] = [];

  add(bytes: Uint8Array, records: Uint32Array): void {
    if (this.#count > 0) {
      for (let i = 0; i < records.length; i += RECORD_WORDS) {
        records[i]! += this.#size;
        records[i + LineRecord.end]! += this.#size;
        records[i + LineRecord.line]! += this.#count;
        if (records[i + LineRecord.keyKind] === KeyKind.missing) continue;
        records[i + LineRecord.keyStart]! += this.#size;
        records[i + LineRecord.keyEnd]! += this.#size;
      }
    }
    this.#count += records.length / RECORD_WORDS;
    this.#size += bytes.length;
    this.#bytes.push(bytes);
    this.#records.push(records);
  }

  join(): Pick<CsvTable, 'bytes' | 'records'> {
    return {
      bytes: concat(this.#bytes, (length) => new Uint8Array(length)),
      records: concat(this.#records, (length) => new Uint32Array(length)),
    };
  }
}

function align(address: number): number {
  return Math.ceil(address / PADDING) * PADDING;
}
