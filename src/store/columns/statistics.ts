/**
 * Which predicates are ruled out by what is known of the values of a column (measure.ts). Numbers are ordered as
 * predicates order them: as what a number can hold, and exactly where both sides are integers.
 */

import type { Predicate, Scalar } from '../../core/predicate.ts';
import { type Column, compareText } from '../../kernels/index.ts';
import type { ColumnStats } from './measure.ts';

/**
 * Whether one of these rows may satisfy the predicate: false is certain. Says nothing of rows that are
 * not among those measured. Only top-level columns count, as paths may lead through arrays.
 */
export function mayMatch(
  predicate: Predicate,
  columns: readonly Column[],
  stats: readonly ColumnStats[],
): boolean {
  switch (predicate.op) {
    case 'and':
      return predicate.terms.every((term) => mayMatch(term, columns, stats));
    case 'or':
      return predicate.terms.some((term) => mayMatch(term, columns, stats));
    case 'not':
      return true;
  }
  const { path } = predicate;
  const at = columns.findIndex(
    ({ name, path: own }) =>
      path.length === 1 && (own ? own.length === 1 && own[0] : name) === path[0],
  );
  if (at < 0) return true;
  const known = knownValues(columns[at]!, stats[at]!);
  return known === undefined || testMayHold(predicate, known);
}

/** What the values that are not null are like. */
interface Known {
  readonly nulls: number;
  readonly isText: boolean;
  readonly isBoolean: boolean;
  /** Whether any may be below, equal to or above a scalar of their own kind. */
  compare(value: Scalar): {
    readonly less: boolean;
    readonly same: boolean;
    readonly more: boolean;
  };
  readonly stats: ColumnStats;
}

type Test = Exclude<Predicate, { op: 'and' | 'or' | 'not' }>;

const ANY = { less: true, same: true, more: true };
const NONE = { less: false, same: false, more: false };

function knownValues({ type }: Column, stats: ColumnStats): Known | undefined {
  const { nulls } = stats;
  const isText = type.kind === 'utf8';
  const isBoolean = type.kind === 'bool';
  const isNumber = type.kind === 'float64' || type.kind === 'int32' || type.kind === 'int64';
  if (!isText && !isBoolean && !isNumber) return undefined;
  const compare = (value: Scalar) => {
    if (isBoolean) return typeof value === 'boolean' ? ANY : NONE;
    if (isText) return typeof value === 'string' ? compareTexts(stats, value) : NONE;
    if (typeof value !== 'number' && typeof value !== 'bigint') return NONE;
    return compareNumbers(stats, value, type.kind !== 'float64');
  };
  return { nulls, isText, isBoolean, compare, stats };
}

function compareNumbers({ min, max }: ColumnStats, value: number | bigint, exact: boolean) {
  if (min === undefined || max === undefined) return ANY;
  // Beyond what numbers hold exactly, integers on either side may have been rounded to what is stored.
  if (!exact && typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) return ANY;
  const asWritten = (bound: number | string) =>
    typeof value === 'bigint' && typeof bound === 'string' ? BigInt(bound) : Number(bound);
  const low = asWritten(min);
  const high = asWritten(max);
  return { less: low < value, same: low <= value && value <= high, more: high > value };
}

function compareTexts({ min, max, maxCut }: ColumnStats, value: string) {
  if (typeof min !== 'string' || typeof max !== 'string') return ANY;
  const low = compareText(min, value);
  const high = maxCut && value.startsWith(max) ? 1 : compareText(max, value);
  return { less: low < 0, same: low <= 0 && high >= 0, more: high > 0 };
}

function testMayHold(test: Test, known: Known): boolean {
  switch (test.op) {
    case 'exists':
      return true;
    case 'isNull':
      return known.nulls > 0;
    case 'eq':
      return equalMayHold(test.value, known);
    case 'in':
      return test.values.some((value) => equalMayHold(value, known));
    case 'lt':
      return known.compare(test.value).less;
    case 'gt':
      return known.compare(test.value).more;
    case 'lte': {
      const { less, same } = known.compare(test.value);
      return less || same;
    }
    case 'gte': {
      const { more, same } = known.compare(test.value);
      return more || same;
    }
    case 'startsWith':
      return known.isText && prefixMayStand(test.value, known.stats);
    case 'contains':
      return known.isText && typeof test.value === 'string';
    default:
      return known.isText;
  }
}

function equalMayHold(value: Scalar, known: Known): boolean {
  return value === null ? known.nulls > 0 : known.compare(value).same;
}

function prefixMayStand(prefix: string, { min, max, maxCut }: ColumnStats): boolean {
  if (typeof min !== 'string' || typeof max !== 'string') return true;
  if (compareText(max, prefix) < 0 && !(maxCut && prefix.startsWith(max))) return false;
  return compareText(min, prefix) <= 0 || min.startsWith(prefix);
}
