/** A collection with a file per document is read as one in lines of the same documents is. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gt } from '../../../src/core/predicate.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import {
  BufferedWriter,
  collectionTable,
  Engine,
  EngineWriter,
  FastStore,
  pack,
  type ScanOptions,
  SyncWriter,
  ZdsRoot,
} from '../../../src/store/index.ts';
import { openCollection, openForReading } from '../../../src/store/open-reading.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-open-'));
  root = join(folder, 'store');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => join(root, 'collections/files/docs', name);

/** The same documents in both kinds, each in an order of its own. */
async function fill(): Promise<void> {
  const writer = await BufferedWriter.open<object>(root, 'files');
  const store = await FastStore.open(root, 'lines');
  const list = [{ q: 'é "quoted" \\ \n' }, [], {}, null];
  for (let i = 0; i < 40; i++) {
    const document = { n: i % 7, list: list.slice(i % 4), deep: { a: i, b: ' : , ' } };
    const id = `d${(i * 13) % 40}`;
    store.put(id, document);
    await writer.put(id, document);
  }
  await store.close();
  await writer.close();
}

async function textOf(collection: string, options: ScanOptions): Promise<string> {
  const files = await openForReading(root, collection, options.ids !== undefined);
  const parts: string[] = [];
  for await (const batch of files.scan(options).batches()) {
    // What is gathered stands nowhere in a file.
    if (collection === 'files') expect(batch.place(0)).toEqual({ path: file('') });
    parts.push(Buffer.from(batch.bytes()).toString());
  }
  await files.close();
  return parts.join('');
}

async function objectsOf(collection: string, options: ScanOptions): Promise<unknown[]> {
  const files = await openForReading(root, collection, options.ids !== undefined);
  const scan = files.scan(options);
  const all = await scan.toArray();
  expect(scan.collect()).toEqual(all);
  const one: unknown[] = [];
  for await (const document of scan) one.push(document);
  expect(one).toEqual(all);
  await files.close();
  return all;
}

