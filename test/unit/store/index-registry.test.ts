/** The index asked for by name: both kinds of collection, every form of an index, and its saving. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, FastStore, IndexRegistry, Layout, SyncWriter } from '../../../src/store/index.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-registry-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const failure = (code: string) => expect.objectContaining({ code });
const indexFile = () => Layout.indexFile(root, 'c');

async function fill(): Promise<void> {
  const store = await FastStore.open(root, 'c');
  for (const id of ['z', 'a', 'ü', 'gone', 'm']) store.put(id, { id });
  await store.flush();
  store.put('a', { again: true });
  store.delete('gone');
  await store.close();
}

describe('of a collection in lines', () => {
  it('says which documents there are, in order, rebuilt or loaded', async () => {
    await fill();
    for (const index of [
      await IndexRegistry.rebuild(root, 'c'),
      await IndexRegistry.load(root, 'c'),
    ]) {
      expect(index.docIds()).toEqual(['z', 'ü', 'm', 'a']);
      expect(index.len()).toBe(4);
      expect(index.getDocIdAt(1)).toBe('ü');
      expect(index.getDocIdAt(4)).toBeUndefined();
      expect([index.contains('a'), index.contains('gone')]).toEqual([true, false]);
    }
  });

  it('reads the legacy text form and writes the binary one', async () => {
    const lines = ['{"_id":"b"}\n', '{"_id":"a"}\n', '{"n":1,"_id":"b"}\n'];
    mkdirSync(Layout.metaDir(root, 'c'), { recursive: true });
    writeFileSync(Layout.dataFile(root, 'c'), lines.join(''));
    writeFileSync(indexFile(), 'b\t0\t12\na\t12\t12\nb\t24\t18\n');
    const index = await IndexRegistry.load(root, 'c');
    expect(index.docIds()).toEqual(['a', 'b']);
    await index.save(root, 'c');
    const bytes = readFileSync(indexFile());
    expect(bytes.toString('latin1', 0, 4)).toBe('ISDZ');
    expect(bytes.readBigUInt64LE(8)).toBe(2n);
    expect((await IndexRegistry.load(root, 'c')).docIds()).toEqual(['a', 'b']);
    const store = await FastStore.open(root, 'c', { mode: 'read' });
    expect(store.get('b')).toEqual({ _id: 'b', n: 1 });
    await store.close();
  });

  it('mends an index that is missing or damaged, and the store trusts it', async () => {
    await fill();
    const good = readFileSync(indexFile());
    const damaged: [Buffer | undefined, RegExp][] = [
      [undefined, /there is no index/],
      [Buffer.alloc(0), /there is no index/],
      [good.subarray(0, 9), /ends too early/],
      [good.subarray(0, -1), /ends too early/],
      [Buffer.from('what\nelse'), /neither form/],
      [Buffer.concat([good.subarray(0, 4), Buffer.from([9]), good.subarray(5)]), /version 9/],
      [Buffer.concat([good.subarray(0, 8), Buffer.alloc(8, 255)]), /ends too early/],
    ];
    for (const [bytes, message] of damaged) {
      if (bytes === undefined) rmSync(indexFile());
      else writeFileSync(indexFile(), bytes);
      await expect(IndexRegistry.load(root, 'c')).rejects.toThrow(failure('CORRUPTED_INDEX'));
      await expect(IndexRegistry.load(root, 'c')).rejects.toThrow(message);
      await (await IndexRegistry.rebuild(root, 'c')).save(root, 'c');
      expect((await IndexRegistry.load(root, 'c')).docIds()).toEqual(['z', 'ü', 'm', 'a']);
      const store = await FastStore.open(root, 'c', { mode: 'read' });
      expect([store.count, store.exists('gone')]).toEqual([4, false]);
      await store.close();
    }
  });

  it('is not saved beside a writer, or over what has changed', async () => {
    await fill();
    const index = await IndexRegistry.rebuild(root, 'c');
    const store = await FastStore.open(root, 'c');
    await expect(index.save(root, 'c')).rejects.toThrow(failure('LOCKED'));
    store.put('new', {});
    await store.close();
    await expect(index.save(root, 'c')).rejects.toThrow(failure('INPUT_CHANGED'));
    await expect(index.save(root, 'd')).rejects.toThrow(failure('COLLECTION_NOT_FOUND'));
    expect((await IndexRegistry.load(root, 'c')).contains('new')).toBe(true);
  });
});

describe('of a collection of files', () => {
  it('is made anew from the files after edits by hand', async () => {
    const writer = await SyncWriter.open(root, 'c');
    for (const id of ['z', 'a', 'm']) await writer.put(id, { n: 1 });
    await writer.close();
    writeFileSync(join(Layout.docsDir(root, 'c'), 'a.json'), '{"other": ""}');
    const index = await IndexRegistry.rebuild(root, 'c');
    expect(index.docIds()).toEqual(['z', 'a', 'm']);
    await index.save(root, 'c');
    expect((await Engine.open(root, 'c')).stats()).toMatchObject({
      docCount: 3,
      schemaCount: 2,
      totalSize: 13 + 2 * '{\n  "n": 1\n}'.length,
    });
    const schemas = readFileSync(Layout.schemasFile(root, 'c'), 'utf8').trimEnd().split('\n');
    expect(schemas.map((line) => JSON.parse(line).count)).toEqual([2, 1]);
    expect((await IndexRegistry.load(root, 'c')).contains('m')).toBe(true);
    rmSync(join(Layout.docsDir(root, 'c'), 'm.json'));
    await expect(index.save(root, 'c')).rejects.toThrow(failure('INPUT_CHANGED'));
  });
});
