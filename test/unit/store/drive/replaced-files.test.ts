/** Files that a compaction replaced: open as long as somebody reads them, and no longer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createNodeDisk, type Disk } from '../../../../src/io/index.ts';
import { DataStore } from '../../../../src/store/index.ts';
import { collect } from '../../../support/garbage.ts';
import { diskWith } from '../../../support/node-disk.ts';
import { sleep } from '../../../support/stages.ts';

let folder: string;
let path: string;
let open: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-replaced-'));
  path = join(folder, 'd.bin');
  open = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A disk that counts how many files are open at the drive's path. */
function counting(disk: Disk): Disk {
  return diskWith({
    open: async (at, mode) => {
      const file = await disk.open(at, mode);
      if (at !== path) return file;
      // As busy machines do it.
      await turn();
      const { close } = file;
      open++;
      let isOpen = true;
      file.close = () => {
        if (isOpen) open--;
        isOpen = false;
        return close.call(file);
      };
      return file;
    },
  });
}

/** Waits until so many files are open, and no fewer. */
async function untilOpen(count: number): Promise<void> {
  for (let i = 0; i < 100 && open > count; i++) {
    collect();
    await turn();
  }
  expect(open).toBe(count);
}

it.each(['auto', 'read'] as const)('are closed when nothing reads them: map %s', async (use) => {
  const disk = counting(createNodeDisk({ map: { use } }));
  const writer = await DataStore.open(path, { disk });
  await writer.write('k', Buffer.alloc(100_000, 9));
  const reader = await DataStore.open(path, { mode: 'read', disk });
  const kept = [reader.read('k')!, reader.iterEntries()] as const;
  const held = new Set<unknown>(kept);
  for (let i = 0; i < 5; i++) {
    await writer.write('k', Buffer.alloc(100_000, i + 1));
    expect(writer.read('k')!.payload[0]).toBe(i + 1);
    await writer.compact();
    expect(await reader.refresh()).toBe(true);
  }
  // Those of writer and reader, and the one that the handle and the walk are of.
  await untilOpen(3);
  const [handle, walk] = [...held] as unknown as typeof kept;
  expect([handle.copy()[99_999], walk.next().value?.copy()[0]]).toEqual([9, 9]);
  await reader.close();
  await writer.close();
  expect(open).toBe(0);
  expect(() => handle.part(0, 1)).toThrow('closed');
});

it('refreshing while the drive is closed leaves nothing open', async () => {
  const disk = counting(createNodeDisk());
  const writer = await DataStore.open(path, { disk });
  await writer.write('k', Buffer.from('first'));
  const reader = await DataStore.open(path, { mode: 'read', disk });
  await writer.write('k', Buffer.from('second'));
  await writer.compact();
  const [before, closed, after] = await Promise.allSettled([
    reader.refresh(),
    reader.close(),
    reader.refresh(),
  ]);
  expect(before).toEqual({ status: 'fulfilled', value: true });
  expect(closed).toEqual({ status: 'fulfilled', value: undefined });
  expect(after).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } });
  await writer.close();
  expect(open).toBe(0);
});

it('are closed when the drive is, also those that are just being closed', async () => {
  let closing = 0;
  let lateMs = 50;
  const inner = createNodeDisk();
  const disk = diskWith({
    open: async (...of) => {
      const file = await inner.open(...of);
      const close = file.close.bind(file);
      const ms = lateMs;
      let closed: Promise<void> | undefined;
      file.close = () => {
        if (closed) return closed;
        closing++;
        closed = sleep(ms)
          .then(close)
          .finally(() => closing--);
        return closed;
      };
      return file;
    },
  });
  const writer = await DataStore.open(path, { disk });
  await writer.write('k', Buffer.alloc(1000, 1));
  await writer.write('k', Buffer.alloc(1000, 2));
  lateMs = 0;
  await writer.compact();
  expect(closing).toBe(0);
  for (let i = 0; i < 100 && closing === 0; i++) {
    collect();
    await turn();
  }
  expect(closing).toBe(1);
  await writer.close();
  expect(closing).toBe(0);
});
