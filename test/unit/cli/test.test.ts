/** `zds test`, as one would use it. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const write = (name: string, ...lines: string[]) => writeFileSync(at(name), lines.join('\n'));

write(
  'p.yaml',
  'name: numbers',
  `source: { type: jsonl, path: ${at('absent.jsonl')} }`,
  'transforms:',
  '  - { type: filter, where: n exists }',
  `  - { type: cast, types: { n: "\${TYPE:-number}" } }`,
  `sink: { type: jsonl, path: ${at('out.jsonl')} }`,
);

const good = [
  'tests:',
  '  - name: makes numbers',
  '    input: [{ n: "1" }, { m: 2 }, { n: x }]',
  '    output: [{ n: 1 }]',
  '    rejects: [INVALID_DOCUMENT]',
  '  - name: or texts',
  '    env: { TYPE: string }',
  '    input: [{ n: 1 }]',
  '    output: [{ n: "1" }]',
];

describe('zds test', () => {
  it('passes where what comes out is what was expected', async () => {
    write('p.test.yaml', ...good);
    for (const given of [folder, at('p.yaml'), at('p.test.yaml')]) {
      const { code, stdout, stderr } = await zds(['test', given]);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/makes numbers\nok .*or texts\n2 tests, 0 failed\n$/);
    }
  });

  it('names what differs with its place', async () => {
    const cases: [string, string, string][] = [
      ['{ n: 1 }]', '{ n: 2 }]', 'p.test.yaml:4:19: makes numbers: output[0].n is 1, not 2'],
      ['[{ n: 1 }]', '[{ n: 1 }, { n: 5 }]', 'output[1] is missing: {"n":5}'],
      ['    output: [{ n: 1 }]', '    output: []', 'output[0] is too much: {"n":1}'],
      ['rejects: [INVALID_DOCUMENT]', 'rejects: []', 'nothing was to be refused'],
      ['[INVALID_DOCUMENT]', '[INVALID_DOCUMENT, JSON_ERROR]', 'JSON_ERROR was expected'],
    ];
    for (const [from, to, problem] of cases) {
      write('p.test.yaml', good.join('\n').replace(from, to));
      const { code, stdout } = await zds(['test', at('p.yaml')]);
      expect([code, stdout]).toEqual([1, expect.stringContaining(problem)]);
      expect(stdout).toContain('2 tests, 1 failed');
    }
  });

  it('prints one object where JSON is asked for', async () => {
    write('p.test.yaml', ...good.slice(0, 5));
    expect((await zds(['test', at('p.yaml')])).stdout).toContain('\n1 test, 0 failed\n');
    write('p.test.yaml', good.join('\n').replace('{ n: "1" }]', '{ n: "2" }]'));
    const { code, stdout } = await zds(['test', at('p.yaml'), '--json']);
    const file = at('p.test.yaml');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      {
        tests: 2,
        failed: 1,
        results: [
          { file, name: 'makes numbers', ok: true },
          {
            file,
            name: 'or texts',
            ok: false,
            line: 9,
            column: 19,
            problem: 'output[0].n is "1", not "2"',
          },
        ],
      },
    ]);
  });

  it('looks for tests in folders below, but not where packages or hidden files are', async () => {
    const below = join(folder, 'below');
    for (const name of ['a/b', 'node_modules/x', '.git']) {
      mkdirSync(join(below, name), { recursive: true });
      writeFileSync(join(below, name, 'p.yaml'), readFileSync(at('p.yaml')));
      writeFileSync(join(below, name, 'p.test.yaml'), good.join('\n'));
    }
    // To go into it would be an error.
    chmodSync(join(below, 'node_modules'), 0);
    const { code, stdout } = await zds(['test', below]);
    chmodSync(join(below, 'node_modules'), 0o755);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ok {3}.*a\/b\/p\.test\.yaml: .*\nok .*\n2 tests/);
  });

  it('prints the schema for editors', async () => {
    const { stdout } = await zds(['test', '--schema']);
    const file = readFileSync('docs/pipeline-test.schema.json', 'utf8');
    expect(JSON.parse(stdout)).toEqual(JSON.parse(file));
  });

  it('says where a test file is none, and where there is none', async () => {
    write('p.test.yaml', 'tests:', '  - nam: x', '    input: []', '    output: []');
    const bad = await zds(['test', at('p.yaml')]);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('p.test.yaml:2:5')]);
    write('p.test.yaml', 'tests:', '  - { name: x, input: [&a { n: *a }], output: [] }');
    const around = await zds(['test', at('p.yaml')]);
    expect(around.stderr).toContain('p.test.yaml:2:32: this contains itself');
    write('q.yaml', 'name: q');
    expect((await zds(['test', at('q.yaml')])).stderr).toContain('no tests found');
    write('r.test.yaml', ...good);
    expect((await zds(['test', at('r.test.yaml')])).stderr).toContain('no pipeline r.yaml');
  });
});
