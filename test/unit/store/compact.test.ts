/** Compaction: what it drops, what it keeps, and that readers, scans and later writes do not mind. */
import { describe, expect, it, vi } from 'vitest';
import { EtlError } from '../../../src/core/errors.ts';
import type { Disk } from '../../../src/io/disk.ts';
import type { CollectionFiles } from '../../../src/store/collection-files.ts';
import { isDue } from '../../../src/store/compact.ts';
import { FastStore, type FastStoreOptions } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const META = '/s/collections/c/meta';
const open = (disk: Disk, options: FastStoreOptions & { mode?: 'read' | 'write' } = {}) =>
  FastStore.open('/s', 'c', { disk, ...options });
const ids = async (store: FastStore) => (await store.scanAll()).map(({ _id }) => _id);
const data = (disk: FaultDisk) => Buffer.from(disk.current().get(`${META}/data.jsonl`)!).toString();

async function used(disk: FaultDisk): Promise<FastStore> {
  const store = await open(disk);
  for (let i = 0; i < 10; i++) store.put(`d${i}`, { n: i });
  await store.flush({ cursor: { at: 10 }, loadId: 'first' });
  for (let i = 0; i < 5; i++) store.put(`d${i}`, { n: -i });
  store.delete('d9');
  await store.flush({ cursor: { at: 20 }, loadId: 'second', counts: { read: 6 } });
  return store;
}

