import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Batch, type Document } from '../../../src/core/batch.ts';
import { eq, gt } from '../../../src/core/predicate.ts';
import { createNodeDisk } from '../../../src/io/index.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { FastStore, ZdsRoot } from '../../../src/store/index.ts';

const kernel = sharedKernel();
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-store-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const meta = (name: string) => join(root, 'collections', 'c', 'meta', name);
const open = (mode: 'read' | 'write' = 'write') => FastStore.open(root, 'c', { mode });
const batchOf = (text: string) =>
  Batch.fromLines(kernel.lines(Buffer.from(text)), kernel.codec, {
    source: 'in.jsonl',
    line: 0,
    offset: 0,
  });

describe('FastStore', () => {
  it('puts, gets, replaces, deletes and counts, before and after reopening', async () => {
    let store = await open();
    store.put('a', { n: 1, text: 'grün' });
    store.put('b', { _id: 'b', n: 2 });
    store.put('a', { n: 3 });
    store.put('empty', {});
    expect(store.delete('b')).toBe(true);
    expect(store.delete('b')).toBe(false);
    for (let round = 0; round < 2; round++) {
      expect(store.get('a')).toEqual({ _id: 'a', n: 3 });
      expect(store.get('a', { withId: false })).toEqual({ n: 3 });
      expect(store.tryGet('b')).toBeUndefined();
      expect(() => store.get('b')).toThrow(/no document "b"/);
      expect(store.exists('empty')).toBe(true);
      expect(store.exists('b')).toBe(false);
      expect(store.count).toBe(2);
      expect(await store.scanAll()).toEqual([{ _id: 'a', n: 3 }, { _id: 'empty' }]);
      if (round === 0) {
        await store.close();
        store = await open();
      }
    }
    await store.close();
    expect(readFileSync(meta('data.jsonl'), 'utf8')).toBe(
      '{"_id":"a","n":1,"text":"grün"}\n{"_id":"b","n":2}\n{"_id":"a","n":3}\n{"_id":"empty"}\n',
    );
  });

  it('writes an index that states count, ids, offsets and lengths', async () => {
    const store = await open();
    store.put('x', { n: 1 });
    store.put('été', { n: 2 });
    await store.close();
    const index = readFileSync(meta('index.bin'));
    expect(index.subarray(0, 4).toString()).toBe('ISDZ');
    expect(index.readUInt32LE(4)).toBe(1);
    expect(index.readBigUInt64LE(8)).toBe(2n);
    expect(index.readUInt16LE(16)).toBe(1);
    expect(index.subarray(18, 19).toString()).toBe('x');
    expect(index.readBigUInt64LE(19)).toBe(0n);
    expect(index.readUInt32LE(27)).toBe(18);
    expect(index.readUInt16LE(31)).toBe(5);
    expect(index.subarray(33, 38).toString()).toBe('été');
    expect(index.readBigUInt64LE(38)).toBe(18n);
    expect(index.length).toBe(50);
  });

  it('does no I/O when there is nothing to commit or close', async () => {
    await (await open()).close();
    let store = await open();
    store.put('a', {});
    await store.flush();
    const size = statSync(meta('commits.log')).size;
    await store.flush();
    expect(statSync(meta('commits.log')).size).toBe(size);
    await store.close();
    const { mtimeMs } = statSync(meta('commits.log'));
    store = await open();
    await store.close();
    expect(statSync(meta('commits.log')).mtimeMs).toBe(mtimeMs);
  });

  it('keeps what came as bytes, `_id` first', async () => {
    const store = await open();
    await store.append(batchOf('{"_id":"a","big":12345678901234567890,"f":1.0}\n'));
    await store.append(
      batchOf('{ "n" : 1e2 , "_id" : "b" }\n{"x":{"_id":"no"},"\\u005fid":"c"}\n'),
    );
    await store.append(
      batchOf('{"_id":"old","_id":"d","k":[{"_id":1}]}\n{"_id":"e"}\n{"_id":"f" ,"q":"\\u00e9"}\n'),
    );
    await store.putRaw('g', Buffer.from('{"z":1.50,"_id":"g","y":2}'));
    await store.close();
    expect(readFileSync(meta('data.jsonl'), 'utf8')).toBe(
      '{"_id":"a","big":12345678901234567890,"f":1.0}\n' +
        '{"_id":"b", "n" : 1e2 }\n{"_id":"c","x":{"_id":"no"}}\n' +
        '{"_id":"d","k":[{"_id":1}]}\n{"_id":"e"}\n{"_id":"f","q":"\\u00e9"}\n' +
        '{"_id":"g","z":1.50,"y":2}\n',
    );
  });

  it('leaves out all ids of a document but the last, however many', async () => {
    const store = await open();
    const many = ',"_id" : "a" ,"\\u005fid":"a","x":[{"_id":1},"_id"]'.repeat(10_000);
    await store.append(batchOf(`{"_id":"b"${many}}\n{"k":"c","_id":"c"}\n`));
    await store.append(batchOf(`{"k":"d","_id":"d", "_id":"d" ,"n":1}\n`), { idField: 'k' });
    const raw = Buffer.from(store.getRaw('a')).toString();
    expect(raw).toBe(`{"_id":"a"${',"x":[{"_id":1},"_id"]'.repeat(10_000)}}`);
    expect(Buffer.from(store.getRaw('d')).toString()).toBe('{"_id":"d","k":"d","n":1}');
    const other = batchOf('{"k":"e","_id":"f","_id":"e"}\n');
    await expect(store.append(other, { idField: 'k' })).rejects.toMatchObject({
      code: 'ID_MISMATCH',
      message: expect.stringMatching(/own _id is "f", not "e"/),
    });
    const large = batchOf('{"id":"e","_id":9007199254740993123 }\n');
    await expect(store.append(large, { idField: 'id' })).rejects.toMatchObject({
      code: 'ID_MISMATCH',
      message: expect.stringContaining('own _id is 9007199254740993123, not "e"'),
    });
    await store.close();
  });

  it('takes ids from a field, a function or a generator', async () => {
    const store = await open();
    await store.append(batchOf('{"k":{"id":"one"},"v":1}\n{"k":{"id":"two"},"_id":"two"}\n'), {
      idField: 'k.id',
    });
    await store.append(batchOf('{"n":7}\n'), { id: (doc) => String(doc.n) });
    await store.append(batchOf('{"n":8}\n{"_id":"own"}\n{"n":9}\n'), { generateIds: 'ulid' });
    const all = await store.scanAll();
    expect(all.slice(0, 3)).toEqual([
      { _id: 'one', k: { id: 'one' }, v: 1 },
      { _id: 'two', k: { id: 'two' } },
      { _id: '7', n: 7 },
    ]);
    expect(all[4]).toEqual({ _id: 'own' });
    expect(all[3]!._id).toMatch(/^[0-9A-Z]{26}$/);
    expect(all[5]!._id! > all[3]!._id!).toBe(true);
    await store.close();
  });

  it.each([
    ['{"n":1}', 'MISSING_ID', /no field "_id"/],
    ['{"_id":5}', 'INVALID_ID', /the number 5.*cast\(\{ "_id": "string" \}\)/],
    ['{"_id":9007199254740993123}', 'INVALID_ID', /the number 9007199254740993123,/],
    ['{"_id":1.0}', 'INVALID_ID', /the number 1\.0,/],
    [`{"_id":1${'0'.repeat(999)}}`, 'INVALID_ID', /the number 10{59}…,/],
    ['{"_id":true}', 'INVALID_ID', /boolean/],
    ['{"_id":null}', 'INVALID_ID', /null/],
    ['{"_id":""}', 'INVALID_ID', /empty/],
    [`{"_id":"${'x'.repeat(300)}"}`, 'INVALID_ID', /300 bytes/],
    ['{"_id":"a/b"}', 'INVALID_ID', /characters/],
    ['{"_id":"a..b"}', 'INVALID_ID', /characters/],
    ['{"_id":".a"}', 'INVALID_ID', /characters/],
    ['{"_id":"a\\nb"}', 'INVALID_ID', /characters/],
  ])('refuses %s', async (line, code, message) => {
    const store = await open();
    const batch = batchOf(`{"_id":"good"}\n${line}\n`);
    await expect(store.append(batch)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      place: { path: 'in.jsonl', line: 2 },
    });
    expect(store.count).toBe(0);
    await store.close();
  });

  it('refuses another own id, bad names and bad values', async () => {
    const store = await open();
    expect(() => store.put('a', { _id: 'b' })).toThrow(/own _id is "b", not "a"/);
    expect(() => store.put('../a', {})).toThrow(/characters/);
    expect(() => store.put('a', { n: 1n })).toThrow(/BigInt/);
    expect(() => store.put('a', [] as never)).toThrow(/not a JSON object/);
    await expect(
      store.append(batchOf('{"id":"a","_id":"b"}\n'), { idField: 'id' }),
    ).rejects.toMatchObject({
      code: 'ID_MISMATCH',
    });
    expect(() => store.putRaw('a', Buffer.from('{"a":}'))).toThrow();
    expect(() => store.putRaw('a', Buffer.from('{}\n{}'))).toThrow(/2 documents/);
    await store.close();
    for (const name of ['', '..', '.x', 'a/b', 'a\\b', 'a\0b']) {
      await expect(FastStore.open(root, name)).rejects.toMatchObject({ code: 'INVALID_PATH' });
    }
    expect(() => store.get('a')).toThrow(/closed/);
  });

  it('takes an own id for what JSON makes of it', async () => {
    const store = await open();
    const none = [undefined, () => 'b', Symbol('b')];
    for (const _id of [...none, new String('a'), { toJSON: () => 'a' }]) {
      store.put('a', { n: 1, _id });
      expect(Buffer.from(store.getRaw('a')).toString()).toBe('{"_id":"a","n":1}');
    }
    for (const _id of [null, 1, new String('b'), ['a']]) {
      expect(() => store.put('a', { _id })).toThrow(/own _id is .*, not "a"/);
    }
    await store.close();
  });

  it('refuses what is nested too deep to be read back, however it comes', async () => {
    const nested = (levels: number): Document => (levels === 1 ? {} : { d: nested(levels - 1) });
    const store = await open();
    store.put('before', {});
    const tooDeep = expect.objectContaining({ code: 'NESTING_TOO_DEEP' });
    expect(() => store.put('deep', nested(513))).toThrow(tooDeep);
    const documents = Batch.fromDocuments([{ _id: 'deep', ...nested(513) }], kernel.codec);
    await expect(store.append(documents)).rejects.toMatchObject({ code: 'INVALID_DOCUMENT' });
    store.put('deep', nested(512));
    await store.close();
    rmSync(meta('index.bin'));
    const again = await open();
    expect(again.recovery.badLines).toBe(0);
    expect(again.get('deep')).toEqual({ _id: 'deep', ...nested(512) });
    expect(again.count).toBe(2);
    await again.close();
  });

  it('finds what was put just now by id, count, scan and delete, in any order of asking', async () => {
    const store = await open();
    store.put('a', { n: 1 });
    expect(store.count).toBe(1);
    store.put('a', { n: 2 });
    store.put('b', { text: 'é'.repeat(40_000) });
    expect(store.delete('a')).toBe(true);
    store.put('c', { _id: 'c', n: 3 });
    store.put('d', { n: 4, _id: 'd', 0: 'first' });
    expect(store.info()).toMatchObject({ documents: 3, lines: 5 });
    await store.append(batchOf('{"_id":"b","n":5}\n'));
    store.put('e', {});
    expect((await store.scanAll()).map(({ _id }) => _id)).toEqual(['c', 'd', 'b', 'e']);
    store.put('e', { n: 6 });
    expect(await store.flush()).toMatchObject({ count: 4, lines: 8 });
    store.put('f', {});
    await store.abandon();
    const again = await open();
    expect(again.get('d')).toEqual({ _id: 'd', 0: 'first', n: 4 });
    expect(again.count).toBe(4);
    await again.close();
  });

  it('lets the last of equal ids in a batch win', async () => {
    const store = await open();
    const result = await store.append(
      batchOf('{"_id":"a","n":1}\n{"_id":"b"}\n{"_id":"a","n":2}\n{"_id":"a","n":3}\n'),
    );
    expect(result).toMatchObject({ documents: 4, replaced: 2, duplicates: 2 });
    expect(await store.append(batchOf('{"_id":"b","n":4}\n'))).toMatchObject({
      replaced: 1,
      duplicates: 0,
    });
    expect(await store.scanAll()).toEqual([
      { _id: 'a', n: 3 },
      { _id: 'b', n: 4 },
    ]);
    await store.close();
    const again = await open();
    expect(await again.scanAll()).toEqual([
      { _id: 'a', n: 3 },
      { _id: 'b', n: 4 },
    ]);
    await again.close();
  });

  it('scans with where, select, limit, offset and ids, as documents and as batches', async () => {
    const store = await open();
    for (let i = 0; i < 500; i++) store.put(`id${i}`, { n: i, even: i % 2 === 0, deep: { x: i } });
    for (let i = 0; i < 500; i += 5) store.delete(`id${i}`);
    const living = Array.from({ length: 500 }, (_, i) => i).filter((i) => i % 5 !== 0);
    const pieceBytes = 1000;
    const options = {
      where: gt('n', 100),
      select: ['n', 'deep.x'],
      offset: 3,
      limit: 50,
      pieceBytes,
    };
    const expected = living
      .filter((i) => i > 100)
      .slice(3, 53)
      .map((i) => ({ n: i, deep: { x: i } }));
    expect(await store.scan(options).toArray()).toEqual(expected);
    const fromBatches: unknown[] = [];
    for await (const batch of store.scan(options).batches()) fromBatches.push(...batch);
    expect(fromBatches).toEqual(expected);
    const ids = ['id9', 'id1', 'id5', 'nope', 'id1'];
    expect((await store.scan({ ids }).toArray()).map((doc) => doc._id)).toEqual(['id1', 'id9']);
    expect((await store.scan({ ids, where: eq('n', 9) }).toArray()).length).toBe(1);
    const all: unknown[] = [];
    for await (const id of store.docIds()) all.push(id);
    expect(all).toEqual(living.map((i) => `id${i}`));
    const blob = Buffer.from(await store.readJsonlBlob()).toString();
    expect(
      blob
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).n),
    ).toEqual(living);
    await store.close();
  });

  it('shows readers what is committed, and more after refresh', async () => {
    const store = await open();
    store.put('a', { n: 1 });
    await store.flush({ cursor: { at: 1 }, loadId: 'one' });
    store.put('b', { n: 2 });
    const reader = await open('read');
    expect(await reader.scanAll()).toEqual([{ _id: 'a', n: 1 }]);
    expect(() => reader.put('x', {})).toThrow(expect.objectContaining({ code: 'READ_ONLY' }));
    store.delete('a');
    store.put('a', { n: 5 });
    store.put('c', {});
    store.delete('c');
    await store.flush({ cursor: { at: 2 }, loadId: 'two' });
    store.put('d', {});
    await reader.refreshMmap();
    expect(await reader.scanAll()).toEqual([
      { _id: 'b', n: 2 },
      { _id: 'a', n: 5 },
    ]);
    expect(await reader.cursor()).toEqual({ at: 2 });
    expect(await reader.cursor('one')).toEqual({ at: 1 });
    await store.close();
    await reader.refresh();
    expect(reader.count).toBe(3);
    await reader.close();
  });

  it('holds one writer per collection and root', async () => {
    const zds = await ZdsRoot.open(root);
    const a = await zds.collection('a');
    const b = await zds.collection('b');
    await expect(zds.collection('a')).rejects.toMatchObject({ code: 'LOCKED' });
    await expect(FastStore.open(root, 'b')).rejects.toMatchObject({ code: 'LOCKED' });
    // A second disk stands for a second process: it shares nothing but the files.
    const other = createNodeDisk();
    await expect(ZdsRoot.open(root, { disk: other })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    a.put('x', {});
    await a.close();
    expect(await zds.collections()).toEqual(['a', 'b']);
    await (await zds.collection('a')).close();
    await zds.close();
    expect(() => b.exists('x')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    await (await ZdsRoot.open(root, { disk: other })).close();
  });

  it('leaves what is no store alone', async () => {
    writeFileSync(join(root, 'precious.txt'), 'x');
    await expect(ZdsRoot.open(root)).rejects.toMatchObject({ code: 'NOT_A_STORE' });
    await expect(ZdsRoot.open(join(root, 'precious.txt'))).rejects.toMatchObject({
      code: 'NOT_A_STORE',
    });
    await expect(ZdsRoot.open(join(root, 'none'), { mode: 'read' })).rejects.toMatchObject({
      code: 'NOT_A_STORE',
    });
    expect(() => statSync(join(root, 'none'))).toThrow();
  });

  it('validates with a schema', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof (value as { n?: unknown }).n === 'number'
            ? { value: { ...(value as { n: number }), seen: true } }
            : { issues: [{ message: 'not a number', path: ['n'] }] },
      },
    };
    const store = await FastStore.open<{ n: number }>(root, 'c', { schema });
    store.put('a', { n: 1 });
    expect(store.get('a')).toEqual({ _id: 'a', n: 1, seen: true });
    expect(() => store.put('b', { n: 'x' } as never)).toThrow(/n: not a number/);
    await store.append(batchOf('{"_id":"c","n":2}\n'));
    expect(store.get('c')).toEqual({ _id: 'c', n: 2, seen: true });
    await expect(store.append(batchOf('{"_id":"d"}\n'))).rejects.toMatchObject({
      code: 'INVALID_DOCUMENT',
      place: { line: 1 },
    });
    await store.close();
  });
});
