/** The commands that check, mend and shrink a store. */
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { SyncWriter } from '../../../src/store/index.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();

async function store(name: string): Promise<{ path: string; meta: string }> {
  const path = join(folder, name);
  const meta = join(path, 'collections', 'c', 'meta');
  const lines = [1, 2, 3].map((n) => `{"_id":"d${n}","n":${n}}\n`).join('');
  const file = `${path}.jsonl`;
  writeFileSync(file, lines);
  expect((await zds(['ingest', path, '-c', 'c', file])).code).toBe(0);
  expect((await zds(['put', path, 'd1', '-c', 'c', '--data', '{"n":10}'])).code).toBe(0);
  return { path, meta };
}

describe('maintenance commands', () => {
  it('validate says what is sound, and fails with the place where it is not', async () => {
    const { path, meta } = await store('validate');
    expect(await zds(['validate', path])).toMatchObject({
      code: 0,
      stdout: 'c: sound, 3 documents, 1 dead lines\n',
    });
    const data = join(meta, 'data.jsonl');
    writeFileSync(data, readFileSync(data, 'utf8').replace('"n":2', '"n"?2'));
    const found = await zds(['validate', path, '-c', 'c']);
    expect(found.code).toBe(1);
    expect(found.stdout).toContain(`${data}:2: damage: `);
    const json = JSON.parse((await zds(['validate', path, '--json'])).stdout);
    expect(json).toMatchObject({ ok: false, collections: [{ collection: 'c', ok: false }] });
  });

  it('validate looks at the folders of the store, too', async () => {
    const { path } = await store('folders');
    writeFileSync(join(path, 'collections', 'stray'), '');
    const said = `${join(path, 'collections', 'stray')}: notice: a file among the collections`;
    expect(await zds(['validate', path])).toMatchObject({
      code: 0,
      stdout: `${said} [INVALID_PATH]\nc: sound, 3 documents, 1 dead lines\n`,
    });
    const json = JSON.parse((await zds(['validate', path, '--json'])).stdout);
    expect(json).toMatchObject({ ok: true, findings: [{ level: 'notice' }] });
    expect((await zds(['validate', path, '-c', 'c'])).stdout).not.toContain('stray');
  });

  it('repair mends that and says where the rest is', async () => {
    const { path, meta } = await store('repair');
    const data = join(meta, 'data.jsonl');
    writeFileSync(data, readFileSync(data, 'utf8').replace('"n":2', '"n"?2'));
    const { code, stdout } = await zds(['repair', path, '-c', 'c']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/repaired: 2 documents\nput aside: 1 lines, in .*dropped-.*\.jsonl\n$/);
    expect((await zds(['validate', path])).code).toBe(0);
    expect((await zds(['repair', path, '-c', 'c'])).stdout).toContain('nothing to repair: 2 ');
  });

  it('compact gives space back and reports it', async () => {
    const { path, meta } = await store('compact');
    const { stdout } = await zds(['compact', path, '-c', 'c', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ collection: 'c', droppedLines: 1, documents: 3 });
    expect(readFileSync(join(meta, 'data.jsonl'), 'utf8').split('\n')).toHaveLength(4);
    expect((await zds(['compact', path, '-c', 'c'])).stdout).toMatch(/^dropped 0 dead lines/);
  });

  it('reindex makes a lost index anew', async () => {
    const { path, meta } = await store('reindex');
    rmSync(join(meta, 'index.bin'));
    expect((await zds(['validate', path])).code).toBe(1);
    expect((await zds(['reindex', path, '-c', 'c'])).stdout).toMatch(/^indexed 3 documents in /);
    appendFileSync(join(meta, 'index.bin'), '');
    expect((await zds(['validate', path])).code).toBe(0);
  });

  it('reindex stopped by Ctrl-C leaves the index to the next opening', async () => {
    const { path, meta } = await store('stopped');
    const interrupt = new Interrupt();
    interrupt.request();
    const argv = ['reindex', path, '-c', 'c'];
    expect(await zds(argv, { interrupt })).toEqual({
      code: 130,
      stdout: '',
      stderr: 'stopped; the index is made when the collection is opened next\n',
    });
    expect((await zds(['get', path, 'd1', '-c', 'c'])).stdout).toContain('"n":10');
    expect((await zds(argv)).stdout).toContain('indexed 3 documents');
    expect(readdirSync(meta).sort()).toEqual(
      ['commits.log', 'data.jsonl', 'index.bin', 'runs.jsonl'].sort(),
    );
  });

  it('know collections with a file per document', async () => {
    const path = join(folder, 'files');
    const writer = await SyncWriter.open(path, 'notes');
    await writer.put('a', { n: 1 });
    await writer.close();
    expect((await zds(['validate', path])).stdout).toBe('notes: sound, 1 document, 0 dead lines\n');
    expect((await zds(['stats', path])).stdout).toMatch(/^notes +1 /m);
    const compacted = await zds(['compact', path, '-c', 'notes']);
    expect(compacted).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/file per document/),
    });
    expect((await zds(['reindex', path, '-c', 'notes'])).stdout).toMatch(/^indexed 1 document in/);
    const document = join(path, 'collections/notes/docs/a.json');
    writeFileSync(document, 'broken\n');
    const { code, stdout } = await zds(['validate', path]);
    expect(code).toBe(1);
    expect(stdout).toContain(`${document}: damage: `);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    const repaired = await zds(['repair', path, '-c', 'notes']);
    expect(repaired.code).toBe(0);
    expect(repaired.stdout).toMatch(
      /repaired: 0 documents\nput aside: a\.json, in .*dropped-\S+\n$/,
    );
    expect(await zds(['validate', path])).toMatchObject({ code: 0 });
  });

  it('make no store by a slip of the keyboard', async () => {
    for (const name of ['validate', 'reindex', 'compact', 'repair']) {
      expect((await zds([name, join(folder, 'none'), '-c', 'c'])).code).toBe(1);
    }
  });
});