describe('compact', () => {
  it('drops what is dead and keeps the rest as it is, in order', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    const before = await store.scanAll();
    const report = await store.compact();
    expect(report).toMatchObject({ documents: 9, droppedLines: 6 });
    expect(report.bytesAfter).toBe(data(disk).length);
    expect(report.bytesAfter).toBeLessThan(report.bytesBefore);
    expect(await store.scanAll()).toEqual(before);
    expect(store.get('d3')).toEqual({ _id: 'd3', n: -3 });
    expect(store.exists('d9')).toBe(false);
    expect(store.info()).toMatchObject({ documents: 9, lines: 9 });
    expect((await disk.list(META)).map(({ name }) => name).sort()).toEqual([
      'commits.log',
      'data.jsonl',
      'index.bin',
    ]);
    await store.close();
    const again = await open(new FaultDisk(disk.current()));
    expect(again.recovery).toMatchObject({ cutBytes: 0, adoptedLines: 0 });
    expect(again.recovery.indexRebuilt).toBeUndefined();
    expect(await again.scanAll()).toEqual(before);
    await again.close();
  });

  it('keeps cursors, the last commit and the numbering', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    await store.compact();
    for (const handle of [store, await open(disk, { mode: 'read' })]) {
      expect(await handle.cursor()).toEqual({ at: 20 });
      expect(await handle.cursor('first')).toEqual({ at: 10 });
      expect(await handle.cursor('none')).toBeUndefined();
      const commits: unknown[] = [];
      for await (const commit of handle.commits()) commits.push(commit);
      expect(commits).toMatchObject([{ seq: 2, loadId: 'second', counts: { read: 6 }, count: 9 }]);
    }
    store.put('x', {});
    expect(await store.flush()).toMatchObject({ seq: 3 });
    store.delete('x');
    await store.compact();
    expect(await store.cursor('first')).toEqual({ at: 10 });
    await store.close();
  });

  it('leaves lines that are no documents of the store where they are among the others', async () => {
    const disk = new FaultDisk();
    const first = await used(disk);
    await first.close();
    const file = await disk.open(`${META}/data.jsonl`, 'write');
    const strange = '{"no":"id"}\nnonsense\n\n{"x":1,"_id":"d1"}\r\n{"_id":"d2","long":true}';
    await file.write(Buffer.from(strange), await file.size());
    const store = await open(disk);
    expect(store.recovery).toMatchObject({ badLines: 1, linesWithoutId: 1 });
    store.put('d1', { n: 'new' });
    await store.compact();
    expect(data(disk)).toContain('{"no":"id"}\nnonsense\n\n{"_id":"d2","long":true}\n');
    expect(data(disk)).not.toContain('"x":1');
    expect(store.get('d1')).toEqual({ _id: 'd1', n: 'new' });
    const seen = await store.scanAll();
    await store.close();
    const again = await open(disk);
    expect(await again.scanAll()).toEqual(seen);
    await again.close();
  });

  it('lets scans of the handle and readers go on, and refresh finds the new files', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    const reader = await open(disk, { mode: 'read' });
    const scans = [store, reader].map((each) =>
      each.scan({ pieceBytes: 32 })[Symbol.asyncIterator](),
    );
    const seen: unknown[][] = [[], []];
    for (const [i, scan] of scans.entries()) seen[i]!.push((await scan.next()).value!._id);
    await store.compact();
    store.put('d8', { n: 'later' });
    store.delete('d7');
    await store.flush();
    for (const [i, scan] of scans.entries()) {
      for (let step = await scan.next(); !step.done; step = await scan.next()) {
        seen[i]!.push(step.value._id);
      }
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toHaveLength(9);
    expect(reader.get('d7')).toEqual({ _id: 'd7', n: 7 });
    await reader.refresh();
    expect(await reader.scanAll()).toEqual(await store.scanAll());
    expect(reader.get('d8')).toEqual({ _id: 'd8', n: 'later' });
    await store.compact();
    await reader.refresh();
    expect(await ids(reader)).toEqual(await ids(store));
    await reader.close();
    await store.close();
  });

  it('takes writes while it runs; commits wait and hold what they would have held', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    const order: string[] = [];
    const flushes: Promise<unknown>[] = [];
    const states: unknown[][] = [];
    const flush = async (n: number) => {
      states[n] = (await ids(store)).sort();
      flushes.push(
        store.flush({ cursor: n }).then((commit) => order.push(`commit ${commit!.seq}`)),
      );
    };
    const running = store.compact().then(() => order.push('compacted'));
    for (let turn = 0; turn < 3; turn++) await undefined;
    const text = 'x'.repeat(1 << 16);
    // More than is moved in one turn, of every way to write, in the middle of everything.
    for (let n = 0; n < 12; n++) {
      for (let i = 0; i < 3; i++) store.put(`n${n}-${i}`, { text });
      await store.writeJsonl(Buffer.from(`{"_id":"b${n}","text":"${text}"}\n{"_id":"d${n}"}\n`));
      expect(store.delete(`n${n}-1`)).toBe(true);
      expect(store.delete(`d${n}`)).toBe(true);
      store.put('d8', { n });
      await flush(n);
      store.delete(`b${n}`);
      expect(store.get('d8')).toEqual({ _id: 'd8', n });
    }
    await running;
    await Promise.all(flushes);
    expect(order[0]).toBe('compacted');
    expect(order.slice(1)).toEqual(Array.from({ length: 12 }, (_, n) => `commit ${n + 3}`));
    store.put('last', {});
    await store.close();
    const again = await open(new FaultDisk(disk.current()));
    expect((await ids(again)).sort()).toEqual(
      [...states[11]!.filter((id) => id !== 'b11'), 'last'].sort(),
    );
    expect(await again.cursor()).toBe(11);
    expect(again.recovery).toMatchObject({ cutBytes: 0, adoptedLines: 0 });
    await again.close();
  });

  it('lets commits that waited for one that failed go to the old files', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    const stop = new AbortController();
    let flushed: Promise<unknown> | undefined;
    const onProgress = () => {
      store.put('late', {});
      flushed = store.flush({ cursor: 'late' });
      store.put('later', {});
      stop.abort();
    };
    // Stopped between two pieces, or between the last one and the new files.
    await store.writeJsonl(Buffer.from(`{"_id":"long","x":"${'x'.repeat(3 << 20)}"}\n`));
    store.put('end', {});
    await expect(store.compact({ signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(await flushed).toMatchObject({ cursor: 'late' });
    await store.abandon();
    const again = await open(disk);
    expect(again.exists('late')).toBe(true);
    expect(again.exists('later')).toBe(false);
    await again.close();
  });

  it('is no work where nothing is dead', async () => {
    const disk = new FaultDisk();
    const store = await open(disk);
    store.put('a', {});
    await store.flush();
    const { operations } = disk;
    expect(await store.compact()).toMatchObject({ droppedLines: 0 });
    expect(disk.operations).toBe(operations);
    store.put('b', {});
    await store.close();
  });

  it('stops when asked and leaves the handle as it was', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    const signal = AbortSignal.abort();
    await expect(store.compact({ signal })).rejects.toMatchObject({ code: 'ABORTED' });
    store.put('a', {});
    const progress: number[] = [];
    await store.compact({
      onProgress: ({ bytes, totalBytes }) => progress.push(bytes / totalBytes),
    });
    expect(progress.at(-1)).toBe(1);
    expect(store.count).toBe(10);
    await store.close();
  });

  it('empties a collection of which nothing is alive', async () => {
    const disk = new FaultDisk();
    const store = await open(disk);
    store.put('a', {});
    await store.flush();
    store.delete('a');
    expect(await store.compact()).toMatchObject({ documents: 0, bytesAfter: 0 });
    store.put('b', {});
    await store.close();
    const again = await open(disk);
    expect(await ids(again)).toEqual(['b']);
    await again.close();
  });

  it('runs on closing by the rule given, and not otherwise', async () => {
    for (const [deadShare, minBytes, expected] of [
      [0.3, 10, 9],
      [0.5, 10, 15],
      [0.3, 10_000, 15],
    ]) {
      const disk = new FaultDisk();
      await (await used(disk)).close();
      const store = await open(disk, { autoCompact: { deadShare, minBytes } });
      store.put('d0', { n: 'again' });
      await store.close({ cursor: 'end' });
      expect(data(disk).split('\n').length - 1).toBe(expected === 15 ? 16 : expected);
      const reader = await open(disk, { mode: 'read' });
      expect(await reader.cursor()).toBe('end');
      await reader.close();
    }
  });

  it('runs on closing only where asked to, by the defaults that the guide names', async () => {
    const disk = new FaultDisk();
    const store = await used(disk);
    for (let i = 0; i < 10; i++) store.put('d0', { i });
    await store.close();
    expect(data(disk).split('\n').length - 1).toBe(25);
    const due = (lines: number, end: number) =>
      isDue({ lines, documents: 50, end } as CollectionFiles, {});
    expect([due(100, 16 << 20), due(99, 16 << 20), due(100, (16 << 20) - 1)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is not for readers', async () => {
    const disk = new FaultDisk();
    await (await used(disk)).close();
    const reader = await open(disk, { mode: 'read' });
    expect(() => reader.compact()).toThrow(EtlError);
    await reader.close();
  });
});

describe('a reader beside a writer', () => {
  it('takes what a writer adds while it opens for no program else', async () => {
    const disk = new FaultDisk();
    await (await used(disk)).close();
    const writer = await open(disk);
    const before = await writer.scanAll();
    const openFile = disk.open.bind(disk);
    // The reader has found the log closed; then a session begins, and its bytes reach the file.
    let begun = false;
    // The log's end is read twice: to find the last checkpoint, and for what follows it.
    let ends = 0;
    vi.spyOn(disk, 'open').mockImplementation(async (path, mode) => {
      const file = await openFile(path, mode);
      if (path !== `${META}/commits.log` || mode !== 'read') return file;
      const read = file.read.bind(file);
      file.read = async (target, offset) => {
        const got = await read(target, offset);
        if (offset + got === (await file.size()) && ++ends === 2) {
          begun = true;
          writer.put('uncommitted', {});
          await writer.scanAll();
        }
        return got;
      };
      return file;
    });
    const reader = await open(disk, { mode: 'read' });
    expect(begun).toBe(true);
    expect(await reader.scanAll()).toEqual(before);
    expect(reader.recovery.adoptedLines).toBe(0);
    await reader.close();
    await writer.close();
  });

  it('begins anew where the collection is replaced while it opens', async () => {
    const disk = new FaultDisk();
    const writer = await open(disk);
    // All lines are as long: the old data goes with the new log as if they were of one collection.
    for (let i = 0; i < 10; i++) writer.put(`d${i}`, { n: 100 + i });
    for (let i = 0; i < 5; i++) writer.put(`d${i}`, { n: 200 + i });
    const openFile = disk.open.bind(disk);
    let compacted = false;
    vi.spyOn(disk, 'open').mockImplementation(async (path, mode) => {
      const file = await openFile(path, mode);
      if (path !== `${META}/data.jsonl` || mode !== 'read' || compacted) return file;
      compacted = true;
      await writer.compact();
      return file;
    });
    const reader = await open(disk, { mode: 'read' });
    expect(compacted).toBe(true);
    expect(await reader.scanAll()).toEqual(await writer.scanAll());
    expect(reader.get('d1')).toEqual({ _id: 'd1', n: 201 });
    await reader.close();
    await writer.close();
  });

  it('shows one commit, without the deletes of the next', async () => {
    const disk = new FaultDisk();
    const writer = await used(disk);
    const before = await writer.scanAll();
    const stat = disk.stat.bind(disk);
    // The writer commits a delete after the reader has read the log and before it has its index.
    const spy = vi.spyOn(disk, 'stat').mockImplementation(async (path) => {
      if (path === `${META}/index.bin`) {
        spy.mockRestore();
        writer.delete('d1');
        await writer.flush();
      }
      return stat(path);
    });
    const reader = await open(disk, { mode: 'read' });
    expect(await reader.scanAll()).toEqual(before);
    const commits: unknown[] = [];
    for await (const commit of reader.commits()) commits.push(commit);
    expect(commits).toHaveLength(2);
    await reader.refresh();
    expect(reader.exists('d1')).toBe(false);
    expect(reader.count).toBe(8);
    await reader.close();
    await writer.close();
  });
});
