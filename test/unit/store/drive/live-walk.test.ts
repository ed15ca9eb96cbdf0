/** Walks over the entries that cannot go on: they say so. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataStore, readPartition } from '../../../../src/store/index.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zds-walk-'));
  path = join(folder, 'd.bin');
  await using store = await DataStore.open(path);
  // So long that a walk finds few at a time.
  for (let i = 0; i < 20; i++) await store.write(`k${i}`, Buffer.alloc(100_000, i + 1));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** How many entries come, and the code of the error that ends them. */
function rest(walk: Iterable<unknown>): [count: number, code: string | undefined] {
  let count = 0;
  try {
    for (const _ of walk) count++;
    return [count, undefined];
  } catch (error) {
    return [count, (error as { code: string }).code];
  }
}

/** Makes the previous tail of the entry impossible. */
function damage(endOffset: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(8, 0xff), 0, 8, endOffset + 8);
  closeSync(fd);
}

it.each(['close', 'abandon'] as const)('%s under a walk is CLOSED', async (way) => {
  const store = await DataStore.open(path, { mode: 'read' });
  const walk = store.iterEntries();
  const unbegun = store.iterEntries();
  walk.next();
  const left = store.iterEntries();
  left.next();
  left.return!();
  await store[way]();
  const [count, code] = rest(walk);
  expect([count < 19, code]).toEqual([true, 'CLOSED']);
  expect(rest(unbegun)).toEqual([0, 'CLOSED']);
  expect(rest(left)).toEqual([0, undefined]);
});

it('parts are read whole after the drive was closed', async () => {
  const store = await DataStore.open(path, { mode: 'read' });
  const parts = store.parIterEntries(2);
  await store.close();
  let count = 0;
  for (const part of parts)
    for await (const { payload } of readPartition(part)) count += payload[0]! / payload[0]!;
  expect(count).toBe(20);
});

it('a chain that breaks off is CORRUPTED_DATA, also when that shows at a write', async () => {
  await using store = await DataStore.open(path);
  const { endOffset } = store.read('k9')!;
  const [walk, kept] = [store.iterEntries(), store.iterEntries()];
  walk.next();
  kept.next();
  damage(endOffset);
  expect(rest(walk)).toEqual([9, 'CORRUPTED_DATA']);
  await store.write('more', Buffer.from('more'));
  expect(rest(kept)).toEqual([9, 'CORRUPTED_DATA']);
});
