/** Calls that are several steps, beside others: carried out as if one after the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RecordBatch, type Table, tableFromArrays } from 'apache-arrow';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DataStore, readWithTtl, writeWithTtl } from '../../../../src/store/index.ts';

let folder = '';
let drive: DataStore;
let other: DataStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drive-order-'));
  drive = await DataStore.open(join(folder, 'a'));
  other = await DataStore.open(join(folder, 'b'));
});
afterEach(async () => {
  vi.useRealTimers();
  await drive.close();
  await other.close();
  rmSync(folder, { recursive: true });
});

const text = (from: DataStore) => {
  const entry = from.read('k');
  return entry && Buffer.from(entry.payload).toString();
};
const write = (value: string) => drive.write('k', Buffer.from(value));
/** Keeps what is asked for next waiting. */
const busy = () => drive.writeStream('busy', slowly(Buffer.from('a'), Buffer.from('b')));
async function* slowly<T>(...items: T[]): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    yield item;
  }
}

it('a transfer takes what was written before it, and leaves what is written after', async () => {
  await write('old');
  await Promise.all([drive.transfer('k', other), write('new')]);
  expect([text(drive), text(other)]).toEqual(['new', 'old']);
  await Promise.all([busy(), write('newer'), drive.transfer('k', other)]);
  expect([text(drive), text(other)]).toEqual([undefined, 'newer']);
  await Promise.all([busy(), write('last'), drive.copy('k', other)]);
  expect(text(other)).toBe('last');
});

it('a transfer deletes an entry that a compaction has moved, and no other in its place', async () => {
  await write('replaced');
  await write('old');
  await Promise.all([drive.transfer('k', other), drive.compact()]);
  expect([text(drive), text(other)]).toEqual([undefined, 'old']);
  await write('old');
  await Promise.all([drive.transfer('k', other), write('new'), drive.compact()]);
  expect([text(drive), text(other)]).toEqual(['new', 'old']);
  expect(await drive.verify()).toMatchObject({ ok: true });
});

it('a transfer that fails leaves the entry', async () => {
  await write('old');
  await other.abandon();
  await expect(drive.transfer('k', other)).rejects.toMatchObject({ code: 'CLOSED' });
  expect(text(drive)).toBe('old');
});

it('drives that transfer to each other do not wait for each other', async () => {
  await write('from a');
  await other.write('j', Buffer.from('from b'));
  await Promise.all([drive.transfer('k', other), other.transfer('j', drive)]);
  expect([drive.exists('k'), drive.exists('j'), other.exists('k'), other.exists('j')]).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

it('an expired value is deleted, and not the one that was written after', async () => {
  await writeWithTtl(drive, 's', 'old', 1);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
  const under = [busy(), writeWithTtl(drive, 's', 'new', 1000), readWithTtl(drive, 's')];
  expect((await Promise.all<unknown>(under))[2]).toBeUndefined();
  expect(await readWithTtl(drive, 's')).toBe('new');
  vi.setSystemTime(Date.now() + 2_000_000);
  expect(await readWithTtl(drive, 's')).toBeUndefined();
  await expect(readWithTtl(drive, 's')).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
});

it('tables under one key are written and deleted one after the other', async () => {
  const table = (value: number) => tableFromArrays({ x: Int32Array.of(value, value) }) as Table;
  const batches = (value: number, count: number): AsyncIterable<RecordBatch> =>
    slowly(...Array<RecordBatch>(count).fill(table(value).batches[0]!));
  const values = () => [...(drive.readTable('t')?.getChild('x') ?? [])];
  await Promise.all([drive.writeTable('t', batches(1, 4)), drive.writeTable('t', batches(2, 2))]);
  expect(values()).toEqual([2, 2, 2, 2]);
  await Promise.all([drive.deleteTable('t'), drive.writeTable('t', table(3))]);
  expect(values()).toEqual([3, 3]);
  const failing = drive.writeTable('t', []);
  await Promise.all([
    expect(failing).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' }),
    drive.writeTable('t', batches(4, 3)),
    drive.writeTable('u', batches(5, 1)),
    drive.deleteTable('t'),
  ]);
  expect(values()).toEqual([]);
  // The list and the batch of the other.
  expect(drive.len()).toBe(2);
});
