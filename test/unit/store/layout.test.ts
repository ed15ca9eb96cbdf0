/** Where things stand, and what is said about what stands wrong. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FastStore, Layout, SyncWriter } from '../../../src/store/index.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-layout-'));
  root = join(folder, 'store');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const failure = (code: string) => expect.objectContaining({ code });

async function problems(): Promise<string[]> {
  const found = await Layout.validate(root);
  return found.map(({ place, message }) => `${place.path!.slice(root.length)}: ${message}`).sort();
}

describe('Layout', () => {
  it('names the files of a collection', () => {
    const names = ['metaDir', 'docsDir', 'manifestFile', 'dataFile', 'indexFile', 'journalFile'];
    const more = ['schemasFile', 'docIndexFile', 'orderFile'];
    const paths = [...names, ...more].map((name) => {
      return Layout[name as 'metaDir']('r', 'train').replace(join('r', 'collections', 'train'), '');
    });
    expect(paths).toEqual([
      '/meta',
      '/docs',
      '/meta/manifest.json',
      '/meta/data.jsonl',
      '/meta/index.bin',
      '/meta/journal.log',
      '/meta/schemas.jsonl',
      '/meta/doc_index.jsonl',
      '/meta/order.ids',
    ]);
    for (const name of ['', '..', 'a/b', '.x']) {
      expect(() => Layout.docsDir('r', name)).toThrow(failure('INVALID_PATH'));
    }
  });

  it('makes roots and collections that are in order, and leaves other folders alone', async () => {
    expect(await problems()).toEqual([': there is nothing here']);
    await Layout.initRoot(root);
    await Layout.initRoot(root);
    await Layout.initCollection(root, 'c');
    const store = await FastStore.open(root, 'c');
    store.put('a', {});
    await store.close();
    const writer = await SyncWriter.open(root, 'd');
    await writer.put('a', {});
    await writer.close();
    expect(await problems()).toEqual([]);
    expect(await Layout.validateCollection(root, 'd')).toEqual([]);
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other/file'), '');
    await expect(Layout.initRoot(join(folder, 'other'))).rejects.toThrow(failure('NOT_A_STORE'));
  });

  it('tells everything that is wrong', async () => {
    await Layout.initRoot(root);
    rmSync(join(root, 'metadata'), { recursive: true });
    const docs = Layout.docsDir(root, 'c');
    mkdirSync(join(docs, 'inner.json'), { recursive: true });
    for (const name of ['ok.json', 'a b.json', 'x.txt', '.x.tmp']) {
      writeFileSync(join(docs, name), '{}');
    }
    for (const name of ['i', 'j', 'k', 'l'])
      mkdirSync(Layout.metaDir(root, name), { recursive: true });
    for (const name of ['j', 'k', 'l']) {
      writeFileSync(Layout.dataFile(root, name), name === 'k' ? '{"_id":"b"}\n' : '');
      mkdirSync(Layout.docsDir(root, name));
      if (name !== 'j') writeFileSync(join(Layout.docsDir(root, name), 'a.json'), '{}');
    }
    writeFileSync(Layout.indexFile(root, 'i'), '');
    writeFileSync(join(root, 'collections/stray'), '');
    const c = '/collections/c';
    expect(await problems()).toEqual([
      `${c}/docs/.x.tmp: left by a writer that was stopped`,
      `${c}/docs/a b.json: this is no valid id`,
      `${c}/docs/inner.json: documents are plain files`,
      `${c}/docs/x.txt: documents are named ID.json`,
      `${c}/meta: this folder is missing`,
      '/collections/i/meta/index.bin: an index without its data.jsonl',
      '/collections/i: neither meta/data.jsonl nor docs/',
      '/collections/k/docs: documents beside data.jsonl, which nothing reads',
      '/collections/stray: a file among the collections',
      '/metadata: this folder is missing',
    ]);
    const missing = await Layout.validateCollection(root, 'nobody');
    expect(missing).toMatchObject([{ message: 'this folder is missing' }]);
    rmSync(root, { recursive: true });
    writeFileSync(root, '');
    expect(await problems()).toEqual([': a store is a folder']);
  });
});
