/**
 * Chunks of which nothing has died as one record batch, where no columns are asked for but plain ones: numbers
 * and times without nulls. The manifest says where their values lie, so that no head of a chunk is decoded; they
 * are read one behind the other into one piece of memory a column, and the batch is made meanwhile. A table of
 * one batch is made and read in less time than one of many. Mapped chunks stay as they are: joining them would be
 * copying them.
 */
import type { Data, RecordBatch } from 'apache-arrow';
import { fixedWidth, typedView, valuesClass } from '../../arrow/buffers.ts';
import { toData } from '../../arrow/record-batch.ts';
import type { Plan } from '../../arrow/schema.ts';
import { roomFor } from '../../io/index.ts';
import type { UsefulSnapshot } from './begin-table.ts';
import { findChunk, type Manifest, sumRows } from './manifest.ts';
import { toBatch } from './to-batch.ts';
import { allOf } from './unless-damaged.ts';

/** Longest column to be had in one piece of memory. */
const MAX_BYTES = 1 << 30;

/**
 * Bytes of the columns of the plan, which are some of the snapshot's; undefined where there are no chunks, rows of
 * one may have died, a column is not plain or too long, or the file is mapped.
 */
export function bytesToJoin({ drive, manifest, plan }: UsefulSnapshot): number | undefined {
  const { chunks, columns } = manifest;
  const wanted = indicesOf(columns, plan);
  const isPlain = chunks.every(
    ({ values, whole }) => whole && wanted.every((i) => values?.[i] != null),
  );
  if (drive.way !== 'read' || chunks.length === 0 || !isPlain) return undefined;
  const rows = sumRows(chunks);
  const bytes = widthsOf(plan).map((width) => rows * width);
  return bytes.every((each) => each <= MAX_BYTES) ? bytes.reduce((a, b) => a + b, 0) : undefined;
}

/** The columns of the plan, for which there are `bytesToJoin`. Errors: what `unlessDamaged` takes. */
export async function joinChunks({
  drive,
  manifest: { chunks, columns },
  plan,
}: UsefulSnapshot): Promise<RecordBatch> {
  const { schema } = plan;
  const wanted = indicesOf(columns, plan);
  const rows = sumRows(chunks);
  const widths = widthsOf(plan);
  const memory = widths.map((width) => roomFor(rows * width));
  const reads: Promise<void>[] = [];
  try {
    let at = 0;
    for (const chunk of chunks) {
      const entry = findChunk(drive, chunk);
      const end = at + chunk.rows;
      for (const [i, width] of widths.entries()) {
        const target = memory[i]!.subarray(at * width, end * width);
        reads.push(entry.fetchInto(target, chunk.values![wanted[i]!]!));
      }
      at = end;
    }
    const data = schema.fields.map(
      ({ type }, i): Data =>
        toData(type, { length: rows, values: typedView(memory[i]!, valuesClass(type)) }),
    );
    return toBatch(schema, data, rows);
  } finally {
    // Nothing may be under way when the file is closed.
    await allOf(reads);
  }
}

function indicesOf(columns: Manifest['columns'], { schema }: Plan): number[] {
  return schema.fields.map(({ name }) => columns.findIndex((each) => each.name === name));
}

const widthsOf = ({ schema }: Plan): number[] =>
  schema.fields.map(({ type }) => fixedWidth(type) / 8);
