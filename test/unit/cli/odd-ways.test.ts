/** What a command line may hold that nobody meant: odd names, folders without content, links, data that speaks to terminals. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { formatOf } from '../../../src/cli/formats.ts';
import { createStreamWriter } from '../../../src/io/stream-writer.ts';
import { DataStore } from '../../../src/store/drive/data-store.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const put = (name: string, text: string) => {
  writeFileSync(at(name), text);
  return at(name);
};
const input = put('in.jsonl', '{"_id":"a","n":1}\n');
const lake = at('lake');

describe('odd names', () => {
  it('are those of files, where there are such, and not of queries or stores', async () => {
    for (const name of ['q?.jsonl', 'h#1.jsonl']) {
      put(name, '{"n":1}\n');
      expect(await zds(['convert', at(name), '-'])).toMatchObject({ code: 0, stdout: '{"n":1}\n' });
    }
    const page = 'http://127.0.0.1:1/x.csv?y=1#top';
    expect(formatOf(page, undefined, 'source')).toMatchObject({
      type: 'csv',
      options: { path: page },
    });
  });

  it('are none where there is no name', async () => {
    const before = readdirSync('.');
    const { code, stderr } = await zds(['ingest', '', '-c', 'c', input]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('a store needs a path')]);
    expect(readdirSync('.')).toEqual(before);
  });
});

describe('folders and links', () => {
  it('without documents are no reason to tell nothing of the others', async () => {
    await zds(['ingest', lake, '-c', 'c', input]);
    mkdirSync(join(lake, 'collections/half'));
    const { code, stdout } = await zds(['stats', lake]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^c +1 /m)]);
    expect((await zds(['stats', lake, '-c', 'half'])).code).toBe(1);
  });

  it('to an empty folder are unpacked into', async () => {
    await zds(['pack', lake, at('lake.zds')]);
    mkdirSync(at('empty'));
    symlinkSync(at('empty'), at('link'));
    expect((await zds(['unpack', at('lake.zds'), at('link')])).code).toBe(0);
    expect(existsSync(at('empty/collections/c/meta/data.jsonl'))).toBe(true);
  });

  it('get no drive where nothing was written', async () => {
    // It goes while its lock is held: behind that it may be another's.
    const atClose: boolean[] = [];
    const close = vi.spyOn(DataStore.prototype, 'close').mockImplementation(function (
      this: DataStore,
    ) {
      atClose.push(existsSync(at('n.drive')));
      return this.abandon();
    });
    expect((await zds(['drive', 'write', at('n.drive'), 'k', '--data', ''])).code).not.toBe(0);
    close.mockRestore();
    expect(atClose).toEqual([false]);
    expect((await zds(['drive', 'import', at('n.drive'), at('nofolder')])).code).not.toBe(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('n.drive'))).toEqual([]);
  });
});

describe('what is printed', () => {
  it('has no escape sequences of field names', async () => {
    const rows = Array.from({ length: 120 }, (_, i) =>
      JSON.stringify({ _id: `i${i}`, [`f${i > 110 ? '\u001b[31m' : ''}`]: 1 }),
    );
    await zds(['ingest', lake, '-c', 'x', put('e.jsonl', `${rows.join('\n')}\n`)]);
    const { stdout, stderr } = await zds(['scan', lake, '-c', 'x']);
    expect(stderr).toContain('fields not shown');
    expect(stdout + stderr).not.toContain('\u001b');
  });

  it('is the data alone where a sink within another writes to standard output', async () => {
    const pipeline = put(
      'tee.yaml',
      `name: t\nsource: {type: jsonl, path: ${input}}\nsink: {type: tee, sinks: [{type: jsonl, path: "-"}, {type: jsonl, path: ${at('o.jsonl')}}]}\n`,
    );
    const { stdout, stderr } = await zds(['run', pipeline]);
    expect(stderr).toContain('1 document written');
    expect(stdout).not.toContain('written');
    expect(readFileSync(at('o.jsonl'), 'utf8')).toBe('{"_id":"a","n":1}\n');
  });

  it('says which standard stream cannot be written', async () => {
    const writer = createStreamWriter(process.stdout);
    process.stdout.emit(
      'error',
      Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }),
    );
    await expect(writer.write(new Uint8Array(1))).rejects.toMatchObject({
      code: 'IO_ERROR',
      place: { path: 'stdout' },
    });
    await writer.abort();
  });
});

describe('files that are checked', () => {
  it('are all told of, also behind one that cannot be read', async () => {
    const wrong = put(
      'wrong.yaml',
      'name: t\nsource: {type: jsnl, path: x}\nsink: {type: parquet, path: "-"}\n',
    );
    const { code, stdout } = await zds(['lint', at('nofile.yaml'), wrong]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/nofile\.yaml: .*\n.*wrong\.yaml:2:/);
    const parquet = put(
      'pq.yaml',
      `name: t\nsource: {type: jsonl, path: ${input}}\nsink: {type: parquet, path: "-"}\n`,
    );
    expect((await zds(['lint', parquet])).stdout).toContain('parquet takes a file, not -');
  });

  it('without tests are said to have none, each', async () => {
    for (const name of ['a', 'b']) {
      put(
        `${name}.yaml`,
        `name: ${name}\nsource: {type: jsonl, path: x}\nsink: {type: jsonl, path: ${at('o')}}\n`,
      );
    }
    put('a.test.yaml', 'tests:\n - {name: t, input: [{z: -0.0}], output: [{z: -0.0}]}\n');
    expect(await zds(['test', at('a.yaml')])).toMatchObject({ code: 0 });
    const { code, stderr } = await zds(['test', at('a.yaml'), at('b.yaml')]);
    expect([code, stderr]).toEqual([
      expect.any(Number),
      expect.stringContaining('b.yaml: no tests'),
    ]);
    expect(code).not.toBe(0);
  });

  it('of bad records have a share that is a number', async () => {
    const { code, stderr } = await zds(['ingest', lake, '-c', 'c', input, '--max-errors', '%']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('maxErrors')]);
  });
});
