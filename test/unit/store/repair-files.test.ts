/** `repair` of collections with a file per document: what is whole stays, in its order; the rest is put aside. */
import { describe, expect, it } from 'vitest';
import { readText } from '../../../src/store/engine/meta-file.ts';
import {
  Engine,
  repair,
  SyncWriter,
  type VerifyReport,
  verify,
  ZdsRoot,
} from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const FOLDER = '/s/collections/c';
const DOCS = `${FOLDER}/docs`;
const META = `${FOLDER}/meta`;
const MANIFEST = `${META}/manifest.json`;

async function filled(strict = false): Promise<FaultDisk> {
  const disk = new FaultDisk();
  const writer = await SyncWriter.open<object>('/s', 'c', { disk, strict });
  for (const id of ['m', 'b', 'z', 'a']) await writer.put(id, { text: id });
  await writer.close();
  return disk;
}

/** The disk with other contents in some files; null takes one away. */
function changed(
  disk: FaultDisk,
  files: { readonly [path: string]: string | Uint8Array | null },
): FaultDisk {
  const image = new Map(disk.current());
  for (const [path, contents] of Object.entries(files)) {
    if (contents === null) image.delete(path);
    else image.set(path, Uint8Array.from(Buffer.from(contents as string)));
  }
  return new FaultDisk(image);
}

const textOf = (disk: FaultDisk, path: string) => readText(disk, path);

async function idsOf(disk: FaultDisk): Promise<string[]> {
  const engine = await Engine.open('/s', 'c', { disk });
  expect(engine.scan().collect()).toHaveLength(engine.len());
  return engine.docIds();
}

/** What is left to say after a repair: nothing but where the files are that it put aside. */
async function sound(disk: FaultDisk): Promise<VerifyReport> {
  const [report] = await verify('/s', 'c', { disk });
  expect(report!.findings.filter(({ message }) => !message.includes('put aside'))).toEqual([]);
  const operations = disk.operations;
  expect(await repair('/s', 'c', { disk })).toMatchObject({ action: 'none' });
  expect(disk.operations).toBe(operations);
  return report!;
}

