/**
 * Columns filled by the WebAssembly module: it writes rows into scratch arrays, and after each piece
 * the values are copied into growing buffers here. Schemas with lists, and queries that the module
 * cannot test exactly, are left to the twin.
 */
import { Layout, Mode } from './line-machine.ts';
import { type BuiltProgram, ProgramBuilder, relax } from './program.ts';
import type {
  Column,
  ColumnBuilder,
  ColumnData,
  ColumnType,
  FillResult,
  Misfit,
  Query,
} from './types.ts';
import { ColumnBuffer } from './wasm-column-buffer.ts';
import type { WasmContext } from './wasm-kernel.ts';
import { shiftBad } from './wasm-results.ts';

/** A column with its place: structs come before their fields. */
interface FlatColumn {
  readonly kind: number;
  readonly path: readonly string[];
  readonly type: ColumnType;
  readonly below: number;
}

/** As `Kernel.columns`. */
export function createWasmColumns(
  context: WasmContext,
  columns: readonly Column[],
  query: Query,
): ColumnBuilder {
  const { machine, twin } = context;
  const flat = flatten(columns);
  const tests = query.where && relax(query.where);
  const program = flat && tests === query.where ? compile(flat, query) : undefined;
  if (!flat || !program) return twin.columns(columns, query);

  const places = program.places;
  let buffers = flat.map(({ type }) => new ColumnBuffer(type));
  const twinRow = (line: Uint8Array) => {
    const builder = twin.columns(columns, query);
    return { result: builder.fill(line), take: () => builder.take() };
  };

  return {
    get rows() {
      return buffers[0]?.rows ?? 0;
    },
    get byteLength() {
      return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    },
    fill: (bytes, skip): FillResult => {
      let rows = 0;
      let misfit: Misfit | undefined;
      const { bad } = machine.drive(program.program, bytes, {
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
            appendTwin(buffers, columns, take());
            rows++;
          }
          return undefined;
        },
        misfit: ({ start, end, line }) => {
          const { result } = twinRow(bytes.subarray(start, end));
          misfit = moved(result.misfit!, start, line);
        },
      });
      return misfit ? { rows, bad, misfit } : { rows, bad };
    },
    take: () => {
      const taken = buffers;
      buffers = flat.map(({ type }) => new ColumnBuffer(type));
      let at = 0;
      const collect = (type: ColumnType): ColumnData => {
        const buffer = taken[at++]!;
        const children =
          type.kind === 'struct' ? type.fields.map((field) => collect(field.type)) : [];
        return buffer.take(children);
      };
      return columns.map((column) => collect(column.type));
    },
  };
}

function moved(misfit: Misfit, start: number, line: number): Misfit {
  return { ...misfit, start: misfit.start + start, line };
}

/** Appends a row that the twin made, column by column in the same order as `flatten`. */
function appendTwin(
  buffers: readonly ColumnBuffer[],
  columns: readonly Column[],
  data: readonly ColumnData[],
): void {
  let at = 0;
  const append = (type: ColumnType, row: ColumnData): void => {
    buffers[at++]!.appendRow(row);
    if (type.kind !== 'struct') return;
    for (const [i, field] of type.fields.entries()) append(field.type, row.children![i]!);
  };
  for (const [i, column] of columns.entries()) append(column.type, data[i]!);
}

/** Columns in preorder; undefined where a list is among them. */
function flatten(columns: readonly Column[]): FlatColumn[] | undefined {
  const flat: FlatColumn[] = [];
  const visit = (type: ColumnType, path: readonly string[]): boolean => {
    const kind = kindNumber(type);
    if (kind === 0) return false;
    flat.push({ kind, path, type, below: 0 });
    if (type.kind !== 'struct') return true;
    return type.fields.every((field) => visit(field.type, [...path, field.name]));
  };
  return columns.every(({ name, type, path }) => visit(type, path ?? [name])) ? flat : undefined;
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
      return 0;
  }
}

interface ColumnsProgram {
  readonly program: BuiltProgram;
  /** Addresses of a column's validity bytes and values. */
  readonly places: readonly { readonly validity: number; readonly values: number }[];
}

/** Lays the scratch arrays out and names them in the program's descriptors. */
function compile(flat: readonly FlatColumn[], query: Query): ColumnsProgram | undefined {
  const builder = new ProgramBuilder();
  if (query.where) builder.predicate(query.where);
  const built = builder.build({ mode: Mode.columns, columns: flat });
  const rowBytes = flat.length * 9;
  const room = Layout.columnsEnd - Layout.columns - flat.length * 32;
  const rowLimit = Math.floor(room / rowBytes / 8) * 8;
  if (!built || rowLimit < 8 || flat.length === 0) return undefined;
  const words = new Uint32Array(built.image.buffer);
  const places = flat.map((_, i) => {
    const values = Layout.columns + i * rowLimit * 9;
    const validity = values + rowLimit * 8;
    words[built.columnsAt + i * 8 + 2] = validity;
    words[built.columnsAt + i * 8 + 3] = values;
    return { validity, values };
  });
  return { program: { ...built, rowLimit }, places };
}
