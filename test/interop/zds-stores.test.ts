/**
 * Stores of the published crate in our hands and ours in its hands, case by case, with its flaws as
 * they are: what it does to a store that it misunderstands must not cost documents here.
 * Runs with ZDS_INTEROP=1 where cargo is.
 */
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CrateDocuments, Oracle, whyNoOracle } from '../../conformance/oracle.ts';
import type { Document } from '../../src/core/batch.ts';
import { FastStore, repair, ZdsRoot } from '../../src/store/index.ts';
import { parseIndex } from '../support/reference-store.ts';

const reason = whyNoOracle();
const withoutId = ({ _id, ...rest }: Document) => rest;

describe.skipIf(reason)(`the crate${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let oracle: Oracle;
  let root: string;
  beforeAll(() => {
    oracle = Oracle.start();
  }, 300_000);
  afterAll(() => oracle?.stop());
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'zds-crate-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const meta = (name: string) => join(root, 'collections', 'c', 'meta', name);
  const ours = (mode: 'read' | 'write' = 'write') => FastStore.open(root, 'c', { mode });
  const open = (name: string, mode = 'write') =>
    oracle.ask<number>('open', { name, root, collection: 'c', mode });
  const close = (name: string) => oracle.ask('close', { name });
  const put = (name: string, id: string, document: object) =>
    oracle.ask('put', { name, id, document });
  const crateAll = async (): Promise<CrateDocuments> => {
    await open('all', 'read');
    const documents = await oracle.ask<CrateDocuments>('all', { name: 'all' });
    await oracle.ask('forget', { name: 'all' });
    return documents;
  };
  const crateSession = async (work: (name: string) => Promise<unknown>): Promise<void> => {
    await oracle.ask('init', { root });
    await open('w');
    await work('w');
    await close('w');
  };
  const ourSession = async (work: (store: FastStore) => unknown): Promise<void> => {
    const store = await ours();
    await work(store);
    await store.close();
  };
  const ourIds = async (mode: 'read' | 'write' = 'read'): Promise<string[]> => {
    const store = await ours(mode);
    const found = (await store.scanAll()).map(({ _id }) => _id as string);
    await store.close();
    return found.sort();
  };

  const odd: Document[] = [
    { _id: 'plain', n: 1, x: -0.5, big: 9007199254740991, ok: true, nothing: null },
    { _id: 'é日本', 'ключ "quoted"': 'line\nbreak \u2028 😀 \u0000 \\' },
    { _id: 'nested', A: { _id: 'other', list: [[], {}, [{ _id: 'x' }]] }, '': '' },
    { _id: 'a.b-c_d', text: 'x'.repeat(70_000) },
    { _id: 'x'.repeat(255) },
  ];

  describe('reads ours', () => {
    it('every document and id, after overwrites and deletes', async () => {
      await ourSession(async (store) => {
        for (let i = 0; i < 5000; i++) store.put(`d${i}`, { i });
        await store.flush();
        for (let i = 0; i < 5000; i += 3) store.put(`d${i}`, { i, again: true });
        for (let i = 0; i < 5000; i += 7) store.delete(`d${i}`);
        for (const document of odd) store.put(document._id as string, document);
      });
      const store = await ours('read');
      const expected = (await store.scanAll()).map((each) => [each._id, withoutId(each)]);
      await store.close();
      expect(await crateAll()).toEqual(Object.fromEntries(expected));
      expect(await open('r', 'read')).toBe(expected.length);
      expect((await oracle.ask<string[]>('ids', { name: 'r' })).sort()).toEqual(
        expected.map(([id]) => id).sort(),
      );
      expect(await oracle.ask<unknown[]>('scan', { name: 'r' })).toHaveLength(expected.length);
      await close('r');
    });

    it('the living and no other where entries of the deleted were written over', async () => {
      const alive = new Set(Array.from({ length: 500 }, (_, i) => `d${i}`));
      await ourSession((store) => alive.forEach((id) => void store.put(id, { id })));
      const { ino } = statSync(meta('index.bin'));
      for (let turn = 1; turn < 9; turn++) {
        await ourSession((store) => {
          for (const id of [`d${turn * 11}`, `d${turn * 11 + 1}`, `d${turn + 100}`]) {
            expect(store.delete(id)).toBe(alive.delete(id));
          }
          store.put(`d${turn * 30}`, { id: `d${turn * 30}` });
          alive.add(`d${turn * 30}`);
        });
        expect(await crateAll()).toEqual(Object.fromEntries([...alive].map((id) => [id, { id }])));
      }
      expect(statSync(meta('index.bin')).ino).toBe(ino);
    });

    it('its own rebuild finds our ids, and whoever was deleted (a flaw of it)', async () => {
      await ourSession((store) => {
        for (const document of odd) store.put(document._id as string, document);
        store.put('dead', {});
        store.delete('dead');
      });
      rmSync(meta('index.bin'));
      const all = await crateAll();
      const expected = [...odd, { _id: 'dead' }].map((each) => [each._id, withoutId(each)]);
      expect(all).toEqual(Object.fromEntries(expected));
      // Its index of before never reached the disk; one that does cannot wake the dead here.
      await open('w');
      await close('w');
      expect(parseIndex(readFileSync(meta('index.bin')))!.places.has('dead')).toBe(true);
      expect(await ourIds('write')).not.toContain('dead');
      expect(Object.keys(await crateAll())).not.toContain('dead');
    });

    it('numbers as far as its parser goes: integers beyond 64 bits are null to it', async () => {
      await ourSession(async (store) => {
        await store.putRaw('fits', Buffer.from('{"n":18446744073709551615,"x":1.0,"y":1e2}'));
        await store.putRaw('long', Buffer.from('{"n":100000000000000000000}'));
      });
      expect(await crateAll()).toEqual({ fits: { n: 2 ** 64, x: 1, y: 100 }, long: null });
    });

    it('documents of more than 16 MiB, both ways', async () => {
      const text = 'é'.repeat(9 << 20);
      await ourSession((store) => {
        store.put('large', { text });
        store.put('small', {});
      });
      expect((await crateAll()).large).toEqual({ text });
      await crateSession((name) => put(name, 'theirs', { text }));
      const store = await ours();
      expect(store.get('theirs')).toEqual({ _id: 'theirs', text });
      await store.close();
    });
  });

  describe('is read by us', () => {
    it.each(['index.bin', 'no index', 'a text index'])(
      'every document and id with %s',
      async (how) => {
        await crateSession(async (name) => {
          for (const { _id, ...document } of odd) await put(name, _id as string, document);
          for (let i = 0; i < 300; i++) await put(name, `d${i}`, { i });
          await put(name, 'd7', { again: true });
          await oracle.ask('delete', { name, id: 'd8' });
          await put(name, 'last', {});
        });
        const expected = await crateAll();
        const index = parseIndex(readFileSync(meta('index.bin')))!;
        if (how !== 'index.bin') rmSync(meta('index.bin'));
        if (how === 'a text index') {
          const lines = [...index.places].map(([id, at]) => `${id}\t${at.offset}\t${at.length}`);
          writeFileSync(meta('index.bin'), lines.join('\n'));
        }
        const found = new Map<string, unknown>();
        for (const mode of ['read', 'write', 'read'] as const) {
          const store = await ours(mode);
          found.clear();
          for (const each of await store.scanAll()) found.set(each._id as string, withoutId(each));
          // Without an index nobody knows of the delete: the crate neither.
          if (how === 'no index') expect(found.delete('d8')).toBe(true);
          expect(Object.fromEntries(found)).toEqual(expected);
          await store.close();
        }
        if (how !== 'no index') expect(await crateAll()).toEqual(expected);
      },
    );

    it('lines that it wrote and did not index before it died', async () => {
      await ourSession((store) => store.put('a', {}));
      await open('w');
      await put('w', 'b', { n: 1 });
      await oracle.ask('flush', { name: 'w' });
      await put('w', 'lost', {});
      await oracle.ask('forget', { name: 'w' });
      appendFileSync(meta('data.jsonl'), '{"_id":"c"}\n{"_id":"torn","te');
      const store = await ours();
      expect((await store.scanAll()).map(({ _id }) => _id)).toEqual(['a', 'b', 'c']);
      expect(store.recovery.adoptedLines).toBe(2);
      expect(readFileSync(store.recovery.tornPath!, 'utf8')).toBe('{"_id":"torn","te');
      await store.close();
      expect(Object.keys(await crateAll()).sort()).toEqual(['a', 'b', 'c']);
    });
  });

  describe('beside and after us', () => {
    it('a reader that drops after our writer reverts index.bin, and costs nothing', async () => {
      await ourSession((store) => store.put('a', {}));
      await open('r', 'read');
      await ourSession((store) => {
        store.put('b', {});
        store.put('a', { n: 2 });
      });
      await close('r');
      expect([...parseIndex(readFileSync(meta('index.bin')))!.places.keys()]).toEqual(['a']);
      for (const mode of ['read', 'write'] as const) expect(await ourIds(mode)).toEqual(['a', 'b']);
      expect(await crateAll()).toEqual({ a: { n: 2 }, b: {} });
    });

    it('a writer on an index that was reverted costs nothing that we committed', async () => {
      await ourSession((store) => store.put('a', {}));
      await open('r', 'read');
      await ourSession((store) => store.put('b', {}));
      await close('r');
      await crateSession((name) => put(name, 'c', {}));
      expect(Object.keys(await crateAll()).sort()).toEqual(['a', 'c']);
      for (const mode of ['read', 'write'] as const) {
        expect(await ourIds(mode)).toEqual(['a', 'b', 'c']);
      }
    });

    it('its deletes count up to the last document that its index knows', async () => {
      await ourSession((store) => {
        for (const id of ['a', 'b', 'c', 'd']) store.put(id, {});
      });
      await crateSession((name) => oracle.ask('delete', { name, id: 'b' }));
      expect(await ourIds('write')).toEqual(['a', 'c', 'd']);
      // The index would be the same had the crate never heard of the last document.
      await crateSession((name) => oracle.ask('delete', { name, id: 'd' }));
      expect(await ourIds('write')).toEqual(['a', 'c', 'd']);
      await crateSession(async (name) => {
        await oracle.ask('delete', { name, id: 'a' });
        await put(name, 'e', {});
      });
      expect(await ourIds('write')).toEqual(['c', 'd', 'e']);
    });

    it('reads the checkpoint after our death, and we read our commits after it', async () => {
      await ourSession((store) => store.put('a', {}));
      const store = await ours();
      store.put('b', {});
      await store.flush();
      store.put('lost', {});
      await store.scanAll();
      await store.abandon();
      expect(Object.keys(await crateAll())).toEqual(['a']);
      await open('r', 'read');
      await close('r');
      expect(await ourIds('write')).toEqual(['a', 'b']);
      expect(Object.keys(await crateAll()).sort()).toEqual(['a', 'b']);
    });

    it('writing after our death keeps its documents and our commits', async () => {
      await ourSession((store) => store.put('a', {}));
      const store = await ours();
      store.put('b', {});
      await store.flush();
      store.put('uncommitted', {});
      await store.scanAll();
      await store.abandon();
      await crateSession((name) => put(name, 'c', {}));
      // Behind uncommitted lines others follow now: all of them are taken.
      expect(await ourIds('write')).toEqual(['a', 'b', 'c', 'uncommitted']);
    });

    it('writing behind a line that our death tore costs that line only', async () => {
      await ourSession((store) => store.put('a', {}));
      const store = await ours();
      store.put('uncommitted', { text: 'x'.repeat(100) });
      await store.scanAll();
      await store.abandon();
      truncateSync(meta('data.jsonl'), readFileSync(meta('data.jsonl')).length - 30);
      await crateSession(async (name) => {
        await put(name, 'glued', {});
        await put(name, 'b', {});
      });
      const ids = await ourIds('write');
      expect(ids).toEqual(expect.arrayContaining(['a', 'b']));
      expect(ids).not.toContain('uncommitted');
    });
  });

  describe('our compaction', () => {
    it('leaves a store that it opens, reads and writes on, in turns with us', async () => {
      const expected = new Map<string, object>();
      const keep = (id: string, document: object | undefined): void => {
        if (document === undefined) expected.delete(id);
        else expected.set(id, document);
      };
      const agree = async (): Promise<void> => {
        expect(await crateAll()).toEqual(Object.fromEntries(expected));
        expect(await ourIds()).toEqual([...expected.keys()].sort());
      };
      for (let turn = 0; turn < 4; turn++) {
        await ourSession(async (store) => {
          for (let i = 0; i < 300; i++) {
            store.put(`d${i}`, { turn, i });
            keep(`d${i}`, { turn, i });
          }
          for (let i = turn; i < 300; i += 7) {
            store.delete(`d${i}`);
            keep(`d${i}`, undefined);
          }
          const compacting = store.compact();
          store.put('beside', { turn });
          keep('beside', { turn });
          const report = await compacting;
          expect(report.droppedLines).toBeGreaterThan(0);
          expect(store.info().lines).toBeLessThanOrEqual(store.count + 1);
        });
        await agree();
        await crateSession(async (name) => {
          await put(name, `theirs${turn}`, { turn });
          keep(`theirs${turn}`, { turn });
          await put(name, 'd1', { again: turn });
          keep('d1', { again: turn });
          await oracle.ask('delete', { name, id: 'd12' });
          keep('d12', undefined);
        });
        await agree();
      }
      const store = await ours();
      await store.compact();
      await store.close();
      await agree();
    });
  });

  describe('its compaction', () => {
    const live = async () => {
      await ourSession((store) => {
        for (const id of ['a', 'b', 'c', 'd']) store.put(id, { text: 'x'.repeat(50) });
        store.delete('a');
      });
      await open('w');
      await oracle.ask('compact', { name: 'w' });
    };

    it('leaves less than was committed here: refused until it is repaired', async () => {
      await live();
      await close('w');
      expect(Object.keys(await crateAll()).sort()).toEqual(['b', 'c', 'd']);
      await expect(ours('read')).rejects.toMatchObject({ code: 'CORRUPTED_DATA' });
      await repair(root, 'c');
      expect(await ourIds('write')).toEqual(['b', 'c', 'd']);
    });

    it('and then more than was committed here: refused too, as our deletes mean other lines', async () => {
      await live();
      for (const id of ['a', 'e', 'f']) await put('w', id, { text: 'y'.repeat(60) });
      await close('w');
      for (const mode of ['read', 'write'] as const) {
        await expect(ours(mode)).rejects.toMatchObject({
          code: 'CORRUPTED_DATA',
          message: expect.stringContaining('not there as they were'),
        });
      }
      // Without the log, which tells of another file, it is a store of the crate like any other.
      rmSync(meta('commits.log'));
      expect(await ourIds('write')).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    });
  });

  describe('its lock', () => {
    it('and ours exclude each other', async () => {
      await oracle.ask('lock', { name: 'root', root });
      await expect(ZdsRoot.open(root)).rejects.toMatchObject({
        code: 'LOCKED',
        message: expect.stringMatching(/held by process \d+ on /),
      });
      await oracle.ask('unlock', { name: 'root' });
      const held = await ZdsRoot.open(root);
      await expect(oracle.ask('lock', { name: 'root', root })).rejects.toMatchObject({
        kind: 'WriteLock',
        message: expect.stringContaining(`pid=${process.pid}`),
      });
      await held.close();
      expect(existsSync(join(root, '.zds', '.zds_write.lock'))).toBe(false);
      await oracle.ask('lock', { name: 'root', root });
      await oracle.ask('unlock', { name: 'root' });
    });
  });
});
