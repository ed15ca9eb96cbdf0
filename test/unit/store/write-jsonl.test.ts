/** `writeJsonl`: the same documents in whatever pieces they come, and what is none told with its place. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FastStore, ZdsRoot } from '../../../src/store/index.ts';

const text = '{"_id":"a","n":1}\n\n{"_id":"é","n":2}\r\n{"_id":"a","n":3}\n{"_id":"last","n":4}';
const documents = [
  { _id: 'é', n: 2 },
  { _id: 'a', n: 3 },
  { _id: 'last', n: 4 },
];

let folder: string;
let root: ZdsRoot;
let store: FastStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zds-jsonl-'));
  root = await ZdsRoot.open(folder);
  store = await root.collection('c');
});
afterEach(async () => {
  await store.close();
  await root.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('writeJsonl', () => {
  it('takes a text, and bytes in chunks of every size', async () => {
    const total = { documents: 4, replaced: 1 };
    expect(await store.writeJsonl(text)).toMatchObject(total);
    expect(await store.scanAll()).toEqual(documents);
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) {
      const name = `c${size}`;
      const other = await root.collection(name);
      function* chunks() {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      expect(await other.writeJsonl(chunks()), name).toMatchObject(total);
      expect(await other.scanAll(), name).toEqual(documents);
      await other.close();
    }
  });

  it('tells where what is no document stands, and refuses what are no bytes', async () => {
    const bad = store.writeJsonl([Buffer.from('{"_id":"x"}\n{"_id"'), Buffer.from(':}\n')]);
    await expect(bad).rejects.toMatchObject({ code: 'JSON_ERROR', place: { offset: 19 } });
    const chunks = ['{"_id":"y"}\n'] as unknown as Uint8Array[];
    await expect(store.writeJsonl(chunks)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(store.exists('y')).toBe(false);
  });
});
