import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeDisk, type FileView } from '../../../../src/io/index.ts';
import { native } from '../../../../src/io/native.ts';
import { DataStore, EntryHandle, hashKey, readPartition } from '../../../../src/store/index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-drive-'));
  path = join(folder, 'd.bin');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();
const ways = [
  ['mapped', createNodeDisk()],
  ['mapped in small windows', createNodeDisk({ map: { windowBytes: 64 << 10 } })],
  ['by reading', createNodeDisk({ map: { use: 'read' } })],
] as const;

describe.each(ways)('DataStore, %s', (name, disk) => {
  const open = (mode: 'read' | 'write' = 'write') => DataStore.open(path, { mode, disk });

  it('writes any number of records that are too long to be gathered', async () => {
    const store = await open();
    const entry = [new Uint8Array(40_000), Buffer.from('xy')] as const;
    expect(await store.batchWrite(Array(10_000).fill(entry))).toBe(9_999 * 64 + 22);
    expect(store.len()).toBe(1);
    await store.close();
  });

  it('gives back what was written, also after opening again', async () => {
    const big = Buffer.alloc(3 << 20, 'big');
    const store = await open();
    expect(store.way).toBe(name === 'by reading' || !native() ? 'read' : 'map');
    expect(store.isEmpty()).toBe(true);
    expect(store.readLastEntry()).toBeUndefined();
    expect(await store.write('é', Buffer.from('one'))).toBe(23);
    expect(await store.write(Buffer.from('é'), Buffer.from('two'))).toBe(87);
    await store.writeWithKeyHash(hashKey('h'), Buffer.from('hashed'));
    await store.batchWrite([
      ['zeros', new Uint8Array(5)],
      ['big', big],
      ['k'.repeat(40_000), Buffer.from('long key')],
      ['gone', Buffer.from('x')],
    ]);
    await store.writeStream('stream', [Buffer.from('ab'), new Uint8Array(0), Buffer.from('c')]);
    await store.delete('gone');
    const agree = (each: DataStore) => {
      expect(each.len()).toBe(6);
      expect(text(each.read('é')?.payload)).toBe('two');
      expect(text(each.readWithKeyHash(hashKey('h'))?.payload)).toBe('hashed');
      expect(each.existsWithKeyHash(hashKey('gone'))).toBe(false);
      expect(each.read('big')!.payload.length).toBe(big.length);
      expect(Buffer.compare(each.read('big')!.payload, big)).toBe(0);
      const keys = ['zeros', 'nothing', 'k'.repeat(40_000), 'stream'];
      const found = each.batchRead(keys).map((entry) => text(entry?.payload));
      expect(found).toEqual(['\0\0\0\0\0', undefined, 'long key', 'abc']);
      expect(each.batchReadHashedKeys(keys.map(hashKey)).map((e) => text(e?.payload))).toEqual(
        found,
      );
      expect(each.readLastEntry()!.isTombstone).toBe(true);
      const { keyHash, prevOffset, alignment, crc32 } = each.readMetadata('é')!;
      expect([keyHash, prevOffset, alignment, crc32]).toEqual([hashKey('é'), 23, 64, 0x11ca8a66]);
      const entries = [...each];
      expect(entries.map(({ size }) => size)).toEqual([3, 8, big.length, 5, 6, 3]);
      for (const entry of entries) {
        expect(entry.isValidChecksum()).toBe(true);
        expect(entry.startOffset % 64).toBe(0);
        if (each.way === 'map') expect(entry.asArrowBuffer().byteOffset % 64).toBe(0);
      }
    };
    agree(store);
    await store.close();
    expect(readdirSync(folder)).toEqual(['d.bin']);
    const reader = await open('read');
    agree(reader);
    expect(reader.recovery).toEqual({ cutBytes: 0 });
    expect(await reader.verify()).toMatchObject({ ok: true, records: 9, tombstones: 1 });
    await expect(reader.write('a', Buffer.from('b'))).rejects.toMatchObject({ code: 'READ_ONLY' });
    await reader.close();
  });

  it('renames, copies and transfers', async () => {
    const store = await open();
    const other = await DataStore.open(join(folder, 'other'), { disk });
    await store.batchWrite([
      ['a', Buffer.from('A')],
      ['b', Buffer.from('B')],
      ['z', new Uint8Array(100)],
    ]);
    await store.rename('a', 'c');
    await store.copy('b', other);
    await store.transfer('z', other);
    expect(['a', 'b', 'c', 'z'].map((key) => store.exists(key))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(['b', 'z'].map((key) => other.read(key)!.size)).toEqual([1, 100]);
    await expect(store.rename('c', 'c')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(store.rename('no', 'c')).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    await expect(store.copy('no', other)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    await expect(store.copy('c', store)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await other.close();
    await store.close();
  });

  it('keeps taken payloads, and gives no new ones, after close', async () => {
    const store = await open();
    await store.write('a', Buffer.alloc(100_000, 'x'));
    const taken = store.read('a')!;
    const untouched = store.read('a')!;
    const { payload } = taken;
    await store.close();
    expect(payload[99_999]).toBe(120);
    expect(taken.payload).toBe(payload);
    expect(() => untouched.payload).toThrow(/closed/);
    expect(() => store.read('a')).toThrow(/closed/);
    await expect(store.write('a', payload)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('compacts to what a new drive would hold, while handles stay good', async () => {
    const store = await open();
    const model = await DataStore.open(join(folder, 'model'), { disk });
    for (let i = 0; i < 300; i++) {
      await store.write(`k${i % 100}`, Buffer.alloc(1 + (i % 90), i % 256 || 1));
    }
    await store.delete('k0');
    const held = store.read('k7')!;
    const walk = store.iterEntries();
    for (let i = 201; i < 300; i++) {
      await model.write(`k${i % 100}`, Buffer.alloc(1 + (i % 90), i % 256 || 1));
    }
    const reader = await open('read');
    const savings = store.estimateCompactionSavings();
    const report = await store.compact();
    expect(report).toEqual({
      entries: 99,
      bytesBefore: report.bytesAfter + savings,
      bytesAfter: model.fileSize(),
    });
    expect(held.payload[0]).toBe(207);
    expect([...walk].length).toBe(99);
    await store.sync();
    expect(readFileSync(path).equals(readFileSync(model.path))).toBe(true);
    await store.write('more', Buffer.from('x'));
    expect(await reader.refresh()).toBe(true);
    expect([reader.len(), text(reader.read('more')!.payload)]).toEqual([100, 'x']);
    expect(reader.read('k7')!.payload[0]).toBe(207);
    for (const each of [store, model, reader]) await each.close();
  });

  it('lets a reader follow, record by record', async () => {
    const store = await open();
    const reader = await open('read');
    expect(await reader.refresh()).toBe(false);
    for (let i = 0; i < 50; i++) {
      await store.write(`k${i % 7}`, Buffer.from(`v${i}`));
      if (i % 10 === 9) await store.delete(`k${i % 7}`);
      expect(await reader.refresh()).toBe(true);
      expect(reader.len()).toBe(store.len());
      expect(text(reader.read(`k${i % 7}`)?.payload)).toBe(i % 10 === 9 ? undefined : `v${i}`);
    }
    await reader.close();
    await store.close();
  });

  it('walks one state, however long it takes', async () => {
    const store = await open();
    for (let i = 0; i < 20; i++) await store.write(`k${i}`, Buffer.from(`v${i}`));
    const walk = store.iterEntries();
    const seen = [text(walk.next().value?.payload)];
    await store.write('k3', Buffer.from('new'));
    await store.delete('k5');
    for (const entry of walk) seen.push(text(entry.payload));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `v${19 - i}`));
    expect([...store].length).toBe(19);
    await store.close();
  });

  it('gives parts that cover every entry once', async () => {
    const store = await open();
    for (let i = 0; i < 101; i++) await store.write(`k${i}`, Buffer.from(`v${i}`));
    const parts = store.parIterEntries(4);
    expect(parts.map(({ offsets }) => offsets.length)).toEqual([26, 26, 26, 23]);
    const seen: (string | undefined)[] = [];
    for (const part of structuredClone(parts)) {
      for await (const entry of readPartition(part, disk)) seen.push(text(entry.payload));
    }
    expect(seen).toEqual(Array.from({ length: 101 }, (_, i) => `v${i}`));
    expect(() => store.parIterEntries(0)).toThrow(/workers/);
    await store.close();
  });

  it('writes in the order of calls, whatever their sizes', async () => {
    const store = await open();
    const sizes = [10, 2 << 20, 5, 300_000, 40_000, 1];
    const source = async function* () {
      yield Buffer.from('slow');
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield Buffer.from('ly');
    };
    const done = sizes.map((size) => store.write('same', Buffer.alloc(size, 1)));
    const streamed = store.writeStream('s', source());
    const last = store.write('same', Buffer.from('last'));
    const tails = await Promise.all([...done, streamed, last]);
    expect(tails).toEqual([...tails].sort((a, b) => a - b));
    expect(text(store.read('same')!.payload)).toBe('last');
    expect(text(store.read('s')!.payload)).toBe('slowly');
    expect(await store.verify()).toMatchObject({ ok: true, records: 8 });
    await store.close();
  });
});

describe('DataStore', () => {
  it('refuses what the format has no room for, before anything is written', async () => {
    const store = await DataStore.open(path);
    for (const payload of [new Uint8Array(0), new Uint8Array(1)]) {
      const batch = [
        ['a', Buffer.from('ok')],
        ['b', payload],
      ] as const;
      for (const attempt of [
        () => store.write('a', payload),
        () => store.batchWrite(batch),
        () => store.batchWriteWithKeyHashes([[1n, payload]]),
        () => store.writeStream('a', [payload]),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }
    expect([store.fileSize(), store.len()]).toEqual([0, 0]);
    await store.write('a', Buffer.from('x'));
    await store.close();
  });

  it('takes nothing of a stream that fails, and goes on', async () => {
    const store = await DataStore.open(path);
    await store.write('a', Buffer.from('before'));
    const size = store.fileSize();
    const failing = async function* (length: number) {
      yield Buffer.alloc(length, 1);
      throw new Error('source failed');
    };
    for (const length of [10, 5 << 20]) {
      await expect(store.writeStream('s', failing(length))).rejects.toThrow('source failed');
      expect(readFileSync(path).length).toBe(size);
    }
    const controller = new AbortController();
    const endless = async function* () {
      for (;;) {
        yield Buffer.alloc(1 << 20, 1);
        controller.abort();
      }
    };
    const { signal } = controller;
    await expect(store.writeStream('s', endless(), { signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await store.write('b', Buffer.from('after'));
    expect(await store.verify()).toMatchObject({ ok: true, records: 2 });
    await store.close();
  });

  it('is written by one at a time', async () => {
    const store = await DataStore.open(path);
    await expect(DataStore.open(path)).rejects.toMatchObject({ code: 'LOCKED' });
    await store.close();
    await (await DataStore.openExisting(path)).close();
  });

  it('opens nothing that is not there or is no drive, and leaves it as it is', async () => {
    for (const attempt of [
      () => DataStore.openExisting(path),
      () => DataStore.open(path, { mode: 'read' }),
      () => DataStore.open(folder),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'INVALID_PATH' });
    }
    for (const contents of [
      'no drive',
      '\0'.repeat(500),
      '{"a":1}\n'.repeat(200),
      '\xff'.repeat(99),
    ]) {
      writeFileSync(path, contents);
      for (const mode of ['read', 'write'] as const) {
        await expect(DataStore.open(path, { mode })).rejects.toMatchObject({ code: 'NOT_A_DRIVE' });
      }
      expect(readFileSync(path, 'utf8')).toBe(contents);
      expect(existsSync(`${path}.lock`)).toBe(false);
    }
  });

  it('deletes once what is there, and writes nothing else', async () => {
    const store = await DataStore.open(path);
    await store.batchWrite([
      ['a', Buffer.from('1')],
      ['b', Buffer.from('2')],
    ]);
    const tail = store.fileSize();
    expect(await store.batchDelete(['a', 'a', 'none'])).toBe(tail + 21);
    expect(await store.delete('a')).toBe(tail + 21);
    expect(await store.batchDeleteKeyHashes([hashKey('b')])).toBe(tail + 42);
    await store.close();
    const again = await DataStore.open(path);
    expect(again.len()).toBe(0);
    expect(await again.delete('a')).toBe(tail + 42);
    await again.close();
  });

  it('notices that the file was cut by another program', async () => {
    const store = await DataStore.open(path);
    await store.write('a', Buffer.alloc(200_000, 1));
    await store.sync();
    writeFileSync(path, 'short');
    expect(() => store.read('a')!.payload).toThrow(/cut|past the end/);
    await store.abandon();
  });

  it('notices it also when a batch is read from what was mapped before', async () => {
    const store = await DataStore.open(path);
    await store.write('a', Buffer.alloc(200_000, 1));
    await store.sync();
    expect(store.batchRead(['a'])[0]!.payload[0]).toBe(1);
    await new Promise(setImmediate);
    writeFileSync(path, 'short');
    expect(() => store.batchRead(['a'])[0]!.payload).toThrow(/cut|past the end/);
    await store.abandon();
  });
});

it('reads short files where that is asked for, and parts of payloads alone', async () => {
  const payload = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const store = await DataStore.open(path);
  await store.write('k', payload);
  await store.close();
  for (const [mapFrom, way] of [
    [200_000, 'read'],
    [100_000, native() ? 'map' : 'read'],
  ] as const) {
    const reader = await DataStore.open(path, { mode: 'read', mapFrom });
    expect(reader.way).toBe(way);
    const entry = reader.read('k')!;
    expect(Buffer.compare(entry.part(777, 99_000), payload.subarray(777, 99_000))).toBe(0);
    expect(entry.part(100_000, 100_000).length).toBe(0);
    expect(() => entry.part(5, 100_001)).toThrow('the payload has 100000 bytes');
    expect(() => entry.part(6, 5)).toThrow('the payload has 100000 bytes');
    await reader.close();
  }
});

it('lets others have a turn while a large batch is written', async () => {
  const store = await DataStore.open(path);
  await store.write('first', Buffer.from('so that the session has begun'));
  const entries = Array.from({ length: 400 }, (_, i) => {
    return [`key ${i}`, new Uint8Array(30_000).fill(1)] as const;
  });
  const seen: number[] = [];
  const look = () => {
    seen.push(store.len());
    timer = setImmediate(look);
  };
  let timer = setImmediate(look);
  await store.batchWrite(entries);
  clearImmediate(timer);
  expect(seen.filter((count) => count > 1 && count < 401)).not.toEqual([]);
  expect(store.len()).toBe(401);
  await store.close();
});

it('finds payloads of every length in batches', async () => {
  const lengths = [1, 64, 0x7fff, 0x8000, 0x8001, 0x10001];
  const payloads = lengths.map((length) => new Uint8Array(length).fill(length % 251));
  const store = await DataStore.open(path);
  await store.batchWrite(payloads.map((payload, i) => [`k${i}`, payload]));
  const keys = [...payloads.keys()].map((i) => `k${i}`);
  const same = (from: DataStore) =>
    from.batchRead(keys).map((entry, i) => Buffer.compare(entry!.copy(), payloads[i]!) === 0);
  expect(same(store)).toEqual(keys.map(() => true));
  await store.close();
  const reader = await DataStore.open(path, { mode: 'read' });
  expect(same(reader)).toEqual(keys.map(() => true));
  await reader.close();
});

it.each([2 ** 31 - 64, 2 ** 31, 2 ** 32, 2 ** 47])('tells where an entry lies: at %d', (start) => {
  const view = { bytes: (...range: number[]) => range } as unknown as FileView;
  const entry = new EntryHandle(view, start + 100, start);
  expect(entry.offsetRange).toEqual([start, start + 100]);
  expect([entry.size, entry.payload]).toEqual([100, [start, 100]]);
});
