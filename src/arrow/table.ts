/**
 * Arrow in process: batches as apache-arrow record batches or as one table. No value goes through
 * JavaScript and no column is copied: vectors stand on the kernel's buffers.
 */
import { type RecordBatch, Table } from 'apache-arrow';
import type { Batch } from '../core/batch.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Kernel } from '../kernels/types.ts';
import { Assembler, type AssemblerOptions, type RowGroup } from './assembler.ts';
import { toRecordBatch } from './record-batch.ts';

/** Batches, or a source that gives them. */
export type BatchInput =
  | Iterable<Batch>
  | AsyncIterable<Batch>
  | { batches(): Iterable<Batch> | AsyncIterable<Batch> };

export interface RecordBatchOptions extends AssemblerOptions {
  /** The kernel to work with. Default: the shared one. */
  readonly kernel?: Kernel;
}

/**
 * Record batches of at most `batchRows` rows, all of one schema, as the input goes by. Without
 * documents there is no record batch. Errors: those of the input; SCHEMA_CHANGED for a document
 * that does not fit the schema; INVALID_ARGUMENT for options that cannot be.
 */
export async function* recordBatches(
  input: BatchInput,
  options: RecordBatchOptions = {},
): AsyncGenerator<RecordBatch, void, void> {
  const { kernel = sharedKernel() } = options;
  const assembler = new Assembler(kernel, options);
  const toBatch = ({ columns, rows }: RowGroup): RecordBatch =>
    toRecordBatch(assembler.plan!.schema, columns, rows);
  for await (const batch of batchesOf(input)) {
    for (const group of assembler.add(batch)) yield toBatch(group);
  }
  for (const group of assembler.finish()) yield toBatch(group);
}

/**
 * All of the input as one table. Unless a schema or `inferBytes` is given, the schema is inferred
 * from the whole input, which stays in memory until the columns are filled. Errors: as
 * `recordBatches`.
 */
export async function table(input: BatchInput, options: RecordBatchOptions = {}): Promise<Table> {
  const { kernel = sharedKernel(), inferBytes = Number.POSITIVE_INFINITY } = options;
  const assembler = new Assembler(kernel, { ...options, inferBytes });
  const groups: RowGroup[] = [];
  for await (const batch of batchesOf(input)) groups.push(...assembler.add(batch));
  groups.push(...assembler.finish());
  const { schema } = assembler.plan!;
  return new Table(
    schema,
    groups.map(({ columns, rows }) => toRecordBatch(schema, columns, rows)),
  );
}

function batchesOf(input: BatchInput): Iterable<Batch> | AsyncIterable<Batch> {
  return 'batches' in input ? input.batches() : input;
}
