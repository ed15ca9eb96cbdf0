/** Which kind a collection is of, in lines or with a file per document, and who may then open it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import {
  Engine,
  FastStore,
  Layout,
  pack,
  SyncWriter,
  verify,
  ZdsRoot,
} from '../../../src/store/index.ts';

let root: string;
let docs: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-kinds-'));
  docs = Layout.docsDir(root, 'c');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const failure = (code: string) => expect.objectContaining({ code });

describe('a collection', () => {
  it('of the other kind is left alone', async () => {
    const store = await FastStore.open(root, 'c');
    store.put('a', {});
    await store.close();
    await expect(SyncWriter.open(root, 'c')).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(Engine.open(root, 'c')).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(Engine.open(root, 'd')).rejects.toThrow(failure('COLLECTION_NOT_FOUND'));
    await expect(SyncWriter.open(root, 'd', { createIfMissing: false })).rejects.toThrow(
      failure('COLLECTION_NOT_FOUND'),
    );
    await SyncWriter.open(root, 'files').then(async (writer) => {
      await writer.put('a', {});
      await writer.close();
    });
    for (const mode of ['read', 'write'] as const) {
      await expect(FastStore.open(root, 'files', { mode })).rejects.toThrow(
        failure('INVALID_ARGUMENT'),
      );
    }
    expect(readdirSync(join(root, 'collections/files/meta'))).not.toContain('data.jsonl');
    // The crate makes a folder docs for either kind.
    mkdirSync(join(root, 'collections/lines/docs'), { recursive: true });
    await (await FastStore.open(root, 'lines')).close();
    // The lock was let go of each time.
    await (await ZdsRoot.open(root)).close();
  });

  it('that has lines takes no documents in files, though the folder for them is there', async () => {
    await (await SyncWriter.open(root, 'c')).close();
    const store = await FastStore.open(root, 'c');
    store.put('a', {});
    await store.close();
    for (const document of [undefined, 'b.json']) {
      if (document) writeFileSync(join(docs, document), '{}');
      await expect(SyncWriter.open(root, 'c')).rejects.toThrow(failure('INVALID_ARGUMENT'));
      await expect(Engine.open(root, 'c')).rejects.toThrow(failure('INVALID_ARGUMENT'));
      expect(await zdsSource(root, 'c').toArray()).toMatchObject([{ _id: 'a' }]);
    }
  });

  it('without documents is of either kind, until the first one', async () => {
    // With a cursor there is a log that tells of no lines.
    const store = await FastStore.open(root, 'c');
    await store.flush({ cursor: 1, loadId: 'l' });
    await store.close();
    await (await SyncWriter.open(root, 'c')).close();
    expect(readFileSync(Layout.dataFile(root, 'c'))).toHaveLength(0);
    await (await FastStore.open(root, 'c')).close();
    expect((await Engine.open(root, 'c')).len()).toBe(0);
    const writer = await SyncWriter.open(root, 'c');
    await writer.put('a', {});
    await writer.close();
    await expect(FastStore.open(root, 'c')).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(FastStore.open(root, 'c', { mode: 'read' })).rejects.toThrow(docs);
    expect((await Engine.open(root, 'c')).docIds()).toEqual(['a']);
    expect(await zdsSource(root, 'c').toArray()).toEqual([{ _id: 'a' }]);
    expect(await verify(root, 'c')).toMatchObject([{ documents: 1, findings: [] }]);
    expect(await Layout.validateCollection(root, 'c')).toEqual([]);
    await pack(root, join(root, 'c.zds'));
    expect(await zdsSource(join(root, 'c.zds'), 'c').toArray()).toEqual([{ _id: 'a' }]);
  });
});