describe('a file per document, read as lines', () => {
  it('gives the same to every scan', async () => {
    await fill();
    for (const options of [
      {},
      { where: gt('deep.a', 20) },
      { select: ['_id', 'deep.b'] },
      { where: gt('n', 2), select: ['list'], limit: 5, offset: 3 },
      { limit: 0 },
      { pieceBytes: 100 },
    ]) {
      expect(await textOf('files', options)).toBe(await textOf('lines', options));
      expect(await objectsOf('files', options)).toEqual(await objectsOf('lines', options));
    }
    const ids = ['d7', 'nobody', 'd39', 'd0'];
    expect(await textOf('files', { ids })).toBe(await textOf('lines', { ids }));
    const fieldsOf = async (collection: string) => {
      const files = await openCollection(root, collection);
      const offered = await files.scan({ where: gt('n', 2) }).fields();
      await files.close();
      return offered;
    };
    expect(await fieldsOf('files')).toEqual(await fieldsOf('lines'));
  });

  it('gives the same through sources, single lines and archives', async () => {
    await fill();
    const read = async (from: string, collection: string) => {
      const all: unknown[] = [];
      for await (const document of zdsSource(from, collection)) all.push(document);
      return all;
    };
    const expected = await read(root, 'lines');
    expect(await read(root, 'files')).toEqual(expected);
    const archive = join(folder, 'a.zds');
    await pack(root, archive);
    expect(await read(archive, 'files')).toEqual(expected);
    for (const from of [root, archive]) {
      const files = await openCollection(from, 'files');
      const lines = await openCollection(from, 'lines');
      expect(Buffer.from(files.getRaw('d5'))).toEqual(Buffer.from(lines.getRaw('d5')));
      expect(files.info()).toMatchObject({ documents: 40, lines: 40 });
      await lines.close();
      await files.close();
    }
    const zds = await ZdsRoot.open(root, { mode: 'read' });
    const files = await openForReading(zds, 'files');
    expect(files.scan({}).collect()).toEqual(expected);
    await zds.close();
  });

  it('gives a text of any number of escapes as it stands', async () => {
    mkdirSync(file(''), { recursive: true });
    const member = `"text":"${'\\n'.repeat(8e6)}"`;
    writeFileSync(file('a.json'), `{ ${member} }`);
    const engine = await Engine.open(root, 'files');
    expect(Buffer.from(`{"_id":"a",${member}}`).equals(engine.getRaw('a'))).toBe(true);
  });

  it('keeps what stands in a file, whoever wrote it', async () => {
    mkdirSync(file(''), { recursive: true });
    const texts: [string, string, string][] = [
      [
        'a',
        '\ufeff{\r\n\t"n" : 12345678901234567890 ,\n"e":1.50e+2}\n',
        '"n":12345678901234567890,"e":1.50e+2',
      ],
      ['b', '{ }', ''],
      ['c', '{"_id": "other", "n": 1, "x": {"_id": 2}}', '"n":1,"x":{"_id":2}'],
      ['d', '{"n": 1, "_id": {"a": "}"}, "\\u005fid": 3}', '"n":1'],
      [
        'e',
        '{"t":"\\\\\\" , :\\u0020 ","t": [ "" , "\\n" ]}',
        '"t":"\\\\\\" , :\\u0020 ","t":["","\\n"]',
      ],
      ['f', `{${'"_id": 1, '.repeat(20_000)}"n": 1}`, '"n":1'],
      ['odd "name"', '{"n":1}', '"n":1'],
    ];
    for (const [id, text] of texts) writeFileSync(file(`${id}.json`), text);
    const expected = texts.map(([id, , members]) => {
      return `{"_id":${JSON.stringify(id)}${members === '' ? '' : ','}${members}}`;
    });
    expect(await textOf('files', {})).toBe(`${expected.join('\n')}\n`);
    const engine = await Engine.open(root, 'files');
    for (const [i, [id]] of texts.entries()) {
      expect(Buffer.from(engine.getRaw(id)).toString()).toBe(expected[i]);
      expect(engine.getDocument(id)).toEqual(JSON.parse(expected[i]!));
    }
    expect(() => engine.getRaw('nobody')).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_NOT_FOUND' }),
    );
  });

  it('names the file that is damaged, and reads no further than is asked', async () => {
    const writer = await SyncWriter.open(root, 'files');
    for (const id of ['a', 'b', 'c']) await writer.put(id, { text: 'x'.repeat(40_000) });
    await writer.close();
    for (const [text, code] of [
      ['{"a": 1 2}', 'JSON_ERROR'],
      ['{"a": "\n"}', 'JSON_ERROR'],
      ['[]', 'NOT_AN_OBJECT'],
      [`{"a":${'['.repeat(600)}${']'.repeat(600)}}`, 'NESTING_TOO_DEEP'],
    ] as const) {
      writeFileSync(file('c.json'), text);
      const error = await textOf('files', {}).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code, place: { path: file('c.json') } });
      expect(await objectsOf('files', { limit: 1 })).toMatchObject([{ _id: 'a' }]);
    }
  });

  it('passes over what has gone, stops at a signal, and has no columns', async () => {
    await fill();
    const files = await openForReading(root, 'files');
    rmSync(file('d13.json'));
    expect(await files.scan({}).toArray()).toHaveLength(39);
    const signal = AbortSignal.abort();
    await expect(files.scan({ signal }).toArray()).rejects.toMatchObject({ code: 'ABORTED' });
    await files.close();
    await expect(collectionTable(root, 'files')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('takes documents as bytes, and leaves their values as they stand', async () => {
    const text =
      '{ "_id": "a", "n": 1.50, "big": 12345678901234567890, "s": "\\u00e9\\/", "n": [ ] }';
    const read = (id: string) => readFileSync(file(`${id}.json`), 'utf8');
    const failure = (code: string) => expect.objectContaining({ code });
    const writer = await SyncWriter.open<object>(root, 'files');
    await writer.putRaw('a', Buffer.from(text));
    expect(read('a')).toBe(
      '{\n  "n": 1.50,\n  "big": 12345678901234567890,\n  "s": "\\u00e9\\/",\n  "n": []\n}',
    );
    await writer.putRaw('empty', Buffer.from(' {"_id":"empty"} '));
    expect(read('empty')).toBe('{}');
    const putRaw = (id: string, json: string) => writer.putRaw(id, Buffer.from(json));
    await expect(putRaw('b', text)).rejects.toThrow(failure('ID_MISMATCH'));
    await expect(putRaw('x'.repeat(251), '{}')).rejects.toThrow(failure('INVALID_ID'));
    await expect(putRaw('b', '{"n":')).rejects.toThrow(failure('JSON_ERROR'));
    await expect(putRaw('b', '{}\n{}')).rejects.toThrow(failure('INVALID_DOCUMENT'));
    await writer.close();
    const engine = await Engine.open(root, 'files');
    expect(engine.docIds()).toEqual(['a', 'empty']);
    expect(engine.stats().schemaCount).toBe(2);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (document) => {
        const { _id, ...body } = document;
        const both = await EngineWriter.open<object>(root, 'files');
        both.put('put', body);
        both.putRaw('raw', Buffer.from(JSON.stringify(body)));
        await both.close();
        expect(read('raw')).toBe(read('put'));
      }),
      { numRuns: 50 },
    );
  });
});
