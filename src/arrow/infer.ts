/**
 * From what was seen in the data to columns, and back: does the data still fit the columns?
 *
 * | seen at a path | column |
 * |---|---|
 * | integers in the int64 range | int64 |
 * | other numbers, or both | float64 |
 * | strings; booleans | utf8; bool |
 * | objects with fields; arrays | struct; list of what their elements need |
 * | nothing but nulls, or arrays that were all empty | utf8; list of utf8 |
 * | kinds mixed, or objects that were all empty | json: the raw text, so nothing is lost |
 *
 * Columns stand in the order in which their fields were first seen.
 */
import type { Path } from '../core/path.ts';
import type { Column, ColumnType, FieldStats } from '../kernels/types.ts';
import { makePlan, type Plan } from './schema.ts';

/** Readers give up on deeper schemas (pyarrow at 64); what nests deeper becomes json text. */
const MAX_SCHEMA_DEPTH = 32;

/** An object with more fields than this is a map with data for keys; it becomes json text. */
const MAX_STRUCT_FIELDS = 1_000;

/** The plan for the fields that a SchemaObserver saw. */
export function inferSchema(fields: readonly FieldStats[]): Plan {
  return makePlan(fields.map((field) => inferColumn(field, 1)));
}

/**
 * The path of the first field that has no place in the columns, if there is one. Values of the
 * wrong type are not looked for: filling the columns finds those. Columns read from a `path` of
 * their own are not supported.
 */
export function findNewField(
  fields: readonly FieldStats[],
  columns: readonly Column[],
): Path | undefined {
  for (const [index, field] of fields.entries()) {
    const name = field.path.at(-1)!;
    // Inferred columns stand in the order seen, so the first look nearly always finds it.
    const guess = columns[index];
    const column = guess?.name === name ? guess : columns.find((each) => each.name === name);
    const found = column === undefined ? field.path : findInside(field, column.type);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a column of this type, or part of it, is raw text. */
export function holdsJson(type: ColumnType): boolean {
  if (type.kind === 'list') return holdsJson(type.element);
  if (type.kind === 'struct') return type.fields.some((field) => holdsJson(field.type));
  return type.kind === 'json';
}

function inferColumn(field: FieldStats, depth: number): Column {
  return { name: field.path.at(-1)!, type: inferType(field, depth) };
}

function inferType(stats: FieldStats, depth: number): ColumnType {
  const numbers = stats.integers + stats.floats;
  const kinds = [stats.booleans, numbers, stats.strings, stats.objects, stats.arrays];
  const seen = kinds.filter((count) => count > 0).length;
  if (seen === 0 || (seen === 1 && stats.strings > 0)) return { kind: 'utf8' };
  if (seen > 1 || depth > MAX_SCHEMA_DEPTH) return { kind: 'json' };
  if (stats.booleans > 0) return { kind: 'bool' };
  if (stats.arrays > 0) {
    const element = stats.children.find((child) => child.element);
    return { kind: 'list', element: element ? inferType(element, depth + 1) : { kind: 'utf8' } };
  }
  if (stats.objects > 0) {
    const fields = stats.children.filter((child) => !child.element);
    if (fields.length === 0 || fields.length > MAX_STRUCT_FIELDS) return { kind: 'json' };
    return { kind: 'struct', fields: fields.map((field) => inferColumn(field, depth + 1)) };
  }
  return { kind: stats.floats > 0 ? 'float64' : 'int64' };
}

function findInside(field: FieldStats, type: ColumnType): Path | undefined {
  if (type.kind === 'struct') {
    const fields = field.children.filter((child) => !child.element);
    return findNewField(fields, type.fields);
  }
  if (type.kind === 'list') {
    const element = field.children.find((child) => child.element);
    return element && findInside(element, type.element);
  }
  return undefined;
}
