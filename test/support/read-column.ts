/** Reads Arrow-layout buffers back into plain values, row by row. */
import type { ColumnData, ColumnType } from '../../src/kernels/index.ts';

/** The value of a row: numbers, bigints, booleans, text, arrays, objects, or null. */
export function readColumn(type: ColumnType, data: ColumnData, row: number): unknown {
  const { validity, values, offsets, children } = data;
  if (validity !== undefined && (validity[row >> 3]! & (1 << (row & 7))) === 0) return null;
  switch (type.kind) {
    case 'bool':
      return ((values as Uint8Array)[row >> 3]! & (1 << (row & 7))) !== 0;
    case 'utf8':
    case 'json': {
      const bytes = (values as Uint8Array).subarray(offsets![row], offsets![row + 1]);
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    }
    case 'list': {
      const elements: unknown[] = [];
      for (let i = offsets![row]!; i < offsets![row + 1]!; i++) {
        elements.push(readColumn(type.element, children![0]!, i));
      }
      return elements;
    }
    case 'struct':
      return type.fields.map((field, i) => readColumn(field.type, children![i]!, row));
    default:
      return values![row];
  }
}

/** All rows of a column, after checking that its buffers have the lengths and counts they claim. */
export function readRows(type: ColumnType, data: ColumnData): unknown[] {
  const rows = Array.from({ length: data.length }, (_, row) => readColumn(type, data, row));
  const nulls = rows.filter((value) => value === null).length;
  if (nulls !== data.nullCount) throw new Error(`${nulls} nulls, not ${data.nullCount}`);
  if ((data.validity === undefined) !== (nulls === 0)) throw new Error('validity without nulls');
  if (data.offsets && data.offsets.length !== data.length + 1) throw new Error('offsets');
  return rows;
}
