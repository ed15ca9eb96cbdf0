/**
 * Chunks of which nothing has died as one record batch, where no columns are asked for but plain ones: numbers
 * and times without nulls. Their values are read one behind the other into one piece of memory a column. A
 * table of one batch is made and read in less time than one of many. Mapped chunks stay as they are: joining
 * them would be copying them.
 */
import type { Data, Field, RecordBatch, Schema } from 'apache-arrow';
import { typedView, valuesClass } from '../../arrow/buffers.ts';
import { toData } from '../../arrow/record-batch.ts';
import { roomFor } from '../../io/index.ts';
import { allOf, type DecodedChunk, toBatch } from './chunks.ts';

/** Longest column to be had in one piece of memory. */
const MAX_BYTES = 1 << 30;

/** Undefined where a column is not plain, or too long. Errors: what `unlessDamaged` takes. */
export async function joinChunks(
  chunks: readonly DecodedChunk[],
  schema: Schema,
): Promise<RecordBatch | undefined> {
  const parts = schema.fields.map((field) => findParts(chunks, field));
  if (!parts.every((each) => each !== undefined)) return undefined;
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  const columns = parts.map((each, i) => readColumn(schema.fields[i]!, each, rows));
  return toBatch(schema, await allOf(columns), rows);
}

/** Values in an entry. */
interface Part {
  readonly chunk: DecodedChunk;
  readonly begin: number;
  readonly bytes: number;
}

function findParts(chunks: readonly DecodedChunk[], field: Field): Part[] | undefined {
  const parts: Part[] = [];
  for (const chunk of chunks) {
    const values = chunk.plainValues(field);
    if (!values) return undefined;
    parts.push({ chunk, begin: values[0], bytes: values[1] - values[0] });
  }
  return sizeOf(parts) <= MAX_BYTES ? parts : undefined;
}

async function readColumn({ type }: Field, parts: readonly Part[], rows: number): Promise<Data> {
  const memory = roomFor(sizeOf(parts));
  let at = 0;
  const reads = parts.map(({ chunk, begin, bytes }) => {
    const target = memory.subarray(at, at + bytes);
    at += bytes;
    return chunk.entry.fetchInto(target, begin);
  });
  await allOf(reads);
  return toData(type, { length: rows, values: typedView(memory, valuesClass(type)) });
}

const sizeOf = (parts: readonly Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);
