/** Stores packed, unpacked, and read inside their archive. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import {
  ArchiveDisk,
  type ArchiveProgress,
  FastStore,
  pack,
  unpack,
  ZdsRoot,
} from '../../../src/store/index.ts';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const ids = async (store: FastStore) => (await store.scanAll()).map(({ _id }) => _id);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-archive-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Documents 0 to 9 of which 3 was deleted and 5 replaced, and a second collection. */
async function makeStore(path = at('lake')): Promise<string> {
  const root = await ZdsRoot.open(path);
  const store = await root.collection('events');
  for (let i = 0; i < 10; i++) store.put(`e${i}`, { i });
  await store.flush({ cursor: { line: 10 }, loadId: 'first' });
  store.delete('e3');
  store.put('e5', { i: 'new' });
  await store.flush();
  const other = await root.collection('Räume');
  other.put('r1', { n: 1 });
  await root.close();
  return path;
}

const expected = ['e0', 'e1', 'e2', 'e4', 'e6', 'e7', 'e8', 'e9', 'e5'];

describe('a packed store', () => {
  for (const compression of ['deflate', 'store'] as const) {
    it(`comes back as it was (${compression})`, async () => {
      const lake = await makeStore();
      const summary = await pack(lake, at('lake.zds'), { compression });
      expect(summary).toMatchObject({ collections: 2, documents: 10 });
      expect(summary.archiveBytes).toBe(readFileSync(at('lake.zds')).length);
      expect(await unpack(at('lake.zds'), at('out', 'lake'))).toMatchObject({
        entries: summary.entries,
      });
      const store = await FastStore.open(at('out', 'lake'), 'events');
      expect(await ids(store)).toEqual(expected);
      expect(store.recovery).toMatchObject({ adoptedLines: 0, cutBytes: 0, foreignDeletes: 0 });
      expect(store.recovery.indexRebuilt).toBeUndefined();
      expect(await store.cursor('first')).toEqual({ line: 10 });
      expect(store.info().commit?.seq).toBe(2);
      store.put('e10', {});
      await store.close();
      expect(readdirSync(folder).sort()).toEqual(['lake', 'lake.zds', 'out']);
    });

    it(`is read in its archive (${compression})`, async () => {
      await pack(await makeStore(), at('lake.zds'), { compression });
      const root = await ZdsRoot.open(at('lake.zds'), { mode: 'read' });
      expect(await root.collections()).toEqual(['Räume', 'events']);
      const store = await root.collection('events');
      expect(await ids(store)).toEqual(expected);
      expect(store.get('e5')).toEqual({ _id: 'e5', i: 'new' });
      expect(store.exists('e3')).toBe(false);
      expect(Buffer.from(store.getRaw('e1')).toString()).toBe('{"_id":"e1","i":1}');
      expect(await store.scan({ ids: ['e9', 'e3'] }).toArray()).toEqual([{ _id: 'e9', i: 9 }]);
      await store.refresh();
      expect(() => store.put('x', {})).toThrow(/opened for reading/);
      await expect(root.collection('nope')).rejects.toMatchObject({ code: 'COLLECTION_NOT_FOUND' });
      await root.close();
      expect(await zdsSource(at('lake.zds'), 'events').toArray()).toHaveLength(9);
    });
  }

  it('holds the last commit while a writer is at work, and looks closed', async () => {
    await makeStore();
    const store = await FastStore.open(at('lake'), 'events');
    store.put('e10', {});
    await store.flush();
    await store.writeJsonl(Buffer.from('{"_id":"never","pad":"'.padEnd(100_000, 'x').concat('"}')));
    await store.scan().toArray();
    await pack(at('lake'), at('lake.zds'));
    await store.abandon();
    await unpack(at('lake.zds'), at('out'));
    expect(existsSync(at('out', '.zds', '.zds_write.lock'))).toBe(false);
    const meta = (name: string) => at('out', 'collections', 'events', 'meta', name);
    expect(readFileSync(meta('commits.log'), 'utf8').trimEnd().split('\n').at(-1)).toMatch(/close/);
    expect(readFileSync(meta('data.jsonl'), 'utf8')).not.toContain('never');
    // What a program sees that trusts the index and knows no log.
    rmSync(meta('commits.log'));
    const reader = await FastStore.open(at('out'), 'events', { mode: 'read' });
    expect(await ids(reader)).toEqual([...expected, 'e10']);
    await reader.close();
  });

  it('holds what a compaction left, cursors included, and nothing of one under way', async () => {
    await makeStore();
    const store = await FastStore.open(at('lake'), 'events');
    await store.compact();
    store.put('late', {});
    await store.flush();
    const meta = (root: string, name: string) => at(root, 'collections', 'events', 'meta', name);
    for (const name of ['data.jsonl.next-2', 'index.bin.next-2', 'commits.log.next-2']) {
      writeFileSync(meta('lake', name), 'unfinished');
    }
    await pack(at('lake'), at('lake.zds'));
    await store.close();
    await unpack(at('lake.zds'), at('out'));
    expect(readdirSync(meta('out', '.')).sort()).toEqual([
      'commits.log',
      'data.jsonl',
      'index.bin',
    ]);
    for (const root of ['lake.zds', 'out']) {
      const reader = await FastStore.open(at(root), 'events', { mode: 'read' });
      expect(await ids(reader)).toEqual([...expected, 'late']);
      expect(await reader.cursor('first')).toEqual({ line: 10 });
      expect(reader.info()).toMatchObject({ lines: 10, commit: { seq: 3 } });
      await reader.close();
    }
  });

  it('is a whole commit however the writer goes on meanwhile', async () => {
    const store = await FastStore.open(at('lake'), 'c');
    let done = false;
    const writing = (async () => {
      for (let i = 0; !done; i++) {
        // Every commit has ten documents more than the one before, and replaces one.
        for (let k = 0; k < 10; k++) store.put(`d${i * 10 + k}`, { text: 'x'.repeat(500) });
        store.put('d0', { i });
        await store.flush();
        if (i % 20 === 19) await store.compact();
      }
    })();
    await store.flush();
    const counts: number[] = [];
    for (let round = 0; round < 8; round++) {
      await pack(at('lake'), at('lake.zds'), { compression: 'store' });
      const reader = await FastStore.open(at('lake.zds'), 'c', { mode: 'read' });
      expect((await reader.scanAll()).length).toBe(reader.count);
      counts.push(reader.count);
      await reader.close();
    }
    done = true;
    await writing;
    await store.close();
    expect(counts.filter((count) => count % 10 !== 0)).toEqual([]);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBeGreaterThan(counts[0]!);
  });

  it('takes in what other programs wrote, deletes included', async () => {
    mkdirSync(at('lake', 'collections', 'c', 'meta'), { recursive: true });
    mkdirSync(at('lake', 'metadata'));
    const meta = (root: string, name: string) => at(root, 'collections', 'c', 'meta', name);
    const lines = ['{"_id":"a"}\n', '{"_id":"b"}\n', '{"_id":"c"}\n'];
    writeFileSync(meta('lake', 'data.jsonl'), `${lines.join('')}{"_id":"torn`);
    writeFileSync(meta('lake', 'index.bin'), 'a\t0\t12\nc\t24\t12\n');
    await pack(at('lake'), at('lake.zds'));
    await unpack(at('lake.zds'), at('out'));
    expect(readFileSync(meta('out', 'data.jsonl'), 'utf8')).toBe(lines.join(''));
    for (const lost of [undefined, 'index.bin', 'commits.log']) {
      if (lost !== undefined) rmSync(meta('out', lost));
      const reader = await FastStore.open(at('out'), 'c', { mode: 'read' });
      expect(await ids(reader), `without ${lost}`).toEqual(
        lost === 'commits.log' ? ['a', 'b', 'c'] : ['a', 'c'],
      );
      await reader.close();
    }
  });

  it('is the same bytes each time, without unfinished files and itself', async () => {
    const lake = await makeStore();
    await pack(lake, at('lake', 'own.zds'));
    writeFileSync(at('lake', 'collections', 'events', 'meta', 'index.bin.tmp'), 'x');
    await pack(lake, at('lake', 'own.zds'));
    const first = readFileSync(at('lake', 'own.zds'));
    await pack(lake, at('lake', 'own.zds'));
    expect(readFileSync(at('lake', 'own.zds')).equals(first)).toBe(true);
    expect(first.includes('.tmp')).toBe(false);
    expect(first.includes('own.zds')).toBe(false);
  });

  it('keeps other files, empty folders and ids that differ in case', async () => {
    const lake = await makeStore();
    mkdirSync(at('lake', 'collections', 'empty', 'docs'), { recursive: true });
    mkdirSync(at('lake', 'collections', 'files', 'docs'), { recursive: true });
    for (const id of ['a', 'A']) {
      writeFileSync(at('lake', 'collections', 'files', 'docs', `${id}.json`), `{"id":"${id}"}`);
    }
    await pack(lake, at('lake.zds'));
    await unpack(at('lake.zds'), at('out'));
    expect(readdirSync(at('out', 'collections', 'empty', 'docs'))).toEqual([]);
    expect(readFileSync(at('out', 'collections', 'files', 'docs', 'A.json'), 'utf8')).toBe(
      '{"id":"A"}',
    );
  });
});

