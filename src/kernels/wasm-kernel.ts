/**
 * The WebAssembly SIMD kernel. Answers as the TypeScript twin does, which also takes the rare lines
 * that the module leaves alone (repeated keys on a watched path, numbers that only an exact conversion
 * can tell apart, documents larger than the tape or the columns' scratch) and regular expressions.
 */
import { type Document, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { formatPath, type Path } from '../core/path.ts';
import { Layout, LineMachine, Mode } from './line-machine.ts';
import { Materialiser } from './materialise.ts';
import { type BuiltProgram, ProgramBuilder, relax } from './program.ts';
import { buildSelection } from './selection.ts';
import { encodeDocuments } from './twin/codec.ts';
import { createTwinKernel } from './twin/index.ts';
import type { Kernel, LinesOptions, LineTable, Query, Selector } from './types.ts';
import { createWasmColumns } from './wasm-columns.ts';
import { createWasmDriveTable } from './wasm-drive.ts';
import { hashBytes } from './wasm-hash.ts';
import { createWasmIndex } from './wasm-index.ts';
import { createWasmLocator } from './wasm-locator.ts';
import { createWasmObserver } from './wasm-observer.ts';
import { decodeDocuments, joinLines, PLAIN, RecordList, shiftBad } from './wasm-results.ts';

/** What the parts of the kernel share. */
export interface WasmContext {
  readonly machine: LineMachine;
  readonly materialiser: Materialiser;
  /** Makes documents that are kept. */
  readonly keeper: Materialiser;
  readonly twin: Kernel;
  selector(query: Query): Selector;
}

const ID: Path = ['_id'];
const encoder = new TextEncoder();

/** A kernel with a module instance of its own, which is made when documents are first to be read. */
export function createWasmKernel(): Kernel {
  let made: WasmContext | undefined;
  const context = (): WasmContext => {
    made ??= createContext();
    return made;
  };
  const keyPrograms = new Map<string, BuiltProgram>();
  const keyHash = new Uint32Array(2);
  const lines = (bytes: Uint8Array, options: LinesOptions = {}): LineTable => {
    const { key = ID } = options;
    const name = JSON.stringify(key);
    let program = keyPrograms.get(name);
    if (!program) {
      program = new ProgramBuilder().build({ mode: Mode.lines, key })!;
      keyPrograms.set(name, program);
    }
    return readLines(context(), program, bytes, options);
  };
  return {
    name: 'wasm',
    keyHash,
    hash: hashBytes,
    hashKey: (id) => {
      const { machine } = context();
      const length = placeText(machine, id);
      machine.exports.hashAt(Layout.input, length);
      const at = (Layout.state + 64) >> 2;
      keyHash[0] = machine.u32[at]!;
      keyHash[1] = machine.u32[at + 1]!;
    },
    lines,
    split: (bytes) => {
      const { machine } = context();
      const list = new RecordList();
      const result = machine.split(PLAIN, bytes, ({ count }) => list.add(machine.records(count)));
      const records = list.take();
      return { bytes, records, count: records.length / RECORD_WORDS, ...result };
    },
    document: (line) => {
      const { machine, materialiser, twin } = context();
      const tape = machine.readOne(line);
      return tape === 0 ? twin.document(line) : materialiser.one(tape, line.length);
    },
    selector: (query) => context().selector(query),
    columns: (columns, query = {}) => createWasmColumns(context(), columns, query),
    locator: (paths) => createWasmLocator(context(), paths),
    observer: (query = {}) => createWasmObserver(context(), query),
    codec: {
      decode: (bytes, records, count) => {
        const { machine, materialiser } = context();
        return decodeDocuments(machine, materialiser, bytes, records, count);
      },
      encode: (documents) => encodeDocuments(documents, lines),
    },
    createIndex: createWasmIndex,
    entries: (bytes, records, from, to, base) =>
      context().machine.entries(
        bytes,
        records.subarray(from * RECORD_WORDS, to * RECORD_WORDS),
        base,
      ),
    createDriveTable: createWasmDriveTable,
  };
}

function createContext(): WasmContext {
  const machine = new LineMachine();
  // `placeText` writes short keys without asking for room.
  machine.place(new Uint8Array(256));
  const context: WasmContext = {
    machine,
    materialiser: new Materialiser(machine),
    keeper: new Materialiser(machine, true),
    twin: createTwinKernel(),
    selector: (query) => createSelector(context, query),
  };
  return context;
}

/** Writes the text's UTF-8 to the module's input; ids are mostly short ASCII, which makes no garbage. */
function placeText(machine: LineMachine, text: string): number {
  const { u8 } = machine;
  const { length } = text;
  if (length <= 256) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) break;
      u8[Layout.input + i] = unit;
    }
    if (i === length) return length;
  }
  const bytes = encoder.encode(text);
  machine.place(bytes);
  return bytes.length;
}

