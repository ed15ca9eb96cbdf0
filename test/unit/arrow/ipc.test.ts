import { type Table, tableFromIPC } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { describe, expect, it } from 'vitest';
import { IpcEncoder, type IpcFormat } from '../../../src/arrow/ipc.ts';
import { toRecordBatch } from '../../../src/arrow/record-batch.ts';
import { type Plan, resolveSchema } from '../../../src/arrow/schema.ts';
import type { ColumnData } from '../../../src/kernels/types.ts';

const plan = resolveSchema({
  number: 'float64',
  big: 'int64',
  small: 'int32',
  text: 'utf8',
  flag: 'bool',
  when: 'timestamp[ms]',
  list: ['int32'],
  object: { name: 'utf8', raw: 'json' },
});

const text = (...values: string[]): ColumnData => {
  const bytes = values.map((value) => new TextEncoder().encode(value));
  const offsets = new Int32Array(values.length + 1);
  for (const [i, each] of bytes.entries()) offsets[i + 1] = offsets[i]! + each.length;
  return {
    length: values.length,
    nullCount: 0,
    offsets,
    values: new Uint8Array(Buffer.concat(bytes)),
  };
};

const columns: ColumnData[] = [
  { length: 3, nullCount: 1, validity: Uint8Array.of(0b101), values: Float64Array.of(1.5, 0, -0) },
  { length: 3, nullCount: 0, values: BigInt64Array.of(9007199254740993n, -1n, 0n) },
  { length: 3, nullCount: 0, values: Int32Array.of(1, -2, 3) },
  text('é', '', 'plain'),
  { length: 3, nullCount: 0, values: Uint8Array.of(0b010) },
  { length: 3, nullCount: 0, values: BigInt64Array.of(1_700_000_000_000n, -1n, 0n) },
  {
    length: 3,
    nullCount: 0,
    offsets: Int32Array.of(0, 2, 2, 3),
    children: [{ length: 3, nullCount: 0, values: Int32Array.of(7, 8, 9) }],
  },
  {
    length: 3,
    nullCount: 1,
    validity: Uint8Array.of(0b110),
    children: [text('', 'q', 'r'), text('', '{"a":1}', '[]')],
  },
];

const rows = [
  [1.5, 9007199254740993n, 1, 'é', false, 1_700_000_000_000, [7, 8], null],
  [null, -1n, -2, '', true, -1, [], { name: 'q', raw: '{"a":1}' }],
  [-0, 0n, 3, 'plain', false, 0, [9], { name: 'r', raw: '[]' }],
];

const plain = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return value;
  if (Symbol.iterator in value && !('toJSON' in value && 'name' in value)) {
    return Array.from(value as Iterable<unknown>, plain);
  }
  return { ...(value as { toJSON(): object }).toJSON() };
};

const readRows = (table: Table): unknown[] =>
  Array.from({ length: table.numRows }, (_, i) =>
    table.schema.fields.map((_field, j) => plain(table.getChildAt(j)!.get(i))),
  );

// apache-arrow makes another view where it is given bytes.
const sameMemory = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;

function encode(format: IpcFormat, batches: number, of: Plan = plan): Buffer {
  const encoder = new IpcEncoder(of.schema, format);
  const pieces = encoder.start();
  for (let i = 0; i < batches; i++) pieces.push(...encoder.batch(columns, 3));
  pieces.push(...encoder.end());
  const bytes = Buffer.concat(pieces);
  expect(encoder.byteLength).toBe(bytes.length);
  return bytes;
}

describe.each(['file', 'stream'] as const)('IPC %s', (format) => {
  it.each([0, 1, 3])('reads back with %i batches', (batches) => {
    const table = tableFromIPC(encode(format, batches));
    expect(readRows(table)).toEqual(Array.from({ length: batches }, () => rows).flat());
    expect(table.schema.fields.map(String)).toEqual(plan.schema.fields.map(String));
    const raw = table.schema.fields[7]!.type.children[1];
    expect(raw.metadata.get('ARROW:extension:name')).toBe('arrow.json');
  });

  it('keeps every buffer at a multiple of 64 bytes', () => {
    // Read from aligned memory, so that an aligned view means an aligned offset in the file.
    const bytes = encode(format, 2);
    const memory = new Uint8Array(new ArrayBuffer(bytes.length));
    memory.set(bytes);
    const table = tableFromIPC(memory);
    for (const batch of table.batches) {
      for (const child of batch.data.children.slice(0, 3)) {
        expect(child.values.byteOffset % 64).toBe(0);
      }
    }
  });

  it('writes rows without columns', () => {
    const encoder = new IpcEncoder(resolveSchema({}).schema, format);
    const pieces = [...encoder.start(), ...encoder.batch([], 5), ...encoder.end()];
    const table = tableFromIPC(Buffer.concat(pieces));
    expect(table.schema.fields).toEqual([]);
  });
});

it('keeps count past 4 GiB', () => {
  const { schema } = resolveSchema({ n: 'float64' });
  const encoder = new IpcEncoder(schema, 'file');
  encoder.start();
  // Encoding copies nothing, so the same 128 MiB can stand for many.
  const values = new Float64Array(2 ** 24);
  const column: ColumnData = { length: values.length, nullCount: 0, values };
  const starts: number[] = [];
  for (let i = 0; i < 40; i++) {
    starts.push(encoder.byteLength);
    encoder.batch([column], values.length);
  }
  expect(encoder.byteLength).toBeGreaterThan(2 ** 32);
  const footer = Footer.decode(encoder.end()[1]!);
  const blocks = [...footer.recordBatches()];
  expect(blocks.map((block) => block.offset)).toEqual(starts);
  expect(new Set(blocks.map((block) => block.bodyLength))).toEqual(new Set([values.byteLength]));
});

describe('toRecordBatch', () => {
  it('stands on the given buffers', () => {
    const batch = toRecordBatch(plan.schema, columns, 3);
    expect(batch.numRows).toBe(3);
    for (const [i, column] of columns.slice(0, 6).entries()) {
      expect(sameMemory(batch.data.children[i]!.values, column.values!)).toBe(true);
    }
    expect(batch.data.children[3]!.valueOffsets).toBe(columns[3]!.offsets);
    const numbers = batch.data.children[6]!.children[0]!.values;
    expect(numbers).toBe(columns[6]!.children![0]!.values);
  });
});
