/**
 * Counts what stands at every path, for schema inference. One node per path, made when the path is
 * first seen and held until the observer goes; of duplicate names the last counts.
 */
import { newFieldCounts } from '../field-counts.ts';
import { selectFields } from '../select-fields.ts';
import { buildSelection } from '../selection.ts';
import type { FieldStats, Query, SchemaObserver } from '../types.ts';
import { readInt32, readInt64 } from './numbers.ts';
import { compileQuery, readKept } from './query.ts';
import { Kind, type Scanner } from './scanner.ts';
import { stringValue } from './text.ts';

/** Stats still being counted. */
type Counts = { -readonly [K in Exclude<keyof FieldStats, 'children'>]: FieldStats[K] } & {
  readonly fields: Map<string, Counts>;
  elements: Counts | undefined;
  /** The order in which children appeared: the element node, if any, stands after this many fields. */
  fieldsBeforeElements: number;
};

/** As `Kernel.observer`. */
export function createTwinObserver(query: Query = {}): SchemaObserver {
  const keeps = compileQuery(query);
  const root = newCounts([], false);
  return {
    observe: (bytes, skip) => {
      let count = 0;
      const { bad, lineCount } = readKept(bytes, skip, keeps, (scanner) => {
        countFields(scanner, 0, root);
        count++;
      });
      return { count, bad, lineCount };
    },
    fields: () => {
      const fields = Array.from(root.fields.values(), freeze);
      return query.select ? selectFields(fields, buildSelection(query.select)) : fields;
    },
  };
}

function countFields(scanner: Scanner, node: number, counts: Counts): void {
  const last = new Map<string, number>();
  const end = scanner.next[node]!;
  for (let key = node + 1; key < end; key = scanner.next[key + 1]!) {
    last.set(stringValue(scanner, key), key + 1);
  }
  for (const [name, value] of last) {
    let field = counts.fields.get(name);
    if (field === undefined) {
      field = newCounts([...counts.path, name], false);
      counts.fields.set(name, field);
    }
    countValue(scanner, value, field);
  }
}

function countValue(scanner: Scanner, node: number, counts: Counts): void {
  switch (scanner.kind[node]) {
    case Kind.null:
      counts.nulls++;
      break;
    case Kind.true:
    case Kind.false:
      counts.booleans++;
      break;
    case Kind.integer:
      if (readInt64(scanner, node) !== undefined) {
        counts.integers++;
        counts.int32 &&= readInt32(scanner, node) !== undefined;
      } else counts.floats++;
      break;
    case Kind.decimal:
      counts.floats++;
      break;
    case Kind.object:
      counts.objects++;
      countFields(scanner, node, counts);
      break;
    case Kind.array:
      counts.arrays++;
      countElements(scanner, node, counts);
      break;
    default:
      counts.strings++;
  }
}

function countElements(scanner: Scanner, array: number, counts: Counts): void {
  const end = scanner.next[array]!;
  for (let at = array + 1; at < end; at = scanner.next[at]!) {
    if (counts.elements === undefined) {
      counts.elements = newCounts(counts.path, true);
      counts.fieldsBeforeElements = counts.fields.size;
    }
    countValue(scanner, at, counts.elements);
  }
}

function newCounts(path: readonly string[], element: boolean): Counts {
  return {
    path,
    element,
    ...newFieldCounts(),
    fields: new Map(),
    elements: undefined,
    fieldsBeforeElements: 0,
  };
}

/** A copy that later counting does not touch. */
function freeze(counts: Counts): FieldStats {
  const { fields, elements, fieldsBeforeElements, ...stats } = counts;
  const children = Array.from(fields.values(), freeze);
  if (elements !== undefined) children.splice(fieldsBeforeElements, 0, freeze(elements));
  return { ...stats, children };
}
