/**
 * Column snapshots against the documents themselves: whatever is put, deleted, committed, compacted and
 * snapshotted in whatever order, a table has the documents of a scan, and a scan with a predicate finds
 * what it finds without a snapshot.
 */
import type { Table } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import { eq, exists, gt, lte, or, startsWith } from '../../src/core/predicate.ts';
import { evaluate } from '../../src/kernels/index.ts';
import { FastStore } from '../../src/store/index.ts';
import { FaultDisk } from '../support/fault-disk.ts';

const PATH = '/s/collections/c/meta/columns.drive';
const fields = ['_id', 'n', 'name', 'deep.x'];

/** Rows as documents hold them: numbers for integers, nothing for null, JSON text read. */
function rowsOf(table: Table): Document[] {
  const isJson = new Set(
    table.schema.fields
      .filter(({ metadata }) => metadata.get('ARROW:extension:name') === 'arrow.json')
      .map(({ name }) => name),
  );
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
  return table.toArray().map((row) => {
    const entries = Object.entries(row!.toJSON() as Document)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, isJson.has(key) ? JSON.parse(value as string) : value]);
    return JSON.parse(JSON.stringify(Object.fromEntries(entries), plain));
  });
}

/** What the columns make of a document. */
function projected(document: Document): Document {
  const deep = (document.deep as Document | undefined)?.x;
  const { _id, n, name } = document;
  return JSON.parse(JSON.stringify({ _id, n, name, 'deep.x': deep }));
}

type World = { store: FastStore; reader: FastStore | undefined; disk: FaultDisk };

const open = (disk: FaultDisk, mode: 'read' | 'write' = 'write') =>
  FastStore.open('/s', 'c', { disk, mode });

async function agree({ store, reader }: World): Promise<void> {
  for (const from of reader ? [store, reader] : [store]) {
    const documents = await from.scanAll();
    const named = await from.table({ columns: fields });
    expect(rowsOf(named)).toEqual(documents.map((each) => projected(each)));
    const some = await from.table({ columns: ['_id', 'n'], where: gt('n', 30) });
    const kept = documents.filter(({ n }) => (n as number) > 30);
    expect(rowsOf(some)).toEqual(kept.map(({ _id, n }) => ({ _id, n })));
    for (const where of [gt('n', 50), eq('name', 'b7'), startsWith('name', 'a')]) {
      expect(await from.scan({ where }).toArray()).toEqual(
        documents.filter((each) => evaluate(where, each)),
      );
    }
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      put: fc.array(fc.tuple(fc.nat(12), fc.nat(100)), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ remove: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({ snapshot: fc.constantFrom('reader', 'same', 'fields', 'where', 'all') }),
  },
  { weight: 3, arbitrary: fc.constant({ flush: true }) },
  { weight: 1, arbitrary: fc.constant({ compact: true }) },
  { weight: 1, arbitrary: fc.constant({ odd: true }) },
  { weight: 1, arbitrary: fc.constant({ reopen: true }) },
  { weight: 1, arbitrary: fc.constant({ die: true }) },
  { weight: 1, arbitrary: fc.record({ damage: fc.nat(4000) }) },
);

const make = (n: number): Document => ({
  n,
  ...(n % 3 ? { name: `${n % 2 ? 'a' : 'b'}${n}` } : {}),
  ...(n % 5 === 0 ? { deep: { x: n % 2 ? n : [n] } } : {}),
});

async function play(steps: readonly object[]): Promise<void> {
  const world: World = { disk: new FaultDisk(), store: undefined!, reader: undefined };
  world.store = await open(world.disk);
  for (const each of steps as Record<string, unknown>[]) {
    const { store } = world;
    if ('put' in each) {
      for (const [id, n] of each.put as [number, number][]) store.put(`d${id}`, make(n));
    } else if ('remove' in each) store.delete(`d${each.remove}`);
    else if ('odd' in each) store.put('odd', { n: 'text', extra: 1.5 });
    else if ('flush' in each) {
      await store.flush();
      await world.reader?.refresh();
      world.reader ??= await open(world.disk, 'read');
    } else if ('compact' in each) await store.compact();
    else if ('reopen' in each) {
      await store.close();
      world.store = await open(world.disk);
    } else if ('die' in each) {
      await store.flush();
      world.disk = new FaultDisk(world.disk.current());
      world.reader = undefined;
      world.store = await open(world.disk);
    } else if ('damage' in each) await damage(world.disk, each.damage as number);
    else await snapshot(world, each.snapshot as string);
    await agree(world);
  }
}

async function snapshot({ store, reader }: World, kind: string): Promise<void> {
  const chunkRows = 4;
  if (kind === 'reader') {
    await reader?.snapshot({ columns: fields, chunkRows });
    return;
  }
  if (kind === 'same') await store.snapshot({ chunkRows });
  else if (kind === 'fields') await store.snapshot({ columns: fields, chunkRows });
  else if (kind === 'where') await store.snapshot({ where: gt('n', 30), chunkRows });
  else {
    await store.snapshot({ where: or(gt('n', -1), lte('n', 0), exists('_id')), chunkRows });
    const documents = await store.scanAll();
    const table = await store.table();
    const names = table.schema.fields.map(({ name }) => name);
    const seen = new Set(documents.flatMap((document) => Object.keys(document)));
    expect(new Set(names)).toEqual(seen);
  }
  if (kind === 'where') {
    const kept = (await store.scanAll()).filter(({ n }) => (n as number) > 30);
    expect((await store.table()).numRows).toBe(kept.length);
  }
  const again = await store.snapshot({ chunkRows });
  expect(again).toMatchObject({ rowsWritten: 0, chunksWritten: 0 });
}

async function damage(disk: FaultDisk, at: number): Promise<void> {
  if ((await disk.stat(PATH)) === undefined) return;
  const file = await disk.open(PATH, 'write');
  const size = await file.size();
  if (at % 3 === 0) await file.truncate(at % size);
  else if (size > 400) {
    // The manifest, which stands last and has a checksum.
    const from = size - 20 - (at % 300);
    await file.write(Buffer.from('?'), Math.max(0, from));
  }
  await file.close();
}

describe('column snapshots', () => {
  it('never change what is read', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 20 }), play), {
      numRuns: 25,
      endOnFailure: true,
    });
  }, 60_000);
});