describe('large contents', () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => /^zds-[^-]{6}$/.test(name));

  it('go through a temporary folder that close removes, and tell how far they are', async () => {
    const before = folders();
    const store = await FastStore.open(at('lake'), 'big');
    const text = Buffer.alloc(9 << 20);
    for (let i = 0; i < text.length; i++) text[i] = 97 + (((i * 7919) >>> 5) % 26);
    const lines: string[] = [];
    for (let i = 0; i < 9; i++) {
      lines.push(`{"_id":"d${i}","text":"${text.toString('latin1', i << 20, (i + 1) << 20)}"}`);
    }
    await store.writeJsonl(Buffer.from(lines.join('\n')));
    await store.close();
    const seen: ArchiveProgress[] = [];
    await pack(at('lake'), at('lake.zds'), { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)?.bytes).toBeGreaterThanOrEqual(seen.at(-1)!.totalBytes);
    expect(seen.length).toBeGreaterThan(12);
    const reader = await FastStore.open(at('lake.zds'), 'big', { mode: 'read' });
    expect(folders().length).toBe(before.length + 1);
    expect(Buffer.from(reader.getRaw('d8')).toString()).toBe(lines[8]);
    await reader.close();
    expect(folders()).toEqual(before);
    const got: ArchiveProgress[] = [];
    await unpack(at('lake.zds'), at('out'), { onProgress: (progress) => got.push(progress) });
    expect(got.at(-1)).toMatchObject({ bytes: got.at(-1)!.totalBytes });
    expect(got.length).toBeGreaterThan(12);
    expect(readFileSync(at('out', 'collections', 'big', 'meta', 'data.jsonl'), 'utf8')).toBe(
      `${lines.join('\n')}\n`,
    );
  });

  it('of several collections opened at once are kept apart, and a close meanwhile leaves nothing', async () => {
    const before = folders();
    const root = await ZdsRoot.open(at('lake'));
    for (const name of ['a', 'b', 'c']) {
      const store = await root.collection(name);
      store.put(name, { text: name.repeat(9 << 20) });
      store.put('last', {});
    }
    await root.close();
    await pack(at('lake'), at('lake.zds'));
    const packed = await ZdsRoot.open(at('lake.zds'), { mode: 'read' });
    const names = ['a', 'b', 'a', 'c'];
    const stores = await Promise.all(names.map((name) => packed.collection(name)));
    for (const [i, store] of stores.entries()) expect(await ids(store)).toEqual([names[i], 'last']);
    await packed.close();

    const disk = await ArchiveDisk.open(at('lake.zds'));
    const data = at('lake.zds', 'collections', 'a', 'meta', 'data.jsonl');
    const opening = disk.open(data, 'read');
    await Promise.all([expect(opening).rejects.toMatchObject({ code: 'CLOSED' }), disk.close()]);
    await expect(disk.open(data, 'read')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(folders()).toEqual(before);
  });

  it('stop when asked, and leave nothing', async () => {
    const lake = await makeStore();
    await pack(lake, at('lake.zds'));
    const packed = readFileSync(at('lake.zds'));
    const works: ((options: {
      signal: AbortSignal;
      onProgress: (progress: ArchiveProgress) => void;
    }) => Promise<unknown>)[] = [
      (options) => pack(lake, at('lake.zds'), options),
      (options) => unpack(at('lake.zds'), at('out'), options),
    ];
    for (const work of works) {
      const controller = new AbortController();
      const onProgress = ({ bytes }: ArchiveProgress) => {
        if (bytes > 0) controller.abort();
      };
      await expect(work({ signal: controller.signal, onProgress })).rejects.toMatchObject({
        code: 'ABORTED',
      });
    }
    expect(readdirSync(folder).sort()).toEqual(['lake', 'lake.zds']);
    expect(readFileSync(at('lake.zds')).equals(packed)).toBe(true);
  });
});

