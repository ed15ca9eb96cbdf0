/**
 * A look at documents: the fields that they have, and the first of them, as tables. For commands that
 * show what would happen, or what a file is.
 */
import type { Batch, Document } from '../core/batch.ts';
import { formatPath } from '../core/path.ts';
import type { Sink } from '../core/stage.ts';
import { type FieldStats, sharedKernel } from '../kernels/index.ts';
import type { Output } from './output.ts';
import { Table } from './table.ts';

const FIRST = 10;

/** Counts fields, keeps the first documents, and writes nothing anywhere. */
export class Look {
  readonly first: Document[] = [];
  readonly #observer = sharedKernel().observer();

  add(batch: Batch): void {
    this.#observer.observe(batch.bytes());
    if (this.first.length === FIRST) return;
    this.first.push(...batch.documents().slice(0, FIRST - this.first.length));
  }

  /** A row per field, those of objects behind them. */
  fields(): FieldRow[] {
    return this.#observer.fields().flatMap(rowsOf);
  }

  /** The same as a sink. */
  asSink(): Sink<undefined> {
    return {
      name: 'look',
      open: async () => {},
      write: async (batch) => this.add(batch),
      finish: async () => undefined,
      abort: async () => {},
    };
  }

  /** Both tables. */
  async print(output: Output): Promise<void> {
    await printTable(this.fields(), output);
    if (this.first.length === 0) return;
    await output.write('\n');
    await printTable(this.first, output);
  }
}

/** A field as it was seen. */
export interface FieldRow {
  readonly field: string;
  /** The kinds of its values: `integer or string`. */
  readonly type: string;
  /** Values that are not null. */
  readonly values: number;
  readonly nulls: number;
  readonly [column: string]: unknown;
}

async function printTable(rows: readonly Document[], output: Output): Promise<void> {
  const table = new Table(output);
  for (const row of rows) await table.add(row);
  await table.finish();
}

function rowsOf(stats: FieldStats): FieldRow[] {
  const { path, element, nulls, children } = stats;
  const kinds = kindsOf(stats);
  const row = {
    field: `${formatPath(path)}${element ? '[]' : ''}`,
    type: kinds.map(([kind]) => kind).join(' or ') || 'null',
    values: kinds.reduce((sum, [, count]) => sum + count, 0),
    nulls,
  };
  return [row, ...children.flatMap(rowsOf)];
}

function kindsOf(stats: FieldStats): (readonly [kind: string, count: number])[] {
  const { integers, floats, strings, booleans, objects, arrays } = stats;
  const numbers = integers + floats;
  const kinds = [
    [floats > 0 ? 'number' : 'integer', numbers],
    ['string', strings],
    ['boolean', booleans],
    ['object', objects],
    ['array', arrays],
  ] as const;
  return kinds.filter(([, count]) => count > 0);
}
