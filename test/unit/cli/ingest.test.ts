/** `zds ingest`: policies for bad records, ids, commits, several inputs, stopping. */
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
let stores = 0;
const newLake = () => {
  const parent = at(`store-${++stores}`);
  mkdirSync(parent);
  return join(parent, 'lake');
};
const scan = async (lake: string, name = 't') =>
  (await zds(['scan', lake, '-c', name, '--jsonl'])).stdout;

const bad = at('bad.jsonl');
writeFileSync(
  bad,
  Buffer.concat([
    Buffer.from('{"_id":"a"}\n\n{"_id":"b" "n":3}\n{"n":4}\n{"_id":5}\n{"_id":"d/e"}\n'),
    Buffer.from([0xff, 10]),
    Buffer.from(`[1]\n{"_id":"${'l'.repeat(300)}"}\n{"_id":""}\n{"_id":"z","x":1}`),
  ]),
);

describe('bad records', () => {
  it('stop the run with file, line and column, and nothing is kept', async () => {
    const lake = newLake();
    const { code, stdout, stderr } = await zds(['ingest', lake, '-c', 't', bad]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^.*bad\.jsonl:3:12: .*\(.*\)\n$/);
    expect(await scan(lake)).toBe('');
  });

  it('are skipped and counted', async () => {
    const lake = newLake();
    const { code, stdout } = await zds([
      'ingest',
      lake,
      '-c',
      't',
      bad,
      '--on-error',
      'skip',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ read: 10, documents: 2, rejected: 8 });
    expect(await scan(lake)).toBe('{"_id":"a"}\n{"_id":"z","x":1}\n');
    expect(existsSync(join(lake, '../t.rejects.jsonl'))).toBe(false);
  });

  it('are set aside beside the store, with place, reason and bytes', async () => {
    const lake = newLake();
    const { stdout } = await zds(['ingest', lake, '-c', 't', bad, '--on-error', 'dead-letter']);
    expect(stdout).toMatch(/8 bad ones set aside in .*t\.rejects\.jsonl/);
    const rejects = readFileSync(join(lake, '../t.rejects.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .sort((a, b) => Number(a.line) - Number(b.line));
    expect(rejects.map(({ line, code }) => [line, code])).toEqual([
      [3, 'JSON_ERROR'],
      [4, 'MISSING_ID'],
      [5, 'INVALID_ID'],
      [6, 'INVALID_ID'],
      [7, 'INVALID_UTF8'],
      [8, 'NOT_AN_OBJECT'],
      [9, 'INVALID_ID'],
      [10, 'INVALID_ID'],
    ]);
    expect(rejects[0]).toMatchObject({
      source: bad,
      raw: '{"_id":"b" "n":3}',
      column: 12,
      offset: 24,
    });
    expect(rejects[1]).toMatchObject({ raw: '{"n":4}', offset: 31 });
    expect(rejects[4]).toMatchObject({ rawBase64: '/w==' });
    for (const { reason } of rejects) expect(reason).toMatch(/^(?!.*bad\.jsonl).+/);
  });

  it('go where --rejects says; a place that cannot be written fails the run', async () => {
    const argv = ['-c', 't', bad, '--on-error', 'dead-letter', '--rejects'];
    await zds(['ingest', newLake(), ...argv, at('mine.jsonl')]);
    expect(readFileSync(at('mine.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(8);
    const failed = await zds(['ingest', newLake(), ...argv, at('none/mine.jsonl')]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('none/mine.jsonl') });
  });

  it('go to no file that is read, and to none without dead-letter', async () => {
    const folder = newLake();
    mkdirSync(folder);
    const text = '{"_id":"1"}\nbad\n';
    writeFileSync(join(folder, 'in.jsonl'), text);
    const lake = join(folder, 'lake');
    const ingest = (input: string, ...more: string[]) =>
      zds(['ingest', lake, '-c', 't', join(folder, input), '--json', '--on-error', ...more]);
    for (let n = 0; n < 3; n++) {
      const { stdout } = await ingest('*.jsonl', 'dead-letter');
      expect(JSON.parse(stdout)).toMatchObject({ read: 2, rejected: 1 });
    }
    linkSync(join(folder, 'in.jsonl'), join(folder, 'link'));
    const read = await ingest('in.jsonl', 'dead-letter', '--rejects', join(folder, 'link'));
    expect(read).toMatchObject({ code: 2, stderr: expect.stringContaining('in.jsonl: is read') });
    expect(readFileSync(join(folder, 'in.jsonl'), 'utf8')).toBe(text);
    for (const policy of ['skip', 'stop']) {
      const { code, stderr } = await ingest('in.jsonl', policy, '--rejects', at('unused'));
      expect([code, stderr]).toEqual([2, 'zds: --rejects needs --on-error dead-letter\n']);
    }
  });

  it('may be all there is', async () => {
    const lake = newLake();
    writeFileSync(at('ids.jsonl'), '{"_id":1}\n'.repeat(3000));
    const { stdout } = await zds([
      'ingest',
      lake,
      '-c',
      't',
      at('ids.jsonl'),
      '--on-error',
      'skip',
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      read: 3000,
      documents: 0,
      rejected: 3000,
      commits: 1,
    });
  });

  it('that come late leave the commits before them', async () => {
    const lake = newLake();
    const lines = Array.from({ length: 5000 }, (_, i) => `{"_id":"d${i}","n":${i}}`);
    writeFileSync(at('late.jsonl'), `${lines.join('\n')}\n{bad}\n`);
    const argv = ['ingest', lake, '-c', 't', at('late.jsonl'), '--batch-bytes', '4kB'];
    const { code, stderr } = await zds([...argv, '--commit-bytes', '16kB']);
    expect(code).toBe(1);
    const [, committed] = /^([\d,]+) documents committed before this:\n.*late\.jsonl:5001:2: /.exec(
      stderr,
    )!;
    const count = Number(committed!.replace(',', ''));
    expect(count).toBeGreaterThan(0);
    expect(await scan(lake)).toBe(
      lines
        .slice(0, count)
        .map((line) => `${line}\n`)
        .join(''),
    );
  });
});

describe('ids', () => {
  it('come from --id-field', async () => {
    const lake = newLake();
    writeFileSync(at('keys.jsonl'), '{"key":{"id":"k1"},"n":1}\n{"key":{"id":"k2"}}\n');
    await zds(['ingest', lake, '-c', 't', at('keys.jsonl'), '--id-field', 'key.id']);
    expect((await zds(['get', lake, 'k1', '-c', 't'])).stdout).toContain('"n":1');
  });

  it('are made on request, and replace nothing', async () => {
    const lake = newLake();
    writeFileSync(at('none.jsonl'), '{"n":1}\n{"n":1}\n');
    const { stdout } = await zds([
      'ingest',
      lake,
      '-c',
      't',
      at('none.jsonl'),
      '--generate-ids',
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ documents: 2, replaced: 0 });
    const refused = await zds(['ingest', newLake(), '-c', 't', at('none.jsonl')]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('none.jsonl:1') });
  });

  it('that come again replace, and are counted', async () => {
    const lake = newLake();
    writeFileSync(at('twice.jsonl'), '{"_id":"a","n":1}\n{"_id":"a","n":2}\n{"_id":"b"}\n');
    const { stdout } = await zds(['ingest', lake, '-c', 't', at('twice.jsonl'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ documents: 3, replaced: 1 });
    expect(await scan(lake)).toBe('{"_id":"a","n":2}\n{"_id":"b"}\n');
  });
});

describe('inputs', () => {
  it('are files, patterns and compressed files, in order', async () => {
    const lake = newLake();
    mkdirSync(at('parts'));
    writeFileSync(at('parts/2.jsonl'), '{"_id":"2"}');
    writeFileSync(at('parts/1.jsonl'), '{"_id":"1"}\r\n');
    writeFileSync(at('parts/3.jsonl.gz'), gzipSync('{"_id":"3"}\n'));
    const argv = ['ingest', lake, '-c', 't', at('parts/3.jsonl.gz'), at('parts/*.jsonl')];
    expect(await zds(argv)).toMatchObject({ code: 0 });
    expect(await scan(lake)).toBe('{"_id":"3"}\n{"_id":"1"}\n{"_id":"2"}\n');
  });

  it('may be gone when they have been read, where --resume goes on behind them', async () => {
    const lake = newLake();
    const names = ['gone-1.jsonl', 'gone-2.jsonl', 'gone-3.jsonl'].map(at);
    const document = (n: number) => `{"_id":"${n}"}\n`;
    for (const [n, name] of names.slice(0, 2).entries()) writeFileSync(name, document(n));
    const ingest = (...more: string[]) => zds(['ingest', lake, '-c', 't', ...more]);
    expect(await ingest(...names.slice(0, 2))).toMatchObject({ code: 0 });
    rmSync(names[0]!);
    writeFileSync(names[2]!, document(2));
    expect(await ingest(...names, '--resume')).toMatchObject({ code: 0, stderr: '' });
    const pipeline = {
      name: 'ingest',
      source: { type: 'jsonl', path: names },
      sink: { type: 'zds', root: lake, collection: 't' },
    };
    writeFileSync(at('gone.json'), JSON.stringify(pipeline));
    expect(await zds(['run', at('gone.json'), '--resume'])).toMatchObject({ code: 0, stderr: '' });
    expect(await scan(lake)).toBe([0, 1, 2].map(document).join(''));
    const other = newLake();
    expect(await zds(['ingest', other, '-c', 't', names[0]!])).toMatchObject({ code: 1 });
    expect(existsSync(other)).toBe(false);
  });

  it('may be empty', async () => {
    writeFileSync(at('empty.jsonl'), '');
    const { code, stdout } = await zds([
      'ingest',
      newLake(),
      '-c',
      't',
      at('empty.jsonl'),
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ read: 0, documents: 0, documentsPerSecond: 0 });
  });

  it('have lines of bounded length', async () => {
    writeFileSync(at('long.jsonl'), `{"_id":"a","x":"${'y'.repeat(5000)}"}\n{"_id":"b"}\n`);
    const argv = ['-c', 't', at('long.jsonl'), '--max-line-bytes', '1k'];
    const { code, stderr } = await zds(['ingest', newLake(), ...argv]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/long\.jsonl:1.*maxLineBytes/);
    const lake = newLake();
    await zds(['ingest', lake, ...argv, '--on-error', 'skip']);
    expect(await scan(lake)).toBe('{"_id":"b"}\n');
  });
});

describe('a terminal', () => {
  it('gets progress, a pipe does not', async () => {
    const lines = Array.from({ length: 1_200_000 }, (_, i) => `{"_id":"d${i}","n":${i}}`);
    writeFileSync(at('many.jsonl'), lines.join('\n'));
    const argv = ['-c', 't', at('many.jsonl'), '--batch-bytes', '64kB'];
    expect((await zds(['ingest', newLake(), ...argv])).stderr).toBe('');
    const { stderr } = await zds(['ingest', newLake(), ...argv], { isTTY: true });
    expect(stderr).toMatch(/\ringest \[#*\.*\] *\d+% .* left .* docs .*\r\u001b\[K$/);
  });

  it('may ask to stop: what is in hand is committed, and the place is told', async () => {
    const lake = newLake();
    const interrupt = new Interrupt();
    const running = zds(
      ['ingest', lake, '-c', 't', at('many.jsonl'), '--batch-bytes', '8kB', '--json'],
      { interrupt },
    );
    setTimeout(() => interrupt.request(), 60);
    const { code, stdout, stderr } = await running;
    expect(code).toBe(130);
    const { documents, stopped } = JSON.parse(stdout);
    const place =
      documents === 0 ? 'before the first document' : `at ${at('many.jsonl')} line ${documents}`;
    const count = Number(documents).toLocaleString('en-US');
    expect(stderr).toBe(
      `stopped ${place}; ${count} document${documents === 1 ? '' : 's'} committed\n`,
    );
    expect(documents).toBeLessThan(200_000);
    if (documents > 0) expect(stopped.line).toBe(documents);
    expect((await scan(lake)).split('\n').length - 1).toBe(documents);
  });
});
