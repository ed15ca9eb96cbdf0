/** `zds run` and `zds lint`, as one would use them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const write = (name: string, ...lines: string[]) => writeFileSync(at(name), lines.join('\n'));
let round = 0;

beforeEach(() => {
  round++;
  write(
    'in.jsonl',
    '{"_id":"a","n":1}',
    '{"_id":"b","n":"two"}',
    '{"_id":"c"',
    '{"_id":"d","n":4}',
  );
  write(
    'p.yaml',
    'name: numbers',
    `source: { type: jsonl, path: ${at('in.jsonl')} }`,
    'transforms: [{ type: filter, where: n exists }]',
    `sink: { type: zds, root: ${at(`lake${round}`)}, collection: c }`,
    `onError: { deadLetter: ${at(`dead${round}.jsonl`)} }`,
  );
});

describe('zds run', () => {
  it('shows no more than the beginning of what is no pipeline at all', async () => {
    writeFileSync(at('text.yaml'), 'x'.repeat(10_000));
    const { code, stdout } = await zds(['lint', at('text.yaml')]);
    expect([code, stdout.length < 400]).toEqual([1, true]);
    expect(stdout).toContain('text.yaml:1:1: the pipeline takes');
  });

  it('runs a file and says what became of every record', async () => {
    const { code, stdout, stderr } = await zds(['run', at('p.yaml')]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^numbers: 3 documents written in \S+ s \(.*\); 4 read, 1 bad\nbad ones are in .*dead\d+\.jsonl\n$/,
    );
    const again = await zds(['run', at('p.yaml'), '--resume', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ read: 0, written: 0, resumed: true });
    const whole = JSON.parse((await zds(['run', at('p.yaml'), '--json'])).stdout);
    expect(whole).toMatchObject({ name: 'numbers', read: 4, rejected: 1, sink: { replaced: 3 } });
    expect(whole.stages.map((stage: { name: string }) => stage.name)).toEqual([
      'jsonlSource',
      'filter',
      'zdsSink',
    ]);
  });

  it('tries out a part, and leaves the position alone', async () => {
    await zds(['run', at('p.yaml')]);
    const part = await zds(['run', at('p.yaml'), '--limit', '1', '--json']);
    expect(JSON.parse(part.stdout)).toMatchObject({ read: 2, written: 1, sink: { replaced: 1 } });
    writeFileSync(at('in.jsonl'), `${readFileSync(at('in.jsonl'), 'utf8')}\n{"_id":"e","n":5}\n`);
    const rest = await zds(['run', at('p.yaml'), '--resume', '--json']);
    expect(JSON.parse(rest.stdout)).toMatchObject({ read: 1, written: 1, resumed: true });
    expect((await zds(['run', at('p.yaml'), '--limit', '1', '--resume'])).code).toBe(2);
  });

  it('keeps what a limited part of a growing file has given when Ctrl-C stops it', async () => {
    write('grows.jsonl', '{"_id":"a"}', '');
    write(
      'tail.yaml',
      'name: tail',
      `source: { type: tail, path: '${at('grows.jsonl')}' }`,
      `sink: { type: jsonl, path: '${at('tailed.jsonl')}' }`,
    );
    const interrupt = new Interrupt();
    setTimeout(() => interrupt.request(), 1000);
    const { stdout } = await zds(['run', at('tail.yaml'), '--limit', '9'], { interrupt });
    expect(stdout).toContain('stopped before the end; what was read is written');
    expect(readFileSync(at('tailed.jsonl'), 'utf8')).toBe('{"_id":"a"}\n');
    const whole = await zds(['run', at('tail.yaml'), '--limit', '1']);
    expect([whole.code, whole.stdout]).toEqual([
      0,
      expect.stringMatching(/^tail --limit: 1 doc.*1 read\n$/),
    ]);
  });

  it('reads no more than the limit where a store leaves out what is filtered', async () => {
    await zds(['run', at('p.yaml')]);
    write(
      'few.yaml',
      'name: few',
      `source: { type: zds, root: '${at(`lake${round}`)}', collection: c }`,
      'transforms: [{ type: filter, where: n = 4 }]',
      `sink: { type: jsonl, path: '${at('few.jsonl')}' }`,
    );
    const { stdout } = await zds(['run', at('few.yaml'), '--limit', '2', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ read: 2, filtered: 2, written: 0 });
  });

  it('shows what it would do, and does nothing', async () => {
    const { code, stdout } = await zds(['run', at('p.yaml'), '--dry-run']);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'field  type               values  nulls',
      '-----  -----------------  ------  -----',
      '_id    string                  3      0',
      'n      integer or string       3      0',
      '',
      '_id  n',
      '---  ---',
      'a    1',
      'b    two',
      'd    4',
      '',
      '3 documents of 4 read would be written',
      expect.stringMatching(/^1 bad; the first: .*in\.jsonl:3:\d+: JSON_ERROR: /),
      '',
    ]);
    expect(existsSync(at(`lake${round}`))).toBe(false);
    expect(existsSync(at(`dead${round}.jsonl`))).toBe(false);
    const json = await zds(['run', at('p.yaml'), '--dry-run', '--json', '--limit', '1']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      written: 1,
      fields: [{ field: '_id', type: 'string', values: 1 }, { field: 'n' }],
      documents: [{ _id: 'a', n: 1 }],
    });
  });

  it('reads few bad records when it is tried out, and heeds the options of a run', async () => {
    write('bad.jsonl', ...Array.from({ length: 20_000 }, () => 'bad'));
    write(
      'dry.yaml',
      'name: dry',
      `source: { type: jsonl, path: '${at('bad.jsonl')}', batchBytes: 4096 }`,
      `sink: { type: jsonl, path: '${at('none.jsonl')}' }`,
    );
    const dry = (...more: string[]) => zds(['run', at('dry.yaml'), '--dry-run', ...more]);
    const { code, stdout } = await dry('--json');
    const { rejected, rejects } = JSON.parse(stdout);
    expect([code, rejects.length]).toEqual([0, 100]);
    expect(rejected).toBeGreaterThanOrEqual(1000);
    expect(rejected).toBeLessThan(4000);
    write('bad.jsonl', ...Array.from({ length: 2000 }, () => 'bad'), '{"_id":"a"}', '');
    write('dry.yaml', readFileSync(at('dry.yaml'), 'utf8').replace('4096', '1048576'));
    expect(JSON.parse((await dry('--json')).stdout)).toMatchObject({ read: 2001, written: 1 });
    expect((await dry('--log', 'json')).stderr).toContain('"run":"dry --dry-run"');
    expect((await dry('--max-errors', '5')).code).toBe(1);
    for (const wrong of ['--max-memory=x', '--max-errors=x', '--resume', '--reset']) {
      expect((await dry(wrong)).code, wrong).toBe(2);
    }
  });

  it('says in one line what is wrong with a file', async () => {
    write('bad.yaml', 'name: x', 'source: { type: jsonl }', 'sink: { type: zsd }');
    const { code, stderr } = await zds(['run', at('bad.yaml')]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `${at('bad.yaml')}:2:9: source jsonl needs "path" (and 1 more: zds lint shows them)\n`,
    );
    expect((await zds(['run', at('none.yaml')])).code).toBe(1);
    expect((await zds(['run'])).code).toBe(2);
  });

  it('keeps what a transform remembers under its id, and tells what is forgotten', async () => {
    write('days.jsonl', '{"_id":"a","t":1}', '{"_id":"b","t":2}');
    const pipeline = (transforms: string) =>
      write(
        'days.yaml',
        'name: days',
        `source: { type: jsonl, path: ${at('days.jsonl')} }`,
        `transforms: ${transforms}`,
        `sink: { type: zds, root: ${at(`lake${round}`)}, collection: days }`,
      );
    const outcome = async () => {
      const { code, stdout, stderr } = await zds(['run', at('days.yaml'), '--json']);
      return [code, stderr, code === 0 ? JSON.parse(stdout).written : undefined];
    };
    pipeline('[{ type: incremental, id: new, field: t }]');
    expect(await outcome()).toEqual([0, '', 2]);
    pipeline('[{ type: incremental, field: t, id: new }, { type: incremental, field: t }]');
    expect(await outcome()).toEqual([0, '', 0]);
    pipeline('[{ type: incremental, id: newer, field: t }]');
    expect(await outcome()).toEqual([0, expect.stringMatching(/^days: forgets .*"new"/), 2]);
    pipeline('[{ type: filter, id: x, where: t > 0 }, { type: sample, id: x, every: 1 }]');
    expect(await outcome()).toEqual([2, expect.stringContaining('have the id x'), undefined]);
  });

  it('begins anew when it is told to, with transforms that remember nothing', async () => {
    const text = readFileSync(at('p.yaml'), 'utf8');
    writeFileSync(
      at('p.yaml'),
      text.replace('{ type: filter, where: n exists }', '{ type: incremental, field: _id }'),
    );
    const counts = async (...flags: string[]) => {
      const { stdout } = await zds(['run', at('p.yaml'), '--json', ...flags]);
      const { read, written } = JSON.parse(stdout);
      return [read, written];
    };
    expect(await counts()).toEqual([4, 3]);
    expect(await counts()).toEqual([4, 0]);
    expect(await counts('--resume')).toEqual([0, 0]);
    expect(await counts('--reset')).toEqual([4, 3]);
    expect((await zds(['run', at('p.yaml'), '--reset', '--resume'])).code).toBe(2);
  });

  it('tells all that happens as objects on standard error', async () => {
    const told = async (...more: string[]) => {
      const { code, stderr } = await zds(['run', ...more, '--log', 'json'], { isTTY: true });
      const lines = stderr.trimEnd().split('\n');
      return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
    };
    const { code, lines } = await told(at('p.yaml'));
    expect(code).toBe(0);
    expect(lines).toMatchObject([
      { level: 'info', message: 'run started', run: 'numbers', stages: expect.any(Array) },
      { level: 'warn', message: 'record rejected', line: 3, code: 'JSON_ERROR' },
      { level: 'info', message: 'run done', read: 4, written: 3, rejected: 1 },
    ]);
    for (const { time } of lines) expect(new Date(String(time)).toISOString()).toBe(time);
    write('stop.yaml', readFileSync(at('p.yaml'), 'utf8').replace(/onError.*/, 'onError: stop'));
    const failed = await told(at('stop.yaml'));
    expect(failed.code).toBe(1);
    expect(failed.lines.at(-2)).toMatchObject({ level: 'error', message: 'run failed', read: 2 });
    const last = { level: 'error', message: expect.stringContaining('in.jsonl:3:'), exitCode: 1 };
    expect(failed.lines.at(-1)).toMatchObject(last);
    expect((await told(at('none.yaml'))).lines).toMatchObject([{ level: 'error', exitCode: 1 }]);
    const other = await zds(['run', at('p.yaml'), '--log', 'xml']);
    expect([other.code, other.stderr]).toEqual([2, 'zds: --log takes json, not xml\n']);
  });

  it('says what was committed before a failure', async () => {
    write('late.yaml', readFileSync(at('p.yaml'), 'utf8').replace(/onError.*/, 'onError: stop'));
    const { code, stderr } = await zds(['run', at('late.yaml')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/in\.jsonl:3:\d+: /);
  });

  it('does not say that nothing was changed where one of several sinks keeps what it was given', async () => {
    write(
      'tee.yaml',
      'name: both',
      'source: { type: generate, documents: 1000000000 }',
      'sink:',
      '  type: tee',
      '  sinks:',
      `    - { type: jsonl, path: '${at('whole.jsonl')}' }`,
      `    - { type: jsonl, path: '${at('each')}', rotate: { documents: 1000 }, publish: each }`,
    );
    const interrupt = new Interrupt();
    const timer = setInterval(() => {
      if (existsSync(at('each/part-0000.jsonl'))) interrupt.request();
    }, 5);
    const { code, stdout } = await zds(['run', at('tee.yaml')], { interrupt });
    clearInterval(timer);
    expect([code, existsSync(at('whole.jsonl'))]).toEqual([130, false]);
    expect(readFileSync(at('each/part-0000.jsonl'), 'utf8')).toMatch(/^({.*}\n){1000}$/);
    expect(stdout.split('\n').at(-2)).toBe('stopped before the end; the output was given up');
  });

  it('runs again when its file or its input changes, until it is stopped', async () => {
    const interrupt = new Interrupt();
    const changes = [
      () => write('in.jsonl', '{"_id":"z","n":1}'),
      () => write('p.yaml', 'name: broken'),
      () => interrupt.request(),
    ];
    const onStderr = (text: string) => {
      if (text.includes('waiting for changes')) changes.shift()!();
    };
    const setting = { interrupt, onStderr };
    const { code, stdout, stderr } = await zds(['run', at('p.yaml'), '--watch', '--json'], setting);
    expect(code).toBe(130);
    const reads = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).read);
    expect(reads).toEqual([4, 1]);
    expect(stderr).toContain('the pipeline needs "source"');
    expect(stderr).toContain(`waiting for changes of ${at('p.yaml')}, ${at('in.jsonl')};`);
  });
});

