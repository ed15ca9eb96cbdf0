/**
 * Kernel columns as apache-arrow record batches. Nothing is copied: the vectors' memory is the
 * kernel's buffers, and the caller gives them away.
 */
import { type Data, type DataType, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import type { ColumnData } from '../kernels/types.ts';

/** A record batch over `columns`, which fit `schema` field by field and hold `rows` rows each. */
export function toRecordBatch(
  schema: Schema,
  columns: readonly ColumnData[],
  rows: number,
): RecordBatch {
  const children = schema.fields.map((field, i) => toData(field.type, columns[i]!));
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: rows, nullCount: 0, children }));
}

/** Buffers of a column; how many nulls there are is counted on demand where it is not told. */
export interface ColumnBuffers {
  readonly length: number;
  readonly nullCount?: number;
  readonly validity?: Uint8Array | undefined;
  readonly values?: ArrayBufferView;
  readonly offsets?: Int32Array | undefined;
  readonly children?: readonly ColumnBuffers[];
}

/** A column of that type as apache-arrow has it, over the same buffers. */
export function toData(type: DataType, column: ColumnBuffers): Data {
  const { length, validity, values, offsets, children = [] } = column;
  const { nullCount = validity ? -1 : 0 } = column;
  const inner = children.map((child, i) => toData(type.children[i]!.type, child));
  // makeData picks what the type needs; its overloads want the type known statically.
  const properties: object = {
    type,
    length,
    nullCount,
    nullBitmap: validity,
    data: values,
    valueOffsets: offsets,
    child: inner[0],
    children: inner,
  };
  return makeData(properties as Parameters<typeof makeData>[0]);
}
