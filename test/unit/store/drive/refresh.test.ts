import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Disk, nodeDisk } from '../../../../src/io/index.ts';
import { DataStore } from '../../../../src/store/index.ts';
import { diskWith } from '../../../support/node-disk.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-refresh-'));
  path = join(folder, 'd.bin');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** This machine's disk, which notes how its files are looked at. */
function noting(ways: unknown[]): Disk {
  return diskWith({
    open: async (at, mode) => {
      const file = await nodeDisk.open(at, mode);
      const { view } = file;
      file.view = (way) => {
        ways.push(way);
        return view.call(file, way);
      };
      return file;
    },
  });
}

it.each([
  [Number.POSITIVE_INFINITY, 'read'],
  [0, 'map'],
] as const)(
  'goes on as mapFrom %s says, also in a file that was put in its place',
  async (mapFrom, way) => {
    const writer = await DataStore.open(path);
    await writer.write('a', Buffer.from('first'));
    const ways: unknown[] = [];
    const reader = await DataStore.open(path, { mode: 'read', mapFrom, disk: noting(ways) });
    await writer.write('b', Buffer.from('second'));
    expect(await reader.refresh()).toBe(true);
    expect(await reader.refresh()).toBe(false);
    await writer.delete('a');
    await writer.compact();
    expect(await reader.refresh()).toBe(true);
    expect([reader.exists('a'), reader.exists('b'), ways.length]).toEqual([false, true, 3]);
    expect(new Set(ways)).toEqual(new Set([way]));
    await reader.close();
    await writer.close();
  },
);
