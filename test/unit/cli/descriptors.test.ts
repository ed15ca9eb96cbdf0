/** The built program where outputs and bad records go to what the process has open: standard output, errors, links to them. */
import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, zds } from './harness.ts';

const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const folder = temporaryFolder();
const lake = join(folder, 'lake');
const canRun = existsSync(program) && process.platform !== 'win32';

describe.skipIf(!canRun)('the zds process, by paths of what is open,', () => {
  beforeAll(async () => {
    writeFileSync(join(folder, 'many.jsonl'), '{"_id":"d6"}\n{"_id":"d7"}\n');
    await zds(['ingest', lake, '-c', 'many', join(folder, 'many.jsonl')]);
  });

  it('goes on where standard output stands', () => {
    writeFileSync(join(folder, 'one.jsonl'), '{"a":1}\n');
    const sink = `sink: { type: jsonl, path: /dev/stdout }`;
    const source = `source: { type: jsonl, path: one.jsonl }`;
    writeFileSync(join(folder, 'one.yaml'), `name: one\n${source}\n${sink}\n`);
    const zds = `"${process.execPath}" "${program}"`;
    const script = `echo old > all; ${zds} convert one.jsonl /dev/stdout --to jsonl >> all
      { echo head; ${zds} run one.yaml; echo tail; } > group; cat all group`;
    const { stdout } = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stdout).toBe('old\n{"a":1}\nhead\n{"a":1}\ntail\n');
  });

  it('hands bad records to whoever reads its errors', () => {
    const options = '--from jsonl --on-error dead-letter --rejects /dev/stderr';
    const argv = [program, 'convert', '-', 'good.jsonl', ...options.split(' ')];
    const input = '{"a":1}\nbad\n{"a":2}\n';
    const told = spawnSync(process.execPath, argv, { cwd: folder, input, encoding: 'utf8' });
    expect(told.status).toBe(0);
    expect(JSON.parse(told.stderr)).toMatchObject({ raw: 'bad', line: 2 });
  });

  it('puts bad records beside no link to its output', () => {
    symlinkSync('/dev/stdout', join(folder, 'OUT'));
    const options = '--from jsonl --to jsonl --on-error dead-letter';
    const argv = [program, 'convert', '-', 'OUT', ...options.split(' ')];
    const input = '{"a":1}\nbad\n';
    const told = spawnSync(process.execPath, argv, { cwd: folder, input, encoding: 'utf8' });
    expect(told).toMatchObject({ status: 0, stdout: '{"a":1}\n' });
    const made = readdirSync(folder).filter((name) => name.endsWith('.rejects.jsonl'));
    expect(made).toEqual(['convert.rejects.jsonl']);
  });

  it('keeps its summary out of what it exports', () => {
    symlinkSync('/dev/stdout', join(folder, 'link.jsonl'));
    const argv = [
      program,
      'export',
      lake,
      '-c',
      'many',
      '--to',
      'link.jsonl',
      '--where',
      "_id = 'd7'",
    ];
    const told = spawnSync(process.execPath, argv, { cwd: folder, encoding: 'utf8' });
    expect(JSON.parse(told.stdout)).toMatchObject({ _id: 'd7' });
    expect(told.stderr).toMatch(/^1 document to link.jsonl/);
  });

  it('keeps bad records out of what it writes', () => {
    writeFileSync(join(folder, 'one.jsonl'), '{"a":1}\n');
    const sink = { type: 'tee', sinks: [{ type: 'jsonl', path: 'out.jsonl' }] };
    const pipeline = {
      name: 'x',
      source: { type: 'jsonl', path: 'one.jsonl' },
      sink: { type: 'route', by: 'a', to: { 1: sink, 2: { type: 'jsonl', path: '-' } } },
    };
    const stderrOf = (argv: string, deadLetter: string, stdout: number | 'pipe' = 'pipe') => {
      writeFileSync(
        join(folder, 'x.json'),
        JSON.stringify({ ...pipeline, onError: { deadLetter } }),
      );
      const more = argv.startsWith('convert')
        ? ['--on-error', 'dead-letter', '--rejects', deadLetter]
        : [];
      const stdio: StdioOptions = ['pipe', stdout, 'pipe'];
      const command = [program, ...argv.split(' '), ...more];
      return spawnSync(process.execPath, command, { cwd: folder, stdio, encoding: 'utf8' }).stderr;
    };
    const refused = 'is written, and so cannot be where bad records go\n';
    const convert = 'convert one.jsonl - --to jsonl';
    expect(stderrOf(convert, '/dev/stdout')).toBe(`-: ${refused}`);
    const file = openSync(join(folder, 'all.jsonl'), 'w');
    expect(stderrOf(convert, 'all.jsonl', file)).toBe(`-: ${refused}`);
    closeSync(file);
    expect(stderrOf(convert, '/dev/stderr')).toContain('1 document written');
    expect(stderrOf('run x.json', '/dev/stdout')).toBe(`-: ${refused}`);
    expect(stderrOf('run x.json', 'out.jsonl')).toBe(`out.jsonl: ${refused}`);
  });
});