describe('the dead-letter file', () => {
  it('does not start the next run, and is not the output', async () => {
    mkdirSync(at('letters'));
    write('letters/in.jsonl', '{"_id":"a"}', 'bad');
    const lines = (out: string) => [
      'name: letters',
      `source: { type: jsonl, path: '${at('letters/*.jsonl')}' }`,
      `sink: { type: jsonl, path: '${out}' }`,
      `onError: { deadLetter: '${at('letters/dead.jsonl')}' }`,
    ];
    write('letters.yaml', ...lines(at('out.jsonl')));
    const interrupt = new Interrupt();
    setTimeout(() => interrupt.request(), 1500);
    const { stderr } = await zds(['run', at('letters.yaml'), '--watch'], { interrupt });
    expect(stderr.match(/waiting for changes/g)).toHaveLength(1);
    write('letters.yaml', ...lines(at('letters/dead.jsonl')));
    expect(await zds(['run', at('letters.yaml')])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('zds lint', () => {
  it('tells all mistakes of all files', async () => {
    write(
      'bad.yaml',
      'name: x',
      'source: { type: jsonl }',
      'sink: { type: jsonl, path: a, pth: b }',
    );
    const { code, stdout } = await zds(['lint', at('bad.yaml'), at('p.yaml')]);
    expect(code).toBe(1);
    expect(stdout).toBe(
      `${at('bad.yaml')}:2:9: source jsonl needs "path"\n` +
        `${at('bad.yaml')}:3:31: sink jsonl has no "pth"; did you mean "path"?\n`,
    );
    const json = (await zds(['lint', at('bad.yaml'), '--json'])).stdout.split('\n')[0]!;
    expect(JSON.parse(json)).toEqual({
      path: at('bad.yaml'),
      line: 2,
      column: 9,
      problem: 'source jsonl needs "path"',
    });
    expect(await zds(['lint', at('p.yaml')])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await zds(['lint'])).code).toBe(2);
    mkdirSync(at('folder.yaml'));
    expect((await zds(['lint', at('folder.yaml')])).code).toBe(1);
  });

  it('prints the schema for editors', async () => {
    const { stdout } = await zds(['lint', '--schema']);
    expect(JSON.parse(stdout)).toEqual(
      JSON.parse(readFileSync('docs/pipeline.schema.json', 'utf8')),
    );
  });
});
