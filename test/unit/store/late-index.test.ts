/** Readers of a collection in plain order, which load its id index when an id is first asked for. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FastStore } from '../../../src/store/index.ts';
import { useForReading } from '../../../src/store/open-reading.ts';
import { parseIndex } from '../../support/reference-store.ts';

let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'zds-late-'));
  await session((store) => {
    for (let i = 0; i < 40; i++) store.put(`d${i}`, { n: i });
  });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const meta = (name: string) => join(root, 'collections', 'c', 'meta', name);
const reader = () => FastStore.open(root, 'c', { mode: 'read' });

async function session(work: (store: FastStore) => unknown): Promise<void> {
  const store = await FastStore.open(root, 'c');
  await work(store);
  await store.close();
}

const expectFirst = (store: FastStore, count = 40): void => {
  expect(store.get('d0')).toEqual({ _id: 'd0', n: 0 });
  expect(store.get('d39')).toEqual({ _id: 'd39', n: 39 });
  expect(store.exists('none')).toBe(false);
  expect(store.count).toBe(count);
};

describe('the id index of a reader', () => {
  it('is not loaded by scans and counts, and then by the first id', async () => {
    const store = await reader();
    expect(store.count).toBe(40);
    expect(await store.scanAll()).toHaveLength(40);
    expect(store.scan({ limit: 3 }).collect()).toHaveLength(3);
    expect(store.info()).toMatchObject({ documents: 40, lines: 40, indexBytes: 0 });
    expectFirst(store);
    expect(store.info().indexBytes).toBeGreaterThan(0);
    await store.close();
  });

  it('is loaded at once where lines are dead', async () => {
    await session((store) => store.put('d3', { n: -3 }));
    const store = await reader();
    expect(store.info().indexBytes).toBeGreaterThan(0);
    await store.close();
  });

  const changes: Record<string, (store: FastStore) => unknown> = {
    'deletes that are written over entries': (store) => store.delete('d0'),
    'an index.bin written anew': (store) => {
      for (let i = 0; i < 30; i++) store.delete(`d${i}`);
    },
    'new and replaced documents': (store) => {
      store.put('d0', { n: 'new' });
      store.put('e', {});
    },
    'a compaction': (store) => {
      store.delete('d0');
      return store.compact();
    },
  };
  it.each(Object.entries(changes))('is that of its commit, after %s', async (_, change) => {
    const store = await reader();
    await session(change);
    expectFirst(store);
    expect(await store.scanAll()).toHaveLength(40);
    await store.refresh();
    const fresh = await reader();
    expect(await store.scanAll()).toEqual(await fresh.scanAll());
    expect(store.count).toBe(fresh.count);
    expect(store.tryGet('d0')).toEqual(fresh.tryGet('d0'));
    await store.close();
    await fresh.close();
  });

  it('is that of its commit while a session goes on, and follows it', async () => {
    await session(async (writer) => {
      // Enough for entries to be appended behind the checkpoint's.
      for (let i = 0; i < 100_000; i++) writer.put(`e${i}`, { n: i });
      await writer.flush();
      const store = await reader();
      expect(store.info()).toMatchObject({ documents: 100_040, indexBytes: 0 });
      writer.put('d0', { n: 'new' });
      await writer.flush();
      expectFirst(store, 100_040);
      expect(store.get('e99999')).toEqual({ _id: 'e99999', n: 99_999 });
      await store.refresh();
      expect(store.get('d0')).toEqual({ _id: 'd0', n: 'new' });
      await store.close();
    });
  });

  it('is made from the data where index.bin is damaged', async () => {
    const whole = readFileSync(meta('index.bin'));
    for (let at = 16; at < whole.length; at += 5) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      writeFileSync(meta('index.bin'), damaged);
      const store = await reader();
      for (let i = 0; i < 40; i++) expect(store.get(`d${i}`)).toEqual({ _id: `d${i}`, n: i });
      expect(store.exists('none')).toBe(false);
      await store.close();
    }
  });

  it('refuses when both are', async () => {
    const index = readFileSync(meta('index.bin'));
    index[20]! ^= 1;
    writeFileSync(meta('index.bin'), index);
    const data = readFileSync(meta('data.jsonl'), 'latin1');
    writeFileSync(meta('data.jsonl'), data.replace('{"_id":"d7"', '{"_id":"d8"'));
    const store = await reader();
    expect(() => store.get('d0')).toThrow(
      expect.objectContaining({
        code: 'CORRUPTED_DATA',
        place: { path: meta('data.jsonl'), offset: data.length },
      }),
    );
    await store.close();
  });
});

describe('what another program put over a document after a session of ours died', () => {
  beforeEach(async () => {
    const store = await FastStore.open(root, 'c');
    store.put('e', {});
    await store.flush();
    await store.abandon();
    const line = '{"n":"theirs","_id":"d5"}\n';
    const index = readFileSync(meta('index.bin'));
    const end = readFileSync(meta('data.jsonl')).length;
    appendFileSync(meta('data.jsonl'), line);
    // As many entries of as many bytes as the checkpoint has.
    const { places } = parseIndex(index)!;
    expect(places.size).toBe(40);
    const at = index.indexOf('d5') + 2;
    index.writeBigUInt64LE(BigInt(end), at);
    index.writeUInt32LE(line.length, at + 8);
    writeFileSync(meta('index.bin'), index);
  });

  it('is seen by readers and by scans without an index', async () => {
    const theirs = { n: 'theirs', _id: 'd5' };
    const store = await reader();
    expect(store.get('d5')).toEqual(theirs);
    await store.close();
    const scanned = await useForReading(root, 'c', (files) => files.scan({}).toArray());
    expect(scanned.filter((document) => '_id' in document && document._id === 'd5')).toEqual([
      theirs,
    ]);
  });
});
