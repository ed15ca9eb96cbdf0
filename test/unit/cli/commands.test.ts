/** What each command does to a store, prints, and ends with. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const lake = at('lake');
const people = [
  '{"_id":"a","name":"Ann","score":95,"meta":{"source":"web"}}',
  '{"_id":"b","name":"Bob","score":12345678901234567890}',
  '{"_id":"c","name":"Cäcilie","score":40,"meta":{"source":"app"}}',
];

beforeAll(async () => {
  writeFileSync(at('people.jsonl'), `${people.join('\n')}\n`);
  expect(await zds(['ingest', lake, '-c', 'people', at('people.jsonl')])).toMatchObject({
    code: 0,
  });
});

describe('put, get, delete', () => {
  it('keep the bytes of a document', async () => {
    const data = '{ "n": 1.50,\n "big": 12345678901234567890, "e": {} }';
    expect(await zds(['put', lake, 'x1', '-c', 'things'], { stdin: data })).toMatchObject({
      code: 0,
    });
    const got = await zds(['get', lake, 'x1', '-c', 'things']);
    expect(got.stdout).toBe('{"_id":"x1", "n": 1.50,  "big": 12345678901234567890, "e": {} }\n');
    const pretty = await zds(['get', lake, 'x1', '-c', 'things', '--pretty']);
    expect(pretty.stdout).toBe(
      '{\n  "_id": "x1",\n  "n": 1.50,\n  "big": 12345678901234567890,\n  "e": {}\n}\n',
    );
    expect(await zds(['delete', lake, 'x1', '-c', 'things'])).toMatchObject({ code: 0 });
    const gone = await zds(['get', lake, 'x1', '-c', 'things']);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    const place = join(lake, 'collections/things/meta/data.jsonl');
    expect(gone.stderr).toContain(`${place}: no document "x1"`);
    const never = await zds(['delete', lake, 'x1', '-c', 'things']);
    expect(never).toMatchObject({ code: 1, stdout: '' });
    expect(never.stderr).toContain(`${place}: no document "x1"`);
  });

  it('make no store and no collection by mistake', async () => {
    const typo = at('typo');
    for (const argv of [
      ['put', typo, 'a', '-c', 't', '--data', '{}'],
      ['delete', typo, 'a', '-c', 't'],
    ]) {
      expect(await zds(argv)).toMatchObject({ code: 1, stderr: expect.stringMatching(/no store/) });
    }
    expect(existsSync(typo)).toBe(false);
    expect(await zds(['delete', lake, 'a', '-c', 'typo'])).toMatchObject({ code: 1 });
    expect((await zds(['list', lake])).stdout).not.toContain('typo');
  });

  it('refuse what is no document or no id, and store nothing', async () => {
    const bad: [id: string, data: string, message: RegExp][] = [
      ['x2', '{"a":', /JSON/],
      ['x2', '{"a":"1\n2"}', /JSON|control/i],
      ['x2', '[1]', /object/],
      ['x2', '{"_id":"other"}', /other/],
      ['../x', '{}', /id/],
    ];
    for (const [id, data, message] of bad) {
      const { code, stderr } = await zds(['put', lake, id, '-c', 'things', '--data', data]);
      expect([code, stderr.split('\n').length], data).toEqual([1, 2]);
      expect(stderr).toMatch(message);
    }
    const stdin = Readable.from([Buffer.from('{"a":"\xe9"}', 'latin1')]);
    const put = await zds(['put', lake, 'x2', '-c', 'things'], { stdin });
    expect(put).toMatchObject({ code: 1, stderr: expect.stringMatching(/stdin: .*not UTF-8/) });
    expect(await zds(['get', lake, 'x2', '-c', 'things'])).toMatchObject({ code: 1 });
  });
});

describe('Ctrl-C', () => {
  it.each([
    ['a put that waits for its document', ['put', lake, 'late', '-c', 'people']],
    ['the description of columns', ['stats', lake, '-c', 'people', '--columns']],
  ])('ends %s', async (_, argv) => {
    const [stdin, interrupt] = [new PassThrough(), new Interrupt()];
    stdin.write('{"half":');
    interrupt.request();
    const stderr = 'stopped; nothing was changed\n';
    expect(await zds(argv, { stdin, interrupt })).toEqual({ code: 130, stdout: '', stderr });
    expect((await zds(['get', lake, 'late', '-c', 'people'])).code).toBe(1);
  });
});

describe('scan', () => {
  it('prints the stored lines with --jsonl', async () => {
    const { stdout } = await zds(['scan', lake, '-c', 'people', '--jsonl']);
    expect(stdout).toBe(`${people.join('\n')}\n`);
  });

  it('filters, projects and limits', async () => {
    const where = [
      '--where',
      "meta.source = 'web' or score > 1000",
      '--fields',
      'score,meta.source',
    ];
    const all = await zds(['scan', lake, '-c', 'people', '--jsonl', ...where]);
    expect(all.stdout).toBe(
      '{"score":95,"meta":{"source":"web"}}\n{"score":12345678901234567890}\n',
    );
    const second = await zds(['scan', lake, '-c', 'people', '--jsonl', '-l', '1', '--offset', '1']);
    expect(second.stdout).toBe(`${people[1]}\n`);
  });

  it('prints a table', async () => {
    const { stdout } = await zds(['scan', lake, '-c', 'people', '--fields', 'name,meta.source']);
    expect(stdout).toBe(
      [
        'name     meta.source',
        '-------  -----------',
        'Ann      web',
        'Bob',
        'Cäcilie  app',
        '',
      ].join('\n'),
    );
  });

  it('says which fields a narrow terminal does not show', async () => {
    const wide = Object.fromEntries([...'abcdef'].map((key) => [key, key.repeat(30)]));
    await zds(['put', lake, 'w', '-c', 'wide', '--data', JSON.stringify(wide)]);
    const { stdout, stderr } = await zds(['scan', lake, '-c', 'wide'], { isTTY: true });
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stderr).toMatch(/not shown.*: c, d, e, f\n$/);
  });
});

describe('list and stats', () => {
  it('name the collections', async () => {
    const { stdout } = await zds(['list', lake]);
    expect(stdout.split('\n')).toContain('people');
    expect(JSON.parse((await zds(['list', lake, '--json'])).stdout)).toContain('people');
  });

  it('count the documents', async () => {
    const { stdout } = await zds(['stats', lake, '-c', 'people', '--json']);
    const [stats] = JSON.parse(stdout).collections;
    expect(stats).toMatchObject({ collection: 'people', documents: 3, lines: 3 });
    expect((await zds(['stats', lake])).stdout).toMatch(/^people +3 +0 /m);
  });
});

describe('columns', () => {
  const some = at('columns');
  it('are described', async () => {
    const numbers = Array.from(
      { length: 40 },
      (_, i) => `{"_id":"d${i}","n":${i % 4},"t":null,"e":"${'😀'.repeat(12 + (i % 2))}"}`,
    );
    writeFileSync(at('numbers.jsonl'), numbers.join('\n'));
    await zds(['ingest', some, '-c', 'c', at('numbers.jsonl')]);
    const { stdout } = await zds(['stats', some, '-c', 'c', '--columns']);
    expect(stdout).toMatch(/^n +40 +0 +4 +0 +1.5 +3 +█( *█){3} +Int64$/m);
    expect(stdout).toMatch(/^t +0 +40 +Utf8$/m);
    expect(stdout).toMatch(/^e +40 +0 +2 +(😀){12} +(😀){11}… +Utf8$/mu);
    const [stats] = JSON.parse(
      (await zds(['stats', some, '--columns', '--json'])).stdout,
    ).collections;
    expect(stats.columns[1]).toMatchObject({ name: 'n', min: 0, max: 3, distinct: 4 });
  });

  it('are written as a snapshot', async () => {
    const said = await zds(['snapshot', some, '-c', 'c', '--columns', '_id,n', '--where', 'n > 1']);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toMatch(/^20 rows of 2 columns, 20 written, /);
    const again = JSON.parse((await zds(['snapshot', some, '-c', 'c', '--json'])).stdout);
    expect(again).toMatchObject({ rows: 20, rowsWritten: 0, columns: ['_id', 'n'] });
  });
});

describe('export', () => {
  it('writes JSON Lines, plain and compressed', async () => {
    await zds(['export', lake, '-c', 'people', '--to', at('out.jsonl')]);
    expect(readFileSync(at('out.jsonl'), 'utf8')).toBe(`${people.join('\n')}\n`);
    const zipped = await zds([
      'export',
      lake,
      '-c',
      'people',
      '--to',
      at('out.jsonl.gz'),
      '--json',
    ]);
    expect(gunzipSync(readFileSync(at('out.jsonl.gz'))).toString()).toBe(`${people.join('\n')}\n`);
    expect(JSON.parse(zipped.stdout)).toMatchObject({ documents: 3, to: at('out.jsonl.gz') });
  });

  it('writes data alone to standard output', async () => {
    const { stdout, stderr } = await zds([
      'export',
      lake,
      '-c',
      'people',
      '--to',
      '-',
      '--fields',
      'name',
    ]);
    expect(stdout).toBe('{"name":"Ann"}\n{"name":"Bob"}\n{"name":"Cäcilie"}\n');
    expect(stderr).toMatch(/^3 documents to -/);
  });

  it('writes Arrow with the fields of every document, the last one included', async () => {
    // More than the sink would look at by itself before it settles the schema.
    const text = 'x'.repeat(9000);
    const lines = Array.from({ length: 2000 }, (_, i) => `{"_id":"d${i}","n":${i},"t":"${text}"}`);
    writeFileSync(at('late.jsonl'), `${lines.join('\n')}\n{"_id":"last","n":0.5,"late":"x"}`);
    await zds(['ingest', lake, '-c', 'late', at('late.jsonl')]);
    for (const name of ['late.arrow', 'late.arrows']) {
      expect(await zds(['export', lake, '-c', 'late', '--to', at(name)])).toMatchObject({
        code: 0,
      });
      const table = tableFromIPC(readFileSync(at(name)));
      expect(table.numRows).toBe(2001);
      expect(table.get(2000)?.toJSON()).toEqual({ _id: 'last', n: 0.5, t: null, late: 'x' });
    }
  });

  it('leaves no file behind when it is stopped', async () => {
    const interrupt = new Interrupt();
    interrupt.request();
    for (const name of ['stopped.jsonl', 'stopped.arrow']) {
      const argv = ['export', lake, '-c', 'people', '--to', at(name)];
      expect(await zds(argv, { interrupt })).toEqual({
        code: 130,
        stdout: '',
        stderr: `stopped; ${at(name)} was not written\n`,
      });
    }
    expect(readdirSync(folder).filter((name) => name.includes('stopped'))).toEqual([]);
  });

  it('leaves no file behind when it fails', async () => {
    const { code } = await zds(['export', lake, '-c', 'nope', '--to', at('no.jsonl')]);
    expect([code, existsSync(at('no.jsonl'))]).toEqual([1, false]);
  });
});

describe('wrong use', () => {
  const cases: [argv: string[], message: RegExp][] = [
    [[], /usage: zds COMMAND/],
    [['frobnicate'], /no command "frobnicate"/],
    [['scan'], /argument is missing; usage: zds scan PATH/],
    [['scan', 'lake'], /--collection is missing/],
    [['scan', 'lake', 'extra', '-c', 'x'], /unexpected argument "extra"/],
    [['scan', 'lake', '-c', 'x', '--what'], /Unknown option '--what'; usage/],
    [['scan', 'lake', '-c', 'x', '-l', '-1'], /./],
    [['scan', 'lake', '-c', 'x', '-l', 'many'], /--limit takes a whole number/],
    [['scan', 'lake', '-c', 'x', '--fields', 'a,,b'], /--fields takes names/],
    [['scan', 'lake', '-c', 'x', '--where', 'a ='], /column 4.*\n {2}a =\n {5}\^\n$/],
    [['ingest', 'lake', '-c', 'x', 'f', '--on-error', 'ignore'], /--on-error takes stop, skip/],
    [['ingest', 'lake', '-c', 'x', 'f', '--commit-bytes', '0'], /--commit-bytes takes a size/],
    [['export', 'lake', '-c', 'x', '--to', 'x.csv'], /--to takes a name ending in/],
  ];
  for (const [argv, message] of cases) {
    it(`zds ${argv.join(' ')}`, async () => {
      const { code, stdout, stderr } = await zds(argv);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/ {4}at /);
    });
  }
});

describe('what is not there or not usable', () => {
  it('is named in one line, without a stack', async () => {
    writeFileSync(at('plain-file'), 'x');
    const cases: [argv: string[], message: RegExp][] = [
      [['list', at('nowhere')], /nowhere: .*no store.*zds init/],
      [['list', folder], /no store/],
      [['list', at('plain-file')], /./],
      [['scan', lake, '-c', 'nope'], /no collection nope.*zds list/],
      [['scan', lake, '-c', '../people'], /collection name/],
      [['init', lake, '-c', 'a/b'], /collection name/],
      [['ingest', lake, '-c', 'people', at('nothing.jsonl')], /nothing\.jsonl: .*ENOENT/],
      [['ingest', lake, '-c', 'people', at('no*.jsonl')], /no\*\.jsonl: no file matches/],
    ];
    for (const [argv, message] of cases) {
      const { code, stderr } = await zds(argv);
      expect([code, stderr.split('\n').length], argv.join(' ')).toEqual([1, 2]);
      expect(stderr).toMatch(message);
    }
  });

  it('shows its stack with --debug', async () => {
    const { stderr } = await zds(['scan', lake, '-c', 'nope', '--debug']);
    expect(stderr).toMatch(/EtlError: .*\n {4}at /);
  });
});

describe('help and version', () => {
  it('come on standard output', async () => {
    expect((await zds(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await zds(['--help'])).stdout).toMatch(/usage: zds COMMAND/);
    const { stdout: overview } = await zds(['help']);
    const names = [...overview.matchAll(/^ {2}((?:drive )?[a-z]+) +[A-Z][a-z]/gm)].map(
      (match) => match[1]!,
    );
    expect(names).toHaveLength(35);
    for (const name of names) {
      const { code, stdout } = await zds([...name.split(' '), '--help']);
      expect([code, stdout]).toEqual([0, expect.stringMatching(`usage: zds ${name} [[A-Z]`)]);
    }
  });
});
