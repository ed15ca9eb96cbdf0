/**
 * What is known of the values of a column in some rows, and which predicates it rules out.
 *
 * Bounds are never too narrow: long text is cut, and text that may stand for something else (a lone
 * surrogate is held as U+FFFD) has none. Numbers are ordered as predicates order them: as what a number
 * can hold, and exactly where both sides are integers.
 */

import type { Predicate, Scalar } from '../../core/predicate.ts';
import type { Column, ColumnData } from '../../kernels/index.ts';
import { compareText } from '../../kernels/index.ts';

/** Of one column in one chunk. Bounds are absent where none are known, or all is null. */
export interface ColumnStats {
  readonly nulls: number;
  /** A number; the digits of an int64; text, of which at most 32 characters are kept. */
  readonly min?: number | string;
  readonly max?: number | string;
  /** `max` is only the beginning of the greatest text. */
  readonly maxCut?: true;
}

const TEXT_CHARS = 32;
/** UTF-8 of U+FFFD. */
const REPLACEMENT: Buffer = Buffer.from('\ufffd');

/** Counts nulls and finds the bounds of a column. */
export function measure({ type }: Column, data: ColumnData): ColumnStats {
  const { nullCount: nulls, length } = data;
  if (nulls === length) return { nulls };
  switch (type.kind) {
    case 'float64':
    case 'int32':
      return { nulls, ...numberBounds(data) };
    case 'int64':
      return { nulls, ...integerBounds(data) };
    case 'utf8':
      return { nulls, ...textBounds(data) };
    default:
      return { nulls };
  }
}

function isNull({ validity }: ColumnData, row: number): boolean {
  return validity !== undefined && ((validity[row >> 3]! >> (row & 7)) & 1) === 0;
}

function numberBounds(data: ColumnData): Pick<ColumnStats, 'min' | 'max'> {
  const values = data.values as Float64Array | Int32Array;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && isNull(data, i)) continue;
    const value = values[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // JSON has no infinity.
  return Number.isFinite(min) && Number.isFinite(max) ? { min, max } : {};
}

function integerBounds(data: ColumnData): Pick<ColumnStats, 'min' | 'max'> {
  const values = data.values as BigInt64Array;
  let min: bigint | undefined;
  let max: bigint | undefined;
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && isNull(data, i)) continue;
    const value = values[i]!;
    if (min === undefined || value < min) min = value;
    if (max === undefined || value > max) max = value;
  }
  return min === undefined ? {} : { min: `${min}`, max: `${max}` };
}

function textBounds(data: ColumnData): Omit<ColumnStats, 'nulls'> {
  const { offsets, length } = data;
  const bytes = data.values as Uint8Array;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text.includes(REPLACEMENT)) return {};
  const compare = (a: number, b: number): number =>
    text.compare(text, offsets![b]!, offsets![b + 1]!, offsets![a]!, offsets![a + 1]!);
  let min = -1;
  let max = -1;
  for (let i = 0; i < length; i++) {
    if (data.nullCount > 0 && isNull(data, i)) continue;
    if (min < 0 || compare(i, min) < 0) min = i;
    if (max < 0 || compare(i, max) > 0) max = i;
  }
  const least = cut(text.toString('utf8', offsets![min]!, offsets![min + 1]!));
  const most = cut(text.toString('utf8', offsets![max]!, offsets![max + 1]!));
  if (`${least.text}${most.text}`.includes('\ufffd')) return {};
  return { min: least.text, max: most.text, ...(most.isCut ? { maxCut: true } : {}) };
}

function cut(text: string): { readonly text: string; readonly isCut: boolean } {
  const chars = [...text.slice(0, 2 * TEXT_CHARS + 2)];
  if (chars.length <= TEXT_CHARS) return { text, isCut: false };
  return { text: chars.slice(0, TEXT_CHARS).join(''), isCut: true };
}

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
