/**
 * One instance of the "lines" WebAssembly module and the memory it works in. Copies a chunk in,
 * binds a program (which paths go to which slots, what to test, what to write), and drives the
 * module over the chunk piece by piece.
 *
 * The memory is shared by all users of the instance and holds nothing between calls but the learned
 * shapes, which are only a cache. Pieces are views into it, valid until the callback returns.
 */
import { assert } from '../core/assert.ts';
import { checkCount } from '../core/check-option.ts';
import { LineRecord, RECORD_WORDS } from '../core/lines.ts';
import type { Path } from '../core/path.ts';
import { linesModule } from './generated/lines-module.ts';
import { powersOfFive } from './powers-of-five.ts';
import { faultCode, faultReasons } from './reasons.ts';
import { type BadLine, DEFAULT_MAX_DEPTH, MAX_DEPTH } from './types.ts';
import { decodeBase64, encodeWtf8 } from './wasm-bytes.ts';
import { growTo, PAGE } from './wasm-memory.ts';

/** Addresses of wasm/layout.ts that the loader uses; a test compares them. */
export const Layout = {
  state: 0x10000,
  bad: 0x11000,
  nodes: 0x40000,
  nodeSize: 64,
  stats: 0x88000,
  statSize: 48,
  powers: 0xec000,
  program: 0xf0000,
  programEnd: 0x100000,
  tape: 0x1a0000,
  records: 0x2a0000,
  recordsEnd: 0x3a0000,
  columns: 0x3a0000,
  columnsEnd: 0x5a0000,
  input: 0x5e0000,
  textBits: 11,
  slotLimit: 512,
} as const;

/** What a program does with each document; the numbers of wasm/lines.ts. */
export const Mode = { lines: 0, project: 1, tape: 2, columns: 3, observe: 4, places: 5 } as const;

const Status = { done: 0, full: 1, slow: 2, misfit: 3 } as const;

interface LinesExports {
  root(): number;
  childNode(parent: number, key: number, length: number): number;
  bind(node: number, slot: number): void;
  forgetShapes(): void;
  graphIsFull(): number;
  graphNodes(): number;
  gatherTexts(out: number): number;
  textEpoch(): number;
  configure(
    mode: number,
    key: number,
    predicate: number,
    twice: number,
    program: number,
    count: number,
    limit: number,
    slack: number,
    skims: number,
  ): void;
  begin(
    length: number,
    maxDepth: number,
    scratch: number,
    out: number,
    end: number,
    skips: number,
  ): void;
  run(from: number): number;
  split(from: number): number;
  passed(document: number, whole: number): void;
  readRecords(records: number, from: number, to: number): number;
  readOne(length: number, scratch: number): number;
  gatherText(values: number, rows: number, out: number, offsets: number, base: number): number;
  packBits(bytes: number, rows: number, out: number, shift: number, carry: number): number;
  hashAt(at: number, length: number): void;
  writeEntries(records: number, count: number, base: number, out: number): number;
}

/** A compiled query; addresses are those `ProgramBuilder` gave out. */
export interface Program {
  readonly mode: number;
  /** Slot i + 1 belongs to paths[i]. */
  readonly paths: readonly Path[];
  /** Placed at `Layout.program`. */
  readonly image: Uint8Array;
  readonly keySlot: number;
  readonly hasPredicate: boolean;
  readonly slowIfTwice: boolean;
  /** Lines that cannot be kept are passed over unread; only without `skip`. */
  readonly skims: boolean;
  /** Address and number of the projection's entries or of the columns. */
  readonly at: number;
  readonly count: number;
  readonly rowLimit: number;
  /** Bytes that a document's output may be longer than its line. */
  readonly slack: number;
}

/** Results of a piece: what the module did before it returned. */
export interface Piece {
  /** Records, or rows in column mode. */
  readonly count: number;
  /** End address of the output. */
  readonly out: number;
}

