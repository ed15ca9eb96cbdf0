/** Collections that other programs wrote, or wrote on. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FastStore } from '../../../src/store/index.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-store-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const meta = (name: string) => join(root, 'collections', 'c', 'meta', name);
const open = (mode: 'read' | 'write' = 'write') => FastStore.open(root, 'c', { mode });
describe('files of other programs', () => {
  const crateStore = (lines: string[], index?: Buffer | string) => {
    mkdirSync(join(root, 'collections', 'c', 'meta'), { recursive: true });
    writeFileSync(meta('data.jsonl'), lines.join(''));
    if (index !== undefined) writeFileSync(meta('index.bin'), index);
  };
  const lines = [
    '{"A":1,"_id":"a"}\n',
    '{"_id":"b","n":1}\n',
    '{"_id":"\\u0063"}\n',
    '{"_id":"b","n":2}\n',
  ];
  const place = (i: number) => [lines.slice(0, i).join('').length, lines[i]!.length] as const;

  it('opens one without a log by its index, and indexes what comes behind it', async () => {
    const text = `a\t${place(0).join('\t')}\nc\t${place(2).join('\t')}\n`;
    crateStore(lines, text);
    // The index covers up to the line of c, so b was deleted before and put again behind it.
    for (const mode of ['read', 'write', 'write'] as const) {
      const store = await open(mode);
      expect(await store.scanAll()).toEqual([{ A: 1, _id: 'a' }, { _id: 'c' }, { _id: 'b', n: 2 }]);
      expect(store.get('c')).toEqual({ _id: 'c' });
      await store.close();
    }
  });

  it('honours deletes that only an index tells of', async () => {
    const last = lines.join('').length;
    crateStore([...lines, '{"_id":"x"}\n'], `a\t${place(0).join('\t')}\nx\t${last}\t12\n`);
    for (let i = 0; i < 2; i++) {
      const store = await open();
      expect(store.count).toBe(2);
      await store.close();
    }
    rmSync(meta('index.bin'));
    const rebuilt = await open();
    expect(rebuilt.exists('b')).toBe(false);
    await rebuilt.close();
  });

  it('takes lines added after a close, mends or puts aside the last one', async () => {
    let store = await open();
    store.put('a', {});
    await store.close();
    appendFileSync(meta('data.jsonl'), '{"_id":"b"}\nrubbish\n{"n":1}\n{"_id":"c"}');
    store = await open();
    expect(store.recovery).toMatchObject({
      adoptedLines: 3,
      badLines: 1,
      linesWithoutId: 1,
      cutBytes: 0,
    });
    expect(await store.scanAll()).toEqual([{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }]);
    store.put('d', {});
    await store.close();
    appendFileSync(meta('data.jsonl'), '{"_id":"e"}\n{"_id":"to');
    store = await open();
    expect(readFileSync(store.recovery.tornPath!, 'utf8')).toBe('{"_id":"to');
    expect((await store.scanAll()).map((doc) => doc._id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await store.close();
  });

  it.each(['\n', 'rubbish\n'])('takes a document added behind %j alone', async (first) => {
    for (const added of [first, '{"_id":"a"}\n']) {
      await (await open()).close();
      appendFileSync(meta('data.jsonl'), added);
    }
    const store = await open();
    expect(store.recovery).toMatchObject({ adoptedLines: 1, cutBytes: 0 });
    expect(await store.scanAll()).toEqual([{ _id: 'a' }]);
    await store.close();
  });

  describe('that added and deleted behind our last session', () => {
    /** Adds lines, and makes index.bin lead to the newest lines of `known`. */
    const addTo = (added: readonly string[], known: readonly string[]): void => {
      for (const id of added) appendFileSync(meta('data.jsonl'), `{"_id":"${id}"}\n`);
      const places = new Map<string, string>();
      let offset = 0;
      for (const line of readFileSync(meta('data.jsonl'), 'utf8').trimEnd().split('\n')) {
        const { _id } = JSON.parse(line) as { _id: string };
        if (known.includes(_id)) places.set(_id, `${_id}\t${offset}\t${line.length + 1}\n`);
        offset += line.length + 1;
      }
      writeFileSync(meta('index.bin'), [...places.values()].join(''));
    };
    const ourSession = async (ids: readonly string[]): Promise<void> => {
      const store = await open();
      for (const id of ids) store.put(id, {});
      await store.close();
    };

    it.each([
      ['deleted before its last document', ['x', 'y', 'z'], ['a', 'b', 'z'], ['a', 'b', 'z']],
      ['deleted and put again', ['x', 'y', 'x'], ['a', 'b', 'x'], ['a', 'b', 'x']],
      ['newer versions of ours, deleted', ['a', 'y'], ['b', 'y'], ['b', 'y']],
      // Nothing tells them from documents that it added and had no time to index.
      ['deleted last', ['x', 'y'], ['a', 'b', 'x'], ['a', 'b', 'x', 'y']],
      ['all deleted', ['x', 'y'], ['a', 'b'], ['a', 'b', 'x', 'y']],
      // It read the index before our last session: what that committed is not its to delete.
      ['not knowing of b', ['x', 'y', 'z'], ['a', 'z'], ['a', 'b', 'z']],
    ])('%s', async (_, added, known, expected) => {
      await ourSession(['a']);
      await ourSession(['b']);
      addTo(added, known);
      for (const mode of ['read', 'write', 'write'] as const) {
        const store = await open(mode);
        expect((await store.scanAll()).map(({ _id }) => _id).sort()).toEqual(expected);
        await store.close();
      }
      rmSync(meta('index.bin'));
      const rebuilt = await open();
      expect(rebuilt.count).toBe(expected.length);
      await rebuilt.close();
    });
  });

  it('passes over ids that no index can hold', async () => {
    crateStore(['{"_id":"a"}\n', `{"_id":"${'x'.repeat(70_000)}"}\n`, '{"_id":"b"}\n']);
    for (let i = 0; i < 2; i++) {
      const store = await open();
      if (i === 0) expect(store.recovery.linesWithoutId).toBe(1);
      expect(await store.scanAll()).toEqual([{ _id: 'a' }, { _id: 'b' }]);
      await store.close();
    }
  });

  it('knows a reverted and a damaged index, and says when data is gone', async () => {
    let store = await open();
    store.put('a', {});
    store.put('gone', {});
    await store.close();
    const old = readFileSync(meta('index.bin'));
    store = await open();
    store.delete('gone');
    store.put('b', {});
    await store.close();
    const ids = async () => (await store.scanAll()).map((doc) => doc._id);
    for (const index of [old, Buffer.from('junk'), Buffer.alloc(0), old.subarray(0, 30)]) {
      writeFileSync(meta('index.bin'), index);
      const reader = await open('read');
      expect(reader.count).toBe(2);
      await reader.close();
      store = await open();
      expect(await ids()).toEqual(['a', 'b']);
      await store.close();
    }
    const flipped = readFileSync(meta('index.bin'));
    flipped[18]! ^= 1;
    writeFileSync(meta('index.bin'), flipped);
    store = await open();
    expect(await ids()).toEqual(['a', 'b']);
    expect(store.recovery.indexRebuilt).toMatch(/no document/);
    await store.close();
    truncateSync(meta('data.jsonl'), 20);
    await expect(open()).rejects.toMatchObject({
      code: 'CORRUPTED_DATA',
      message: expect.stringMatching(/20 bytes, but 39/),
    });
  });
});
