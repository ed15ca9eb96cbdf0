/**
 * Chunks of which nothing has died as one record batch, where no columns are asked for but plain ones: numbers
 * and times without nulls. Their values are read one behind the other into one piece of memory a column, each
 * chunk's while the next one's head is decoded. A table of one batch is made and read in less time than one of
 * many. Mapped chunks stay as they are: joining them would be copying them.
 */
import type { Data, RecordBatch, Schema } from 'apache-arrow';
import { fixedWidth, typedView, valuesClass } from '../../arrow/buffers.ts';
import { toData } from '../../arrow/record-batch.ts';
import { roomFor } from '../../io/index.ts';
import { allOf, type DecodedChunk, toBatch } from './chunks.ts';
import type { Chunk } from './manifest.ts';

/** Longest column to be had in one piece of memory. */
const MAX_BYTES = 1 << 30;

/** Undefined where there are no chunks, a column is not plain, or too long. Errors: what `unlessDamaged` takes. */
export async function joinChunks(
  chunks: readonly Chunk[],
  decode: (index: number) => DecodedChunk,
  schema: Schema,
): Promise<RecordBatch | undefined> {
  if (chunks.length === 0) return undefined;
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  const reads: Promise<void>[] = [];
  const columns: Uint8Array[] = [];
  try {
    let at = 0;
    for (const i of chunks.keys()) {
      const chunk = decode(i);
      const places = schema.fields.map((field) => chunk.plainValues(field));
      if (places.includes(undefined)) return undefined;
      for (const [column, { type }] of schema.fields.entries()) {
        const width = fixedWidth(type) / 8;
        if (rows * width > MAX_BYTES) return undefined;
        columns[column] ??= roomFor(rows * width);
        const target = columns[column].subarray(at * width, (at + chunk.rows) * width);
        reads.push(chunk.entry.fetchInto(target, places[column]![0]));
      }
      at += chunk.rows;
    }
  } finally {
    // Nothing may be under way when the file is closed.
    await Promise.allSettled(reads);
  }
  await allOf(reads);
  const data = schema.fields.map(
    ({ type }, i): Data =>
      toData(type, { length: rows, values: typedView(columns[i]!, valuesClass(type)) }),
  );
  return toBatch(schema, data, rows);
}
