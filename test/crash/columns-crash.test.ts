/** Wherever the machine stops while a column snapshot is written, tables and scans show the documents. */
import type { Table } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gt } from '../../src/core/predicate.ts';
import { FastStore } from '../../src/store/index.ts';
import { type Fault, FaultDisk, fingerprint } from '../support/fault-disk.ts';
import { inSample, LONG } from '../support/long.ts';

const columns = ['_id', 'n'];
const open = (disk: FaultDisk) => FastStore.open('/s', 'c', { disk });

/** Snapshots of every kind: the first, one with more, one of other columns, one after a compaction. */
async function live(disk: FaultDisk): Promise<void> {
  const store = await open(disk);
  const put = (from: number, to: number) => {
    for (let n = from; n < to; n++) store.put(`d${n}`, { n, text: `${n}` });
  };
  put(0, 4);
  await store.snapshot({ columns, chunkRows: 2 });
  put(4, 6);
  store.delete('d1');
  await store.snapshot({ chunkRows: 2 });
  await store.compact();
  put(20, 22);
  await store.snapshot({ columns: ['_id', 'n', 'text'], chunkRows: 2 });
  await store.close();
}

const rowsOf = (table: Table) =>
  table.toArray().map((row) => ({ _id: row!._id as string, n: Number(row!.n) }));

const checked = new Set<string>();

async function check(disk: FaultDisk): Promise<void> {
  const store = await open(disk);
  const shows = async () => {
    const documents = (await store.scanAll()).map(({ _id, n }) => ({ _id, n }));
    expect(rowsOf(await store.table({ columns }))).toEqual(documents);
    const found = await store.scan({ where: gt('n', 4), select: columns }).toArray();
    expect(found).toEqual(documents.filter(({ n }) => (n as number) > 4));
  };
  await shows();
  store.put('after', { n: 100 });
  await store.snapshot({ columns, chunkRows: 2 });
  await shows();
  await store.close();
}

describe('a column snapshot', () => {
  // The same life writes the same bytes.
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => vi.useRealTimers());

  it.each<Fault>(['die', 'EIO'])(
    'is never used torn: %s',
    async (fault) => {
      const counted = new FaultDisk();
      await live(counted);
      for (let dieAt = 1; dieAt <= counted.operations; dieAt++) {
        if (fault === 'EIO' ? !inSample(dieAt) : !LONG && dieAt % 3 !== 0) continue;
        const disk = new FaultDisk();
        disk.dieAt = dieAt;
        disk.fault = fault;
        await live(disk).catch(() => undefined);
        // After an error the process ends, and the disk goes on.
        const images =
          fault === 'die' ? [...disk.images()].map(({ image }) => image) : [disk.current()];
        for (const [n, image] of images.entries()) {
          if (fault === 'die' && !inSample(dieAt, n)) continue;
          // What becomes of data and index has tests of its own.
          const told = [...image].filter(([path]) => /(columns\.drive|\.log)/.test(path));
          const print = fingerprint(new Map(told));
          if (checked.has(print)) continue;
          checked.add(print);
          await check(new FaultDisk(image));
        }
      }
    },
    60_000,
  );
});
