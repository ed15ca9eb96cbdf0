/** Totals of columns: by a snapshot's statistics, behind it, and of documents; held against the documents. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gt } from '../../../src/core/predicate.ts';
import {
  type ColumnTotals,
  columnTotals as loadedTotals,
} from '../../../src/store/columns/collection-table.ts';
import { columnTotals, DataStore, FastStore } from '../../../src/store/index.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

const columns = ['n', 'half', 'long', 'text', 'none'];
const LONG = 2n ** 60n;

function put(store: FastStore, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    const half = n % 7 === 0 ? null : n / 2 - 20;
    const line = JSON.stringify({ n, half, text: n % 3 ? 'a' : null, none: null });
    store.putRaw(`d${n}`, Buffer.from(`${line.slice(0, -1)},"long":${LONG + BigInt(n)}}`));
  }
}

/** The same by going through the numbers of the documents that are alive. */
function expected(alive: Iterable<number>): Partial<ColumnTotals>[] {
  const all = [...alive];
  const halves = all.filter((n) => n % 7 !== 0).map((n) => n / 2 - 20);
  const add = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const count = all.length;
  const texts = all.filter((n) => n % 3).length;
  const long = all.reduce((sum, n) => sum + LONG + BigInt(n), 0n);
  const bounds = (values: number[]) => ({ min: Math.min(...values), max: Math.max(...values) });
  const n = bounds(all);
  return [
    {
      name: 'n',
      type: 'Int64',
      count,
      nulls: 0,
      sum: BigInt(add(all)),
      min: BigInt(n.min),
      max: BigInt(n.max),
      mean: add(all) / count,
    },
    {
      name: 'half',
      type: 'Float64',
      count: halves.length,
      nulls: count - halves.length,
      sum: add(halves),
      ...bounds(halves),
      mean: add(halves) / halves.length,
    },
    {
      name: 'long',
      type: 'Int64',
      count,
      nulls: 0,
      sum: long,
      min: LONG + BigInt(n.min),
      max: LONG + BigInt(n.max),
      mean: Number(long) / count,
    },
    { name: 'text', type: 'Utf8', count: texts, nulls: count - texts },
    { name: 'none', type: 'Utf8', count: 0, nulls: count },
  ];
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('totals of columns', () => {
  it('are those of the documents whatever was done since the snapshot', async () => {
    const root = join(temporaryFolder(), 'lake');
    const file = join(root, 'collections/c/meta/columns.drive');
    await using store = await FastStore.open(root, 'c');
    const check = async (alive: Iterable<number>) => {
      await store.flush();
      const open = openDescriptors(root);
      for (const totals of [columnTotals, loadedTotals]) {
        expect(await totals(root, 'c', { columns })).toEqual(expected(alive));
      }
      expect(openDescriptors(root)).toBeLessThanOrEqual(open);
    };
    put(store, 0, 250);
    await check(range(0, 250));
    await store.snapshot({ columns, chunkRows: 100 });
    await check(range(0, 250));
    put(store, 250, 260);
    await check(range(0, 260));
    await store.snapshot();
    store.delete('d0');
    await check(range(1, 260));
    await store.snapshot();
    await check(range(1, 260));
    await store.compact();
    await check(range(1, 260));
    await store.snapshot();
    await check(range(1, 260));
    // As snapshots of before have it.
    const drive = await DataStore.open(file);
    const manifest = JSON.parse(Buffer.from(drive.read('manifest')!.payload).toString());
    for (const chunk of manifest.chunks) for (const stats of chunk.stats) stats.sum = undefined;
    await drive.write('manifest', Buffer.from(JSON.stringify(manifest)));
    await drive.close();
    await check(range(1, 260));
    put(store, 260, 270);
    await check(range(1, 270));
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    await check(range(1, 270));
  });

  it('read no values of a snapshot that has all', async () => {
    const root = join(temporaryFolder(), 'lake');
    const file = join(root, 'collections/c/meta/columns.drive');
    const store = await FastStore.open(root, 'c');
    put(store, 0, 250);
    await store.snapshot({ columns, chunkRows: 100 });
    await store.close();
    const drive = await DataStore.open(file, { mode: 'read' });
    const ranges = range(1, 4).map((id) => drive.read(`chunk/${id}`)!.offsetRange);
    await drive.close();
    const bytes = readFileSync(file);
    for (const [start, end] of ranges) bytes.fill(0xff, start, end);
    writeFileSync(file, bytes);
    expect(await loadedTotals(root, 'c', { columns })).toEqual(expected(range(0, 250)));
  });

  it('are of the rows and types asked for; infinite ones have none', async () => {
    const root = join(temporaryFolder(), 'lake');
    await using store = await FastStore.open(root, 'c');
    put(store, 0, 100);
    const where = gt('n', 89);
    await store.snapshot({ schema: { n: 'float64', half: 'float64' }, where });
    const found = await loadedTotals(root, 'c');
    expect(found).toMatchObject([
      { name: 'n', type: 'Float64', count: 10, sum: 945, mean: 94.5 },
      { name: 'half' },
    ]);
    expect(await columnTotals(root, 'c', { columns: ['n'] })).toMatchObject([{ sum: 4950n }]);
    await expect(
      loadedTotals(root, 'c', { columns: ['n'], schema: { n: 'int32' } }),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    store.putRaw('x', Buffer.from('{"n":1e999,"half":0.1}'));
    await store.flush();
    for (const snapshot of [false, true]) {
      if (snapshot) await store.snapshot({ columns: ['n'] });
      expect(await loadedTotals(root, 'c', { columns: ['n'] })).toEqual([
        { name: 'n', type: 'Float64', count: 101, nulls: 0 },
      ]);
    }
  });

  it('keep bounds where a sum is too large for a number', async () => {
    const root = join(temporaryFolder(), 'lake');
    await using store = await FastStore.open(root, 'c');
    for (const [i, v] of [1e308, 1e308, -1e308].entries()) store.put(`d${i}`, { v });
    await store.flush();
    const known = { name: 'v', type: 'Float64', count: 3, nulls: 0, min: -1e308, max: 1e308 };
    expect(await loadedTotals(root, 'c', { columns: ['v'] })).toEqual([known]);
    await store.snapshot();
    expect(await loadedTotals(root, 'c', { columns: ['v'] })).toEqual([known]);
  });

  it('add fractions without losing the small ones', async () => {
    const root = join(temporaryFolder(), 'lake');
    await using store = await FastStore.open(root, 'c');
    const values = [1e16, ...Array.from({ length: 1000 }, () => 0.25), -1e16];
    for (const [i, v] of values.entries()) store.put(`d${i}`, { v });
    await store.snapshot({ chunkRows: 10 });
    expect(await loadedTotals(root, 'c', { columns: ['v'] })).toMatchObject([{ sum: 250 }]);
  });
});
