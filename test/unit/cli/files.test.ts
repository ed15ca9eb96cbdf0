/** The reading commands on a file per document: what they print is as of a collection in lines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { BufferedWriter } from '../../../src/store/index.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const lake = at('lake');
const documents: readonly (readonly [string, Document])[] = [
  ['b', { name: 'Bob', score: 12, tags: ['x y', null] }],
  ['a', { name: 'Cäcilie', score: 95.5, meta: { source: 'web' } }],
  ['c', {}],
];

beforeAll(async () => {
  const writer = await BufferedWriter.open(lake, 'files');
  for (const [id, document] of documents) await writer.put(id, document);
  await writer.close();
  const lines = documents.map(([_id, document]) => JSON.stringify({ _id, ...document }));
  writeFileSync(at('in.jsonl'), lines.join('\n'));
  expect(await zds(['ingest', lake, '-c', 'lines', at('in.jsonl')])).toMatchObject({ code: 0 });
});

describe('a file per document', () => {
  it.each([
    ['get', 'a', '-c'],
    ['get', 'a', '--pretty', '-c'],
    ['scan', '-c'],
    ['scan', '--jsonl', '-l', '1', '--offset', '1', '-c'],
    ['scan', '--where', 'score > 20', '--fields', '_id,meta.source', '-c'],
    ['export', '--to', '-', '-c'],
    ['export', '--to', '-', '--where', 'score > 1', '--fields', 'tags', '-c'],
  ])('%s %s %s %s %s %s %s', async (command, ...rest) => {
    const argv = (collection: string) => [command, lake, ...rest, collection];
    const expected = await zds(argv('lines'));
    expect(expected.stdout.length).toBeGreaterThan(10);
    const { stdout, code } = await zds(argv('files'));
    expect({ stdout, code }).toEqual({ stdout: expected.stdout, code: 0 });
  });

  it('is exported to Arrow, converted and described', async () => {
    await zds(['export', lake, '-c', 'files', '--to', at('out.arrow')]);
    const table = tableFromIPC(readFileSync(at('out.arrow')));
    expect(table.schema.names).toEqual(['_id', 'name', 'score', 'tags', 'meta']);
    expect(table.getChild('score')!.toArray()).toEqual(Float64Array.of(12, 95.5, 0));
    const csv = await zds([
      'convert',
      `${lake}#files`,
      '-',
      '--to',
      'csv',
      '--fields',
      '_id,score',
    ]);
    expect(csv.stdout).toBe('_id,score\nb,12\na,95.5\nc,\n');
    const stats = async (name: string) => {
      const { stdout } = await zds(['stats', lake, '-c', name, '--columns', '--json']);
      return JSON.parse(stdout).collections[0];
    };
    expect((await stats('files')).columns).toEqual((await stats('lines')).columns);
  });

  it('is put and deleted', async () => {
    const data = '{ "n": 1.50,\n "big": 12345678901234567890 }';
    const put = await zds(['put', lake, 'x', '-c', 'files'], { stdin: data });
    expect(put).toEqual({ code: 0, stdout: '', stderr: '' });
    const got = await zds(['get', lake, 'x', '-c', 'files']);
    expect(got.stdout).toBe('{"_id":"x","n":1.50,"big":12345678901234567890}\n');
    const bad = await zds(['put', lake, 'y', '-c', 'files', '--data', '{"_id":"z"}']);
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('own _id is "z"') });
    const argv = ['delete', lake, 'x', '-c', 'files'];
    expect(await zds(argv)).toEqual({ code: 0, stdout: '', stderr: '' });
    const docs = join(lake, 'collections/files/docs');
    const stderr = expect.stringContaining(`${docs}: no document "x"`);
    expect(await zds(argv)).toMatchObject({ code: 1, stdout: '', stderr });
    const compact = await zds(['compact', lake, '-c', 'files']);
    expect(compact.stderr).toContain('files has a file per document');
  });

  it('says which document is not there, or cannot be read', async () => {
    const docs = join(lake, 'collections/files/docs');
    const gone = await zds(['get', lake, 'nobody', '-c', 'files']);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toContain(`${docs}: no document "nobody"`);
    writeFileSync(join(docs, 'd.json'), '{');
    for (const argv of [
      ['get', lake, 'd'],
      ['scan', lake],
      ['export', lake, '--to', at('x.jsonl')],
    ]) {
      const { code, stderr } = await zds([...argv, '-c', 'files']);
      expect(code).toBe(1);
      expect(stderr).toContain(`${join(docs, 'd.json')}: `);
    }
  });
});
