/**
 * What is in the columns of record batches, in one pass and in memory that does not grow: counts, bounds,
 * mean, an estimate of how many values differ, and how numbers are spread.
 */
import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { DistinctCounter } from './distinct.ts';
import { Histogram } from './histogram.ts';

export interface ColumnSummary {
  readonly name: string;
  /** The Arrow type, as `Float64`. */
  readonly type: string;
  /** Values that are not null. */
  readonly count: number;
  readonly nulls: number;
  /** Of numbers, text (by code points, the first 64 characters) and booleans; absent without values. */
  readonly min?: Value;
  readonly max?: Value;
  /** Of numbers; of booleans the share of true. */
  readonly mean?: number;
  /** Different values, within about 3 percent; few are counted exactly. Absent for lists and structs. */
  readonly distinct?: number;
  /** Of numbers: how many lie in each of at most 16 ranges of one width, from `from` on. */
  readonly histogram?: {
    readonly from: number;
    readonly width: number;
    readonly counts: readonly number[];
  };
}

type Value = number | bigint | string | boolean;

/** Sums in parts of it hold as many of the greatest numbers as there can be. */
const SCALE = 2 ** 64;
const SHOWN_TEXT = 64;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Describes every column of record batches of one schema; none when there is no batch. */
export async function describeColumns(
  batches: Iterable<RecordBatch> | AsyncIterable<RecordBatch>,
): Promise<ColumnSummary[]> {
  let columns: Describer[] | undefined;
  for await (const { schema, data } of batches) {
    columns ??= schema.fields.map(({ name, type }) => new Describer(name, type));
    for (const [i, column] of columns.entries()) column.add(data.children[i]!);
  }
  return columns?.map((column) => column.summary()) ?? [];
}

/** Gathers what is told of one column. */
class Describer {
  readonly #name: string;
  readonly #type: DataType;
  readonly #kind: Kind;
  readonly #distinct = new DistinctCounter();
  readonly #histogram = new Histogram();
  #count = 0;
  #nulls = 0;
  #sum = 0;
  /** The same in parts of `SCALE`, for a sum that a number cannot hold. */
  #scaled = 0;
  #min: Value | undefined;
  #max: Value | undefined;
  #least: Uint8Array | undefined;
  #most: Uint8Array | undefined;

  constructor(name: string, type: DataType) {
    this.#name = name;
    this.#type = type;
    this.#kind = kindOf(type);
  }

  add(data: Data): void {
    const { length, nullCount } = data;
    this.#nulls += nullCount;
    this.#count += length - nullCount;
    for (let row = 0; row < length; row++) {
      if (nullCount === 0 || data.getValid(row)) this.#take(data, row);
    }
  }

  summary(): ColumnSummary {
    const { isNumber, isText } = this.#kind;
    const told = { name: this.#name, type: String(this.#type), count: this.#count };
    const base = { ...told, nulls: this.#nulls };
    if (this.#count === 0) return base;
    const distinct = Math.min(this.#count, this.#distinct.estimate());
    if (isText) return { ...base, min: shown(this.#least!), max: shown(this.#most!), distinct };
    if (this.#min === undefined) return base;
    const bounds = { ...base, min: this.#min, max: this.#max!, mean: this.#mean() };
    return isNumber
      ? { ...bounds, distinct, histogram: this.#histogram.bars() }
      : { ...bounds, distinct };
  }

  #mean(): number {
    const mean = this.#sum / this.#count;
    return Number.isFinite(mean) ? mean : (this.#scaled / this.#count) * SCALE;
  }

  #take(data: Data, row: number): void {
    const { isNumber, isText, isBool } = this.#kind;
    if (isText) {
      const { valueOffsets, values } = data;
      this.#text(values.subarray(valueOffsets[row], valueOffsets[row + 1]));
    } else if (isNumber) {
      const value = data.values[row] as number | bigint;
      this.#bounds(value);
      this.#sum += Number(value);
      this.#scaled += Number(value) / SCALE;
      this.#histogram.add(Number(value));
      if (typeof value === 'bigint') this.#distinct.addInteger(value);
      else this.#distinct.addNumber(value);
    } else if (isBool) {
      const at = row + data.offset;
      const value = ((data.values[at >> 3] >> (at & 7)) & 1) === 1;
      this.#bounds(value);
      this.#sum += Number(value);
      this.#distinct.addNumber(Number(value));
    }
  }

  #bounds(value: number | bigint | boolean): void {
    if (this.#min === undefined || value < this.#min) this.#min = value;
    if (this.#max === undefined || value > this.#max) this.#max = value;
  }

  #text(bytes: Uint8Array): void {
    this.#distinct.addBytes(bytes);
    if (this.#least === undefined || compare(bytes, this.#least) < 0) this.#least = bytes.slice();
    if (this.#most === undefined || compare(bytes, this.#most) > 0) this.#most = bytes.slice();
  }
}

interface Kind {
  readonly isNumber: boolean;
  readonly isText: boolean;
  readonly isBool: boolean;
}

function kindOf(type: DataType): Kind {
  return {
    isNumber: DataType.isFloat(type) || DataType.isInt(type),
    isText: DataType.isUtf8(type),
    isBool: DataType.isBool(type),
  };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function shown(bytes: Uint8Array): string {
  const chars = [...decoder.decode(bytes.subarray(0, (SHOWN_TEXT + 1) * 4))];
  return chars.length > SHOWN_TEXT ? `${chars.slice(0, SHOWN_TEXT - 1).join('')}…` : chars.join('');
}
