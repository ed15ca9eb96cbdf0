/** What a drive takes for bytes, and how writing of a stream ends before the stream does. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Table, tableFromArrays } from 'apache-arrow';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DriveSinkItem, driveSink } from '../../../../src/index.ts';
import type { DriveKey } from '../../../../src/kernels/index.ts';
import { DataStore, writeOption, writeWithTtl } from '../../../../src/store/index.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drive-writing-'));
  path = join(folder, 'd');
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
  ['numbers', Float64Array.of(1.5, 2.5)],
  ['many numbers', new Float64Array(100_000).fill(1.5)],
  ['signed bytes', Int8Array.of(1, 2)],
  ['a DataView', new DataView(new ArrayBuffer(3))],
  ['an ArrayBuffer', new ArrayBuffer(3)],
  ['an object', { length: 5 }],
  ['text', 'text'],
  ['nothing', undefined],
])('refuses %s for bytes, as payload and as key, and goes on', async (_, value) => {
  const bytes = value as Uint8Array;
  const ok = Buffer.from('x');
  const drive = await DataStore.open(path);
  const codec = { encode: () => bytes, decode: () => 1 };
  const asKey = (use: (key: Uint8Array) => Promise<unknown>) =>
    typeof value === 'string' ? [] : [() => use(bytes)];
  for (const attempt of [
    () => drive.write('k', bytes),
    () => drive.batchWrite([['j', ok] as const, ['k', bytes] as const]),
    () => drive.writeWithKeyHash(1n, bytes),
    () => drive.batchWriteWithKeyHashes([[1n, bytes]]),
    () => drive.writeStream('k', [bytes]),
    () => writeOption(drive, 'k', 1, codec),
    () => writeWithTtl(drive, 'k', 1, 5, codec),
    ...asKey((key) => drive.write(key, ok)),
    ...asKey((key) => drive.delete(key)),
    ...asKey((key) => drive.rename(key, 'j')),
  ]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
  expect(drive.len()).toBe(0);
  await drive.write('k', ok);
  await drive.close();
  const sink = driveSink(path);
  const failure = new Promise((resolve) => sink.once('error', resolve));
  sink.write({ key: 'k', payload: bytes } satisfies DriveSinkItem);
  expect(await failure).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

it('every call that gives a promise rejects; none throws', async () => {
  const writer = await DataStore.open(path);
  const x = Buffer.from('x');
  await writer.write('k', x);
  const other = await DataStore.open(join(folder, 'other'));
  const table = tableFromArrays({ n: [1] }) as Table;
  const calls = (drive: DataStore, key: DriveKey): (() => Promise<unknown>)[] => [
    () => drive.write(key, x),
    () => drive.batchWrite([[key, x] as const]),
    () => drive.writeStream(key, [x]),
    () => drive.writeTable(key, table),
    () => drive.deleteTable(key),
    () => drive.rename(key, 'j'),
    () => drive.transfer(key, other),
    () => drive.delete(key),
    () => drive.batchDelete([key]),
    () => drive.deleteIf(key, () => true),
  ];
  const withoutKey = (drive: DataStore): (() => Promise<unknown>)[] => [
    () => drive.writeWithKeyHash(1n, x),
    () => drive.writeStreamWithKeyHash(1n, [x]),
    () => drive.batchDeleteKeyHashes([1n]),
    () => drive.sync(),
    () => drive.compact(),
  ];
  const expectCode = async (code: string, attempts: readonly (() => Promise<unknown>)[]) => {
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code });
  };
  const reader = await DataStore.open(path, { mode: 'read' });
  await expectCode('READ_ONLY', [...calls(reader, 'k'), ...withoutKey(reader)]);
  await expectCode('INVALID_ARGUMENT', calls(writer, 5 as unknown as DriveKey));
  for (const each of [reader, writer, other]) await each.close();
  await expectCode('CLOSED', [
    ...calls(writer, 'k'),
    ...withoutKey(writer),
    () => writer.copy('k', other),
    () => reader.refresh(),
    () => reader.verify(),
  ]);
});

it.each([
  ['nothing', 0],
  ['little', 10],
  ['much', 3 << 20],
])('a signal stops the write of a source that has given %s and is silent', async (_, length) => {
  const drive = await DataStore.open(path);
  await drive.write('k', Buffer.from('old'));
  const size = drive.fileSize();
  const controller = new AbortController();
  const { signal } = controller;
  let told = false;
  const source = {
    sent: length === 0,
    [Symbol.asyncIterator]: () => source,
    async next(): Promise<IteratorResult<Uint8Array>> {
      if (source.sent) return new Promise(() => {});
      source.sent = true;
      return { done: false, value: Buffer.alloc(length, 1) };
    },
    return(): Promise<IteratorResult<Uint8Array>> {
      told = true;
      return new Promise(() => {});
    },
  };
  const writing = drive.writeStream('k', source, { signal });
  const closing = drive.close();
  setTimeout(() => controller.abort(new Error('enough')), 20);
  const cause = new Error('enough');
  await expect(writing).rejects.toMatchObject({ code: 'ABORTED', cause });
  expect(told).toBe(true);
  await closing;
  expect(statSync(path).size).toBe(size);
  const again = await DataStore.open(path);
  const late = again.writeStream('k', [Buffer.from('x')], { signal });
  await expect(late).rejects.toMatchObject({ code: 'ABORTED' });
  await again.close();
});

it('gives a payload in pieces of any size that is one', async () => {
  await using drive = await DataStore.open(path);
  await drive.write('k', Buffer.from('abcde'));
  const entry = drive.read('k')!;
  expect([...entry.chunks(2)].map(({ length }) => length)).toEqual([2, 2, 1]);
  for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => entry.chunks(size)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});
