/** apache-arrow alone: its builders, and columns filled by hand from parsed documents. */
import { writeFileSync } from 'node:fs';
import {
  Bool,
  Field,
  Float64,
  Int32,
  makeBuilder,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import { readLines } from '../lib/lines.mjs';
import { digestArrow } from '../lib/results.mjs';

const FIELDS = [
  ['_id', new Utf8(), (d) => d._id],
  ['name', new Utf8(), (d) => d.name],
  ['email', new Utf8(), (d) => d.email],
  ['age', new Int32(), (d) => d.age],
  ['score', new Float64(), (d) => d.score],
  ['active', new Bool(), (d) => d.active],
  ['created', new Utf8(), (d) => d.metadata.created],
  ['source', new Utf8(), (d) => d.metadata.source],
];

const digest = ({ output }) => digestArrow(output('docs.arrow'));

export const works = {
  builders: {
    run({ file, output }) {
      const columns = FIELDS.map(([name, type, read]) => ({
        name,
        read,
        builder: makeBuilder({ type, nullValues: [null] }),
      }));
      for (const lines of readLines(file)) {
        for (const line of lines) {
          const document = JSON.parse(line);
          for (const { builder, read } of columns) builder.append(read(document));
        }
      }
      const vectors = columns.map(({ name, builder }) => [name, builder.finish().toVector()]);
      writeFileSync(
        output('docs.arrow'),
        tableToIPC(new Table(Object.fromEntries(vectors)), 'file'),
      );
    },
    digest,
  },

  byHand: {
    run({ file, count, output }) {
      const columns = FIELDS.map(([name, type, read]) => createColumn(name, type, read, count));
      let row = 0;
      for (const lines of readLines(file)) {
        for (const line of lines) {
          const document = JSON.parse(line);
          for (const column of columns) column.set(row, column.read(document));
          row++;
        }
      }
      const schema = new Schema(columns.map(({ name, type }) => new Field(name, type, false)));
      const children = columns.map((column) => column.take(row));
      const data = makeData({
        type: new Struct(schema.fields),
        length: row,
        nullCount: 0,
        children,
      });
      const table = new Table([new RecordBatch(schema, data)]);
      writeFileSync(output('docs.arrow'), tableToIPC(table, 'file'));
    },
    digest,
  },
};

function createColumn(name, type, read, count) {
  const shared = { name, type, read };
  if (type instanceof Utf8) return { ...shared, ...createText(type, count) };
  if (type instanceof Bool) {
    const bits = new Uint8Array((count + 7) >> 3);
    return {
      ...shared,
      set: (row, value) => {
        if (value) bits[row >> 3] |= 1 << (row & 7);
      },
      take: (length) => makeData({ type, length, nullCount: 0, data: bits }),
    };
  }
  const values = new type.ArrayType(count);
  return {
    ...shared,
    set: (row, value) => {
      values[row] = value;
    },
    take: (length) => makeData({ type, length, nullCount: 0, data: values.subarray(0, length) }),
  };
}

/** Text grows by doubling; a code unit takes at most three bytes. */
function createText(type, count) {
  const offsets = new Int32Array(count + 1);
  let bytes = Buffer.allocUnsafe(count * 16);
  let end = 0;
  return {
    set(row, value) {
      if (end + value.length * 3 > bytes.length) {
        bytes = Buffer.concat([bytes.subarray(0, end)], bytes.length * 2 + value.length * 3);
      }
      end += bytes.utf8Write(value, end);
      offsets[row + 1] = end;
    },
    take: (length) =>
      makeData({
        type,
        length,
        nullCount: 0,
        valueOffsets: offsets.subarray(0, length + 1),
        data: bytes.subarray(0, end),
      }),
  };
}