/** A document that the module leaves to the caller, or the line of a misfit. */
export interface SlowLine {
  /** Offset of the line in the chunk; the line end is not part of it. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/**
 * What the caller found in a slow line: why it is no document, that it is one kept from end to end,
 * or nothing to say (another document); or that the drive must end.
 */
export type SlowResult = BadLine | 'whole' | undefined | 'stop';

export interface DriveOptions {
  readonly skip?: Uint8Array | undefined;
  readonly maxDepth?: number | undefined;
  readonly piece: (piece: Piece) => void;
  /** Does the work for one line, which is not skipped, with the TypeScript twin. */
  readonly slow: (line: SlowLine) => SlowResult;
  /** Called in column mode in front of a misfit; the drive ends there. */
  readonly misfit?: (line: SlowLine) => void;
}

/** What is known of a chunk after the drive; as the fields of the same names in `LineTable`. */
export interface DriveResult {
  readonly bad: BadLine[];
  readonly lineCount: number;
  readonly dense: boolean;
  readonly canonical: boolean;
}

const PADDING = 64;
/** Bytes of an entry of an index.bin beside its id. */
const ENTRY_BYTES = 14;
const MIN_OUTPUT = 1 << 20;
/** Chunks to let pass before a full graph is forgotten again. */
const RESET_PAUSE = 64;

let compiled: WebAssembly.Module | undefined;

export class LineMachine {
  readonly exports: LinesExports;
  u8!: Uint8Array;
  u32!: Uint32Array;
  f64!: Float64Array;
  /** Counts the times the graph was forgotten, so that caches by node know. */
  generation = 0;
  readonly #memory: WebAssembly.Memory;
  #program: Program | undefined;
  #bound: number[] = [];
  #sinceReset = RESET_PAUSE;
  #out = 0;
  #outEnd = 0;
  #scratch = 0;

