/** `zds runs`, `zds replay`, `--resume`, limits and metrics, as one would use them. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMetrics } from '../../../src/cli/metrics-server.ts';
import { renderMetrics } from '../../../src/pipeline/index.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

describe('zds runs', () => {
  it('shows what was done, also what failed', async () => {
    writeFileSync(at('good.jsonl'), '{"_id":"a"}\n{"_id":"b"}\n');
    writeFileSync(at('bad.jsonl'), '{"_id":"c"}\n{"_id":\n');
    await zds(['ingest', at('lake'), '-c', 'one', at('good.jsonl')]);
    await zds(['ingest', at('lake'), '-c', 'two', at('bad.jsonl'), '--name', 'nightly']);
    const { stdout, code } = await zds(['runs', at('lake'), '--json']);
    expect(code).toBe(0);
    const runs = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(runs).toMatchObject([
      { run: 'ingest', collection: 'one', totals: { outcome: 'done', written: 2 } },
      { run: 'nightly', collection: 'two', totals: { outcome: 'failed' } },
    ]);
    expect(runs[1].error).toContain('bad.jsonl:2');
    const table = await zds(['runs', at('lake'), '-l', '1']);
    expect(table.stdout).toContain('nightly');
    expect(table.stdout).not.toContain('done');
    expect((await zds(['runs', at('lake'), '-c', 'none', '--json'])).stdout).toBe('');
  });
});

describe('zds runs of what is not there', () => {
  it('fails, naming the store', async () => {
    const path = at('empty');
    await zds(['init', path, '-c', 'c']);
    const { code, stderr } = await zds(['runs', path, '-c', 'nope']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`${path}: there is no collection nope`),
    ]);
  });
});

describe('zds replay', () => {
  it('takes in what was mended, and sets aside what is still bad', async () => {
    const lines = ['{"_id":"a"}', '{"id":"b"}', '{"id":"c"', Buffer.from([0x22, 0xff])];
    writeFileSync(
      at('mixed.jsonl'),
      Buffer.concat(lines.flatMap((l) => [Buffer.from(l), Buffer.from('\n')])),
    );
    const args = [
      '-c',
      'r',
      at('mixed.jsonl'),
      '--on-error',
      'dead-letter',
      '--rejects',
      at('dead'),
    ];
    const first = await zds(['ingest', at('lake'), ...args, '--json']);
    expect(JSON.parse(first.stdout)).toMatchObject({ documents: 1, rejected: 3 });
    const replay = ['replay', at('dead'), at('lake'), '-c', 'r', '--id-field', 'id'];
    const again = await zds([...replay, '--rejects', at('dead2'), '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ read: 3, documents: 1, rejected: 2 });
    const left = readFileSync(at('dead2'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(left).toMatchObject([{ raw: '{"id":"c"' }, { rawBase64: 'Iv8=' }]);
    expect((await zds(['get', at('lake'), 'b', '-c', 'r'])).code).toBe(0);
    const stopped = await zds(replay);
    expect(stopped.stderr).toMatch(new RegExp(`^records of ${at('dead')}:\\d:\\d+: `));
    symlinkSync('dead', at('link'));
    for (const name of ['dead', 'link']) {
      expect((await zds([...replay, '--rejects', at(name)])).code).toBe(2);
    }
    writeFileSync(at('nodead'), '{"a":1}\n');
    const none = await zds(['replay', at('nodead'), at('lake'), '-c', 'r']);
    expect(none.stderr).toContain('no dead letter');
  });
});

describe('zds ingest', () => {
  it('ends a run with too many bad records', async () => {
    writeFileSync(at('half.jsonl'), '{"_id":"a"}\n{\n'.repeat(1000));
    const args = ['ingest', at('lake'), '-c', 'h', at('half.jsonl'), '--on-error', 'skip'];
    const { code, stderr } = await zds([...args, '--max-errors', '10%']);
    expect(code).toBe(1);
    expect(stderr).toContain('more than 10% of those read');
    expect((await zds([...args, '--max-errors', '1000'])).code).toBe(0);
    for (const option of ['--max-errors', '--max-memory']) {
      const none = await zds([...args, option, 'x']);
      expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(`^zds: ${option} takes`)]);
    }
    expect((await zds([...args, '--max-memory', '1MiB'])).code).toBe(0);
  });
});

describe('--metrics-addr', () => {
  const fetchText = (address: string, path: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      get(`http://${address}${path}`, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode!, text });
      }).on('error', reject);
    });

  it('serves the counts while it lasts', async () => {
    const stage = {
      name: 's"\\\n',
      in: 3,
      out: 2,
      rejected: 0,
      filtered: 1,
      expanded: 0,
      bytes: 9,
      seconds: 0.5,
    };
    const counts = { read: 3, written: 2, filtered: 1, rejected: 0, expanded: 0 };
    const progress = { name: 'x', loadId: 'l', ...counts, bytes: 9, seconds: 1, stages: [stage] };
    const server = await openMetrics('127.0.0.1:0', () => [progress]);
    const { status, text } = await fetchText(server.address!, '/metrics');
    expect(status).toBe(200);
    expect(text).toBe(renderMetrics([progress]));
    // Of one name there may be one sample only.
    expect(renderMetrics([{ ...progress, read: 9 }, progress])).toBe(text);
    expect(text).toContain('zds_run_read_documents_total{run="x"} 3\n');
    expect(text).toContain(
      'zds_stage_in_documents_total{run="x",position="0",stage="s\\"\\\\\\n"} 3\n',
    );
    expect((await fetchText(server.address!, '/')).status).toBe(404);
    await server.close();
    await expect(fetchText(server.address!, '/metrics')).rejects.toThrow();
  });

  it('says what it cannot do', async () => {
    writeFileSync(at('one.jsonl'), '{"_id":"a"}\n');
    const args = ['ingest', at('lake'), '-c', 'm', at('one.jsonl'), '--metrics-addr'];
    expect((await zds([...args, 'nonsense'])).code).toBe(2);
    expect((await zds([...args, '127.0.0.1:0'])).code).toBe(0);
  });
});
