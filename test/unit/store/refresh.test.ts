/** A reader that goes on to later commits is at one commit or the next, whoever reads meanwhile. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EtlError } from '../../../src/core/errors.ts';
import { FastStore } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'zds-refresh-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const failure = expect.objectContaining({ code: 'IO_ERROR' });
const PAD = 'x'.repeat(200);

it('a commit is there as a whole or not at all while refresh runs', async () => {
  await using writer = await FastStore.open(path, 'c');
  for (let n = 0; n < 1000; n++) writer.put(`a${n}`, { n, pad: PAD });
  await writer.flush({ cursor: 0 });
  await using reader = await FastStore.open(path, 'c', { mode: 'read' });
  expect(reader.exists('a0')).toBe(true);
  for (let commit = 1; commit <= 3; commit++) {
    for (let n = 0; n < 500; n++) writer.put(`a${n}`, { n: -commit, pad: PAD });
    for (let n = 0; n < 20_000; n++) writer.put(`b${commit}-${n}`, { n, pad: PAD });
    writer.delete(`a${500 + commit}`);
    await writer.flush({ cursor: commit });
  }
  let going = true;
  const refreshed = reader.refresh().finally(() => {
    going = false;
  });
  const seen = new Set<number>();
  while (going) {
    const at = Math.floor(reader.count / 19_000);
    seen.add(at);
    expect(reader.count).toBe(1000 + at * 19_999);
    const first = await reader.scan({ limit: 3 }).toArray();
    expect(first.map(({ _id }) => _id)).toEqual(at === 0 ? ['a0', 'a1', 'a2'] : first.map(id));
    expect([...reader.scan({ select: ['_id'] })]).toHaveLength(reader.count);
    const now = Math.floor(reader.count / 19_000);
    expect(reader.get('a0')).toMatchObject({ n: 0 - now });
    expect(reader.exists(`b${now + 1}-0`)).toBe(false);
    expect(await reader.cursor()).toBeLessThanOrEqual(Math.floor(reader.count / 19_000));
    await new Promise(setImmediate);
  }
  await refreshed;
  expect(seen.size).toBeGreaterThan(1);
  expect([reader.count, await reader.cursor()]).toEqual([1000 + 3 * 19_999, 3]);
});

it('a commit too large to be followed is there too', async () => {
  await using writer = await FastStore.open(path, 'c');
  writer.put('a', { n: 0 });
  await writer.flush();
  await using reader = await FastStore.open(path, 'c', { mode: 'read' });
  const scan = reader.scan()[Symbol.asyncIterator]();
  const first = scan.next();
  writer.put('a', { n: 1 });
  for (let n = 0; n < 70; n++) writer.put(`b${n}`, { pad: 'x'.repeat(1 << 20) });
  await writer.flush();
  await reader.refresh();
  expect([reader.count, reader.get('a')]).toEqual([71, { _id: 'a', n: 1 }]);
  expect((await first).value).toEqual({ _id: 'a', n: 0 });
  expect((await scan.next()).done).toBe(true);
});

it('a refresh that a failed read stops half-way leaves no half of a commit to be seen', async () => {
  let fails = false;
  class FailingDisk extends FaultDisk {
    override async open(...of: Parameters<FaultDisk['open']>) {
      const file = await super.open(...of);
      const reader = file.reader();
      const text = (offset: number, length: number): string => {
        if (fails) throw new EtlError('IO_ERROR', 'cannot read');
        return reader.text(offset, length);
      };
      file.reader = () => ({ ...reader, text });
      return file;
    }
  }
  const disk = new FailingDisk();
  const writer = await FastStore.open('/s', 'c', { disk });
  for (const key of ['a', 'b', 'c']) writer.put(key, { n: 0 });
  await writer.flush();
  const reader = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  expect(reader.exists('a')).toBe(true);
  writer.put('d', { n: 1 });
  writer.delete('a');
  await writer.flush();
  fails = true;
  await expect(reader.refresh()).rejects.toThrow(failure);
  fails = false;
  expect(() => reader.get('d')).toThrow(failure);
  expect(() => reader.scan()).toThrow(failure);
  await reader.refresh();
  expect((await reader.scanAll()).map(id)).toEqual(['b', 'c', 'd']);
  expect([reader.count, reader.exists('a')]).toEqual([3, false]);
  await reader.close();
  await writer.close();
});

it('a collection that was removed is not found, and one made anew is what is read', async () => {
  const make = async (ids: readonly string[]) => {
    await using writer = await FastStore.open(path, 'c');
    for (const each of ids) writer.put(each, { n: 1 });
  };
  await make(['a', 'b']);
  await using reader = await FastStore.open(path, 'c', { mode: 'read' });
  rmSync(join(path, 'collections', 'c'), { recursive: true });
  const gone = expect.objectContaining({ code: 'COLLECTION_NOT_FOUND' });
  await expect(reader.refresh()).rejects.toThrow(gone);
  await expect(reader.snapshot()).rejects.toThrow(gone);
  expect(existsSync(join(path, 'collections', 'c'))).toBe(false);
  expect([reader.count, reader.exists('a')]).toEqual([2, true]);
  await make(['c', 'd']);
  await reader.refresh();
  expect((await reader.scanAll()).map(id)).toEqual(['c', 'd']);
  expect([reader.exists('a'), reader.exists('c')]).toEqual([false, true]);
});

function id({ _id }: { readonly _id?: unknown }): unknown {
  return _id;
}
