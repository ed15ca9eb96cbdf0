/**
 * Documents as a table. Widths come from the first rows, so memory stays flat; later cells that
 * are wider are cut. What does not fit or was not there at first is named at the end, never hidden.
 */
import type { Document } from '../core/batch.ts';
import { formatPath, type Path } from '../core/path.ts';
import type { Output } from './output.ts';
import { cutText, formatValue } from './text.ts';

const SAMPLE_ROWS = 100;
const MAX_WIDTH = 40;

interface Column {
  readonly path: Path;
  readonly title: string;
  readonly width: number;
  readonly numeric: boolean;
}

export class Table {
  readonly #output: Output;
  readonly #paths: readonly Path[] | undefined;
  readonly #hidden = new Set<string>();
  #sample: Document[] = [];
  #columns: readonly Column[] | undefined;

  /** `paths`: the columns; the fields of the first rows if absent. */
  constructor(output: Output, paths?: readonly Path[]) {
    this.#output = output;
    this.#paths = paths;
  }

  async add(document: Document): Promise<void> {
    if (this.#columns) return this.#output.write(this.#row(document));
    this.#sample.push(document);
    if (this.#sample.length === SAMPLE_ROWS) await this.#begin();
  }

  /** Writes what is left. Returns the fields that no column shows. */
  async finish(): Promise<string[]> {
    if (!this.#columns && this.#sample.length > 0) await this.#begin();
    return [...this.#hidden];
  }

  async #begin(): Promise<void> {
    const rows = this.#sample;
    this.#sample = [];
    const paths = this.#paths ?? [...new Set(rows.flatMap(Object.keys))].map((field) => [field]);
    this.#columns = this.#fit(paths.map((path) => layOut(path, rows)));
    const titles = this.#columns.map((column) => ({ ...column, text: column.title }));
    const rule = this.#columns.map((column) => ({ ...column, text: '-'.repeat(column.width) }));
    await this.#output.write(joinCells(titles) + joinCells(rule));
    for (const row of rows) await this.#output.write(this.#row(row));
  }

  /** On a terminal only the columns that fit, one at least. */
  #fit(columns: readonly Column[]): readonly Column[] {
    if (!this.#output.isTTY) return columns;
    let used = 0;
    return columns.filter((column, i) => {
      used += column.width + 2;
      const shown = i === 0 || used - 2 <= this.#output.columns;
      if (!shown) this.#hidden.add(column.title);
      return shown;
    });
  }

  #row(document: Document): string {
    const columns = this.#columns!;
    if (this.#paths === undefined) {
      for (const field of Object.keys(document)) {
        if (!columns.some(({ path }) => path[0] === field)) this.#hidden.add(titleOf([field]));
      }
    }
    return joinCells(
      columns.map((column) => ({ ...column, text: cellText(document, column.path) })),
    );
  }
}

function titleOf(path: Path): string {
  return formatValue(formatPath(path));
}

function layOut(path: Path, rows: readonly Document[]): Column {
  const title = titleOf(path);
  const values = rows.map((row) => valueAt(row, path)).filter((value) => value != null);
  const widths = rows.map((row) => [...cellText(row, path)].length);
  return {
    path,
    title,
    width: Math.min(MAX_WIDTH, Math.max([...title].length, ...widths)),
    numeric: values.length > 0 && values.every((value) => typeof value === 'number'),
  };
}

function cellText(document: Document, path: Path): string {
  return formatValue(valueAt(document, path));
}

/** What stands at a path; where it leads through an array, the values of all elements. */
function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const [depth, field] of path.entries()) {
    if (Array.isArray(at)) return at.map((element) => valueAt(element, path.slice(depth)));
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, field)) return undefined;
    at = (at as Document)[field];
  }
  return at;
}

function joinCells(cells: readonly (Column & { readonly text: string })[]): string {
  const texts = cells.map(({ text, width, numeric }) => {
    const cut = cutText(text, width);
    const space = ' '.repeat(Math.max(0, width - [...cut].length));
    return numeric ? space + cut : cut + space;
  });
  return `${texts.join('  ').trimEnd()}\n`;
}
