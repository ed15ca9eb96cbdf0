/** `zds-stream/columns`, which begins to read a snapshot before the collection is open: held against the store. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { EtlError } from '../../../src/core/errors.ts';
import { createNodeDisk } from '../../../src/io/index.ts';
import {
  type ColumnsOptions,
  columnTotals,
  collectionTable as loadedTable,
} from '../../../src/store/columns/collection-table.ts';
import { collectionTable, DataStore, FastStore, pack, ZdsRoot } from '../../../src/store/index.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

let folder = '';
let root = '';
let file = '';
beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder, 'lake');
  file = join(root, 'collections/c/meta/columns.drive');
});

const open = () => FastStore.open(root, 'c');
const put = (store: FastStore, from: number, to: number) => {
  for (let n = from; n < to; n++) {
    store.put(`d${n}`, { n, half: n / 2, text: `t${n % 10}`, deep: { x: n % 4 ? n : null } });
  }
};

describe('a table by zds-stream/columns', () => {
  it('is that of the store: all alive, in an archive, some dead, of no store', async () => {
    const store = await open();
    put(store, 0, 20);
    await store.snapshot();
    await store.close();
    const packed = join(folder, 'lake.zds');
    await pack(root, packed);
    const options = { columns: ['n', '_id'] };
    const ids = async (path: string, make: typeof collectionTable) =>
      (await make(path, 'c', options)).toArray().map((row) => `${row}`);
    for (const path of [root, packed]) {
      const rows = await ids(path, loadedTable);
      expect(rows).toHaveLength(20);
      expect(rows).toEqual(await ids(path, collectionTable));
    }
    await using again = await open();
    again.delete('d7');
    await again.flush();
    expect(await ids(root, loadedTable)).toHaveLength(19);
    await expect(ids(folder, loadedTable)).rejects.toMatchObject({ code: 'NOT_A_STORE' });
  });

  it('is that of the store whatever came behind the snapshot', async () => {
    await using store = await open();
    const rows = async (columns: string[], ahead: boolean) => {
      const table = ahead
        ? await loadedTable(root, 'c', { columns })
        : await store.table({ columns });
      return table.toArray().map(String);
    };
    const same = async () => {
      await store.flush();
      for (const columns of [['half'], ['half', 'n'], ['text', 'n'], ['deep']]) {
        expect(await rows(columns, true)).toEqual(await rows(columns, false));
      }
      const { batches } = await loadedTable(root, 'c', { columns: ['half'] });
      return batches.map(({ numRows }) => numRows);
    };
    put(store, 0, 250);
    await store.snapshot({ columns: ['n', 'half', 'text'], chunkRows: 100 });
    expect(await same()).toEqual([250]);
    put(store, 250, 260);
    expect(await same()).toEqual([250, 10]);
    store.put('null', { half: null });
    await store.snapshot();
    expect(await same()).toEqual([100, 100, 61]);
    store.delete('null');
    expect(await same()).toEqual([100, 100, 60]);
    await store.compact();
    expect(await same()).toEqual([260]);
    await store.snapshot();
    expect(await same()).toEqual([260]);
    const descriptors = openDescriptors(folder);
    const both = { columns: ['n'], schema: { n: 'int32' } } as const;
    await expect(loadedTable(root, 'c', both)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(openDescriptors(folder)).toBe(descriptors);
    const drive = await DataStore.open(file, { mode: 'read' });
    const { endOffset } = drive.iterEntries().next().value!;
    await drive.close();
    // What was read ahead of this snapshot is none of it.
    writeFileSync(file, readFileSync(file).fill(0xff, endOffset, endOffset + 8));
    await same();
    await expect(loadedTable(root, 'other')).rejects.toMatchObject({
      code: 'COLLECTION_NOT_FOUND',
    });
    await expect(loadedTable(root, '../c')).rejects.toMatchObject({ code: 'INVALID_PATH' });
    expect(openDescriptors(folder)).toBe(descriptors);
  });

  it('is asked for with lists and predicates alone', async () => {
    await using store = await open();
    put(store, 0, 20);
    await store.flush();
    const path = ['n'];
    const odd = [
      { where: 'n > 3' },
      { columns: 'n' },
      ...[
        { op: 'zzz', path },
        { op: 'not', term: { op: 'EQ', path } },
        { op: 'and', terms: [{ op: 'exists', path }, undefined] },
        { op: 'or', terms: 'n > 3' },
        { op: 'exists', path: 'n' },
      ].map((where) => ({ where })),
    ] as unknown as ColumnsOptions[];
    const refused = { code: 'INVALID_ARGUMENT' };
    for (const options of odd) {
      await expect(loadedTable(root, 'c', options)).rejects.toMatchObject(refused);
      await expect(store.snapshot(options)).rejects.toMatchObject(refused);
      if (options.where) expect(() => store.scan({ where: options.where })).toThrow(EtlError);
    }
  });

  it('is not given to who does not want it any more, also where a snapshot has all of it', async () => {
    await using store = await open();
    put(store, 0, 20);
    await store.snapshot();
    const ways = [
      (path: string | ZdsRoot, options: ColumnsOptions) => loadedTable(path, 'c', options),
      (path: string | ZdsRoot, options: ColumnsOptions) => collectionTable(path, 'c', options),
      (path: string | ZdsRoot, options: ColumnsOptions) => columnTotals(path, 'c', options),
      (_: unknown, options: ColumnsOptions) => store.table(options),
      (_: unknown, options: ColumnsOptions) => store.snapshot(options),
    ];
    const signal = AbortSignal.abort(new Error('enough'));
    const stopped = { code: 'ABORTED', cause: signal.reason };
    for (const way of ways) await expect(way(root, { signal })).rejects.toMatchObject(stopped);
    for (const way of ways.slice(0, 3)) {
      const controller = new AbortController();
      const disk = createNodeDisk();
      const { open } = disk;
      disk.open = (path, mode) => {
        if (path.endsWith('commits.log')) controller.abort(signal.reason);
        return open.call(disk, path, mode);
      };
      await using own = await ZdsRoot.open(root, { disk, mode: 'read' });
      await expect(way(own, controller)).rejects.toMatchObject(stopped);
    }
  });
});
