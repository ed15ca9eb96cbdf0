/** Collections with a file per document: what is on disk, what is read, who may write. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Predicate } from '../../../src/core/index.ts';
import {
  Engine,
  EngineWriter,
  FastStore,
  Layout,
  pack,
  SyncWriter,
  ZdsRoot,
} from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const NAME_ID = '13a5b517f9762294c792cfec409c1e348d2117c251c6422ffa789b2b4802f06f';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-engine-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const meta = (name: string) => join(root, 'collections/c/meta', name);
const docs = (name = '') => join(root, 'collections/c/docs', name);
const read = (path: string) => readFileSync(path, 'utf8');
const lines = (path: string) => read(path).split('\n').slice(0, -1);
const objects = (path: string) => lines(path).map((line) => JSON.parse(line));
const failure = (code: string) => expect.objectContaining({ code });

async function fill(documents: Record<string, object>): Promise<void> {
  const writer = await SyncWriter.open<object>(root, 'c');
  for (const [id, document] of Object.entries(documents)) await writer.put(id, document);
  await writer.close();
}

describe('SyncWriter', () => {
  it('leaves the files that the crate writes', async () => {
    const writer = await SyncWriter.open(root, 'c');
    await writer.put('b', { name: 'Bo', tags: [], deep: { x: [1, 2] } });
    await writer.put('a', { _id: 'a', name: 'Ada' });
    expect(read(docs('b.json'))).toBe(
      '{\n  "name": "Bo",\n  "tags": [],\n  "deep": {\n    "x": [\n      1,\n      2\n    ]\n  }\n}',
    );
    expect(read(docs('a.json'))).toBe('{\n  "name": "Ada"\n}');
    expect(lines(meta('order.ids'))).toEqual(['b', 'a']);
    expect(objects(meta('schemas.jsonl'))[1]).toEqual({
      schema_id: NAME_ID,
      schema: { name: 'string' },
      count: 1,
    });
    const [, entry] = objects(meta('doc_index.jsonl'));
    expect(entry).toEqual({ doc_id: 'a', schema_id: NAME_ID, size: 19, mtime: expect.any(Number) });
    expect(Math.abs(entry.mtime - Date.now() / 1000)).toBeLessThan(60);
    await writer.close();
    const journal = objects(meta('journal.log'));
    expect(journal.map(({ op }) => op)).toEqual(['PUT', 'COMMIT', 'PUT', 'COMMIT', 'CHECKPOINT']);
    expect(journal[2]).toEqual({
      op: 'PUT',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/),
      doc_id: 'a',
      schema_id: NAME_ID,
      size: 19,
    });
    expect(journal[3].batch_id).toBe(2);
    expect(JSON.parse(read(meta('manifest.json')))).toMatchObject({
      collection: 'c',
      strict: false,
      doc_count: 2,
      schema_count: 2,
    });
    expect(readdirSync(docs()).sort()).toEqual(['a.json', 'b.json']);
    const again = await SyncWriter.open(root, 'c');
    await again.delete('b');
    await again.close();
    expect(objects(meta('journal.log')).slice(journal.length)).toEqual([
      { op: 'DELETE', timestamp: expect.any(String), doc_id: 'b' },
      { op: 'COMMIT', timestamp: expect.any(String), batch_id: 3 },
      { op: 'CHECKPOINT', timestamp: expect.any(String) },
    ]);
  });

  it('corrects the counts of schemas when documents are replaced or deleted', async () => {
    await fill({ a: { name: 'x' }, b: { name: 'y' }, c: { n: 1 } });
    const writer = await SyncWriter.open(root, 'c');
    await writer.put('a', { n: 2 });
    expect(await writer.delete('b')).toBe(true);
    expect(await writer.delete('b')).toBe(false);
    await writer.close();
    expect(objects(meta('schemas.jsonl')).map(({ count }) => count)).toEqual([0, 2]);
    expect(lines(meta('order.ids'))).toEqual(['a', 'c']);
    expect(existsSync(docs('b.json'))).toBe(false);
    expect(objects(meta('journal.log')).at(-2)).toMatchObject({ op: 'COMMIT', batch_id: 5 });
    const engine = await Engine.open(root, 'c');
    expect(engine.stats()).toEqual({
      collection: 'c',
      docCount: 2,
      schemaCount: 2,
      totalSize: 2 * '{\n  "n": 1\n}'.length,
      strictMode: false,
    });
  });

  it('refuses ids that are no file names, and documents that are none', async () => {
    const writer = await EngineWriter.open<object>(root, 'c');
    expect(() => writer.put('../x', {})).toThrow(failure('INVALID_ID'));
    expect(() => writer.put('x'.repeat(251), {})).toThrow(failure('INVALID_ID'));
    expect(() => writer.put('a', { _id: 'b' })).toThrow(failure('ID_MISMATCH'));
    expect(() => writer.put('a', { n: 1n })).toThrow(failure('INVALID_DOCUMENT'));
    writer.put('é'.repeat(125), {});
    await writer.close();
    expect(() => writer.put('a', {})).toThrow(failure('CLOSED'));
    expect(readdirSync(docs())).toEqual([`${'é'.repeat(125)}.json`]);
  });

  it('keeps strict collections to the schema of their first document', async () => {
    let writer = await SyncWriter.open(root, 'c', { strict: true });
    await writer.put('a', { name: 'x' });
    await expect(writer.put('b', { name: 1 })).rejects.toThrow(failure('SCHEMA_MISMATCH'));
    await writer.delete('a');
    await writer.close();
    writer = await SyncWriter.open(root, 'c');
    const path = Layout.manifestFile(root, 'c');
    const refused = await writer.put('b', { name: 1 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'SCHEMA_MISMATCH', place: { path } });
    await writer.put('b', { name: 'y' });
    await writer.close();
    const stats = (await Engine.open(root, 'c')).stats();
    expect(stats).toMatchObject({ strictMode: true, schemaCount: 1, docCount: 1 });
    writer = await SyncWriter.open(root, 'c', { strict: false });
    await writer.put('c', { name: 1 });
    await writer.close();
    await expect(SyncWriter.open(root, 'c', { strict: true })).rejects.toThrow(
      failure('SCHEMA_MISMATCH'),
    );
  });

  it('excludes other writers, also of another kind, until it is closed', async () => {
    const zds = await ZdsRoot.open(root);
    const writer = await SyncWriter.open(zds, 'c');
    await expect(SyncWriter.open(root, 'c')).rejects.toThrow(failure('LOCKED'));
    await expect(FastStore.open(zds, 'c')).rejects.toThrow(failure('LOCKED'));
    await writer.put('a', {});
    await zds.close();
    await expect(writer.put('b', {})).rejects.toThrow(failure('CLOSED'));
    await fill({ b: {} });
    expect((await Engine.open(root, 'c')).docIds()).toEqual(['a', 'b']);
  });

  it('takes nothing once close was called; who ends it again waits for the first end', async () => {
    for (const again of ['close', 'abandon'] as const) {
      const writer = await EngineWriter.open(root, 'c');
      writer.put(again, {});
      const closing = writer.close();
      expect(() => writer.put('late', {})).toThrow(failure('CLOSED'));
      expect(() => writer.flush()).toThrow(failure('CLOSED'));
      await writer[again]();
      expect(lines(meta('journal.log')).at(-1)).toContain('CHECKPOINT');
      const sync = await SyncWriter.open(root, 'c');
      expect(sync.exists(again)).toBe(true);
      await closing;
      const put = sync.put('before', { again });
      const ends = [sync.close(), sync[again]()];
      await expect(sync.put('late', {})).rejects.toThrow(failure('CLOSED'));
      await Promise.all([put, ...ends]);
    }
    expect((await Engine.open(root, 'c')).docIds()).toEqual(['close', 'before', 'abandon']);
  });

  it('gives the failure of a close to all who close, and to nobody who abandons', async () => {
    const disk = new FaultDisk();
    const writer = await EngineWriter.open('/s', 'c', { disk });
    writer.put('a', {});
    disk.fault = 'EIO';
    disk.dieAt = disk.operations + 2;
    const ends = await Promise.allSettled([writer.close(), writer.close(), writer.abandon()]);
    expect(ends.map((end) => end.status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    await expect(writer.close()).rejects.toThrow(failure('IO_ERROR'));
    await (await EngineWriter.open('/s', 'c', { disk })).close();
  });
});

describe('Engine', () => {
  const people = { z: { n: 1, who: { name: 'Zoe' } }, a: { n: 2, tags: ['x'] }, m: { n: 1 } };

  it('gives documents by id and place, with or without _id', async () => {
    await fill(people);
    const engine = await Engine.open(root, 'c');
    expect(engine.len()).toBe(3);
    expect(engine.docIds()).toEqual(['z', 'a', 'm']);
    expect(engine.getDocument('a')).toEqual({ _id: 'a', ...people.a });
    expect(Object.keys(engine.getDocument('a'))[0]).toBe('_id');
    expect(engine.getDocumentAt(0, { withId: false })).toEqual(people.z);
    expect(() => engine.getDocument('x')).toThrow(failure('DOCUMENT_NOT_FOUND'));
    expect(() => engine.getDocument('../meta/manifest')).toThrow(failure('DOCUMENT_NOT_FOUND'));
    expect(() => engine.getDocumentAt(3)).toThrow(failure('DOCUMENT_NOT_FOUND'));
  });

  it('compares large whole numbers by all digits, as they stand in the files', async () => {
    await fill({ a: {}, b: {} });
    writeFileSync(docs('a.json'), '{"p":9007199254740993}');
    writeFileSync(docs('b.json'), '{"p":9007199254740992}');
    const found = async (where: Predicate, withId = true) =>
      (await Engine.open(root, 'c', { withId })).scan(where).collect();
    expect(await found(Predicate.eq('p', 9007199254740993n))).toMatchObject([{ _id: 'a' }]);
    expect(await found(Predicate.lt('p', 9007199254740993n), false)).toEqual([{ p: 2 ** 53 }]);
    expect(await found(Predicate.eq('p', 2 ** 53))).toHaveLength(2);
  });

  it('scans with predicate and fields, as iterator and as async iterator', async () => {
    await fill(people);
    const engine = await Engine.open(root, 'c');
    expect(engine.scan(Predicate.eq('n', 1)).collect()).toMatchObject([{ _id: 'z' }, { _id: 'm' }]);
    expect([...engine.scan(null, ['who.name'])]).toEqual([{ who: { name: 'Zoe' } }, {}, {}]);
    const both: unknown[] = [];
    for await (const it of engine.scan(Predicate.exists('tags'), ['_id', 'n'])) both.push(it);
    expect(both).toEqual([{ _id: 'a', n: 2 }]);
    const scanner = engine.scan();
    expect(scanner.next()).toMatchObject({ done: false, value: { _id: 'z' } });
    expect(scanner.remaining).toBe(2);
    expect(scanner.collect()).toHaveLength(2);
    expect(scanner.next()).toEqual({ done: true, value: undefined });
    scanner.reset();
    expect(scanner.collect()).toHaveLength(3);
  });

  it('sees edits at once and new documents after refresh, and passes over what has gone', async () => {
    await fill(people);
    const engine = await Engine.open(root, 'c');
    writeFileSync(docs('z.json'), '{"n": 1.0, "_id": "other"}');
    writeFileSync(docs('new.json'), '{}');
    rmSync(docs('a.json'));
    expect(engine.getDocument('z')).toEqual({ _id: 'z', n: 1 });
    expect(engine.scan().collect()).toHaveLength(2);
    expect(engine.getDocument('new')).toEqual({ _id: 'new' });
    await engine.refresh();
    expect(engine.docIds()).toEqual(['z', 'm', 'new']);
    writeFileSync(docs('m.json'), '{"n": ');
    expect(() => engine.getDocument('m')).toThrow(failure('JSON_ERROR'));
    expect(() => engine.scan().collect()).toThrow(docs('m.json'));
    writeFileSync(docs('m.json'), '[]');
    expect(() => engine.getDocument('m')).toThrow(failure('NOT_AN_OBJECT'));
    writeFileSync(docs('m.json'), Buffer.from('{"n": "\xe9"}', 'latin1'));
    expect(() => engine.getDocument('m')).toThrow(failure('INVALID_UTF8'));
    writeFileSync(docs('m.json'), '{"n": "\ufffd"}');
    expect(engine.getDocument('m')).toMatchObject({ n: '\ufffd' });
  });

  it('reads what is whole beside a document that is damaged', async () => {
    await fill({ a: { n: 1 } });
    writeFileSync(docs('bad.json'), '{"n": ');
    const engine = await Engine.open(root, 'c');
    expect(engine.docIds()).toEqual(['a', 'bad']);
    expect(engine.stats()).toMatchObject({ docCount: 2, schemaCount: 1 });
    expect(engine.getDocument('a')).toEqual({ _id: 'a', n: 1 });
    expect(() => engine.getDocument('bad')).toThrow(failure('JSON_ERROR'));
    expect(() => engine.scan().collect()).toThrow(docs('bad.json'));
    await expect(SyncWriter.open(root, 'c')).rejects.toThrow(failure('JSON_ERROR'));
  });

  it('writes anew what lies beside edited documents, if a writer is asked to', async () => {
    await fill({ a: { n: 1 } });
    writeFileSync(docs('a.json'), '{"name":"Ada"}');
    await (await SyncWriter.open(root, 'c')).close();
    expect((await Engine.open(root, 'c')).stats().totalSize).toBe(12);
    await (await SyncWriter.open(root, 'c', { reread: true })).close();
    expect((await Engine.open(root, 'c')).stats().totalSize).toBe(14);
    expect(objects(meta('doc_index.jsonl'))).toMatchObject([{ schema_id: NAME_ID, size: 14 }]);
  });

  it('reads a folder of documents that nobody wrote meta files for', async () => {
    mkdirSync(docs(), { recursive: true });
    for (const id of ['b', 'a', 'Ω']) writeFileSync(docs(`${id}.json`), `{"n":"${id}"}`);
    writeFileSync(docs('notes.txt'), '');
    writeFileSync(docs('.a.tmp'), '');
    let engine = await Engine.open(root, 'c');
    expect(engine.docIds()).toEqual(['a', 'b', 'Ω']);
    expect(engine.stats()).toMatchObject({ docCount: 3, schemaCount: 1, totalSize: 28 });
    expect(existsSync(meta(''))).toBe(false);
    await fill({ c: { n: '' } });
    engine = await Engine.open(root, 'c');
    expect(engine.docIds()).toEqual(['a', 'b', 'Ω', 'c']);
    expect(objects(meta('schemas.jsonl'))).toMatchObject([{ count: 4 }]);
    expect(readdirSync(docs()).sort()).toEqual([
      'a.json',
      'b.json',
      'c.json',
      'notes.txt',
      'Ω.json',
    ]);
    expect(engine.getDocument('b')).toEqual({ _id: 'b', n: 'b' });
  });

  it('reads a collection in an archive', async () => {
    await fill(people);
    const file = join(root, 'c.zds');
    expect(await pack(root, file)).toMatchObject({ collections: 1, documents: 3 });
    const engine = await Engine.open(file, 'c');
    expect(engine.docIds()).toEqual(['z', 'a', 'm']);
    expect(engine.getDocument('z')).toEqual({ _id: 'z', ...people.z });
    expect(engine.scan(Predicate.eq('n', 1), ['_id']).collect()).toEqual([
      { _id: 'z' },
      { _id: 'm' },
    ]);
    expect(() => engine.getDocument('x')).toThrow(failure('DOCUMENT_NOT_FOUND'));
    await engine.refresh();
    await engine.close();
  });

  it.each(['order.ids', 'doc_index.jsonl', 'schemas.jsonl', 'journal.log', 'manifest.json'])(
    'is the same without %s, with it torn and with it full of other bytes',
    async (name) => {
      await fill(people);
      const { schemaCount, ...stats } = (await Engine.open(root, 'c')).stats();
      const text = read(meta(name));
      for (const damaged of [undefined, '', text.slice(0, -3), '\0\x7f[1]\nnull\n{}\n"x"']) {
        if (damaged === undefined) rmSync(meta(name));
        else writeFileSync(meta(name), damaged);
        const engine = await Engine.open(root, 'c');
        expect(new Set(engine.docIds())).toEqual(new Set(['z', 'a', 'm']));
        expect(engine.stats()).toMatchObject(stats);
        if (name === 'manifest.json' && damaged !== undefined) {
          await expect(SyncWriter.open(root, 'c')).rejects.toThrow(failure('CORRUPTED_DATA'));
          continue;
        }
        // A writer makes it whole again, and the journal's counts go on.
        await (await SyncWriter.open(root, 'c')).close();
        expect((await Engine.open(root, 'c')).stats()).toEqual({ ...stats, schemaCount });
        expect(new Set(lines(meta('order.ids')))).toEqual(new Set(['z', 'a', 'm']));
        expect(objects(meta('doc_index.jsonl'))).toHaveLength(3);
        expect(objects(meta('schemas.jsonl'))).toHaveLength(3);
      }
    },
  );
});