describe('what is refused', () => {
  it('names the place and changes nothing', async () => {
    const lake = await makeStore();
    await pack(lake, at('lake.zds'));
    mkdirSync(at('full'));
    writeFileSync(at('full', 'x'), '');
    writeFileSync(at('text'), 'some text');
    const cases: [work: () => Promise<unknown>, code: string, message: RegExp][] = [
      [() => pack(folder, at('x.zds')), 'NOT_A_STORE', /no store/],
      [() => pack(at('nowhere'), at('x.zds')), 'NOT_A_STORE', /nowhere/],
      [() => unpack(at('lake.zds'), at('full')), 'INVALID_PATH', /full: .*no empty folder/],
      [() => unpack(at('lake.zds'), at('text')), 'INVALID_PATH', /text/],
      [() => unpack(at('text'), at('out')), 'NOT_A_STORE', /text/],
      [() => unpack(at('missing.zds'), at('out')), 'IO_ERROR', /missing\.zds/],
      [() => ZdsRoot.open(at('lake.zds')), 'READ_ONLY', /unpack it/],
      [() => ZdsRoot.open(at('text'), { mode: 'read' }), 'NOT_A_STORE', /text/],
    ];
    for (const [work, code, message] of cases) {
      const error = await work().then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    }
    symlinkSync('/etc', at('lake', 'collections', 'link'));
    await expect(pack(lake, at('x.zds'))).rejects.toMatchObject({
      code: 'INVALID_PATH',
      message: expect.stringMatching(/link: neither a file nor a folder/),
    });
    expect(readdirSync(folder).sort()).toEqual(['full', 'lake', 'lake.zds', 'text']);
  });

  it('an empty folder is filled', async () => {
    await pack(await makeStore(), at('lake.zds'));
    mkdirSync(at('out'));
    await unpack(at('lake.zds'), at('out'));
    appendFileSync(at('out', 'collections', 'events', 'meta', 'data.jsonl'), '{"_id":"z"}\n');
    const store = await FastStore.open(at('out'), 'events');
    expect(store.recovery.adoptedLines).toBe(1);
    await store.close();
  });
});
