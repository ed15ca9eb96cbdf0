/**
 * Queries in plain TypeScript: documents are parsed and tested by `evaluate`, and projected either
 * as objects or by copying the bytes of the kept values from the tape.
 *
 * Results are fresh memory, except that `filter` answers over the bytes it was given.
 */
import { type Document, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { buildSelection, projectDocument } from '../selection.ts';
import type { LineTable, Query, Selector } from '../types.ts';
import { compileProjection, type Output, type WriteProjection } from './projection.ts';
import { compileQuery, type Keeps, readKept } from './query.ts';
import { sourceText } from './text.ts';

/** As `Kernel.selector`. */
export function createTwinSelector(query: Query): Selector {
  const keeps = compileQuery(query);
  const selection = query.select && buildSelection(query.select);
  const write = compileProjection(query.select);
  return {
    filter: (bytes, skip) => {
      const kept: number[] = [];
      const table = readKept(bytes, skip, keeps, (_, ordinal) => kept.push(ordinal));
      return keepLines(table, kept);
    },
    project: (bytes, skip) => projectLines(bytes, skip, keeps, write),
    documents: (bytes, skip) => {
      const documents: Document[] = [];
      const { bad, lineCount } = readKept(bytes, skip, keeps, (scanner) => {
        const document = JSON.parse(sourceText(scanner, 0)) as Document;
        documents.push(selection ? projectDocument(document, selection) : document);
      });
      return { documents, bad, lineCount };
    },
  };
}

/** The table cut down to the documents of these ordinals. */
function keepLines(table: LineTable, kept: readonly number[]): LineTable {
  if (kept.length === table.count) return table;
  const records = new Uint32Array(kept.length * RECORD_WORDS);
  for (const [i, ordinal] of kept.entries()) {
    const from = ordinal * RECORD_WORDS;
    records.set(table.records.subarray(from, from + RECORD_WORDS), i * RECORD_WORDS);
  }
  return { ...table, records, count: kept.length, dense: false, canonical: false };
}

function projectLines(
  bytes: Uint8Array,
  skip: Uint8Array | undefined,
  keeps: Keeps,
  write: WriteProjection,
): LineTable {
  // A line end more than the input may have: the last line can come without.
  const output: Output = { bytes: new Uint8Array(bytes.length + 1), at: 0 };
  const places: number[] = [];
  const { bad, lineCount, records } = readKept(bytes, skip, keeps, (scanner, ordinal) => {
    places.push(ordinal, output.at);
    write(scanner, output);
    places.push(output.at);
    output.bytes[output.at++] = 0x0a;
  });
  const count = places.length / 3;
  const made = new Uint32Array(count * RECORD_WORDS);
  for (let i = 0; i < count; i++) {
    const from = places[3 * i]! * RECORD_WORDS;
    const to = i * RECORD_WORDS;
    made[to + LineRecord.start] = places[3 * i + 1]!;
    made[to + LineRecord.end] = places[3 * i + 2]!;
    made[to + LineRecord.line] = records[from + LineRecord.line]!;
  }
  return {
    bytes: output.bytes.slice(0, output.at),
    records: made,
    count,
    dense: true,
    canonical: false,
    bad,
    lineCount,
  };
}
