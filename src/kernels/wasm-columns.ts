/**
 * Columns filled by the WebAssembly module: it writes rows into scratch arrays, and after each piece
 * the values are copied into growing buffers here. Queries that the module cannot test exactly are
 * left to the twin, and so are single documents whose arrays are larger than the scratch.
 */
import { Layout, Mode } from './line-machine.ts';
import { type BuiltProgram, ProgramBuilder, type ProgramColumn, relax } from './program.ts';
import type {
  Column,
  ColumnBuilder,
  ColumnData,
  ColumnType,
  FillResult,
  Misfit,
  Query,
} from './types.ts';
import { ColumnBuffer, type ColumnPlace, typesBelow } from './wasm-column-buffer.ts';
import { FieldWatch } from './wasm-field-watch.ts';
import type { WasmContext } from './wasm-kernel.ts';
import { shiftBad } from './wasm-results.ts';

/** Bytes of scratch per row: a value and its validity. */
const ROW_BYTES = 9;
/** How many elements of lists to make room for, for each document. */
const ELEMENTS_PER_ROW = 4;

/** As `Kernel.columns`. */
export function createWasmColumns(
  context: WasmContext,
  columns: readonly Column[],
  query: Query,
): ColumnBuilder {
  const { machine, twin } = context;
  const isExact = !query.where || relax(query.where) === query.where;
  const compiled = isExact ? compile(columns, query) : undefined;
  if (!compiled) return twin.columns(columns, query);

  const { program, places } = compiled;
  const createBuffers = (last?: readonly ColumnBuffer[]) =>
    columns.map(({ type }, i) => new ColumnBuffer(type, last?.[i]));
  let buffers = createBuffers();
  const given = new WeakMap<readonly ColumnData[], ColumnBuffer[]>();
  const spare: ColumnBuffer[][] = [];
  const watch = new FieldWatch(machine, columns, query.select);
  const twinRow = (line: Uint8Array) => {
    const builder = twin.columns(columns, query);
    return { result: builder.fill(line), take: () => builder.take() };
  };

  return {
    get rows() {
      return buffers[0]!.rows;
    },
    get byteLength() {
      return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    },
    get unlisted() {
      return watch.unlisted;
    },
    fill: (bytes, skip): FillResult => {
      watch.begin();
      let rows = 0;
      let misfit: Misfit | undefined;
      const { bad } = machine.drive(program, bytes, {
        skip,
        maxDepth: query.maxDepth,
        piece: ({ count }) => {
          for (const [i, buffer] of buffers.entries()) buffer.append(machine, places[i]!, count);
          rows += count;
        },
        slow: ({ start, end, line }) => {
          const { result, take } = twinRow(bytes.subarray(start, end));
          if (result.bad.length > 0) return shiftBad(result.bad[0]!, start, line);
          if (result.misfit) {
            misfit = moved(result.misfit, start, line);
            return 'stop';
          }
          if (result.rows > 0) {
            for (const [i, data] of take().entries()) buffers[i]!.appendData(data);
            rows++;
          }
          return undefined;
        },
        misfit: ({ start, end, line }) => {
          const { result } = twinRow(bytes.subarray(start, end));
          misfit = moved(result.misfit!, start, line);
        },
      });
      watch.look();
      return misfit ? { rows, bad, misfit } : { rows, bad };
    },
    take: () => {
      const taken = buffers;
      buffers = spare.pop() ?? createBuffers(taken);
      const data = taken.map((buffer) => buffer.take());
      given.set(data, taken);
      return data;
    },
    recycle: (data) => {
      const back = given.get(data);
      if (back === undefined) return;
      given.delete(data);
      for (const buffer of back) buffer.clear();
      spare.push(back);
    },
  };
}

function moved(misfit: Misfit, start: number, line: number): Misfit {
  return { ...misfit, start: misfit.start + start, line };
}

function kindNumber(type: ColumnType): number {
  switch (type.kind) {
    case 'float64':
      return 1;
    case 'int32':
      return 2;
    case 'int64':
      return 3;
    case 'bool':
      return 4;
    case 'utf8':
      return 5;
    case 'timestamp':
      return type.unit === 'ms' ? 6 : 7;
    case 'json':
      return 8;
    case 'struct':
      return 9;
    case 'list':
      return 10;
  }
}

/** The column and what is below it, itself first; `path` is absent inside a list. */
function flatten(type: ColumnType, path: readonly string[] | undefined): ProgramColumn[] {
  const fields = type.kind === 'struct' ? type.fields : [];
  const below = typesBelow(type).flatMap((each, i) =>
    flatten(each, path && type.kind === 'struct' ? [...path, fields[i]!.name] : undefined),
  );
  const names =
    path === undefined && type.kind === 'struct' ? fields.map(({ name }) => name) : undefined;
  return [{ kind: kindNumber(type), path, below: below.length, names }, ...below];
}

/** Lays the scratch arrays out and names them in the program; undefined where that is not possible. */
function compile(
  columns: readonly Column[],
  query: Query,
): { readonly program: BuiltProgram; readonly places: readonly ColumnPlace[] } | undefined {
  const flat = columns.flatMap(({ name, type, path }) => flatten(type, path ?? [name]));
  // The module looks up each name once.
  if (flat.some(({ names }) => names && new Set(names).size < names.length)) return undefined;
  const builder = new ProgramBuilder();
  if (query.where) builder.predicate(query.where, query.trusted);
  const built = builder.build({ mode: Mode.columns, columns: flat });
  const outer = flat.filter(({ path }) => path !== undefined).length;
  const inner = flat.length - outer;
  const room = (Layout.columnsEnd - Layout.columns) / ROW_BYTES;
  const rowLimit = wholeEights(room / (outer + inner * ELEMENTS_PER_ROW));
  if (!built || rowLimit < 8 || flat.length === 0) return undefined;
  const elementLimit = inner > 0 ? wholeEights((room - rowLimit * outer) / inner) : 0;

  const words = new Uint32Array(built.image.buffer);
  let at: number = Layout.columns;
  let ordinal = 0;
  const place = (type: ColumnType): ColumnPlace => {
    const column = built.columnsAt + ordinal * 8;
    const limit = flat[ordinal++]!.path ? rowLimit : elementLimit;
    const values = at;
    const validity = at + limit * 8;
    at += limit * ROW_BYTES;
    words[column + 2] = validity;
    words[column + 3] = values;
    words[column + 6] = limit;
    const rows = Layout.program + (column + 5) * 4;
    return { validity, values, rows, below: typesBelow(type).map(place) };
  };
  const places = columns.map(({ type }) => place(type));
  return { program: { ...built, rowLimit }, places };
}

function wholeEights(rows: number): number {
  return Math.floor(rows / 8) * 8;
}
