/**
 * The storage with a file per document, schemas and archives: ours read by the published crate, its
 * read by us. Runs with ZDS_INTEROP=1 where cargo is.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CrateDocuments, Oracle, whyNoOracle } from '../../conformance/oracle.ts';
import type { Document } from '../../src/core/batch.ts';
import { eq } from '../../src/core/predicate.ts';
import {
  canonicalSchema,
  encodeSchema,
  hashSchema,
  schemaOfText,
} from '../../src/store/engine/doc-schema.ts';
import {
  Engine,
  EngineWriter,
  FastStore,
  Layout,
  pack,
  repair,
  SyncWriter,
  unpack,
} from '../../src/store/index.ts';

const reason = whyNoOracle();
const withoutId = ({ _id, ...rest }: Document) => rest;

interface CrateFolder {
  readonly ids: string[];
  readonly documents: Document[];
  readonly schemas: number;
  readonly bytes: number;
}

describe.skipIf(reason)(`folders of the crate${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let oracle: Oracle;
  let folder: string;
  let root: string;
  beforeAll(() => {
    oracle = Oracle.start();
  }, 300_000);
  afterAll(() => oracle?.stop());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'zds-folders-'));
    root = join(folder, 'store');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const ask = <T>(op: string, fields: object = {}) =>
    oracle.ask<T>(`documents.${op}`, { root, collection: 'c', ...fields });
  const samples: [string, Document][] = [
    ['a', { n: 1, x: 1.5, ok: true, nothing: null }],
    ['é日本', { 'ключ "quoted"': 'line\nbreak \u2028 😀 \u0000 \\', A: { b: [1, 2] } }],
    ['b.c-d_e', { list: [[], {}, [{ q: 'x' }], 1, 'two'], n: -3 }],
    ['empty', {}],
  ];
  const documentsOf = (engine: Engine) =>
    engine.docIds().map((id) => [id, withoutId(engine.getDocument(id))]);

  describe('a file per document', () => {
    it('of ours is the same to the crate', async () => {
      const writer = await SyncWriter.open(root, 'c');
      for (const [id, document] of samples) await writer.put(id, document);
      await writer.put('gone', { n: 1 });
      await writer.put('a', { n: 2, x: 2.5, ok: false, nothing: null });
      await writer.delete('gone');
      await writer.close();
      const engine = await Engine.open(root, 'c');
      const expected = documentsOf(engine);
      const found = await ask<CrateFolder>('read');
      expect(found.ids).toEqual(engine.docIds());
      expect(found.documents).toEqual(expected.map(([, document]) => document));
      expect(found.bytes).toBe(engine.stats().totalSize);
      expect(found.schemas).toBe(engine.stats().schemaCount);
      for (const [id, document] of expected) expect(await ask('get', { id })).toEqual(document);
      expect(await ask('getAt', { ordinal: 1 })).toEqual(expected[1]![1]);
      expect(await ask('rebuild')).toEqual([...engine.docIds()].sort());
      const selected = await ask<CrateFolder>('read', { field: 'n', value: 2 });
      const ours = engine.scan(eq('n', 2)).collect().map(withoutId);
      expect(selected.documents).toEqual(ours);
      expect(await ask('validate')).toBeNull();
    });

    it.each(['put', 'putBuffered'])('of the crate is the same to us (%s)', async (op) => {
      await oracle.ask('init', { root });
      await ask(op, { documents: samples });
      await ask('put', { documents: [['later', { n: 9 }]] });
      await ask('delete', { id: 'empty' });
      const engine = await Engine.open(root, 'c');
      const found = await ask<CrateFolder>('read');
      expect(engine.docIds()).toEqual(found.ids);
      expect(documentsOf(engine).map(([, document]) => document)).toEqual(found.documents);
      expect(engine.stats().totalSize).toBe(found.bytes);
      expect(engine.stats().docCount).toBe(4);
    });

    it('repaired by us, it is whole to the crate again, in its order', async () => {
      await oracle.ask('init', { root });
      await ask('put', { documents: samples });
      const { meta } = Layout.collection(root, 'c');
      const docs = Layout.docsDir(root, 'c');
      writeFileSync(join(docs, 'a.json'), '{"n": ');
      writeFileSync(join(docs, 'hand.json'), '{"n": 5}');
      writeFileSync(join(meta, 'order.ids'), 'empty\nghost\na\nb.c-d_e\nempty\n');
      writeFileSync(join(meta, 'doc_index.jsonl'), '{"doc_id":"a"}\n');
      writeFileSync(join(meta, 'schemas.jsonl'), '{');
      // It gives up on what is damaged, and shows nothing.
      await expect(ask('rebuild')).rejects.toThrow();
      expect(await repair(root, 'c')).toMatchObject({ documents: 4, droppedFiles: ['a.json'] });
      const engine = await Engine.open(root, 'c');
      const found = await ask<CrateFolder>('read');
      // The journal knows that of the crate's documents; the other was made by hand.
      expect(found.ids).toEqual(['empty', 'b.c-d_e', 'é日本', 'hand']);
      expect(found.ids).toEqual(engine.docIds());
      expect(found.documents).toEqual(documentsOf(engine).map(([, document]) => document));
      expect(found.bytes).toBe(engine.stats().totalSize);
      expect(await ask('rebuild')).toEqual([...engine.docIds()].sort());
      expect(await ask('validate')).toBeNull();
      await ask('putBuffered', { documents: [['later', { n: 9 }]] });
      expect((await Engine.open(root, 'c')).docIds()).toEqual([...found.ids, 'later']);
    });

    it('is written in turns', async () => {
      const model = new Map<string, Document>();
      for (let turn = 0; turn < 8; turn++) {
        const put: [string, Document][] = [0, 1, 2].map((i) => [
          `d${(turn * 2 + i) % 7}`,
          { turn },
        ]);
        for (const [id, document] of put) model.set(id, document);
        const victim = put[0]![0];
        model.delete(victim);
        if (turn % 2 === 0) {
          const writer = await EngineWriter.open(root, 'c');
          for (const [id, document] of put) writer.put(id, document);
          writer.delete(victim);
          await writer.close();
        } else {
          await ask(turn % 4 === 1 ? 'put' : 'putBuffered', { documents: put });
          await ask('delete', { id: victim });
        }
        const engine = await Engine.open(root, 'c');
        const { ids, documents } = await ask<CrateFolder>('read');
        expect(Object.fromEntries(documentsOf(engine))).toEqual(Object.fromEntries(model));
        expect([...ids].sort()).toEqual([...model.keys()].sort());
        expect(documents).toHaveLength(model.size);
      }
    });
  });

  describe('schemas', () => {
    it('of any document have the same id and text on both sides', async () => {
      const value = fc.jsonValue({ maxDepth: 4 });
      const documents = fc.dictionary(fc.string({ maxLength: 6 }), value, { maxKeys: 5 });
      await fc.assert(
        fc.asyncProperty(documents, async (document) => {
          const json = JSON.stringify(document);
          const told = await ask<{ id: string; text: string; schema: unknown }>('schema', {
            document: JSON.parse(json),
          });
          const schema = schemaOfText(json);
          expect(canonicalSchema(schema)).toBe(told.text);
          expect(hashSchema(canonicalSchema(schema))).toBe(told.id);
          expect(JSON.parse(encodeSchema(schema))).toEqual(told.schema);
        }),
        { numRuns: 300 },
      );
    });

    it('are counted alike', async () => {
      const writer = await SyncWriter.open(root, 'c');
      for (const [id, document] of samples) await writer.put(id, document);
      await writer.put('again', { n: 7, x: 2.5, ok: true, nothing: null });
      await writer.close();
      const schemas = await ask<{ id: string; count: number }[]>('schemas');
      expect(schemas.map(({ count }) => count).sort()).toEqual([1, 1, 1, 2]);
    });
  });

  describe('archives', () => {
    const fill = async (): Promise<void> => {
      const store = await FastStore.open(root, 'fast');
      for (let i = 0; i < 2000; i++) store.put(`d${i}`, { i, text: 'some text '.repeat(i % 7) });
      store.delete('d5');
      await store.close();
      const writer = await SyncWriter.open(root, 'c');
      for (const [id, document] of samples) await writer.put(id, document);
      await writer.close();
    };

    it('of ours are unpacked by the crate', async () => {
      await fill();
      const archive = join(folder, 'a.zds');
      await pack(root, archive);
      const to = join(folder, 'theirs');
      await ask('unpack', { from: archive, to });
      await oracle.ask('open', { name: 'u', root: to, collection: 'fast', mode: 'read' });
      const all = await oracle.ask<CrateDocuments>('all', { name: 'u' });
      await oracle.ask('forget', { name: 'u' });
      expect(Object.keys(all)).toHaveLength(1999);
      expect(all.d6).toEqual({ i: 6, text: 'some text '.repeat(6) });
      const { ids } = await ask<CrateFolder>('read', { root: to });
      expect(ids).toEqual(samples.map(([id]) => id));
    });

    it('of the crate are unpacked by us', async () => {
      await fill();
      const archive = join(folder, 'a.zds');
      await ask('pack', { from: root, to: archive });
      const to = join(folder, 'ours');
      await unpack(archive, to);
      const name = 'collections/fast/meta/data.jsonl';
      expect(readFileSync(join(to, name))).toEqual(readFileSync(join(root, name)));
      const store = await FastStore.open(to, 'fast', { mode: 'read' });
      expect(store.count).toBe(1999);
      await store.close();
      const engine = await Engine.open(to, 'c');
      expect(documentsOf(engine)).toEqual(samples);
    });

    it('of the crate are read by us as they are', async () => {
      await fill();
      const archive = join(folder, 'a.zds');
      await ask('pack', { from: root, to: archive });
      const store = await FastStore.open(archive, 'fast', { mode: 'read' });
      expect(store.get('d6')).toMatchObject({ i: 6 });
      expect(await store.scanAll()).toHaveLength(1999);
      await store.close();
    });
  });
});
