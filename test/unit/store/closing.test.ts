/** Ends that meet: calls of `close` beside each other, beside an opening, and beside what still reads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FastStore, SyncWriter, ZdsRoot } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { sleep } from '../../support/stages.ts';

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'zds-closing-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const failure = (code: string) => expect.objectContaining({ code });

describe('closing', () => {
  it('a store and its root at once ends when all is committed', async () => {
    const root = await ZdsRoot.open(path);
    const store = await root.collection('c');
    for (let n = 0; n < 20_000; n++) store.put(`d${n}`, { n, pad: 'x'.repeat(100) });
    let ended = false;
    const closing = store.close().then(() => {
      ended = true;
    });
    await root.close();
    expect(ended).toBe(true);
    await closing;
    await using reader = await FastStore.open(path, 'c', { mode: 'read' });
    expect(reader.count).toBe(20_000);
  });

  it('again has the same outcome; giving up after it, none', async () => {
    const sound = await FastStore.open(path, 'c');
    expect(await Promise.all([sound.close(), sound.close(), sound.abandon()])).toHaveLength(3);
    const store = await FastStore.open(path, 'c');
    store.put('a', {});
    const first = store.close({ cursor: 1n });
    await expect(first).rejects.toThrow(failure('INVALID_ARGUMENT'));
    store.put('b', {});
    await store.close();
    await using again = await FastStore.open(path, 'c');
    expect(again.count).toBe(2);
    const disk = new FaultDisk();
    const dying = await FastStore.open('/lake', 'c', { disk });
    dying.put('a', {});
    disk.dieAt = disk.operations + 1;
    const ends = [dying.close(), dying.close()];
    for (const each of await Promise.allSettled(ends)) expect(each.status).toBe('rejected');
    await dying.abandon();
    await dying[Symbol.asyncDispose]();
  });

  it('a root waits for what is being opened, and closes it', async () => {
    const root = await ZdsRoot.open(path);
    const opening = [root.collection('c'), SyncWriter.open(root, 'files')] as const;
    const failing = SyncWriter.open(root, 'none', { createIfMissing: false });
    failing.catch(() => undefined);
    await root.close();
    await using _ = await ZdsRoot.open(path);
    const [store, writer] = await Promise.all(opening);
    expect(() => store.put('a', {})).toThrow(failure('CLOSED'));
    await expect(writer.put('a', {})).rejects.toThrow(failure('CLOSED'));
    await expect(failing).rejects.toThrow(failure('COLLECTION_NOT_FOUND'));
    await expect(root.collection('d')).rejects.toThrow(failure('CLOSED'));
  });

  it('a root waits for work on a collection, failing or not', async () => {
    const root = await ZdsRoot.open(path);
    let done = 0;
    const work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      done++;
      if (done === 2) throw new Error('failed');
    };
    const works = [root.alone('a', work), root.alone('b', work)];
    await root.close();
    expect(done).toBe(2);
    expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
    ]);
  });

  it.each(['read', 'write'] as const)(
    'a store ends its scans (%s), whatever is opened next',
    async (mode) => {
      const root = await ZdsRoot.open(path);
      for (const owner of ['mine', 'other']) {
        const store = await root.collection(owner);
        for (let n = 0; n < 5000; n++) store.put(`d${n}`, { owner, pad: 'x'.repeat(500) });
        await store.close();
      }
      const store = await root.collection('mine', { mode });
      const seen = new Set<unknown>();
      const scan = store.scan({ pieceBytes: 1 << 16 })[Symbol.asyncIterator]();
      seen.add((await scan.next()).value?.owner);
      const next = scan.next();
      await store.close();
      await using _ = await root.collection('other', { mode });
      const reading = async () => {
        for (let each = await next; !each.done; each = await scan.next())
          seen.add(each.value.owner);
      };
      await expect(reading()).rejects.toThrow(failure('CLOSED'));
      expect([...seen]).toEqual(['mine']);
      await root.close();
    },
  );

  it('a store under a scan that reads ahead is heard of where the scan goes on, and nowhere else', async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown) => unheard.push(reason);
    process.on('unhandledRejection', hear);
    try {
      const store = await FastStore.open(path, 'c');
      for (let n = 0; n < 2000; n++) store.put(`d${n}`, { pad: 'x'.repeat(500) });
      const batches = store.scan({ pieceBytes: 1 << 16 }).batches();
      await batches.next();
      await store.close();
      await batches.next();
      await sleep(5);
      expect(unheard).toEqual([]);
      const rest = async () => {
        for await (const _ of batches) await sleep(5);
      };
      await expect(rest()).rejects.toThrow(failure('CLOSED'));
      expect(unheard).toEqual([]);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });

  it('waits for the files of before a compaction, which close by themselves', async () => {
    const open = new Set<object>();
    let lateMs = 30;
    class LateDisk extends FaultDisk {
      override async open(...of: Parameters<FaultDisk['open']>) {
        const file = await super.open(...of);
        const ms = lateMs;
        open.add(file);
        file.close = async () => {
          await sleep(ms);
          open.delete(file);
        };
        return file;
      }
    }
    const store = await FastStore.open('/s', 'c', { disk: new LateDisk() });
    for (let n = 0; n < 10; n++) store.put('a', { n });
    lateMs = 0;
    await store.compact();
    await store.close();
    expect(open.size).toBe(0);
  });

  it('by a compaction leaves a log open that is being read', async () => {
    const store = await FastStore.open(path, 'c');
    for (let n = 1; n <= 3; n++) {
      store.put('a', { n });
      await store.flush({ cursor: { n, pad: 'x'.repeat(1_500_000) } });
    }
    const seen: number[] = [];
    let cursor: Promise<unknown> | undefined;
    for await (const { seq } of store.commits()) {
      cursor ??= store.cursor();
      if (seen.push(seq) === 1) await store.compact();
      await sleep(5);
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(await cursor).toMatchObject({ n: 3 });
    await store.close();
  });
});
