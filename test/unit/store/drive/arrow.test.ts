/** Arrow in entries: over the same memory, tables batch by batch, whole whatever happens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BinaryView,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float64,
  Int8,
  Int16,
  Int64,
  List,
  makeData,
  Null,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMillisecond,
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
  Utf8,
  Utf8View,
  vectorFromArray,
} from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asRecordBatch, asTable, asVector, DataStore } from '../../../../src/store/index.ts';
import { FaultDisk, fingerprint } from '../../../support/fault-disk.ts';
import { heldBuffers } from '../../../support/garbage.ts';
import { inSample } from '../../../support/long.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drive-arrow-'));
  path = join(folder, 'x.drive');
});
afterEach(() => rmSync(folder, { recursive: true }));

const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
const rows = (table: Table | undefined): unknown[] | undefined =>
  table?.toArray().map((row) => JSON.parse(JSON.stringify(row, plain)));
const someTable = (from: number, count: number): Table => {
  const n = Array.from({ length: count }, (_, i) => from + i);
  return new Table({
    n: vectorFromArray(n, new Float64()),
    text: vectorFromArray(
      n.map((each) => (each % 3 ? `é${each}` : null)),
      new Utf8(),
    ),
    big: vectorFromArray(n.map(BigInt), new Int64()),
    list: vectorFromArray(
      n.map((each) => Array.from({ length: each % 4 }, () => each)),
      new List(new Field('item', new Float64(), true)),
    ),
  });
};

describe('entries as numbers and Arrow', () => {
  it('are views of the payload', async () => {
    await using drive = await DataStore.open(path);
    await drive.write('n', new Uint8Array(Float64Array.of(1, 2.5, -3).buffer));
    const entry = drive.read('n')!;
    const numbers = entry.asTypedArray(Float64Array);
    expect([...numbers]).toEqual([1, 2.5, -3]);
    expect(numbers.buffer).toBe(entry.payload.buffer);
    expect(() => drive.read('n')!.asTypedArray(BigInt64Array)).not.toThrow();
    await drive.write('odd', Uint8Array.of(1, 2, 3));
    expect(() => drive.read('odd')!.asTypedArray(Float64Array)).toThrow(/multiple/);

    const vector = asVector(entry, new Float64());
    expect([...vector]).toEqual([1, 2.5, -3]);
    expect(vector.data[0]!.values.buffer).toBe(entry.payload.buffer);
  });

  it.each([
    [new Bool(), [...'1010000011111111'].map((bit) => bit === '1')],
    [new FixedSizeBinary(1), [Uint8Array.of(5), Uint8Array.of(255)]],
    [new FixedSizeBinary(2), [Uint8Array.of(5, 255)]],
    [new Int16(), [-251]],
    [new FixedSizeBinary(3), undefined],
    [new FixedSizeBinary(0), undefined],
    [new DateDay(), undefined],
    [new Decimal(2, 20), undefined],
    [new Utf8(), undefined],
    [new Null(), undefined],
    [new Dictionary(new Utf8(), new Int8()), undefined],
    [new List(new Field('item', new Int8())), undefined],
    [new FixedSizeList(2, new Field('item', new Int8())), undefined],
    [new Struct([]), undefined],
  ] as [DataType, unknown[] | undefined][])('of two bytes as %s', async (type, values) => {
    await using drive = await DataStore.open(path);
    await drive.write('n', Uint8Array.of(0b101, 0xff));
    const vector = () => [...asVector(drive.read('n')!, type)];
    if (values) expect(vector()).toEqual(values);
    else expect(vector).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('hold IPC that is opened without a copy', async () => {
    const table = someTable(0, 100);
    await using drive = await DataStore.open(path);
    for (const format of ['file', 'stream'] as const) {
      await drive.write(format, tableToIPC(table, format));
      const entry = drive.read(format)!;
      expect(rows(asTable(entry))).toEqual(rows(table));
      const batch = asRecordBatch(entry);
      expect(batch.getChild('n')!.data[0]!.values.buffer).toBe(entry.payload.buffer);
    }
    await drive.write('text', Buffer.from('no Arrow at all, nothing like it'));
    expect(() => asRecordBatch(drive.read('text')!)).toThrow(
      expect.objectContaining({ code: 'CORRUPTED_DATA' }),
    );
  });
});

describe('tables in drives', () => {
  it('come back batch by batch, aligned, over the mapped file', async () => {
    const parts = [someTable(0, 100), someTable(100, 1), someTable(101, 70)];
    const whole = parts.flatMap((part) => rows(part)!);
    async function* batches(): AsyncGenerator<RecordBatch> {
      for (const part of parts) yield* part.batches;
    }
    await using drive = await DataStore.open(path);
    await drive.writeTable('t', batches());
    const table = drive.readTable('t')!;
    expect(table.batches.map(({ numRows }) => numRows)).toEqual([100, 1, 70]);
    expect(rows(table)).toEqual(whole);
    for (const batch of drive.readTableBatches('t')) {
      for (const name of ['n', 'big']) {
        const { values } = batch.getChild(name)!.data[0]!;
        if (drive.way === 'map') expect((values as Float64Array).byteOffset % 64).toBe(0);
      }
    }
    expect(drive.readTable('other')).toBeUndefined();
    expect([...drive.readTableBatches('other')]).toEqual([]);
  });

  it('are written and read one batch at a time, however large they are', async () => {
    const count = 64;
    const rowsEach = 1 << 17;
    let most = 0;
    let noted = 0;
    const note = () => {
      if (noted++ % 8 === 0) most = Math.max(most, heldBuffers());
    };
    const before = heldBuffers();
    function* batches(): Generator<RecordBatch> {
      for (let i = 0; i < count; i++) {
        note();
        yield tableFromArrays({ n: new Float64Array(rowsEach).fill(i) }).batches[0]!;
      }
    }
    await using drive = await DataStore.open(path);
    await drive.writeTable('t', batches());
    let sum = 0;
    for (const batch of drive.readTableBatches('t')) {
      note();
      sum += batch.getChild('n')!.get(rowsEach - 1);
    }
    expect(sum).toBe((count * (count - 1)) / 2);
    // 64 MiB in all.
    if (drive.way === 'map') expect(most - before).toBeLessThan(40 << 20);
  });

  it('keep slices, dictionaries and empty tables as they are', async () => {
    await using drive = await DataStore.open(path);
    const words = vectorFromArray(['a', 'b', 'a', null, 'b', 'a']);
    const text = [
      'a',
      'longer than what stands in a view',
      null,
      'another one that is long enough',
    ];
    const views = vectorFromArray(text, new Utf8View());
    const bytes = vectorFromArray(
      text.map((each) => each && Buffer.from(each)),
      new BinaryView(),
    );
    const listOfViews = new List(new Field('each', new Utf8View(), true));
    const lists = [[text[1]], [text[0], text[3]], text.slice(1)];
    const nested = [
      new Field('lists', listOfViews, true),
      new Field('fixed', new FixedSizeList(2, new Field('each', new Float64())), true),
      new Field('struct', new Struct([new Field('each', new Utf8())]), true),
      new Field('words', new Dictionary(new Utf8(), new Int8()), true),
    ];
    const dictionary = new Table({ words: vectorFromArray(['x', 'y', 'x']) });
    const cases = {
      slice: someTable(0, 50).slice(7, 33),
      dictionary,
      words: new Table({ words }),
      empty: someTable(0, 3).slice(0, 0),
      none: new Table(someTable(0, 3).schema),
      noneInside: new Table(new Schema(nested)),
      views: new Table({ views, bytes }).slice(1),
      viewsInside: new Table({ lists: vectorFromArray(lists, listOfViews) }).slice(1, 3),
    };
    for (const [key, table] of Object.entries(cases)) {
      await drive.writeTable(key, table as Table);
      expect(rows(drive.readTable(key)), key).toEqual(rows(table as Table));
      expect(String(drive.readTable(key)!.schema)).toBe(String(table.schema));
      const again = tableFromIPC(tableToIPC(drive.readTable(key)!));
      expect(rows(again)).toEqual(rows(table as Table));
    }
  });

  it('take the place of the ones before, with nothing left of those', async () => {
    await using drive = await DataStore.open(path);
    await drive.writeTable('t', new Table(someTable(0, 9).batches.concat(someTable(9, 9).batches)));
    const before = drive.readTable('t')!;
    await drive.writeTable('t', someTable(50, 5));
    expect(drive.len()).toBe(2);
    expect(rows(drive.readTable('t'))).toEqual(rows(someTable(50, 5)));
    expect(before.numRows).toBe(18);
    expect(rows(before)).toHaveLength(18);
    await drive.deleteTable('t');
    expect(drive.len()).toBe(0);
  });

  it('are deleted with what writes that failed have left', async () => {
    await using drive = await DataStore.open(path);
    async function* failing() {
      yield* someTable(0, 2).batches;
      yield* someTable(2, 2).batches;
      throw new Error('no more');
    }
    for (const key of ['new', 'old']) {
      if (key === 'old') await drive.writeTable(key, someTable(0, 4));
      await expect(drive.writeTable(key, failing())).rejects.toThrow('no more');
      expect(drive.readTable(key)?.numRows).toBe(key === 'old' ? 4 : undefined);
      await drive.deleteTable(key);
      expect(drive.len()).toBe(0);
    }
  });

  it('hold batches with dictionaries of their own, each made by itself', async () => {
    await using drive = await DataStore.open(path);
    const tables = [['a', 'b', 'a'], ['z', 'y'], ['b']].map((s) => tableFromArrays({ s }));
    await drive.writeTable(
      't',
      tables.flatMap(({ batches }) => batches as unknown as RecordBatch[]),
    );
    const table = drive.readTable('t')!;
    expect([...table.getChild('s')!]).toEqual(['a', 'b', 'a', 'z', 'y', 'b']);
    expect([...tableFromIPC(tableToIPC(table)).getChild('s')!]).toEqual([...table.getChild('s')!]);
  });

  it('refuse batches that cannot be read as one table, and keep the one there was', async () => {
    await using drive = await DataStore.open(path);
    const batchOf = (type: DataType, nullable: boolean) => {
      const fields = [new Field('n', type, nullable)];
      const child = makeData({ type: new Int64(), length: 1, data: BigInt64Array.of(1n) });
      const data = makeData({ type: new Struct(fields), length: 1, children: [child.clone(type)] });
      return new RecordBatch(new Schema(fields), data);
    };
    const long = batchOf(new Int64(), true);
    const utc = batchOf(new TimestampMillisecond('UTC'), true);
    const berlin = batchOf(new TimestampMillisecond('Europe/Berlin'), true);
    await drive.writeTable('t', someTable(0, 4));
    for (const pair of [
      [long, batchOf(new Int64(), false)],
      [utc, berlin],
      [long, utc],
    ]) {
      await expect(drive.writeTable('t', pair)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(rows(drive.readTable('t'))).toEqual(rows(someTable(0, 4)));
    }
  });

  it('are not moved by half', async () => {
    await using drive = await DataStore.open(path);
    await using other = await DataStore.open(join(folder, 'other.drive'));
    await drive.writeTable('t', someTable(0, 4));
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    await expect(drive.rename('t', 'u')).rejects.toEqual(refused);
    await expect(drive.copy('t', other)).rejects.toEqual(refused);
    await expect(drive.transfer('t', other)).rejects.toEqual(refused);
    expect(drive.readTable('t')?.numRows).toBe(4);
    expect(other.len()).toBe(0);
    await other.writeTable('u', drive.readTableBatches('t'));
    await drive.deleteTable('t');
    expect(rows(other.readTable('u'))).toEqual(rows(someTable(0, 4)));
    // Other texts of the same beginning are entries as any.
    for (const text of ['{', '{"format":"zds-tables"}', '{"format":"zds-table",']) {
      await drive.write('text', Buffer.from(text));
      await drive.rename('text', 'renamed');
      expect(Buffer.from(drive.read('renamed')!.payload).toString()).toBe(text);
    }
  });

  it('refuse what is no table, and notice what is missing', async () => {
    await using drive = await DataStore.open(path);
    await expect(drive.writeTable('t', [])).rejects.toThrow(/schema/);
    const other = tableFromArrays({ m: Int32Array.of(1) }) as unknown as Table;
    const mixed = [...someTable(0, 2).batches, ...other.batches];
    await expect(drive.writeTable('t', mixed)).rejects.toThrow(/one schema/);
    expect(drive.readTable('t')).toBeUndefined();
    await drive.writeTable('t', someTable(0, 4));
    expect(drive.len()).toBe(2);
    await drive.delete('t\0table\x001\x000');
    expect(() => drive.readTable('t')).toThrow(expect.objectContaining({ code: 'CORRUPTED_DATA' }));
  });

  it('are there whole or not at all, wherever the machine stops', async () => {
    const life = async (disk: FaultDisk) => {
      await disk.mkdir('/d');
      const drive = await DataStore.open('/d/x', { disk });
      for (const [from, count] of [
        [0, 4],
        [100, 6],
        [200, 2],
      ] as const) {
        const half = count >> 1;
        await drive.writeTable('t', [
          ...someTable(from, half).batches,
          ...someTable(from + half, half).batches,
        ]);
      }
      await drive.close();
    };
    const counted = new FaultDisk();
    await life(counted);
    const checked = new Set<string>();
    const seen = new Set<number | undefined>();
    for (let dieAt = 1; dieAt <= counted.operations; dieAt++) {
      const disk = new FaultDisk();
      disk.dieAt = dieAt;
      await life(disk).catch(() => undefined);
      for (const [n, { image }] of [...disk.images()].entries()) {
        if (!inSample(dieAt, n)) continue;
        const print = fingerprint(image);
        if (checked.has(print)) continue;
        checked.add(print);
        const after = new FaultDisk(image);
        await after.mkdir('/d');
        const drive = await DataStore.open('/d/x', { disk: after });
        const table = drive.readTable('t');
        const first = table?.get(0)?.toJSON().n as number | undefined;
        const count = { 0: 4, 100: 6, 200: 2 }[first ?? -1];
        if (table) expect(rows(table)).toEqual(rows(someTable(first!, count!)));
        seen.add(first);
        await drive.close();
      }
    }
    expect(seen).toEqual(new Set([undefined, 0, 100, 200]));
  });
});
