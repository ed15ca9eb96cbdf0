/** Kernel columns as hyparquet-writer takes them: a schema of Parquet, and arrays of values. */
import type { SchemaElement } from 'hyparquet';
import type { Column, ColumnData, ColumnType } from '../kernels/types.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const OPTIONAL = 'OPTIONAL' as const;

/** The Parquet schema of columns; every field may be null. */
export function parquetSchema(columns: readonly Column[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.flatMap(({ name, type }) => elements(name, type)),
  ];
}

/** The values of a column, nulls included; numbers without nulls as they are. */
export function columnValues(column: ColumnData, type: ColumnType): ArrayLike<unknown> {
  const { values, validity, length } = column;
  const plain = values && (type.kind === 'timestamp' || /^(float|int)/.test(type.kind));
  if (plain && !validity) return values;
  const valueAt = valueReader(column, type);
  const found = new Array<unknown>(length);
  for (let i = 0; i < length; i++) found[i] = valueAt(i);
  return found;
}

function elements(name: string, type: ColumnType): SchemaElement[] {
  const field = { name, repetition_type: OPTIONAL };
  switch (type.kind) {
    case 'float64':
      return [{ ...field, type: 'DOUBLE' }];
    case 'int32':
      return [{ ...field, type: 'INT32' }];
    case 'int64':
      return [{ ...field, type: 'INT64' }];
    case 'bool':
      return [{ ...field, type: 'BOOLEAN' }];
    case 'utf8':
      return [{ ...field, type: 'BYTE_ARRAY', converted_type: 'UTF8' }];
    case 'json':
      return [{ ...field, type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }];
    case 'timestamp': {
      const unit = type.unit === 'ms' ? 'MILLIS' : 'MICROS';
      const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: true, unit } as const;
      return [{ ...field, type: 'INT64', logical_type }];
    }
    case 'list':
      return [
        { ...field, num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elements('element', type.element),
      ];
    case 'struct':
      return [
        { ...field, num_children: type.fields.length },
        ...type.fields.flatMap((each) => elements(each.name, each.type)),
      ];
  }
}

/** Reads single values; of lists and structs as arrays and objects, which the writer asks for. */
function valueReader(column: ColumnData, type: ColumnType): (i: number) => unknown {
  const { validity } = column;
  const read = presentReader(column, type);
  if (!validity) return read;
  return (i) => ((validity[i >> 3]! >> (i & 7)) & 1 ? read(i) : null);
}

function presentReader(column: ColumnData, type: ColumnType): (i: number) => unknown {
  const { values, offsets, children = [] } = column;
  switch (type.kind) {
    case 'bool':
      return (i) => ((values as Uint8Array)[i >> 3]! >> (i & 7)) % 2 === 1;
    case 'utf8':
      return (i) => decoder.decode((values as Uint8Array).subarray(offsets![i]!, offsets![i + 1]!));
    case 'json':
      return (i) => (values as Uint8Array).subarray(offsets![i]!, offsets![i + 1]!);
    case 'list': {
      const item = valueReader(children[0]!, type.element);
      return (i) => {
        const from = offsets![i]!;
        return Array.from({ length: offsets![i + 1]! - from }, (_, at) => item(from + at));
      };
    }
    case 'struct': {
      const fields = type.fields.map(
        (field, at) => [field.name, valueReader(children[at]!, field.type)] as const,
      );
      return (i) => Object.fromEntries(fields.map(([name, read]) => [name, read(i)]));
    }
    default:
      return (i) => values![i];
  }
}
