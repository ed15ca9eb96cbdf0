/** Rows of Arrow columns picked out in runs, into fresh memory; for the types that `schema.ts` makes. */
import { type Data, DataType, makeData } from 'apache-arrow';

/** Rows to keep: pairs of the first and one past the last, ascending. */
export type Runs = readonly number[];

/** A column with only these rows, `count` in all. The column must not be a slice. */
export function keepRows(data: Data, runs: Runs, count: number): Data {
  const { type, nullCount, nullBitmap, values, valueOffsets, children } = data;
  const properties: Record<string, unknown> = { type, length: count, nullCount: 0 };
  if (nullCount > 0) {
    properties.nullBitmap = keepBits(nullBitmap, runs, count);
    properties.nullCount = -1;
  }
  if (DataType.isStruct(type)) {
    properties.children = children.map((child) => keepRows(child, runs, count));
  } else if (DataType.isBool(type)) {
    properties.data = keepBits(values, runs, count);
  } else if (valueOffsets) {
    const { offsets, inner } = keepOffsets(valueOffsets, runs, count);
    const length = offsets[count]!;
    properties.valueOffsets = offsets;
    if (DataType.isList(type)) properties.child = keepRows(children[0]!, inner, length);
    else properties.data = keepValues(values, inner, length);
  } else properties.data = keepValues(values, runs, count);
  return makeData(properties as unknown as Parameters<typeof makeData>[0]);
}

function keepValues(values: Float64Array, runs: Runs, count: number): Float64Array {
  const kept = new (values.constructor as Float64ArrayConstructor)(count);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    kept.set(values.subarray(runs[i]!, runs[i + 1]!), at);
    at += runs[i + 1]! - runs[i]!;
  }
  return kept;
}

/** New offsets, and the runs of what they lead to. */
function keepOffsets(
  before: Int32Array,
  runs: Runs,
  count: number,
): { readonly offsets: Int32Array; readonly inner: Runs } {
  const offsets = new Int32Array(count + 1);
  const inner: number[] = [];
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const [from, to] = [runs[i]!, runs[i + 1]!];
    const shift = offsets[at]! - before[from]!;
    inner.push(before[from]!, before[to]!);
    for (let row = from; row < to; row++) offsets[++at] = before[row + 1]! + shift;
  }
  return { offsets, inner };
}

function keepBits(bits: Uint8Array, runs: Runs, count: number): Uint8Array {
  const kept = new Uint8Array((count + 7) >> 3);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    for (let row = runs[i]!; row < runs[i + 1]!; row++, at++) {
      if ((bits[row >> 3]! >> (row & 7)) & 1) kept[at >> 3]! |= 1 << (at & 7);
    }
  }
  return kept;
}
