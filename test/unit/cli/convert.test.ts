/** `zds convert`, `zds sniff` and `zds new`, as one would use them. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { serve } from '../../support/http-server.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (name: string) => readFileSync(at(name), 'utf8');
const documents = [
  { _id: 'a', n: 1, name: 'Ada, "A"', ok: true },
  { _id: 'b', n: 2.5, name: 'zwei\nZeilen', ok: false },
  { _id: 'c', n: 3, name: 'ça', ok: true },
];
const lines = documents.map((each) => `${JSON.stringify(each)}\n`).join('');
writeFileSync(at('in.jsonl'), lines);

describe('zds convert', () => {
  it('leaves what was there when Ctrl-C stops it before a file is whole', async () => {
    for (const name of ['stopped.csv', 'stopped.jsonl', 'stopped.json', 'stopped.arrow']) {
      writeFileSync(at(name), 'as it was');
      const interrupt = new Interrupt();
      interrupt.request();
      expect(await zds(['convert', at('in.jsonl'), at(name)], { interrupt })).toEqual({
        code: 130,
        stdout: '',
        stderr: `stopped; ${at(name)} was not written\n`,
      });
      expect(read(name)).toBe('as it was');
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('says that Parquet goes to files only', async () => {
    const { code, stderr } = await zds(['convert', at('in.jsonl'), '-', '--to', 'parquet']);
    expect([code, stderr]).toEqual([2, 'zds: --to parquet takes a file, not -\n']);
  });

  it('compresses no Arrow and no Parquet as a whole, and says so before it reads', async () => {
    for (const name of ['w.arrow.gz', 'w.arrows.br', 'w.feather.zst', 'w.parquet.GZ']) {
      const { code, stderr } = await zds(['convert', at('missing.jsonl'), at(name)]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('compressed as a whole')]);
      expect(existsSync(at(name))).toBe(false);
    }
  });

  it('takes the URL of a file, as sources do, and so do run, ingest and sniff', async () => {
    const url = pathToFileURL(at('in.jsonl')).href;
    const ok = async (...argv: string[]) => {
      const { code, stderr, stdout } = await zds(argv);
      expect([code, stderr]).toEqual([0, '']);
      return stdout;
    };
    await ok('convert', url, at('url.jsonl'));
    expect(read('url.jsonl')).toBe(lines);
    const pipeline = {
      name: 'url',
      source: { type: 'jsonl', path: url },
      sink: { type: 'jsonl', path: at('run.jsonl') },
    };
    writeFileSync(at('url.json'), JSON.stringify(pipeline));
    await ok('run', at('url.json'));
    expect(read('run.jsonl')).toBe(lines);
    expect(await ok('ingest', at('urls'), '-c', 'c', url)).toContain('3 documents into c');
    expect(await ok('sniff', url)).toContain('in.jsonl: jsonl\n');
    const far = await zds(['convert', 'file://far/in.jsonl', at('far.jsonl')]);
    expect([far.code, far.stderr]).toEqual([1, expect.stringContaining('file://far/in.jsonl: ')]);
  });

  it('goes through all formats and comes back with the same documents', async () => {
    const way = [
      'in.jsonl',
      'a.csv',
      'b.tsv.gz',
      'c.json',
      'd.arrow',
      'e.json.gz',
      'f.arrows',
      'f.parquet',
    ];
    const stops = [...way, 'lake#c', 'g.ndjson', 'h.csv', 'out.jsonl'].map(at);
    for (const [i, to] of stops.slice(1).entries()) {
      const { code, stderr, stdout } = await zds(['convert', stops[i]!, to]);
      expect([to, code, stderr]).toEqual([to, 0, '']);
      expect(stdout).toContain('3 documents written');
    }
    const back = read('out.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(back).toEqual(documents);
    expect(JSON.parse(read('c.json'))).toEqual(documents);
    expect(JSON.parse(gunzipSync(readFileSync(at('e.json.gz'))).toString())).toEqual(documents);
    expect(tableFromIPC(readFileSync(at('d.arrow'))).numRows).toBe(3);
  });

  it('stops at a bad record, passes it over, or sets it aside', async () => {
    const many = Array.from({ length: 6000 }, (_, n) => `{"n":${n},"s":"${'x'.repeat(99)}"}\n`);
    for (const [name, text] of [
      ['few.jsonl', `{"n":1}\nbad\n{"n":2}\n`],
      ['many.jsonl', `${many.join('')}bad\n{"late":1}\n`],
    ] as const) {
      writeFileSync(at(name), text);
      const convert = (to: string, ...more: string[]) =>
        zds(['convert', at(name), at(to), ...more]);
      const stopped = await convert('bad.arrow');
      expect(stopped).toMatchObject({ code: 1, stderr: expect.stringContaining('expected') });
      expect(existsSync(at('bad.arrow'))).toBe(false);
      const skipped = await convert('skipped.arrow', '--on-error', 'skip');
      expect(skipped).toMatchObject({ code: 0, stdout: expect.stringContaining('1 bad') });
      const aside = await convert(`${name}.csv`, '--on-error', 'dead-letter', '--max-errors', '1');
      expect(aside).toMatchObject({ code: 0, stdout: expect.stringContaining('.rejects.jsonl') });
      expect(JSON.parse(read(`${name}.csv.rejects.jsonl`))).toMatchObject({ raw: 'bad' });
    }
    const same = ['--on-error', 'dead-letter', '--rejects', at('same.csv')];
    expect(await zds(['convert', at('bad.jsonl'), at('same.csv'), ...same])).toMatchObject({
      code: 2,
      stderr: `${at('same.csv')}: is written, and so cannot be where bad records go\n`,
    });
    const fields = tableFromIPC(readFileSync(at('skipped.arrow'))).schema.names;
    expect(fields).toEqual(['n', 's', 'late']);
    const two = ['convert', '-', at('none.jsonl'), '--on-error', 'skip', '--max-errors', '1'];
    expect(await zds(two, { stdin: 'bad\nbad\n' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('rejected'),
    });
  });

  it('reads and writes standard streams', async () => {
    const csv = await zds(['convert', '-', '-', '--to', 'csv'], { stdin: lines });
    expect(csv.stdout).toBe(
      '_id,n,name,ok\na,1,"Ada, ""A""",true\nb,2.5,"zwei\nZeilen",false\nc,3,ça,true\n',
    );
    expect(csv.stderr).toContain('3 documents written');
    const json = await zds(['convert', '-', '-', '--from', 'csv', '--to', 'json'], {
      stdin: csv.stdout,
    });
    expect(JSON.parse(json.stdout)).toEqual(documents);
    const none = await zds(['convert', '-', '-', '--to', 'json'], { stdin: '' });
    expect(JSON.parse(none.stdout)).toEqual([]);
  });

  it('keeps what is asked for', async () => {
    const args = ['convert', at('in.jsonl'), at('part.csv'), '--where', 'ok = true', '--fields'];
    expect((await zds([...args, 'name,n'])).code).toBe(0);
    expect(read('part.csv')).toBe('name,n\n"Ada, ""A""",1\nça,3\n');
    await zds(['convert', at('a.csv'), at('text.jsonl'), '--types', 'string']);
    expect(JSON.parse(read('text.jsonl').split('\n')[0]!)).toEqual({
      ...documents[0],
      n: '1',
      ok: 'true',
    });
  });

  it('loses no field that comes late', async () => {
    const many = Array.from({ length: 40_000 }, (_, i) => {
      return `{"_id":"d${i}","text":"${'x'.repeat(30)}"${i === 39_999 ? ',"late":{"a":1}' : ''}}\n`;
    });
    writeFileSync(at('late.jsonl'), many.join(''));
    for (const to of ['late.arrow', 'late.csv', 'late.parquet']) {
      expect(await zds(['convert', at('late.jsonl'), at(to)])).toMatchObject({ code: 0 });
    }
    await zds(['convert', at('late.parquet'), at('late2.jsonl')]);
    expect(read('late2.jsonl')).toContain('"late":{"a":1}');
    expect(tableFromIPC(readFileSync(at('late.arrow'))).schema.names).toContain('late');
    const rows = read('late.csv').trimEnd().split('\n');
    expect(rows[0]).toBe('_id,text,late');
    expect(rows.at(-1)).toContain('"{""a"":1}"');
  });

  it('loses none of several files, of one compressed under any name, and of Parquet', async () => {
    writeFileSync(at('small1.jsonl'), '{"a":1}\n');
    writeFileSync(at('small2.jsonl'), '{"a":1,"late":2}\n');
    const many = `${'{"a":1}\n'.repeat(200_000)}{"a":1,"late":2}\n`;
    writeFileSync(at('packed.jsonl'), gzipSync(many));
    for (const name of ['small*', 'packed']) {
      for (const to of ['csv', 'arrow', 'parquet']) {
        const { code, stderr } = await zds(['convert', at(`${name}.jsonl`), at(`some.${to}`)]);
        expect([code, stderr], `${name} ${to}`).toEqual([0, '']);
      }
      expect(read('some.csv')).toMatch(/^a,late\n1,\n/);
    }
    expect((await zds(['convert', at('some.parquet'), at('some.csv')])).code).toBe(0);
    expect(read('some.csv')).toMatch(/^a,late\n1,\n/);
  });

  it('says what it cannot do', async () => {
    for (const args of [
      ['in.txt', 'out.csv'],
      [at('in.jsonl'), 'out.txt'],
      [at('in.jsonl'), 'out.csv', '--to', 'xml'],
      [at('in.jsonl'), 'out.csv', '--types', 'string'],
      [at('in.jsonl'), 'out.csv', '--where', 'n >'],
    ]) {
      const { code, stderr } = await zds(['convert', ...args]);
      expect([code, stderr.split('\n')[0]]).toEqual([2, expect.stringMatching(/^(zds: )?\S/)]);
    }
    expect((await zds(['convert', at('gone.jsonl'), at('x.csv')])).code).toBe(1);
  });
});

describe('zds sniff', () => {
  it('tells what files are, whatever they are called', async () => {
    writeFileSync(at('x1'), 'a;b\n1;x\n2;y\n');
    writeFileSync(at('x2'), '[{"a":1}]');
    writeFileSync(at('x3'), '{"a":1}\n{"a":2}');
    writeFileSync(at('x4'), '{\n  "a": 1\n}\n');
    const kinds = { x1: 'csv', x2: 'json', x3: 'jsonl', x4: 'json', 'd.arrow': 'arrow' };
    for (const [name, format] of Object.entries(kinds)) {
      const { code, stdout } = await zds(['sniff', at(name), '--json']);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ format, compression: 'none' });
    }
    const csv = await zds(['sniff', at('b.tsv.gz')]);
    expect(csv.stdout).toMatch(/b\.tsv\.gz: csv, gzip\n/);
    expect(csv.stdout).toMatch(/delimiter|tab/);
    expect(csv.stdout).toMatch(/n +number +3 +0\n/);
    expect((await zds(['sniff', at('gone')])).code).toBe(1);
  });

  it('shows no secret of a URL', async () => {
    const { base } = await serve((_, response) => response.end('a,b\n1,2\n'));
    const url = `${base.replace('//', '//user:s3cret@')}/f.csv?key=hidden`;
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await zds(['sniff', url, ...more]);
      expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('/f.csv')]);
      expect(`${stdout}${stderr}`).not.toMatch(/s3cret|hidden/);
    }
  });

  it('gives no half answer at Ctrl-C', async () => {
    const interrupt = new Interrupt();
    interrupt.request();
    const stopped = await zds(['sniff', at('in.jsonl'), '--json'], { interrupt });
    expect(stopped).toEqual({ code: 130, stdout: '', stderr: 'stopped; nothing was changed\n' });
  });

  it('does not look at what comes only once', async () => {
    const { code, stderr } = await zds(['sniff', '-'], { stdin: 'a,b\n1,2\n' });
    expect([code, stderr]).toEqual([2, expect.stringContaining('name a file')]);
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [at('pipe')]);
    expect(await zds(['sniff', at('pipe')])).toMatchObject({ code: 2, stdout: '' });
  });

  it('shows no password of a URL whose format it cannot tell', async () => {
    const { code, stderr } = await zds(['convert', 'http://u:password@a.example/b', at('c.csv')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('http://a.example/b?')]);
  });

  it('names the file in which no row ends', async () => {
    writeFileSync(at('long.csv'), 'a'.repeat(300_000));
    for (const argv of [['sniff'], ['convert', at('none.jsonl')]]) {
      argv.splice(1, 0, at('long.csv'));
      const { code, stderr } = await zds(argv);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^\S+long\.csv: .*no row ends/)]);
    }
  });

  it('names the columns as they are read, also where the first row looks like no header', async () => {
    writeFileSync(at('x5.csv'), 'a,,a\n1,2,3\n');
    const { stdout } = await zds(['sniff', at('x5.csv')]);
    expect(stdout).toContain('column 3 repeats "a" and is called "a_2"');
    expect(stdout).toContain('holds "", which is no name; it is read as the header all the same');
    writeFileSync(at('x6.csv'), '');
    expect((await zds(['sniff', at('x6.csv')])).stdout).toContain('no header: there is no row');
    writeFileSync(at('x7.csv'), 'Report\nof today\na,b\n1,2\n3,4\n');
    const torn = await zds(['sniff', at('x7.csv')]);
    expect([torn.code, torn.stdout]).toEqual([1, expect.stringContaining('skipLines: 2')]);
    expect(torn.stderr).toContain('expected 1, found 2');
  });
});

describe.skipIf(!existsSync(join(root, 'dist/cli/main.js')))('zds new', () => {
  it('makes a project that runs', async () => {
    expect((await zds(['new', at('My Project')])).code).toBe(0);
    const project = at('My Project');
    const program = join(root, 'dist/cli/main.js');
    const manifest = JSON.parse(read('My Project/package.json'));
    expect(manifest.name).toBe('my-project');
    // What `npm install` does with a dependency on a folder.
    const home = manifest.dependencies['zds-stream'].replace(/^file:/, '');
    mkdirSync(join(project, 'node_modules'));
    symlinkSync(resolve(project, home), join(project, 'node_modules/zds-stream'));
    expect(realpathSync(join(project, 'node_modules/zds-stream'))).toBe(realpathSync(root));
    const outputs = ['lint', 'try', 'start'].map((script) => {
      const argv = manifest.scripts[script].split(' ').slice(1);
      return execFileSync(process.execPath, [program, ...argv], { cwd: project }).toString();
    });
    expect(outputs[0]).toBe('');
    expect(outputs[1]).toContain('4 documents of 5 read would be written');
    expect(outputs[2]).toContain('orders: 4 documents written');
    const found = await zds(['scan', join(project, 'lake'), '-c', 'orders', '--jsonl']);
    expect(found.stdout.split('\n')[0]).toContain('"large":true');
    expect((await zds(['new', project])).code).toBe(2);
    const onFile = await zds(['new', join(project, 'README.md')]);
    expect(onFile).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('README.md: is no folder'),
    });
    const inFile = await zds(['new', join(project, 'README.md/x')]);
    expect(inFile.stderr).toContain('README.md/x/data: cannot make: ENOTDIR');
  });
});
