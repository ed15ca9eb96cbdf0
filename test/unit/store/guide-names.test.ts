/** What the Rust crate's guide calls, under the same names in camelCase, does here what the guide says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BufferedWriter,
  Engine,
  FastStore,
  IndexRegistry,
  isEtlError,
  Layout,
  Predicate,
  pack,
  SyncWriter,
  unpack,
  type WriteConfig,
} from '../../../src/index.ts';

let root: string;
beforeEach(async () => {
  root = join(mkdtempSync(join(tmpdir(), 'zds-guide-')), 'data');
  await Layout.initRoot(root);
});
afterEach(() => rmSync(join(root, '..'), { recursive: true, force: true }));

const alice = { name: 'Alice', role: 'admin' };
const bob = { name: 'Bob', role: 'user' };

describe('the guide', () => {
  it('FastStore', async () => {
    const store = await FastStore.open(root, 'train');
    expect([store.root, store.collection, store.len(), store.isEmpty()]).toEqual([
      root,
      'train',
      0,
      true,
    ]);
    store.put('user_001', alice);
    store.put('user_002', bob);
    store.put('user_002', { ...bob, role: 'none' });
    expect(store.get('user_001')).toEqual({ _id: 'user_001', ...alice });
    expect(store.exists('user_001')).toBe(true);
    const ids: string[] = [];
    for await (const id of store.docIds()) ids.push(id);
    expect(ids).toEqual(['user_001', 'user_002']);
    expect((await store.scanAll()).map(({ role }) => role)).toEqual(['admin', 'none']);
    const blob = Buffer.from(await store.readJsonlBlob()).toString();
    expect(blob.split('\n').length).toBe(3);
    expect(blob).toContain('{"_id":"user_002","name":"Bob","role":"none"}\n');
    store.delete('user_001');
    expect([store.exists('user_001'), store.len(), store.count]).toEqual([false, 1, 1]);
    const reader = await FastStore.open(root, 'train', { mode: 'read' });
    expect([reader.len(), reader.isEmpty()]).toEqual([0, true]);
    await store.flush();
    await reader.refreshMmap();
    expect([reader.len(), reader.isEmpty()]).toEqual([1, false]);
    expect(() => reader.get('user_001')).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_NOT_FOUND' }),
    );
    await reader.close();
    await store.close();
    const missing = FastStore.open(root, 'none', { mode: 'read' });
    await expect(missing).rejects.toSatisfy((error) => isEtlError(error, 'COLLECTION_NOT_FOUND'));
    await expect(FastStore.open(root, '../x')).rejects.toMatchObject({ code: 'INVALID_PATH' });
  });

  it('a batch size: commits by itself, and in the end', async () => {
    const store = await FastStore.open(root, 'train', 100);
    const reader = await FastStore.open(root, 'train', { mode: 'read' });
    for (let i = 0; i < 99; i++) store.put(`d${i}`, { i });
    await reader.refresh();
    expect([store.count, reader.count]).toEqual([99, 0]);
    store.delete('d0');
    await vi.waitFor(async () => {
      await reader.refresh();
      expect(reader.count).toBe(98);
    });
    // One commit at a time: the second has all that came while the first was under way.
    for (let i = 0; i < 1000; i++) store.put(`e${i}`, { i });
    await vi.waitFor(async () => {
      await reader.refresh();
      expect(reader.count).toBe(1098);
    });
    await store.writeJsonl('{"_id":"last"}\n');
    await store.close();
    const commits: number[] = [];
    await reader.refresh();
    for await (const { count } of reader.commits()) commits.push(count);
    expect(commits.filter((count) => count !== 198)).toEqual([98, 1098, 1099]);
    await reader.close();
    for (const batchSize of [0, Number.NaN]) {
      const opening = FastStore.open(root, 'train', { batchSize });
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    await (await FastStore.open(root, 'train')).close();
  });

  it('SyncWriter and Engine', async () => {
    const writer = await SyncWriter.open(root, 'train');
    await writer.put('doc_001', { text: 'hello', category: 'a' });
    // Each put is on disk when it returns.
    const engine = await Engine.open(root, 'train');
    expect(engine.len()).toBe(1);
    await writer.put('doc_002', { text: 'world', category: 'b' });
    await writer.close();
    await engine.refresh();
    expect(engine.len()).toBe(2);
    expect(engine.getDocument('doc_001')).toMatchObject({ text: 'hello' });
    expect(engine.getDocumentAt(engine.len() - 1)).toMatchObject({ text: 'world' });
    expect([...engine.docIds()]).toEqual(['doc_001', 'doc_002']);
    const scanner = engine.scan(null, null);
    expect(scanner.next().value).toMatchObject({ text: 'hello' });
    expect(scanner.collect().length).toBe(1);
    const found = engine.scan(Predicate.eq('category', 'b'), ['text']).collect();
    expect(found).toEqual([{ text: 'world' }]);
    expect(engine.stats()).toMatchObject({
      collection: 'train',
      docCount: 2,
      schemaCount: 1,
      strictMode: false,
      totalSize: expect.any(Number),
    });
    await engine.close();
  });

  it('BufferedWriter with a WriteConfig, for both storages', async () => {
    const config: WriteConfig = {
      maxPendingOps: 2,
      maxPendingBytes: 100 << 20,
      flushIntervalMs: 60_000,
    };
    const store = await FastStore.open(root, 'lines');
    const files = await BufferedWriter.open(root, 'files', config);
    for (const writer of [new BufferedWriter(store, config), files]) {
      for (let i = 0; i < 5; i++) await writer.put(`doc_${i}`, { i });
      expect(writer.count).toBe(5);
      await writer.flush();
      expect(writer.stats).toMatchObject({ ops: 2, bytes: 0, interval: 0, explicit: 1 });
      await writer.close();
    }
    const commits: number[] = [];
    for await (const { count } of store.commits()) commits.push(count);
    expect(commits).toEqual([2, 4, 5]);
    await store.close();
    const engine = await Engine.open(root, 'files');
    expect(engine.len()).toBe(5);
    await engine.close();
  });

  it('IndexRegistry, Layout, pack and unpack', async () => {
    await Layout.initCollection(root, 'train');
    const store = await FastStore.open(root, 'train');
    for (const id of ['a', 'b']) store.put(id, {});
    await store.close();
    expect(await Layout.validate(root)).toEqual([]);
    expect(await Layout.validateCollection(root, 'train')).toEqual([]);
    const meta = join(root, 'collections', 'train', 'meta');
    expect([
      Layout.metaDir(root, 'train'),
      Layout.manifestFile(root, 'train'),
      Layout.dataFile(root, 'train'),
    ]).toEqual([meta, join(meta, 'manifest.json'), join(meta, 'data.jsonl')]);

    const rebuilt = await IndexRegistry.rebuild(root, 'train');
    await rebuilt.save(root, 'train');
    const loaded = await IndexRegistry.load(root, 'train');
    for (const index of [rebuilt, loaded]) {
      expect([index.len(), index.getDocIdAt(0), index.contains('b'), index.contains('c')]).toEqual([
        2,
        'a',
        true,
        false,
      ]);
    }

    const archive = join(root, '..', 'data.zds');
    await pack(root, archive);
    await unpack(archive, join(root, '..', 'extracted'));
    const copy = Layout.dataFile(join(root, '..', 'extracted'), 'train');
    expect(readFileSync(copy)).toEqual(readFileSync(Layout.dataFile(root, 'train')));
  });
});