  constructor() {
    compiled ??= new WebAssembly.Module(decodeBase64(linesModule));
    this.#memory = new WebAssembly.Memory({ initial: Layout.input / PAGE, maximum: 65536 });
    const instance = new WebAssembly.Instance(compiled, { env: { memory: this.#memory } });
    this.exports = instance.exports as unknown as LinesExports;
    this.#refresh();
    new BigUint64Array(this.#memory.buffer, Layout.powers).set(powersOfFive());
    this.exports.forgetShapes();
  }

  /** Where output of the current chunk begins, and where it must end. */
  get outStart(): number {
    return this.#out;
  }

  get outEnd(): number {
    return this.#outEnd;
  }

  /** Copies the chunk in, binds the program, starts. `skip` has a byte per document. */
  load(program: Program, bytes: Uint8Array, skip?: Uint8Array, maxDepth?: number): void {
    const length = bytes.length;
    const skipAt = align(Layout.input + length + PADDING);
    this.#scratch = align(skipAt + (skip?.length ?? 0));
    this.#out = align(this.#scratch + length + PADDING);
    this.#outEnd = this.#out + Math.max(length, MIN_OUTPUT) + program.slack + PADDING;
    this.reserve(this.#outEnd + PADDING);
    this.#bind(program);
    this.u8.set(bytes, Layout.input);
    if (skip) this.u8.set(skip, skipAt);
    const { exports } = this;
    exports.configure(
      program.mode,
      program.keySlot,
      program.hasPredicate ? 1 : 0,
      program.slowIfTwice ? 1 : 0,
      program.at,
      program.count,
      program.rowLimit,
      program.slack,
      program.skims && !skip ? 1 : 0,
    );
    const depth = checkCount('maxDepth', maxDepth ?? DEFAULT_MAX_DEPTH, 1, MAX_DEPTH);
    exports.begin(length, depth, this.#scratch, this.#out, this.#outEnd, skip ? skipAt : 0);
  }

  /** Runs the program over the chunk. */
  drive(program: Program, bytes: Uint8Array, options: DriveOptions): DriveResult {
    const { skip, maxDepth, piece, slow, misfit } = options;
    this.load(program, bytes, skip, maxDepth);
    const { exports } = this;
    const state = Layout.state >> 2;
    const bad: BadLine[] = [];
    let at: number = Layout.input;
    for (;;) {
      at = exports.run(at);
      const { u32 } = this;
      const status = u32[state]!;
      const count = u32[state + 1]!;
      if (u32[state + 2]!) this.#readBad(bad, u32[state + 2]!);
      const line = { start: u32[state + 8]!, end: u32[state + 9]!, line: u32[state + 10]! };
      const before = u32[state + 4]!;
      if (count > 0) piece({ count, out: u32[state + 7]! });
      if (status === Status.done) break;
      if (status === Status.full) continue;
      if (status === Status.misfit) {
        misfit!(line);
        break;
      }
      const fault = slow(line);
      if (fault === 'stop') break;
      const isDocument = fault === undefined || fault === 'whole';
      if (!isDocument) bad.push({ ...fault, before });
      exports.passed(isDocument ? 1 : 0, fault === 'whole' ? 1 : 0);
    }
    return this.#result(bad);
  }

  #result(bad: BadLine[]): DriveResult {
    const state = Layout.state >> 2;
    return {
      bad,
      lineCount: this.u32[state + 3]!,
      dense: this.u32[state + 5]! === 1,
      canonical: this.u32[state + 6]! === 1,
    };
  }

  /** Cuts a chunk of good lines at their ends, without reading them. */
  split(program: Program, bytes: Uint8Array, piece: (piece: Piece) => void): DriveResult {
    this.load(program, bytes);
    const state = Layout.state >> 2;
    let at: number = Layout.input;
    do {
      at = this.exports.split(at);
      const count = this.u32[state + 1]!;
      if (count > 0) piece({ count, out: 0 });
    } while (this.u32[state] === Status.full);
    return this.#result([]);
  }

  /** Copies the records of a piece. */
  records(count: number): Uint32Array {
    const at = Layout.records >> 2;
    return this.u32.slice(at, at + count * 8);
  }

  /** As `Kernel.entries`, for all records given, which are in the order of their lines. */
  entries(bytes: Uint8Array, records: Uint32Array, base: number): Uint8Array {
    const count = records.length / RECORD_WORDS;
    if (count === 0) return this.u8.subarray(0, 0);
    const from = records[0]!;
    const to = records[(count - 1) * RECORD_WORDS + LineRecord.end]!;
    const at = align(Layout.input + to + PADDING);
    const out = align(at + records.byteLength);
    this.reserve(out + to - from + count * ENTRY_BYTES + PADDING);
    // Not all bytes: where every other line is dead there is a call for each of the rest.
    this.u8.set(bytes.subarray(from, to), Layout.input + from);
    this.u32.set(records, at >> 2);
    return this.u8.subarray(out, this.exports.writeEntries(at, count, base, out));
  }

  /** Copies bytes to free memory as long as the last chunk, at least 1 KiB. */
  place(bytes: Uint8Array): number {
    this.reserve(Layout.input + bytes.length + PADDING);
    this.u8.set(bytes, Layout.input);
    return Layout.input;
  }

  /** Reads one document to the tape; its tape place, 0 where that does not do. */
  readOne(bytes: Uint8Array): number {
    const { length } = bytes;
    const scratch = align(Layout.input + length + PADDING);
    this.reserve(scratch + length + PADDING);
    this.u8.set(bytes, Layout.input);
    return this.exports.readOne(length, scratch);
  }

  #bind(program: Program): void {
    const { exports } = this;
    this.#sinceReset++;
    if (this.#sinceReset > RESET_PAUSE && exports.graphIsFull()) this.#forget();
    if (this.#program === program) return;
    for (const node of this.#bound) exports.bind(node, 0);
    if (!this.#bindPaths(program)) {
      this.#forget();
      assert(this.#bindPaths(program), 'a program fits an empty graph');
    }
    this.u8.set(program.image, Layout.program);
    this.#program = program;
  }

  #bindPaths(program: Program): boolean {
    const { exports } = this;
    this.#bound = [];
    for (const [i, path] of program.paths.entries()) {
      let node = exports.root();
      for (const step of path) {
        const key = encodeWtf8(step);
        node = exports.childNode(node, this.place(key), key.length);
        if (node === Layout.nodes) return false;
      }
      exports.bind(node, i + 1);
      this.#bound.push(node);
    }
    return true;
  }

  #forget(): void {
    this.exports.forgetShapes();
    this.#program = undefined;
    this.#bound = [];
    this.#sinceReset = 0;
    this.generation++;
  }

  /** Forgets the learned shapes, for a chunk that did not fit beside them. */
  forget(): void {
    this.#forget();
  }

  /** Makes the memory reach to `end`; the views are new ones then. */
  reserve(end: number): void {
    if (growTo(this.#memory, end)) this.#refresh();
  }

  #refresh(): void {
    const { buffer } = this.#memory;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  #readBad(bad: BadLine[], count: number): void {
    for (let i = 0; i < count; i++) {
      const at = (Layout.bad >> 2) + i * 6;
      const reason = this.u32[at + 4]!;
      bad.push({
        start: this.u32[at]!,
        end: this.u32[at + 1]!,
        line: this.u32[at + 2]!,
        offset: this.u32[at + 3]!,
        code: faultCode(reason),
        reason: faultReasons[reason]!,
        before: this.u32[at + 5]!,
      });
    }
  }
}

function align(address: number): number {
  return Math.ceil(address / PADDING) * PADDING;
}
