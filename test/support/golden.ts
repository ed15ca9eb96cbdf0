/** What is in the stores of test/golden, and how to hold one against that. It is written to. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import { Engine, FastStore } from '../../src/store/index.ts';

const text = 'line\nbreak "quoted" 😀';

const ofCrate: Document[] = [
  { _id: 'a', n: 3 },
  { _id: 'last', list: [1, -2.5, null, true] },
  { _id: 'é', A: { _id: 'nested' }, text },
];

const ours: Document[] = [
  { _id: 'a', n: 4, text },
  { _id: 'c', n: 2 },
  { _id: 'é', n: 3 },
];

/** The stores with one file of documents: what is in each, by id. */
export const goldenStores: Record<string, readonly Document[]> = {
  'crate-binary-index': ofCrate,
  'crate-text-index': ofCrate,
  // The delete was in the index alone.
  'crate-no-index': [ofCrate[0]!, { _id: 'b', n: 2 }, ...ofCrate.slice(1)],
  'crate-torn-tail': [ofCrate[0]!, { _id: 'behind' }, ...ofCrate.slice(1)],
  'crate-archive.zds': ofCrate,
  'v1-closed': ours,
  'v1-died': [ours[0]!, { _id: 'committed', n: 5 }, ours[2]!],
  'v1-archive.zds': ours,
};

/** The stores with a file per document hold these, in this order. */
export const goldenFolders = ['crate-folder', 'v1-folder'] as const;

const folderDocuments: readonly Document[] = [
  { _id: 'a', n: 1, ok: true },
  { _id: 'é', list: [1, 2], text: 'line\nbreak' },
];

/** A store of `goldenStores` that stands in a folder. */
export async function checkStore(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  const expected = goldenStores[name]!;
  expect(await documentsIn(path)).toEqual(expected);
  if (name.endsWith('.zds')) return;
  const store = await FastStore.open(path, 'c');
  expect(sorted(await store.scanAll())).toEqual(expected);
  for (const document of expected) expect(store.get(document._id as string)).toEqual(document);
  if (name === 'v1-died') {
    expect(store.recovery.cutBytes).toBeGreaterThan(0);
    expect(await store.cursor()).toBe('five');
    expect(await store.cursor('load')).toEqual({ at: 4 });
  }
  store.put('zz', {});
  await store.close();
  expect(await documentsIn(path)).toEqual([...expected, { _id: 'zz' }].sort(byId));
  const meta = join(path, 'collections', 'c', 'meta');
  expect(readFileSync(join(meta, 'index.bin')).toString('latin1', 0, 4)).toBe('ISDZ');
  expect(readdirSync(meta).some((file) => file.startsWith('torn-'))).toBe(name.includes('torn'));
}

/** A store of `goldenFolders`. */
export async function checkFolder(folder: string, name: string): Promise<void> {
  const engine = await Engine.open(join(folder, name), 'c');
  expect(engine.docIds()).toEqual(folderDocuments.map(({ _id }) => _id));
  const found = engine.docIds().map((id) => ({ ...engine.getDocument(id), _id: id }));
  expect(found).toEqual(folderDocuments);
  expect(existsSync(join(folder, name, 'collections', 'c', 'docs', 'a.json'))).toBe(true);
}

async function documentsIn(path: string): Promise<Document[]> {
  const store = await FastStore.open(path, 'c', { mode: 'read' });
  const documents = await store.scanAll();
  await store.close();
  return sorted(documents);
}

function sorted(documents: Document[]): Document[] {
  return documents.sort(byId);
}

function byId(a: Document, b: Document): number {
  return (a._id as string) < (b._id as string) ? -1 : 1;
}
