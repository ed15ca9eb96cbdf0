/** Arrow: schemas, record batches and tables from batches, and the IPC formats. */
export { Assembler, type AssemblerOptions, type RowGroup } from './assembler.ts';
export { type ColumnSummary, describeColumns } from './describe.ts';
export { type FieldsOffer, offerFields, type Rereading, readAgain } from './fields-offer.ts';
export { findNewField, inferSchema } from './infer.ts';
export { IpcEncoder, type IpcFormat } from './ipc.ts';
export { toRecordBatch } from './record-batch.ts';
export {
  columnToField,
  fieldToColumn,
  makePlan,
  type Plan,
  resolveSchema,
  type ScalarName,
  type SchemaInput,
  type ShortSchema,
  type ShortType,
} from './schema.ts';
export { type BatchInput, type RecordBatchOptions, recordBatches, table } from './table.ts';