describe('repair of a file per document', () => {
  it('leaves a sound collection alone', async () => {
    const disk = await filled();
    const before = disk.current();
    expect(await repair('/s', 'c', { disk })).toEqual({
      collection: 'c',
      action: 'none',
      findings: [],
      documents: 4,
      droppedLines: 0,
      droppedFiles: [],
      lostBytes: 0,
      strictEnded: false,
    });
    expect(disk.current()).toEqual(before);
  });

  it('puts documents aside that cannot be read, byte for byte, and names them', async () => {
    const damaged = {
      'b.json': Buffer.from('{"text": "b"'),
      'a.json': Buffer.from('[1]'),
      'bytes.json': Buffer.from('{"text": "\xe9\x00"}', 'latin1'),
      'deep.json': Buffer.from(`{"a":${'['.repeat(600)}${']'.repeat(600)}}`),
      'empty.json': Buffer.alloc(0),
      'manifest.json': Buffer.from('{'),
    };
    const disk = changed(
      await filled(),
      Object.fromEntries(
        Object.entries(damaged).map(([name, bytes]) => [`${DOCS}/${name}`, bytes]),
      ),
    );
    const report = await repair('/s', 'c', { disk, maxFindings: 2 });
    expect(report).toMatchObject({ action: 'rewritten', documents: 2, strictEnded: false });
    expect(report.findings).toHaveLength(2);
    expect([...report.droppedFiles].sort()).toEqual(Object.keys(damaged).sort());
    expect(report.droppedPath).toMatch(/\/meta\/dropped-[^/]+$/);
    for (const [name, bytes] of Object.entries(damaged)) {
      expect(disk.current().get(`${report.droppedPath}/${name}`), name).toEqual(
        Uint8Array.from(bytes),
      );
      expect(disk.current().has(`${DOCS}/${name}`)).toBe(false);
    }
    expect(await idsOf(disk)).toEqual(['m', 'z']);
    expect(await textOf(disk, `${META}/order.ids`)).toBe('m\nz\n');
    expect(await sound(disk)).toMatchObject({ ok: true, documents: 2, notices: 1 });
  });

  it.each<[string, { readonly [path: string]: string | null }, string[]]>([
    ['ids without a file', { [`${META}/order.ids`]: 'm\nghost\nb\nz\na\n' }, []],
    ['ids twice', { [`${META}/order.ids`]: 'm\nb\nm\nz\na\nb\n' }, []],
    ['garbage', { [`${META}/order.ids`]: '\u0001 {\nm\n\n../x\nb\nz\na' }, []],
    [
      'no order.ids',
      { [`${META}/order.ids`]: null, [`${META}/journal.log`]: null },
      ['a', 'b', 'm', 'z'],
    ],
    ['part of order.ids', { [`${META}/order.ids`]: 'z\nb\n' }, ['z', 'b', 'a', 'm']],
    ['no doc_index.jsonl', { [`${META}/doc_index.jsonl`]: null }, []],
    ['garbage in doc_index.jsonl', { [`${META}/doc_index.jsonl`]: '{"doc_id":"m"}\n{"doc' }, []],
    ['no schemas.jsonl', { [`${META}/schemas.jsonl`]: null }, []],
    [
      'garbage in schemas.jsonl',
      { [`${META}/schemas.jsonl`]: '{"schema_id":"1","schema":2}\n' },
      [],
    ],
    ['an unfinished line of the journal', { [`${META}/journal.log`]: '{"op":"PUT","doc' }, []],
    [
      'nothing beside the documents',
      {
        [MANIFEST]: null,
        [`${META}/order.ids`]: null,
        [`${META}/doc_index.jsonl`]: null,
        [`${META}/schemas.jsonl`]: null,
        [`${META}/journal.log`]: null,
      },
      ['a', 'b', 'm', 'z'],
    ],
    ['temporary files', { [`${DOCS}/.x.tmp`]: '{', [`${META}/order.ids.tmp`]: 'x' }, []],
    ['a document edited by hand', { [`${DOCS}/b.json`]: '{"n": 1}' }, []],
  ])('mends %s', async (_, files, order) => {
    const disk = changed(await filled(), files);
    const ids = order.length > 0 ? order : ['m', 'b', 'z', 'a'];
    const report = await repair('/s', 'c', { disk });
    expect(report).toMatchObject({ action: 'index', documents: 4, droppedFiles: [] });
    expect(report).not.toHaveProperty('droppedPath');
    expect(report.findings.length).toBeGreaterThan(0);
    expect(await idsOf(disk)).toEqual(ids);
    expect(await textOf(disk, `${META}/order.ids`)).toBe([...ids, ''].join('\n'));
    const index = (await textOf(disk, `${META}/doc_index.jsonl`))!.trimEnd().split('\n');
    expect(index.map((line) => JSON.parse(line).doc_id)).toEqual(ids);
    expect([...disk.current().keys()].filter((path) => path.endsWith('.tmp'))).toEqual([]);
    expect((await sound(disk)).findings).toEqual([]);
  });

  it.each([
    ['cut', (text: string) => text.slice(0, text.indexOf('"created_at"'))],
    ['no object', (text: string) => `[${text}]`],
    ['with a strict that is none', (text: string) => text.replace('true', '"true"')],
  ])('makes a manifest anew that is %s', async (_, damage) => {
    const strict = await filled(true);
    const bytes = damage((await textOf(strict, MANIFEST))!);
    const disk = changed(strict, { [MANIFEST]: bytes });
    await expect(SyncWriter.open('/s', 'c', { disk })).rejects.toMatchObject({
      code: 'CORRUPTED_DATA',
    });
    const report = await repair('/s', 'c', { disk });
    expect(report).toMatchObject({ action: 'rewritten', documents: 4, droppedFiles: [] });
    expect(await textOf(disk, `${report.droppedPath}/manifest.damaged`)).toBe(bytes);
    const told = !bytes.includes('"true"');
    expect(JSON.parse((await textOf(disk, MANIFEST))!)).toMatchObject({
      collection: 'c',
      strict: told,
      doc_count: 4,
    });
    await sound(disk);
  });

  it('keeps documents that a strict collection could not have taken, and says that it is strict no more', async () => {
    const manifest = (await textOf(await filled(true), MANIFEST))!;
    for (const damage of [{}, { [MANIFEST]: manifest.slice(0, -20) }]) {
      const disk = changed(await filled(true), { [`${DOCS}/z.json`]: '{"text": 1}', ...damage });
      expect(await repair('/s', 'c', { disk })).toMatchObject({
        action: 'rewritten',
        documents: 4,
        droppedFiles: [],
        strictEnded: true,
      });
      expect(await idsOf(disk)).toEqual(['m', 'b', 'z', 'a']);
      expect(JSON.parse((await textOf(disk, MANIFEST))!)).toMatchObject({ strict: false });
      await sound(disk);
      // The way back.
      const writer = await SyncWriter.open('/s', 'c', { disk });
      await writer.put('z', { text: 'z' });
      await writer.close();
      await (await SyncWriter.open('/s', 'c', { disk, strict: true })).close();
    }
  });

  it('keeps a strict collection strict where only damaged documents go', async () => {
    const disk = changed(await filled(true), { [`${DOCS}/m.json`]: '{"text": 1' });
    expect(await repair('/s', 'c', { disk })).toMatchObject({ documents: 3, strictEnded: false });
    const writer = await SyncWriter.open<object>('/s', 'c', { disk });
    await expect(writer.put('n', { text: 1 })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
    await writer.close();
  });

  it('takes the lock, and stops at a signal with nothing changed', async () => {
    const disk = changed(await filled(), { [`${DOCS}/b.json`]: '{' });
    const before = disk.current();
    const root = await ZdsRoot.open('/s', { disk });
    const writer = await SyncWriter.open(root, 'other');
    let letGo = (): void => undefined;
    await root.openWriter('c', async (gone) => {
      letGo = gone;
      return { close: async () => undefined };
    });
    await expect(repair('/s', 'c', { disk })).rejects.toMatchObject({ code: 'LOCKED' });
    letGo();
    await writer.close();
    await root.close();
    const signal = AbortSignal.abort();
    await expect(repair('/s', 'c', { disk, signal })).rejects.toMatchObject({ code: 'ABORTED' });
    for (const [path, bytes] of before) expect(disk.current().get(path), path).toEqual(bytes);
  });
});
