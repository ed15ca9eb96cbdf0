/**
 * What a projection leaves of observed fields: the statistics that its output would have given,
 * without making the output.
 */
import type { Selection } from './selection.ts';
import type { FieldStats } from './types.ts';

/** The fields that the selection keeps, in its order. Fields never seen are left out. */
export function selectFields(
  fields: readonly FieldStats[],
  selection: Selection,
): readonly FieldStats[] {
  const kept: FieldStats[] = [];
  for (const [name, inner] of selection) {
    const field = fields.find(({ element, path }) => !element && path.at(-1) === name);
    if (field === undefined) continue;
    const part = inner === 'all' ? field : selectWithin(field, inner);
    if (part !== undefined) kept.push(part);
  }
  return kept;
}

/** A field that a path leads through: scalars are dropped there. Undefined if nothing else was seen. */
function selectWithin(field: FieldStats, selection: Selection): FieldStats | undefined {
  if (field.objects + field.arrays === 0) return undefined;
  const elements = field.children.find(({ element }) => element);
  const children: FieldStats[] = [];
  // Elements that are no objects are dropped, so an array of others comes out empty.
  if (elements !== undefined && elements.objects > 0) {
    const inner = selectFields(elements.children, selection);
    children.push({ ...elements, ...NO_SCALARS, arrays: 0, children: inner });
  }
  children.push(...selectFields(field.children, selection));
  return { ...field, ...NO_SCALARS, children };
}

/**
 * True if reading the selected fields from whole documents gives what reading them from projected
 * ones does: no path leads through a value that the projection would have dropped.
 */
export function isTransparent(fields: readonly FieldStats[], selection: Selection): boolean {
  for (const [name, inner] of selection) {
    const field = fields.find(({ element, path }) => !element && path.at(-1) === name);
    if (inner === 'all' || field === undefined) continue;
    const { booleans, integers, floats, strings, children } = field;
    if (booleans + integers + floats + strings > 0) return false;
    const elements = children.find(({ element }) => element);
    if (elements !== undefined && !isAllObjects(elements)) return false;
    if (!isTransparent([...children, ...(elements?.children ?? [])], inner)) return false;
  }
  return true;
}

function isAllObjects(stats: FieldStats): boolean {
  const { nulls, booleans, integers, floats, strings, arrays } = stats;
  return nulls + booleans + integers + floats + strings + arrays === 0;
}

const NO_SCALARS = {
  nulls: 0,
  booleans: 0,
  integers: 0,
  int32: true,
  floats: 0,
  strings: 0,
} as const;
