/**
 * What is known of the values of a column in some rows. Bounds are never too narrow: long text is cut, and text that
 * may stand for something else (a lone surrogate is held as U+FFFD) has none.
 */
import { FloatSum } from '../../core/float-sum.ts';
import type { Column, ColumnData } from '../../kernels/types.ts';

/** Of one column in one chunk. Bounds are absent where none are known, or all is null. */
export interface ColumnStats {
  readonly nulls: number;
  /** A number; the digits of an int64; text, of which at most 32 characters are kept. */
  readonly min?: number | string;
  readonly max?: number | string;
  /** Of numbers; the digits of an int64. Absent also in snapshots of before, and where a number cannot hold it. */
  readonly sum?: number | string;
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

function numberBounds(data: ColumnData): Pick<ColumnStats, 'min' | 'max' | 'sum'> {
  const values = data.values as Float64Array | Int32Array;
  const sum = new FloatSum();
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && isNull(data, i)) continue;
    const value = values[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
    sum.add(value);
  }
  // JSON has no infinity.
  const bounds = Number.isFinite(min) && Number.isFinite(max) ? { min, max } : {};
  return Number.isFinite(sum.value) ? { ...bounds, sum: sum.value } : bounds;
}

function integerBounds(data: ColumnData): Pick<ColumnStats, 'min' | 'max' | 'sum'> {
  const values = data.values as BigInt64Array;
  let min: bigint | undefined;
  let max: bigint | undefined;
  let sum = 0n;
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && isNull(data, i)) continue;
    const value = values[i]!;
    if (min === undefined || value < min) min = value;
    if (max === undefined || value > max) max = value;
    sum += value;
  }
  return min === undefined ? {} : { min: `${min}`, max: `${max}`, sum: `${sum}` };
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
