/** What `verify` finds in collections with a file per document, and that it changes nothing there. */
import { describe, expect, it } from 'vitest';
import { FastStore, SyncWriter, verify } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const FOLDER = '/s/collections/c';
const DOCS = `${FOLDER}/docs`;

async function filled(strict = false): Promise<FaultDisk> {
  const disk = new FaultDisk();
  const writer = await SyncWriter.open<object>('/s', 'c', { disk, strict });
  for (const id of ['b', 'a', 'c']) await writer.put(id, { text: id });
  await writer.delete('c');
  await writer.close();
  return disk;
}

/** The disk with other contents in some files; null takes one away. */
function changed(disk: FaultDisk, files: { readonly [path: string]: string | null }): FaultDisk {
  const image = new Map(disk.current());
  for (const [path, text] of Object.entries(files)) {
    if (text === null) image.delete(path);
    else image.set(path, new Uint8Array(Buffer.from(text)));
  }
  return new FaultDisk(image);
}

async function found(disk: FaultDisk) {
  const [report] = await verify('/s', 'c', { disk });
  expect(disk.operations).toBe(0);
  const findings = report!.findings.map(({ level, code, place }) => [level, code, place.path]);
  return { ...report!, findings };
}

describe('verify of a file per document', () => {
  it('finds nothing where nothing is wrong, and goes over both kinds', async () => {
    const disk = await filled();
    const lines = await FastStore.open('/s', 'lines', { disk });
    lines.put('a', {});
    await lines.close();
    const reports = await verify('/s', undefined, { disk: new FaultDisk(disk.current()) });
    expect(reports).toMatchObject([
      { collection: 'c', ok: true, notices: 0, documents: 2, dataBytes: 2 * 17 },
      { collection: 'lines', ok: true, notices: 0, documents: 1 },
    ]);
  });

  it('names every document that cannot be read', async () => {
    const disk = changed(await filled(), {
      [`${DOCS}/a.json`]: '{"text": ',
      [`${DOCS}/n.json`]: '[1]',
    });
    expect(await found(disk)).toMatchObject({
      ok: false,
      damage: 2,
      documents: 1,
      findings: [
        ['damage', 'JSON_ERROR', `${DOCS}/a.json`],
        ['damage', 'NOT_AN_OBJECT', `${DOCS}/n.json`],
        // order.ids does not have it.
        ['notice', 'CORRUPTED_INDEX', `${FOLDER}/meta`],
      ],
    });
  });

  it('does not take damaged bytes for other characters, and says where nesting is too deep', async () => {
    const image = new Map((await filled()).current());
    image.set(`${DOCS}/a.json`, Uint8Array.from(Buffer.from('{"text": "\xe9"}', 'latin1')));
    image.set(`${DOCS}/b.json`, Buffer.from(`{"a":${'['.repeat(600)}${']'.repeat(600)}}`));
    expect((await found(new FaultDisk(image))).findings).toEqual([
      ['damage', 'NESTING_TOO_DEEP', `${DOCS}/b.json`],
      ['damage', 'INVALID_UTF8', `${DOCS}/a.json`],
    ]);
  });

  it('notices an _id that is another than the name', async () => {
    const disk = changed(await filled(), { [`${DOCS}/a.json`]: '{"_id": "x", "text": "a"}' });
    expect((await found(disk)).findings).toContainEqual([
      'notice',
      'ID_MISMATCH',
      `${DOCS}/a.json`,
    ]);
  });

  it('names documents that a strict collection could not have taken, and a manifest that is none', async () => {
    const strict = await filled(true);
    const other = { [`${DOCS}/a.json`]: '{"text": 1}' };
    expect((await found(changed(strict, other))).findings).toContainEqual([
      'damage',
      'SCHEMA_MISMATCH',
      `${DOCS}/a.json`,
    ]);
    const manifest = `${FOLDER}/meta/manifest.json`;
    expect((await found(changed(strict, { [manifest]: '{"strict"' }))).findings).toEqual([
      ['damage', 'CORRUPTED_DATA', manifest],
    ]);
  });

  it('notices edits by hand, files that lag behind, and what a session that died left', async () => {
    const disk = await filled();
    const journal = `${FOLDER}/meta/journal.log`;
    const text = Buffer.from(disk.current().get(journal)!).toString();
    const cases: [{ readonly [path: string]: string | null }, string][] = [
      [{ [`${DOCS}/a.json`]: '{"text": "by hand"}' }, `${DOCS}/a.json`],
      [{ [`${DOCS}/b.json`]: null }, `${FOLDER}/meta`],
      [{ [`${FOLDER}/meta/order.ids`]: 'b\n' }, `${FOLDER}/meta`],
      [{ [journal]: `${text}{"op":"PU` }, journal],
      [{ [journal]: text.slice(0, text.lastIndexOf('{')) }, journal],
      [{ [`${DOCS}/.x.tmp`]: '{' }, `${DOCS}/.x.tmp`],
    ];
    for (const [files, path] of cases) {
      const report = await found(changed(disk, files));
      expect(report).toMatchObject({ ok: true });
      expect(report.findings.map(([, , place]) => place)).toContain(path);
    }
  });
});
