/** Column snapshots: what is written and when, where statistics are used, and what is refused. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PathInput } from '../../../src/core/path.ts';
import { eq, gt, gte } from '../../../src/core/predicate.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import { collectionTable as loadedTable } from '../../../src/store/columns/collection-table.ts';
import { collectionTable, DataStore, FastStore, pack, verify } from '../../../src/store/index.ts';

let folder = '';
let root = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'columns-'));
  root = join(folder, 'lake');
  file = join(root, 'collections/c/meta/columns.drive');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (mode: 'read' | 'write' = 'write') => FastStore.open(root, 'c', { mode });
const put = (store: FastStore, from: number, to: number, pad = '') => {
  for (let n = from; n < to; n++) {
    store.put(`d${n}`, {
      n,
      half: n / 2,
      text: `t${n % 10}`,
      at: '2024-02-29T00:00:00Z',
      flag: n % 3 === 0,
      tags: Array.from({ length: n % 3 }, (_, i) => `g${i}`),
      deep: { x: n % 4 ? n : null, list: [[n]] },
      pad,
    });
  }
};

describe('a column snapshot', () => {
  it('is written in parts, and only what is new', async () => {
    await using store = await open();
    put(store, 0, 250);
    const first = await store.snapshot({ chunkRows: 100 });
    expect(first).toMatchObject({ rows: 250, chunks: 3, rowsWritten: 250, chunksWritten: 3 });
    expect(first.columns).toContain('deep');
    expect(first.bytes).toBe(statSync(file).size);
    expect(await store.snapshot({ chunkRows: 100 })).toMatchObject({ rowsWritten: 0 });
    put(store, 250, 270);
    const second = await store.snapshot({ chunkRows: 100 });
    expect(second).toMatchObject({ rows: 270, chunks: 3, rowsWritten: 70, chunksWritten: 1 });
    for (let n = 0; n < 5; n++) store.delete(`d${n}`);
    const third = await store.snapshot({ chunkRows: 100 });
    expect(third).toMatchObject({ rows: 270, rowsWritten: 0 });
    expect((await store.table()).numRows).toBe(265);
    for (let n = 5; n < 50; n++) store.delete(`d${n}`);
    const fourth = await store.snapshot({ chunkRows: 100 });
    expect(fourth).toMatchObject({ rows: 220, chunks: 3, rowsWritten: 50 });
    expect(await store.snapshot({ columns: ['n'] })).toMatchObject({ columns: ['n'], rows: 220 });
  });

  it('is all that is read where nothing has come since', async () => {
    const store = await open();
    put(store, 0, 10);
    await store.snapshot();
    await store.close();
    const columns = vi.spyOn(sharedKernel(), 'columns');
    expect((await collectionTable(root, 'c')).numRows).toBe(10);
    expect(columns).not.toHaveBeenCalled();
    columns.mockRestore();
  });

  it('leaves out rows of every type that have died', async () => {
    await using store = await open();
    put(store, 0, 64);
    await store.snapshot();
    for (const n of [0, 1, 2, 9, 30, 31, 33, 62, 63]) store.delete(`d${n}`);
    put(store, 40, 42, 'new');
    const all = (table: Awaited<ReturnType<typeof store.table>>) =>
      JSON.stringify(table.toArray(), (_, v) => (typeof v === 'bigint' ? `${v}` : v));
    const { columns } = await store.snapshot();
    const mapped = await store.table();
    const read = await store.table({ columns: [...columns], where: gte('n', 0) });
    expect(mapped.numRows).toBe(55);
    expect(all(mapped)).toBe(all(read));
  });

  it('made later than what a reader sees is not for that reader', async () => {
    await using store = await open();
    put(store, 0, 10);
    await store.flush();
    await using reader = await open('read');
    store.delete('d3');
    await store.snapshot();
    expect((await store.table()).numRows).toBe(9);
    expect((await reader.table()).numRows).toBe(10);
    expect(await reader.scan({ where: eq('n', 3) }).toArray()).toHaveLength(1);
    await reader.refresh();
    expect((await reader.table()).numRows).toBe(9);
  });

  it('tells a field in an object from one with a dot in its name', async () => {
    await using store = await open();
    store.put('x', { 'a.b': 'name', a: { b: 'path' } });
    await store.flush();
    const read = async () => {
      const paths: PathInput[][] = [['a.b'], [['a.b']], [['a', 'b']], ['a.b', ['a.b']]];
      const tables = paths.map((columns) => store.table({ columns }));
      return (await Promise.all(tables)).map((table) => table.toArray().map(String));
    };
    const before = await read();
    expect(before[0]).toEqual([expect.stringContaining('path')]);
    for (const columns of [undefined, ['a.b'], [['a.b']]]) {
      await store.snapshot({ columns });
      expect(await read()).toEqual(before);
    }
  });

  it('stays mapped where nothing died, and is found without opening the store', async () => {
    const store = await open();
    put(store, 0, 100);
    await store.snapshot({ columns: ['_id', 'half', 'deep.x'] });
    put(store, 100, 110);
    await store.close();
    const table = await collectionTable(root, 'c');
    expect(table.schema.fields.map(({ name }) => name)).toEqual(['_id', 'half', 'deep.x']);
    const half = table.getChild('half')!;
    expect(half.data.map(({ length }) => length)).toEqual([100, 10]);
    expect((half.data[0]!.values as Float64Array).byteOffset % 64).toBe(0);
    expect([...half]).toEqual(Array.from({ length: 110 }, (_, n) => n / 2));
    expect(table.getChild('deep.x')!.nullCount).toBe(28);
    await using reader = await open('read');
    expect((await reader.table({ columns: ['half'] })).numCols).toBe(1);
  });

  it('has numbers and times without nulls in one piece, while nothing has died', async () => {
    await using store = await open();
    put(store, 0, 250);
    await store.snapshot({ columns: ['n', 'half', 'text', 'deep.x'], chunkRows: 100 });
    const table = (...columns: string[]) => store.table({ columns });
    const rows = async (...names: string[]) =>
      (await table(...names)).toArray().map((row) => Object.values(row!.toJSON()));
    const sizes = async (...names: string[]) =>
      (await table(...names)).batches.map(({ numRows }) => numRows);
    const numbers = Array.from({ length: 250 }, (_, n) => [n / 2, BigInt(n)]);
    expect(await sizes('half', 'n')).toEqual([250]);
    expect(await rows('half', 'n')).toEqual(numbers);
    expect(await sizes('n', 'text')).toEqual([100, 100, 50]);
    expect(await sizes('n', 'deep.x')).toEqual([100, 100, 50]);
    put(store, 250, 251);
    expect(await sizes('n')).toEqual([250, 1]);
    store.delete('d120');
    expect(await sizes('n')).toEqual([100, 99, 50, 1]);
    const left = numbers.filter(([, n]) => n !== 120n);
    expect((await rows('half', 'n')).slice(0, 249)).toEqual(left);
    const schema = { at: 'timestamp[ms]' } as const;
    await store.snapshot({ schema, chunkRows: 100 });
    const times = await store.table({ schema });
    expect(times.batches.map(({ numRows }) => numRows)).toEqual([250]);
    expect(new Set(times.getChild('at')!)).toEqual(new Set([Date.parse('2024-02-29T00:00:00Z')]));
  });

  it('of no rows gives a table of none, and of what comes behind it', async () => {
    await using store = await open();
    const schema = { n: 'float64' } as const;
    expect(await store.snapshot({ schema })).toMatchObject({ rows: 0, chunks: 0 });
    expect((await store.table()).numRows).toBe(0);
    put(store, 0, 2);
    expect([...(await store.table()).getChild('n')!]).toEqual([0, 1]);
    await store.flush();
    expect((await collectionTable(root, 'c', { schema })).numRows).toBe(2);
    await store.snapshot({ columns: ['n'], where: gt('n', 100) });
    expect((await store.table()).numRows).toBe(0);
  });

  it('lets scans pass over what cannot match', async () => {
    const store = await open();
    put(store, 0, 4000, 'x'.repeat(200));
    await store.snapshot({ columns: ['n', 'text'], chunkRows: 100 });
    await store.close();
    // What is not read does no harm: damage shows which bytes are.
    const data = join(root, 'collections/c/meta/data.jsonl');
    const { size } = statSync(data);
    const reads: number[] = [];
    for await (const batch of zdsSource(root, 'c', { where: gt('n', 3950) }).batches()) {
      reads.push(batch.origin.offset!, ...batch.documents().map(({ n }) => n as number));
    }
    expect(reads[0]).toBeGreaterThan(size * 0.9);
    expect(reads.slice(1).at(-1)).toBe(3999);
    const found = await zdsSource(root, 'c', { where: eq('text', 't7') }).toArray();
    expect(found).toHaveLength(400);
    expect(await zdsSource(root, 'c', { where: eq('text', 'zz') }).toArray()).toEqual([]);
  });

  it('is made anew where documents do not fit; a given schema says no', async () => {
    await using store = await open();
    put(store, 0, 10);
    await store.snapshot({ columns: ['n'] });
    store.put('odd', { n: 1.5 });
    expect([...(await store.table()).getChild('n')!]).toEqual([...Array(10).keys(), 1.5]);
    expect(await store.snapshot()).toMatchObject({ rowsWritten: 11 });
    await store.snapshot({ schema: { n: 'float64' } });
    store.put('worse', { n: 'text' });
    await expect(store.table()).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
    await expect(store.snapshot()).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
    expect((await store.table({ columns: ['n'] })).numRows).toBe(12);
  });

  it('is made of the same columns where its chunks are of a collection before', async () => {
    const store = await open();
    put(store, 0, 10);
    const shape = (table: Awaited<ReturnType<typeof store.table>>) =>
      [
        table.schema.fields.map(({ name, type }) => `${name}:${type}`).join(),
        table.numRows,
      ] as const;
    await store.snapshot({ schema: { n: 'float64' }, where: gt('n', 3) });
    put(store, 0, 1);
    await store.compact();
    expect(shape(await store.table())).toEqual(['n:Float64', 6]);
    expect(await store.snapshot()).toMatchObject({ columns: ['n'], rows: 6, rowsWritten: 6 });
    put(store, 20, 21);
    await store.compact();
    await store.close();
    for (const make of [collectionTable, loadedTable]) {
      expect(shape(await make(root, 'c'))).toEqual(['n:Float64', 7]);
    }
    await using again = await open();
    const stop = { signal: AbortSignal.abort(new Error('enough')) };
    await expect(again.snapshot(stop)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await again.snapshot()).toMatchObject({ columns: ['n'], rows: 7 });
    expect(await again.scan({ where: eq('n', 20) }).toArray()).toHaveLength(1);
  });

  it('keeps its types when documents die, until all is written anew', async () => {
    await using store = await open();
    store.put('a', { a: 2 ** 53 - 1, b: 'text' });
    store.put('b', { a: 0.5, b: 7, gone: true });
    await store.snapshot();
    store.delete('b');
    const found = async () => {
      const table = await store.table();
      return [table.schema.fields.join(', '), table.get(0)!.toJSON()];
    };
    const wide = [
      '_id: Utf8, a: Float64, b: Utf8, gone: Bool',
      { _id: 'a', a: 2 ** 53 - 1, b: '"text"', gone: null },
    ];
    expect(await found()).toEqual(wide);
    await store.snapshot();
    expect(await found()).toEqual(wide);
    await store.compact();
    await store.snapshot();
    const narrow = ['_id: Utf8, a: Int64, b: Utf8', { _id: 'a', a: 2n ** 53n - 1n, b: 'text' }];
    expect(await found()).toEqual(narrow);
  });

  it('refuses what cannot be, one writer at a time', async () => {
    await using store = await open();
    put(store, 0, 3);
    const both = { columns: ['n'], schema: { n: 'int32' } } as const;
    await expect(store.snapshot(both)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(store.snapshot({ chunkRows: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await store.snapshot();
    const other = await DataStore.open(file);
    await expect(store.snapshot()).rejects.toMatchObject({ code: 'LOCKED' });
    await other.close();
    const stop = { signal: AbortSignal.abort(new Error('enough')) };
    put(store, 3, 5);
    await expect(store.snapshot(stop)).rejects.toMatchObject({ code: 'ABORTED' });
    expect((await store.table()).numRows).toBe(5);
  });

  it('is no part of the collection: garbage in its place is replaced, tools pass it over', async () => {
    const store = await open();
    expect(await store.snapshot()).toMatchObject({ rows: 0, chunks: 0 });
    put(store, 0, 30);
    await store.flush();
    writeFileSync(file, 'this is no drive at all, and longer than a record would have to be');
    expect((await store.table()).numRows).toBe(30);
    expect(await store.snapshot()).toMatchObject({ rowsWritten: 30 });
    await store.close();
    for (const { findings } of await verify(root)) expect(findings).toEqual([]);
    await pack(root, join(folder, 'lake.zds'));
    const packed = await collectionTable(join(folder, 'lake.zds'), 'c');
    expect(packed.numRows).toBe(30);
  });

  it('does not notice a flipped bit in a number; verifying the drive does', async () => {
    await using store = await open();
    put(store, 0, 30);
    await store.snapshot({ columns: ['half'] });
    const bytes = readFileSync(file);
    bytes[bytes.indexOf(Buffer.from(Float64Array.of(14.5).buffer))]! ^= 1;
    writeFileSync(file, bytes);
    const values = (await store.table()).getChild('half')!.toArray();
    expect([values[28], values[29]]).toEqual([14, 14.500000000000002]);
    await using drive = await DataStore.open(file, { mode: 'read' });
    expect((await drive.verify()).ok).toBe(false);
  });

  it('loses no document to a flipped bit in where a line begins', async () => {
    await using store = await open();
    for (let n = 0; n < 40; n++) store.put(`d${n}`, { n });
    await store.flush();
    const start = readFileSync(join(root, 'collections/c/meta/data.jsonl')).indexOf('{"_id":"d27"');
    const options = { columns: ['n'], chunkRows: 20 };
    for (const where of [undefined, gte('n', 0)]) {
      await store.snapshot({ ...options, where });
      const sound = readFileSync(file);
      store.delete(where ? 'd4' : 'd3');
      await store.flush();
      const found = async () => [...(await store.table({ columns: ['n'], where })).getChild('n')!];
      const alive = await found();
      expect(alive).toHaveLength(where ? 38 : 39);
      const at = sound.indexOf(Buffer.from(Float64Array.of(start).buffer));
      // Of a part of the documents not all that lies between two lines can be told from one that died.
      for (let bit = where ? 48 : 0; bit < 64; bit++) {
        const bytes = Uint8Array.from(sound);
        bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
        writeFileSync(file, bytes);
        expect(await found(), `bit ${bit}`).toEqual(alive);
      }
      const rows = alive.length;
      expect(await store.snapshot({ ...options, where })).toMatchObject({
        rows,
        rowsWritten: rows,
      });
    }
  });

  it('gives way to the documents where the framing of its chunks is damaged', async () => {
    await using store = await open();
    put(store, 0, 30);
    await store.snapshot({ columns: ['n', 'text'] });
    const drive = await DataStore.open(file, { mode: 'read' });
    const [start, end] = drive.read('chunk/1')!.offsetRange;
    await drive.close();
    const sound = readFileSync(file);
    for (let at = start; at < Math.min(end, start + 1500); at += 24) {
      writeFileSync(file, Uint8Array.from(sound).fill(0xff, at, at + 24));
      expect((await store.table({ columns: ['n', 'text'] })).numRows).toBe(30);
      expect((await store.table({ columns: ['n'] })).numRows).toBe(30);
    }
    writeFileSync(file, Uint8Array.from(sound).fill(0, start, start + 8));
    const table = await store.table({ columns: ['text', 'n'] });
    expect(table.toArray().map((row) => row?.toJSON())[29]).toEqual({ text: 't9', n: 29n });
  });

  it('gives way where the last of many chunks is damaged, or has the first null', async () => {
    await using store = await open();
    put(store, 0, 250);
    store.put('last', { n: null, half: 7 });
    await store.snapshot({ columns: ['n', 'half'], chunkRows: 100 });
    const sizes = async (column: string) =>
      (await store.table({ columns: [column] })).batches.map(({ numRows }) => numRows);
    expect(await sizes('n')).toEqual([100, 100, 51]);
    expect(await sizes('half')).toEqual([251]);
    const drive = await DataStore.open(file, { mode: 'read' });
    const [start] = drive.read('chunk/3')!.offsetRange;
    await drive.close();
    writeFileSync(file, readFileSync(file).fill(0xff, start, start + 8));
    const halves = (await store.table({ columns: ['half'] })).getChild('half')!.toArray();
    expect([...halves]).toEqual([...Array.from({ length: 250 }, (_, n) => n / 2), 7]);
  });

  it('is read where its manifest does not say where values lie, or says what cannot be', async () => {
    await using store = await open();
    put(store, 0, 250);
    await store.snapshot({ columns: ['n', 'half'], chunkRows: 100 });
    const halves = Array.from({ length: 250 }, (_, n) => n / 2);
    for (const values of [undefined, [null, 0], [128, 1e6], [128, -8]]) {
      const drive = await DataStore.open(file);
      const manifest = JSON.parse(Buffer.from(drive.read('manifest')!.payload).toString());
      for (const chunk of manifest.chunks) chunk.values = values;
      await drive.write('manifest', Buffer.from(JSON.stringify(manifest)));
      await drive.close();
      const table = await store.table({ columns: values?.[0] === null ? ['n', 'half'] : ['half'] });
      expect([...table.getChild('half')!.toArray()]).toEqual(halves);
      expect(table.batches.map(({ numRows }) => numRows)).toEqual([100, 100, 50]);
    }
  });
});
