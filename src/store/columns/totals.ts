/** Totals of columns, from what is known of their parts. */
import { DataType } from 'apache-arrow';
import type { Plan } from '../../arrow/schema.ts';
import { FloatSum } from '../../core/float-sum.ts';
import type { UsefulSnapshot } from './begin-table.ts';
import type { ColumnStats } from './measure.ts';

/** What is in a column. */
export interface ColumnTotals {
  readonly name: string;
  /** The Arrow type, as `Float64`. */
  readonly type: string;
  /** Values that are not null. */
  readonly count: number;
  readonly nulls: number;
  /** Of numbers, bigints for `Int64`; absent, as what follows, without values, and where one is infinite. */
  readonly min?: number | bigint;
  readonly max?: number | bigint;
  /**
   * A sum of fractions is rounded about once, whatever their order. Absent, as the mean, where it is too large for a
   * number, or that of some rows is.
   */
  readonly sum?: number | bigint;
  readonly mean?: number;
}

/** Gathers the totals of the columns of a plan. */
export class Totals {
  readonly #columns: readonly Total[];

  constructor({ schema }: Plan) {
    this.#columns = schema.fields.map(({ name, type }) => new Total(name, type));
  }

  /** Adds a part of `rows` rows, its columns being those of the plan. */
  add(stats: readonly ColumnStats[], rows: number): void {
    for (const [i, column] of this.#columns.entries()) column.add(stats[i]!, rows);
  }

  columns(): ColumnTotals[] {
    return this.#columns.map((column) => column.totals());
  }
}

/** The totals of a snapshot, by its statistics; undefined where rows may have died or a sum is not known. */
export function totalsOf({ manifest, plan }: UsefulSnapshot): Totals | undefined {
  const { chunks, columns } = manifest;
  const { fields } = plan.schema;
  const wanted = fields.map(({ name }) => columns.findIndex((each) => each.name === name));
  const totals = new Totals(plan);
  for (const { rows, whole, stats } of chunks) {
    const own = wanted.map((i) => stats[i]!);
    const isKnown = own.every(
      (each, i) => each.nulls === rows || !isNumber(fields[i]!.type) || isComplete(each),
    );
    if (!whole || !isKnown) return undefined;
    totals.add(own, rows);
  }
  return totals;
}

/** Whether values of a type are summed. */
export function isNumber(type: DataType): boolean {
  return DataType.isFloat(type) || DataType.isInt(type);
}

function isComplete({ min, max, sum }: ColumnStats): boolean {
  return min !== undefined && max !== undefined && sum !== undefined;
}

class Total {
  readonly #name: string;
  readonly #type: DataType;
  readonly #isLong: boolean;
  readonly #sum = new FloatSum();
  #long = 0n;
  #hasSum = true;
  #isFinite = true;
  #count = 0;
  #nulls = 0;
  #min: number | bigint | undefined;
  #max: number | bigint | undefined;

  constructor(name: string, type: DataType) {
    this.#name = name;
    this.#type = type;
    this.#isLong = DataType.isInt(type) && type.bitWidth === 64;
  }

  add(stats: ColumnStats, rows: number): void {
    const { nulls, min, max, sum } = stats;
    this.#nulls += nulls;
    this.#count += rows - nulls;
    if (rows === nulls || !isNumber(this.#type)) return;
    this.#hasSum &&= sum !== undefined;
    this.#isFinite &&= min !== undefined && max !== undefined;
    if (!this.#isFinite) return;
    const read = (value: number | string): number | bigint =>
      this.#isLong ? BigInt(value) : Number(value);
    if (this.#isLong) this.#long += BigInt(sum!);
    else this.#sum.add(Number(sum ?? 0));
    const low = read(min!);
    const high = read(max!);
    if (this.#min === undefined || low < this.#min) this.#min = low;
    if (this.#max === undefined || high > this.#max) this.#max = high;
  }

  totals(): ColumnTotals {
    const name = this.#name;
    const counts = { name, type: String(this.#type), count: this.#count, nulls: this.#nulls };
    if (!this.#isFinite || this.#min === undefined || this.#max === undefined) return counts;
    const bounds = { ...counts, min: this.#min, max: this.#max };
    const sum = this.#isLong ? this.#long : this.#sum.value;
    if (!this.#hasSum || !Number.isFinite(Number(sum))) return bounds;
    return { ...bounds, sum, mean: Number(sum) / this.#count };
  }
}
