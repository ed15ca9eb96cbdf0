/**
 * Makes the stores of test/golden. Those that are committed were made by this once and are never
 * rewritten; a new version of the format gets new ones beside them.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { FastStore, pack, SyncWriter } from '../src/store/index.ts';
import type { Oracle } from './oracle.ts';

const path = (target: string, name: string): string => join(target, name);
const meta = (target: string, name: string, file: string): string =>
  join(target, name, 'collections', 'c', 'meta', file);

/** Writes every fixture into a folder. */
export async function makeGolden(oracle: Oracle, target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  await makeOfCrate(oracle, target, 'crate-binary-index');
  copy(target, 'crate-binary-index', 'crate-text-index');
  writeTextIndex(target, 'crate-text-index');
  copy(target, 'crate-binary-index', 'crate-no-index');
  rmSync(meta(target, 'crate-no-index', 'index.bin'));
  copy(target, 'crate-binary-index', 'crate-torn-tail');
  appendFileSync(
    meta(target, 'crate-torn-tail', 'data.jsonl'),
    '{"_id":"behind"}\n{"_id":"torn","te',
  );

  await oracle.ask('init', { root: path(target, 'crate-folder') });
  await oracle.ask('documents.put', {
    root: path(target, 'crate-folder'),
    collection: 'c',
    documents: [
      ['a', { n: 1, ok: true }],
      ['é', { list: [1, 2], text: 'line\nbreak' }],
      ['b', { n: 2, ok: false }],
    ],
  });
  await oracle.ask('documents.delete', {
    root: path(target, 'crate-folder'),
    collection: 'c',
    id: 'b',
  });
  await oracle.ask('documents.pack', {
    from: path(target, 'crate-binary-index'),
    to: path(target, 'crate-archive.zds'),
  });

  await makeOurs(target, 'v1-closed');
  copy(target, 'v1-closed', 'v1-died');
  const dying = await FastStore.open(path(target, 'v1-died'), 'c');
  dying.put('committed', { n: 5 });
  dying.delete('c');
  await dying.flush({ cursor: 'five' });
  dying.put('uncommitted', { n: 6 });
  await dying.scanAll();
  await dying.abandon();
  truncateSync(
    meta(target, 'v1-died', 'data.jsonl'),
    readFileSync(meta(target, 'v1-died', 'data.jsonl')).length - 4,
  );
  await pack(path(target, 'v1-closed'), path(target, 'v1-archive.zds'));

  const writer = await SyncWriter.open(path(target, 'v1-folder'), 'c');
  await writer.put('a', { n: 1, ok: true });
  await writer.put('é', { list: [1, 2], text: 'line\nbreak' });
  await writer.put('b', { n: 2 });
  await writer.delete('b');
  await writer.close();
}

async function makeOfCrate(oracle: Oracle, target: string, name: string): Promise<void> {
  await oracle.ask('init', { root: path(target, name) });
  await oracle.ask('open', { name, root: path(target, name), collection: 'c' });
  const put = (id: string, document: object) => oracle.ask('put', { name, id, document });
  await put('a', { n: 1 });
  await put('b', { n: 2 });
  await put('é', { A: { _id: 'nested' }, text: 'line\nbreak "quoted" 😀' });
  await put('a', { n: 3 });
  await oracle.ask('delete', { name, id: 'b' });
  await put('last', { list: [1, -2.5, null, true] });
  await oracle.ask('close', { name });
}

async function makeOurs(target: string, name: string): Promise<void> {
  let store = await FastStore.open(path(target, name), 'c');
  for (const [n, id] of ['a', 'b', 'c', 'é'].entries()) store.put(id, { n });
  await store.flush({ cursor: { at: 4 }, loadId: 'load', counts: { rejected: 1 } });
  store.delete('b');
  await store.close();
  store = await FastStore.open(path(target, name), 'c');
  store.put('a', { n: 4, text: 'line\nbreak "quoted" 😀' });
  await store.close();
}

function copy(target: string, from: string, to: string): void {
  cpSync(path(target, from), path(target, to), { recursive: true });
}

function writeTextIndex(target: string, name: string): void {
  const bytes = readFileSync(meta(target, name, 'index.bin'));
  let text = '';
  for (let at = 16; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16LE(at);
    const id = bytes.toString('utf8', at + 2, end);
    text += `${id}\t${bytes.readBigUInt64LE(end)}\t${bytes.readUInt32LE(end + 8)}\n`;
    at = end + 12;
  }
  writeFileSync(meta(target, name, 'index.bin'), text);
}