/** Goes over a chunk in lines mode; slow lines get their records from the twin. */
export function readLines(
  { machine, twin }: WasmContext,
  program: BuiltProgram,
  bytes: Uint8Array,
  options: Omit<LinesOptions, 'maxDepth'> & {
    readonly maxDepth?: number | undefined;
    readonly skip?: Uint8Array | undefined;
  },
  twinFilter?: (line: Uint8Array) => LineTable,
): LineTable {
  const { key = ID, maxDepth, skip } = options;
  const list = new RecordList();
  const { bad, lineCount, dense, canonical } = machine.drive(program, bytes, {
    skip,
    maxDepth,
    piece: ({ count }) => list.add(machine.records(count)),
    slow: ({ start, end, line }) => {
      const slice = bytes.subarray(start, end);
      const table = twinFilter
        ? twinFilter(slice)
        : twin.lines(slice, { key, ...(maxDepth === undefined ? {} : { maxDepth }) });
      if (table.bad.length > 0) return shiftBad(table.bad[0]!, start, line);
      if (table.count === 0) return undefined;
      const record = table.records.subarray(0, RECORD_WORDS);
      list.addShifted(record, start, line);
      return record[0] === 0 && record[LineRecord.end] === slice.length ? 'whole' : undefined;
    },
  });
  const records = list.take();
  return {
    bytes,
    records,
    count: records.length / RECORD_WORDS,
    dense,
    key: formatPath(key),
    bad,
    lineCount,
    canonical: canonical && dense && key.length === 1 && key[0] === '_id',
  };
}

function createSelector(context: WasmContext, query: Query): Selector {
  const { machine, twin } = context;
  const twinSelector = twin.selector(query);
  const { where, select, maxDepth, trusted, keeps } = query;
  const materialiser = keeps ? context.keeper : context.materialiser;
  const tests = where && relax(where);
  const isExact = tests === where;
  const programs = new Map<number, BuiltProgram | undefined>();
  const program = (mode: number): BuiltProgram | undefined => {
    if (!programs.has(mode)) {
      const builder = new ProgramBuilder();
      if (tests) builder.predicate(tests, trusted);
      const entries =
        mode === Mode.project && select ? builder.selection(buildSelection(select)) : [];
      const fits = !select || mode !== Mode.project || entries.length > 0;
      const key = mode === Mode.lines ? { key: ID } : {};
      programs.set(mode, fits ? builder.build({ mode, entries, ...key }) : undefined);
    }
    return programs.get(mode);
  };

  /** With tests that only narrow down, the lines they keep are tested again by the twin. */
  const filter = (bytes: Uint8Array, skip?: Uint8Array): LineTable => {
    const lines = program(Mode.lines);
    if (!lines) return twinSelector.filter(bytes, skip);
    const table = readLines(context, lines, bytes, { skip, maxDepth }, (line) =>
      twinSelector.filter(line),
    );
    return isExact ? table : keepExact(table, (line) => twinSelector.filter(line).count > 0);
  };

  const project = (bytes: Uint8Array, skip?: Uint8Array): LineTable => {
    const writes = program(Mode.project);
    if (!writes) return twinSelector.project(bytes, skip);
    const list = new RecordList();
    const result = machine.drive(writes, bytes, {
      skip,
      maxDepth,
      piece: ({ count, out }) => {
        const from = machine.outStart;
        list.addOutput(machine.records(count), machine.u8.slice(from, out));
      },
      slow: ({ start, end, line }) => {
        const table = twinSelector.project(bytes.subarray(start, end));
        if (table.bad.length > 0) return shiftBad(table.bad[0]!, start, line);
        if (table.count > 0) {
          const records = table.records.slice(0, RECORD_WORDS);
          records[LineRecord.line] = line;
          list.addOutput(records, table.bytes);
        }
        return undefined;
      },
    });
    const { bad, lineCount } = result;
    const out = list.takeOutput();
    return { ...out, dense: true, bad, lineCount, canonical: false };
  };

  const documents = (bytes: Uint8Array, skip?: Uint8Array) => {
    const tape = select ? undefined : program(Mode.tape);
    if (select) {
      const { bytes: out, records, count, bad, lineCount } = project(bytes, skip);
      return {
        documents: decodeDocuments(machine, materialiser, out, records, count),
        bad,
        lineCount,
      };
    }
    if (!tape) return twinSelector.documents(bytes, skip);
    const found: Document[] = [];
    const { bad, lineCount } = machine.drive(tape, bytes, {
      skip,
      maxDepth,
      piece: ({ count }) => materialiser.build(0, count, found),
      slow: ({ start, end, line }) => {
        const result = twinSelector.documents(bytes.subarray(start, end));
        if (result.bad.length > 0) return shiftBad(result.bad[0]!, start, line);
        found.push(...result.documents);
        return undefined;
      },
    });
    return { documents: found, bad, lineCount };
  };

  if (isExact) return { filter, project, documents };
  // What the tests keep is only a superset: find the lines first, then work on those alone.
  const rest = createSelector(context, { ...(select ? { select } : {}), maxDepth, keeps });
  return {
    filter,
    project: (bytes, skip) => {
      const kept = filter(bytes, skip);
      const projected = rest.project(joinLines(kept));
      for (let i = LineRecord.line; i < projected.records.length; i += RECORD_WORDS) {
        projected.records[i] = kept.records[i]!;
      }
      return { ...projected, bad: kept.bad, lineCount: kept.lineCount };
    },
    documents: (bytes, skip) => {
      const kept = filter(bytes, skip);
      const { documents: found } = rest.documents(joinLines(kept));
      return { documents: found, bad: kept.bad, lineCount: kept.lineCount };
    },
  };
}

/** Keeps the records whose line passes. */
function keepExact(table: LineTable, passes: (line: Uint8Array) => boolean): LineTable {
  const { bytes, records, count } = table;
  const list = new RecordList();
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const record = records.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
    if (!passes(bytes.subarray(record[0], record[LineRecord.end]))) continue;
    list.add(record);
    kept++;
  }
  if (kept === count) return table;
  return { ...table, records: list.take(), count: kept, dense: false, canonical: false };
}
