/** Writing a column snapshot beside others who do, and what is left where it fails. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isEtlError } from '../../../../src/core/errors.ts';
import { createNodeDisk, nodeDisk } from '../../../../src/io/index.ts';
import { FastStore, ZdsRoot } from '../../../../src/store/index.ts';
import { temporaryFolder } from '../../../support/stages.ts';

let root = '';
let meta = '';
let file = '';
beforeEach(() => {
  root = temporaryFolder();
  meta = join(root, 'collections/c/meta');
  file = join(meta, 'columns.drive');
});

const put = (store: FastStore, from: number, to: number) => {
  for (let n = from; n < to; n++) store.put(`d${n}`, { n });
};

/** This machine's disk, which tells of each removal whether the lock of that file was held. */
function watchingDisk() {
  const removals: (readonly [path: string, isLocked: boolean])[] = [];
  const disk = createNodeDisk();
  disk.remove = async (path) => {
    const lock = await nodeDisk.lock(`${path}.lock`).catch((error) => {
      if (!isEtlError(error, 'LOCKED')) throw error;
    });
    await lock?.release();
    removals.push([path, lock === undefined]);
    await nodeDisk.remove(path);
  };
  return { disk, removals };
}

describe('writing a snapshot', () => {
  it('removes the file under the lock alone: it may be that of another process behind it', async () => {
    const { disk, removals } = watchingDisk();
    await using own = await ZdsRoot.open(root, { disk });
    const store = await own.collection('c');
    put(store as FastStore, 0, 1000);
    await store.flush();
    const removed = () => removals.filter(([path]) => path === file);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(store.snapshot({ signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(removed()).toEqual([[file, true]]);
    expect(readdirSync(meta).filter((name) => name.startsWith('columns'))).toEqual([]);
    writeFileSync(file, 'this is no drive at all, and longer than a record would have to be');
    expect(await store.snapshot()).toMatchObject({ rows: 1000 });
    expect(removed()).toEqual([
      [file, true],
      [file, true],
    ]);
  });

  it('leaves what another process put in the place of garbage', async () => {
    await using store = await FastStore.open(root, 'c');
    put(store, 0, 10);
    await store.snapshot();
    const sound = readFileSync(file);
    const disk = createNodeDisk();
    let releases = 0;
    disk.lock = async (path) => {
      const lock = await nodeDisk.lock(path);
      const release = async () => {
        await lock.release();
        if (path === `${file}.lock` && ++releases === 1) writeFileSync(file, sound);
      };
      return { release };
    };
    await using own = await ZdsRoot.open(root, { disk, mode: 'read' });
    writeFileSync(file, 'this is no drive at all, and longer than a record would have to be');
    const reader = await own.collection('c', { mode: 'read' });
    expect(await reader.snapshot()).toMatchObject({ rows: 10, rowsWritten: 0 });
    expect(readFileSync(file)).toEqual(sound);
  });

  it('leaves what was there, and nothing else, where a document does not fit', async () => {
    await using store = await FastStore.open(root, 'c');
    put(store, 0, 1000);
    store.put('last', { n: 'text' });
    await store.flush();
    const schema = { n: 'float64' } as const;
    const fail = () =>
      expect(store.snapshot({ schema, chunkRows: 10 })).rejects.toMatchObject({
        code: 'SCHEMA_CHANGED',
      });
    const names = () => readdirSync(meta).filter((name) => name.startsWith('columns'));
    await fail();
    expect(names()).toEqual([]);
    const { bytes } = await store.snapshot();
    await fail();
    expect(names()).toEqual(['columns.drive']);
    expect(statSync(file).size).toBe(bytes);
    expect((await store.table()).numRows).toBe(1001);
  });

  it('by a reader is of the last commit, and keeps what is newer than the reader', async () => {
    await using store = await FastStore.open(root, 'c');
    put(store, 0, 10);
    store.delete('d3');
    await store.flush();
    for (const change of [() => store.flush(), () => store.compact()]) {
      await using reader = await FastStore.open(root, 'c', { mode: 'read' });
      put(store, store.count + 1, store.count + 11);
      await change();
      const { rows } = await store.snapshot({ columns: ['n'] });
      const sound = readFileSync(file);
      expect(await reader.snapshot()).toMatchObject({ rows, rowsWritten: 0 });
      expect(reader.count).toBe(store.count);
      expect(readFileSync(file)).toEqual(sound);
    }
  });

  it('by a reader sees what was committed until it had the lock', async () => {
    await using store = await FastStore.open(root, 'c');
    put(store, 0, 10);
    await store.flush();
    const disk = createNodeDisk();
    disk.lock = async (path) => {
      if (path === `${file}.lock`) {
        put(store, 10, 20);
        await store.snapshot({ columns: ['n'] });
      }
      return nodeDisk.lock(path);
    };
    await using own = await ZdsRoot.open(root, { disk, mode: 'read' });
    const reader = await own.collection('c', { mode: 'read' });
    expect(await reader.snapshot()).toMatchObject({ rows: 20, rowsWritten: 0 });
  });
});
