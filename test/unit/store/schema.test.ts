/** A store with a schema keeps what the schema returns, under the id from before, whichever way a document comes. */
import { pipeline } from 'node:stream/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Document } from '../../../src/core/batch.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { FastStore, type IdOptions } from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const strips = z.object({ name: z.string().trim() });
const keeps = z.looseObject({ name: z.string().trim() });
const changes = z.object({ _id: z.string().toUpperCase(), name: z.string() });

type Way = (document: Document, schema: z.ZodType<object>, ids?: IdOptions) => Promise<void>;

describe('a schema', () => {
  let root: string;
  beforeEach(() => {
    root = temporaryFolder();
  });
  const inStore =
    (write: (store: FastStore<object>, document: Document, ids?: IdOptions) => unknown): Way =>
    async (document, schema, ids) => {
      const store = await FastStore.open<object>(root, 'c', { schema });
      try {
        await write(store, document, ids);
        await store.close();
      } finally {
        await store.abandon();
      }
    };
  const bytesOf = (document: Document) => Buffer.from(JSON.stringify(document));
  const put = inStore((store, document) => store.put('eve', document));
  const putRaw = inStore((store, document) => store.putRaw('eve', bytesOf(document)));
  const lines = inStore((store, document, ids) => store.writeJsonl(bytesOf(document), ids));
  const sink: Way = (document, schema, ids) =>
    pipeline(fromIterable([document]), zdsSink(root, 'c', { schema, ...ids }));
  const stored = async () => {
    const store = await FastStore.open(root, 'c', { mode: 'read' });
    try {
      return Buffer.from(await store.readJsonlBlob()).toString();
    } finally {
      await store.close();
    }
  };

  const ways: [string, Way][] = [
    ['put', put],
    ['putRaw', putRaw],
    ['writeJsonl', lines],
    ['zdsSink', sink],
  ];
  describe.each(ways)('by %s', (_way, write) => {
    it.each([
      ['drops the id', strips],
      ['keeps the id behind', keeps],
    ])('that %s', async (_name, schema) => {
      await write({ name: ' Eve ', _id: 'eve' }, schema);
      expect(await stored()).toBe('{"_id":"eve","name":"Eve"}\n');
    });

    it('that changes the id', async () => {
      const document = { _id: 'eve', name: 'Eve' };
      await expect(write(document, changes)).rejects.toMatchObject({ code: 'ID_MISMATCH' });
    });

    it('that makes no object', async () => {
      const schema = strips.transform(() => []);
      const document = { _id: 'eve', name: 'Eve' };
      await expect(write(document, schema)).rejects.toMatchObject({ code: 'INVALID_DOCUMENT' });
    });
  });

  it.each([
    ['put', put],
    ['putRaw', putRaw],
  ])('by %s with another id that it drops', async (_way, write) => {
    const refused = { code: 'ID_MISMATCH' };
    await expect(write({ _id: 'bob', name: '' }, strips)).rejects.toMatchObject(refused);
  });

  it.each([{ _id: 2n }, { _id: { n: 2n } }])('by put with %o', async (document) => {
    await expect(put(document, strips)).rejects.toMatchObject({ code: 'ID_MISMATCH' });
  });

  it('by put with nothing', async () => {
    const nothing = null as unknown as Document;
    await expect(put(nothing, strips)).rejects.toMatchObject({ code: 'INVALID_DOCUMENT' });
  });

  it.each<[string, IdOptions]>([
    ['a field', { idField: 'key' }],
    ['a path', { idField: 'deep.key' }],
    ['a function', { id: (document) => String(document.key) }],
    ['a generator', { idField: 'none', generateIds: true }],
  ])('drops the field that %s made the id of', async (_name, ids) => {
    for (const write of [lines, sink]) {
      await write({ key: 'eve', deep: { key: 'eve' }, name: 'Eve' }, strips, ids);
    }
    expect(await stored()).toMatch(
      ids.generateIds
        ? /^({"_id":"[-\w]{36}","name":"Eve"}\n){2}$/
        : /^{"_id":"eve","name":"Eve"}\n$/,
    );
  });

  it('refuses by place what has no id, another one, or is nested too deep', async () => {
    const deep = z
      .object({})
      .transform(() => JSON.parse(`${'{"a":'.repeat(600)}1${'}'.repeat(600)}`));
    const none = { idField: 'deep.0' };
    const cases: [Document, z.ZodType<object>, IdOptions, string][] = [
      [{ deep: ['eve'], name: '' }, strips, none, 'MISSING_ID'],
      [{ _id: 'bob', key: 'eve', name: '' }, strips, { idField: 'key' }, 'ID_MISMATCH'],
      [{ key: 1, name: '' }, strips, { idField: 'key' }, 'INVALID_ID'],
      [{ _id: 'eve' }, deep, {}, 'NESTING_TOO_DEEP'],
    ];
    for (const [document, schema, ids, code] of cases) {
      await expect(sink(document, schema, ids)).rejects.toMatchObject({
        code,
        place: { ordinal: 0 },
      });
    }
  });

  it('may mend what JSON cannot hold', async () => {
    const schema = z.object({ n: z.bigint().transform(String) });
    await sink({ _id: 'eve', n: 2n ** 70n }, schema);
    expect(await stored()).toBe('{"_id":"eve","n":"1180591620717411303424"}\n');
  });

  it('is refused for a store handed in, which has its own', async () => {
    const store = await FastStore.open<object>(root, 'c');
    expect(() => zdsSink(store, 'c', { schema: strips })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    await store.close();
  });
});
