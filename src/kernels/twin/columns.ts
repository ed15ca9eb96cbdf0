/**
 * Fills Arrow columns from scanned lines. A builder owns its memory until `take`, which hands over
 * buffers cut to size and starts anew.
 *
 * A document goes into all columns or into none: where a value does not fit, the rows begun for that
 * document are taken back.
 */
import { LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { formatPath } from '../../core/path.ts';
import type { Column, ColumnBuilder, FillResult, Query } from '../types.ts';
import { type ColumnWriter, createWriter, type Refusal } from './column-writers.ts';
import { compileQuery, readKept } from './query.ts';
import { Kind, type Scanner } from './scanner.ts';
import { type FieldName, fieldNames, findPath, sourceText } from './text.ts';

const SHOWN_CHARACTERS = 40;

interface Target {
  readonly path: readonly FieldName[];
  readonly writer: ColumnWriter;
}

/** As `Kernel.columns`. */
export function createTwinBuilder(columns: readonly Column[], query: Query = {}): ColumnBuilder {
  const keeps = compileQuery(query);
  let targets = columns.map(createTarget);
  let rows = 0;
  let read = false;
  return {
    get rows() {
      return rows;
    },
    get byteLength() {
      return targets.reduce((sum, { writer }) => sum + writer.byteLength, 0);
    },
    // Nobody has looked.
    get unlisted() {
      return read;
    },
    fill: (bytes, skip): FillResult => {
      read = true;
      const before = rows;
      let stop: { ordinal: number; path: string; reason: string } | undefined;
      const { bad, records } = readKept(bytes, skip, keeps, (scanner, ordinal) => {
        if (stop !== undefined) return;
        const refusal = appendRow(targets, scanner, rows);
        if (refusal === undefined) rows++;
        else stop = { ordinal, path: formatPath(refusal.path), reason: explain(scanner, refusal) };
      });
      if (stop === undefined) return { rows: rows - before, bad };
      const { ordinal, path, reason } = stop;
      const base = ordinal * RECORD_WORDS;
      const start = records[base + LineRecord.start]!;
      const line = records[base + LineRecord.line]!;
      // What comes after is for the next call.
      const badBefore = bad.filter((each) => each.line < line);
      return { rows: rows - before, bad: badBefore, misfit: { start, line, path, reason } };
    },
    take: () => {
      const taken = targets.map(({ writer }) => writer.take());
      targets = columns.map(createTarget);
      rows = 0;
      return taken;
    },
    recycle: () => {},
  };
}

function createTarget({ name, type, path = [name] }: Column): Target {
  return { path: fieldNames(path), writer: createWriter(type, path) };
}

/** Appends the document as row `row` of every column, or leaves all as they were. */
function appendRow(targets: readonly Target[], scanner: Scanner, row: number): Refusal | undefined {
  for (const { path, writer } of targets) {
    const refusal = writer.append(scanner, findPath(scanner, 0, path));
    if (refusal === undefined) continue;
    for (const target of targets) target.writer.truncate(row);
    return refusal;
  }
  return undefined;
}

function explain(scanner: Scanner, { expected, node }: Refusal): string {
  return `expected ${expected}, found ${describe(scanner, node)}`;
}

function describe(scanner: Scanner, node: number): string {
  const kind = scanner.kind[node];
  if (kind === Kind.object) return 'an object';
  if (kind === Kind.array) return 'an array';
  const text = sourceText(scanner, node);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
