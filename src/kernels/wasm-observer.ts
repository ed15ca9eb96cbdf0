/**
 * Schema observation by the WebAssembly module: it counts kinds per node of its graph while it
 * reads; here the counts of each chunk are added up by path. A chunk whose documents have more paths
 * than the graph holds goes to the twin.
 */
import { type FieldCounts, newFieldCounts } from './field-counts.ts';
import { Layout, Mode } from './line-machine.ts';
import { type BuiltProgram, ProgramBuilder } from './program.ts';
import { selectFields } from './select-fields.ts';
import { buildSelection } from './selection.ts';
import type { FieldStats, Observed, Query, SchemaObserver } from './types.ts';
import { decodeWtf8 } from './wasm-bytes.ts';
import type { WasmContext } from './wasm-kernel.ts';
import { joinLines } from './wasm-results.ts';

/** Word offsets in a node's counts. */
const Stat = {
  nulls: 0,
  booleans: 1,
  integers: 2,
  wide: 3,
  floats: 4,
  strings: 5,
  objects: 6,
  arrays: 7,
  order: 8,
} as const;

/** Counts of one path, added up over chunks. */
interface Field extends FieldCounts {
  readonly path: readonly string[];
  readonly element: boolean;
  readonly children: Map<string, Field>;
}

/** As `Kernel.observer`. */
export function createWasmObserver(context: WasmContext, query: Query): SchemaObserver {
  const { machine, twin } = context;
  const root = newField([], false);
  const program: BuiltProgram = new ProgramBuilder().build({ mode: Mode.observe })!;
  const { where, maxDepth, trusted } = query;
  const selector = context.selector({ ...(where ? { where } : {}), maxDepth, trusted });

  /** Counts a chunk in which every document counts. */
  const count = (bytes: Uint8Array): Observed => {
    for (let attempt = 0; attempt < 2; attempt++) {
      let overflow = false;
      let documents = 0;
      const { bad, lineCount } = machine.drive(program, bytes, {
        maxDepth,
        piece: (piece) => {
          documents += piece.count;
        },
        slow: () => {
          overflow = true;
          return 'stop';
        },
      });
      if (!overflow) {
        // Part of a bad line was counted too.
        if (bad.length > 0) return { count: observeKept(bytes).count, bad, lineCount };
        addCounts(context, root);
        return { count: documents, bad, lineCount };
      }
      machine.forget();
    }
    const observer = twin.observer({ maxDepth });
    const result = observer.observe(bytes);
    for (const field of observer.fields()) mergeStats(root, field);
    return result;
  };

  const observeKept = (bytes: Uint8Array, skip?: Uint8Array): Observed => {
    const kept = selector.filter(bytes, skip);
    const { bad, lineCount } = kept;
    return { count: count(joinLines(kept)).count, bad, lineCount };
  };

  return {
    observe: (bytes, skip) => (where || skip ? observeKept(bytes, skip) : count(bytes)),
    fields: () => {
      const fields = Array.from(root.children.values(), freeze);
      return query.select ? selectFields(fields, buildSelection(query.select)) : fields;
    },
  };
}

/** Adds the counts of the chunk just read, fields in the order they were first seen. */
function addCounts({ machine }: WasmContext, root: Field): void {
  const { u32, u8, exports } = machine;
  const total = exports.graphNodes();
  const seen: number[] = [];
  for (let node = 2; node < total; node++) {
    if (u32[statAt(node) + Stat.order]! > 0) seen.push(node);
  }
  seen.sort((a, b) => u32[statAt(a) + Stat.order]! - u32[statAt(b) + Stat.order]!);
  const fields = new Map<number, Field>([[1, root]]);
  for (const node of seen) {
    const at = (Layout.nodes + node * Layout.nodeSize) >> 2;
    const parentNode = (u32[at]! - Layout.nodes) / Layout.nodeSize;
    const parent = fields.get(parentNode);
    if (!parent) continue;
    const element = u32[(u32[at]! + 52) >> 2]! === at * 4;
    const key = decodeWtf8(u8.subarray(u32[at + 1]!, u32[at + 1]! + u32[at + 2]!));
    const field = childOf(parent, element ? undefined : key);
    fields.set(node, field);
    const stat = statAt(node);
    field.nulls += u32[stat + Stat.nulls]!;
    field.booleans += u32[stat + Stat.booleans]!;
    field.integers += u32[stat + Stat.integers]!;
    field.int32 &&= u32[stat + Stat.wide]! === 0;
    field.floats += u32[stat + Stat.floats]!;
    field.strings += u32[stat + Stat.strings]!;
    field.objects += u32[stat + Stat.objects]!;
    field.arrays += u32[stat + Stat.arrays]!;
  }
}

function statAt(node: number): number {
  return (Layout.stats + node * Layout.statSize) >> 2;
}

/** The child for a key, or for the elements where there is none. */
function childOf(parent: Field, key: string | undefined): Field {
  const name = key === undefined ? 'e' : `k${key}`;
  let field = parent.children.get(name);
  if (!field) {
    field =
      key === undefined ? newField(parent.path, true) : newField([...parent.path, key], false);
    parent.children.set(name, field);
  }
  return field;
}

function mergeStats(parent: Field, stats: FieldStats): void {
  const field = childOf(parent, stats.element ? undefined : stats.path.at(-1)!);
  field.nulls += stats.nulls;
  field.booleans += stats.booleans;
  field.integers += stats.integers;
  field.int32 &&= stats.int32;
  field.floats += stats.floats;
  field.strings += stats.strings;
  field.objects += stats.objects;
  field.arrays += stats.arrays;
  for (const child of stats.children) mergeStats(field, child);
}

function newField(path: readonly string[], element: boolean): Field {
  return {
    path,
    element,
    ...newFieldCounts(),
    children: new Map(),
  };
}

function freeze({ children, ...stats }: Field): FieldStats {
  return { ...stats, children: Array.from(children.values(), freeze) };
}
