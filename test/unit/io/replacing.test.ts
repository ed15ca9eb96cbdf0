/** What is written anew is as private as before, and is written where a link leads to. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonlSink } from '../../../src/index.ts';
import { DataStore, FastStore, pack } from '../../../src/store/index.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'replacing-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const ones = Buffer.alloc(1000, 1);

describe.skipIf(process.platform === 'win32')('what is written anew', () => {
  it('has the permissions of what it replaces', async () => {
    await using drive = await DataStore.open(at('drive'));
    await drive.write('a', ones);
    await drive.write('a', ones);
    chmodSync(at('drive'), 0o600);
    await drive.compact();
    expect(modeOf(at('drive'))).toBe('600');

    const before = await FastStore.open(at('store'), 'c');
    before.put('a', {});
    await before.close();
    const files = () =>
      readdirSync(at('store'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /^(data|index|commits)/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name));
    const modes = () => new Set(files().map(modeOf));
    expect(files().length).toBeGreaterThanOrEqual(3);
    for (const file of files()) chmodSync(file, 0o660);
    const store = await FastStore.open(at('store'), 'c');
    await store.compact();
    await store.close();
    expect(modes()).toEqual(new Set(['660']));

    for (const name of ['archive', 'out.jsonl']) {
      writeFileSync(at(name), '');
      chmodSync(at(name), 0o640);
    }
    await pack(at('store'), at('archive'));
    await pipeline([{ a: 1 }], jsonlSink(at('out.jsonl')));
    expect([modeOf(at('archive')), modeOf(at('out.jsonl'))]).toEqual(['640', '640']);
  });

  it('is what a link leads to', async () => {
    await (await FastStore.open(at('store'), 'c')).close();
    for (const name of ['archive', 'out.jsonl']) {
      symlinkSync(name, at(`${name}.link`));
      if (name === 'archive') writeFileSync(at(name), '');
    }
    await pack(at('store'), at('archive.link'));
    await pipeline([{ a: 1 }], jsonlSink(at('out.jsonl.link')));
    expect(readFileSync(at('out.jsonl'), 'utf8')).toBe('{"a":1}\n');
    expect(statSync(at('archive')).size).toBeGreaterThan(0);
    for (const name of ['archive', 'out.jsonl']) {
      expect(lstatSync(at(`${name}.link`)).isSymbolicLink()).toBe(true);
    }
  });

  it.each(['there', 'yet to be made'])('is a drive by its own name, %s', async (state) => {
    if (state === 'there') await (await DataStore.open(at('drive'))).close();
    symlinkSync('drive', at('link'));
    const drive = await DataStore.open(at('link'));
    expect(drive.path).toBe(at('link'));
    await expect(DataStore.open(at('drive'))).rejects.toMatchObject({ code: 'LOCKED' });
    const reader = await DataStore.open(at('drive'), { mode: 'read' });
    await drive.write('k', ones);
    await expect(reader.copy('k', drive)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await reader.close();
    await drive.compact();
    await drive.write('b', Buffer.from('new'));
    await drive.close();
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    const again = await DataStore.open(at('drive'), { mode: 'read' });
    expect(again.exists('b')).toBe(true);
    await again.close();
    expect(existsSync(at('link.lock'))).toBe(false);
  });
});
