/** The built program as a process: pipes that close, signals, standard input. `npm test` builds it. */
import {
  type ChildProcess,
  execFileSync,
  type StdioOptions,
  spawn,
  spawnSync,
} from 'node:child_process';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtModule } from '../../support/lives.ts';
import { temporaryFolder, zds } from './harness.ts';

const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const folder = temporaryFolder();
const lake = join(folder, 'lake');
const hasScript = spawnSync('script', ['--version']).status === 0;

describe.skipIf(!existsSync(program))('the zds process', () => {
  beforeAll(async () => {
    const lines = Array.from(
      { length: 100_000 },
      (_, i) => `{"_id":"d${i}","text":"${'x'.repeat(50)}"}`,
    );
    writeFileSync(join(folder, 'many.jsonl'), lines.join('\n'));
    await zds(['ingest', lake, '-c', 'many', join(folder, 'many.jsonl')]);
  });

  for (const argv of [
    'scan LAKE -c many --jsonl',
    'scan LAKE -c many',
    'export LAKE -c many --to -',
  ]) {
    it(`ends quietly when its reader goes away: ${argv}`, () => {
      const command = `"${process.execPath}" "${program}" ${argv.replace('LAKE', `"${lake}"`)}`;
      const script = `set -o pipefail; ${command} 2>"${folder}/errors" | head -n 1; echo "$?"; cat "${folder}/errors"`;
      const lines = execFileSync('bash', ['-c', script]).toString().split('\n');
      expect(lines.slice(1)).toEqual(['0', '']);
    });
  }

  it('reads standard input, and prints nothing of a progress into a pipe', () => {
    const argv = [program, 'ingest', lake, '-c', 'piped', '-', '--json'];
    const stdout = execFileSync(process.execPath, argv, { input: '{"_id":"a"}\n{"_id":"b"}' });
    expect(JSON.parse(stdout.toString())).toMatchObject({ read: 2, documents: 2 });
  });

  it.each([
    'convert - out.jsonl',
    'run stdin.json',
    'ingest LAKE -c many',
    'drive write d.drive key',
  ])('refuses a folder as standard input, and leaves what is there: %s', (line) => {
    writeFileSync(join(folder, 'out.jsonl'), '{"_id":"a"}\n');
    const pipeline = {
      name: 'stdin',
      source: { type: 'jsonl', path: '-' },
      sink: { type: 'jsonl', path: 'out.jsonl' },
    };
    writeFileSync(join(folder, 'stdin.json'), JSON.stringify(pipeline));
    const argv = [program, ...line.replace('LAKE', lake).split(' ')];
    const stdin = openSync(folder, 'r');
    const stdio: StdioOptions = [stdin, 'pipe', 'pipe'];
    const done = spawnSync(process.execPath, argv, { cwd: folder, stdio, encoding: 'utf8' });
    closeSync(stdin);
    const failure = { status: 1, stdout: '', stderr: expect.stringMatching(/^stdin: is a folder/) };
    expect(done).toMatchObject(failure);
    expect(readFileSync(join(folder, 'out.jsonl'), 'utf8')).toBe('{"_id":"a"}\n');
    expect(existsSync(join(folder, 'd.drive'))).toBe(false);
  });

  it('commits what it has on Ctrl-C while standard input is silent', async () => {
    const child = spawn(process.execPath, [program, 'ingest', lake, '-c', 'silent']);
    const done = outcome(child);
    // It may be stopped before it has read all of this.
    child.stdin.on('error', () => undefined);
    child.stdin.write(`{"_id":"a","x":"${'y'.repeat(3 << 20)}"}\n{"_id":"b"}`);
    const opened = join(lake, 'collections/silent');
    while (child.exitCode === null && !existsSync(opened)) await sleep(5);
    await sleep(300);
    child.kill('SIGINT');
    const { code, stderr } = await done;
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /^stopped (at stdin line 1; 1 document|before .*; 0 documents) committed\n$/,
    );
    const { stdout } = await zds(['stats', lake, '-c', 'silent', '--json']);
    const told = Number(/(\d) document/.exec(stderr)![1]);
    expect(JSON.parse(stdout).collections[0].documents).toBe(told);
  });

  it
    .skipIf(process.platform === 'win32')
    .each([
      'convert PIPE out.csv --from jsonl',
      'convert many.jsonl PIPE --to jsonl',
      'convert many.jsonl PIPE --to parquet',
      'run pipe.yaml',
      'export lake -c many --to pipe.jsonl',
      'export lake -c many --to pipe.arrow',
      'ingest lake -c none PIPE',
    ])('ends at Ctrl-C while nobody is at the other end of a pipe: %s', async (line) => {
    spawnSync('mkfifo', ['PIPE', 'pipe.jsonl', 'pipe.arrow'], { cwd: folder });
    const sink = 'sink: { type: jsonl, path: PIPE, compression: gzip }';
    const source = 'source: { type: jsonl, path: many.jsonl }';
    writeFileSync(join(folder, 'pipe.yaml'), `name: pipe\n${source}\n${sink}\n`);
    const child = spawn(process.execPath, [program, ...line.split(' ')], { cwd: folder });
    const done = outcome(child);
    await sleep(500);
    child.kill('SIGINT');
    expect((await done).code).toBe(130);
  });

  it.skipIf(process.platform === 'win32')(
    'gives whole documents to a slow reader of a pipe at Ctrl-C',
    async () => {
      spawnSync('mkfifo', [join(folder, 'PIPE')]);
      const argv = [program, 'convert', 'many.jsonl', 'PIPE', '--to', 'jsonl'];
      const child = spawn(process.execPath, argv, { cwd: folder });
      const done = outcome(child);
      let told = '';
      child.stdout.on('data', (bytes) => {
        told += bytes;
      });
      const reader = createReadStream(join(folder, 'PIPE'), { highWaterMark: 1 << 12 });
      let text = '';
      for await (const bytes of reader) {
        if (text === '') child.kill('SIGINT');
        text += bytes;
        await sleep(1);
      }
      const { code } = await done;
      expect(code).toBe(130);
      expect(told).toContain('what was read is written');
      expect(text.endsWith('}\n')).toBe(true);
    },
  );

  it.skipIf(!hasScript)('ends at Ctrl-C while it waits for keys at /dev/stdin', async () => {
    const command = `${process.execPath} ${program} convert /dev/stdin keys.csv --from jsonl`;
    const child = spawn('script', ['-qefc', command, 'typescript'], { cwd: folder });
    const done = outcome(child);
    await sleep(1000);
    child.stdin.write('\x03');
    const end = await Promise.race([done, sleep(5000)]);
    child.kill();
    expect(end).toMatchObject({ code: 130 });
  });

  it('leaves no part of a snapshot behind on Ctrl-C', async () => {
    const meta = join(lake, 'collections/many/meta');
    const before = readdirSync(meta);
    const child = spawn(process.execPath, [program, 'snapshot', lake, '-c', 'many']);
    const done = outcome(child);
    const columns = join(meta, 'columns.drive');
    while (child.exitCode === null && !existsSync(columns)) await sleep(1);
    child.kill('SIGINT');
    expect(await done).toMatchObject({
      code: 130,
      stderr: 'stopped; what was there of a snapshot stays\n',
    });
    expect(readdirSync(meta)).toEqual(before);
  });

  it.runIf(process.platform === 'linux')('leaves a whole drive where there is no more room', () => {
    const [files, drives] = [join(folder, 'files'), join(folder, 'drives')];
    for (const each of [files, drives]) mkdirSync(each);
    for (const name of ['a', 'b', 'c']) writeFileSync(join(files, name), Buffer.alloc(20_000, 1));
    const path = join(drives, 'x');
    const within = (kib: number) => {
      const command = `ulimit -f ${kib}; "${process.execPath}" "${program}" drive import "${path}" "${files}"`;
      return spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    };
    const first = within(50);
    expect(first.status).toBe(1);
    expect(first.stderr).toContain(`${path}: whole entries in it: 2\n`);
    expect(first.stderr).toContain('EFBIG');
    expect(readdirSync(drives)).toEqual(['x']);
    expect(readFileSync(path).length).toBe(20_020 + 12 + 20_020);
    expect(within(0).stderr).toContain('cannot lock');
    expect(readdirSync(drives)).toEqual(['x']);
  });

  describe('a pipeline', () => {
    const name = 'slow';
    const file = join(folder, `${name}.mjs`);
    const lines = Array.from({ length: 2000 }, (_, n) => `{"_id":"d${n}","n":${n}}\n`).join('');
    const pipeline = (waitMs: number) => `
      import { setTimeout as sleep } from 'node:timers/promises';
      import { jsonlSink } from ${builtModule('sinks/jsonl-sink')};
      import { zdsSink } from ${builtModule('sinks/zds-sink')};
      import { jsonlSource } from ${builtModule('sources/jsonl-source')};
      let batches = 0;
      const slow = async (batch) => {
        process.stderr.write('batch ' + batches++ + ';');
        await sleep(${waitMs});
        return [batch];
      };
      export default {
        name: 'load',
        source: jsonlSource(${JSON.stringify(join(folder, `${name}.jsonl`))}, { batchBytes: 1024 }),
        transforms: [{ name: 'slow', apply: slow }],
        sink: zdsSink(${JSON.stringify(lake)}, '${name}'),
      };
    `;
    const start = (...more: string[]) => {
      return spawn(process.execPath, [program, 'run', file, '--log', 'json', ...more]);
    };
    const documents = async () => {
      const { stdout } = await zds(['stats', lake, '-c', name, '--json']);
      return JSON.parse(stdout).collections[0].documents as number;
    };

    it('commits what it has at SIGTERM, and goes on from there', async () => {
      writeFileSync(join(folder, `${name}.jsonl`), lines);
      writeFileSync(file, pipeline(100));
      const child = start();
      const done = outcome(child);
      child.stderr.on('data', (text) => {
        if (String(text).includes('batch 5;')) child.kill('SIGTERM');
      });
      expect((await done).code).toBe(130);
      const there = await documents();
      expect(there).toBeGreaterThan(0);
      expect(there).toBeLessThan(2000);
      writeFileSync(file, pipeline(0));
      expect((await outcome(start('--resume'))).code).toBe(0);
      expect(await documents()).toBe(2000);
    });

    it('ends at once at the second signal', async () => {
      writeFileSync(join(folder, `${name}.jsonl`), lines);
      writeFileSync(file, pipeline(60_000));
      const child = start();
      const done = outcome(child);
      child.stderr.on('data', (text) => {
        if (!String(text).includes('batch 0;')) return;
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGTERM'), 200);
      });
      expect((await done).signal).toBe('SIGTERM');
    });

    it.each(['SIGINT', 'SIGHUP'] as const)(
      'leaves no temporary file at the second signal: %s',
      async (signal) => {
        const sink = `jsonlSink(${JSON.stringify(join(folder, 'stopped.jsonl'))})`;
        const text = pipeline(60_000).replace(/sink: .*/, `sink: ${sink},`);
        writeFileSync(join(folder, `${name}.jsonl`), lines);
        // The second comes before anything could be done about the first.
        const again = `process.once('${signal}', () => process.emit('${signal}'));`;
        writeFileSync(file, text + again);
        const child = start();
        const done = outcome(child);
        const files = () => readdirSync(folder).filter((each) => each.includes('stopped.jsonl'));
        while (child.exitCode === null && files().length === 0) await sleep(5);
        child.kill(signal);
        expect((await done).signal).toBe(signal);
        expect(files()).toEqual([]);
      },
    );

    it.skipIf(!hasScript)('is drawn on a terminal, and stops at Ctrl-C there', async () => {
      writeFileSync(file, pipeline(50));
      const command = `${process.execPath} ${program} run ${file}`;
      const child = spawn('script', ['-qefc', command, '/dev/null']);
      const done = outcome(child);
      let shown = '';
      child.stdout.on('data', (chunk) => {
        if (!shown.includes('docs') && String(chunk).includes('docs')) child.stdin.write('\x03');
        shown += chunk;
      });
      expect((await done).code).toBe(130);
      expect(shown).toMatch(/load .*docs/);
      expect(shown).toMatch(/load: [\d,]+ documents written/);
    });
  });

  it.skipIf(!existsSync('/dev/full'))('says that standard output is full', () => {
    const command = `"${process.execPath}" "${program}" list "${lake}" 2>&1 >/dev/full`;
    const { status, stdout } = spawnSync('bash', ['-c', command]);
    expect([status, String(stdout)]).toEqual([
      1,
      'stdout: cannot be written: ENOSPC: no space left on device, write\n',
    ]);
  });

  it('writes a bad line as one line', () => {
    const argv = [program, 'ingest', lake, '-c', 'bad', '-'];
    try {
      execFileSync(process.execPath, argv, { input: '{"_id":"a"}\n{"_id"', stdio: 'pipe' });
      expect.unreachable();
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer };
      expect(status).toBe(1);
      expect(stderr.toString()).toMatch(/^stdin:2:7: [^\n]+\)\n$/);
    }
  });
});

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

function outcome(child: ChildProcess): Promise<ProcessEnd> {
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}
