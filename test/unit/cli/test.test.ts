/** `zds test`, as one would use it. */
import { writeFileSync } from 'node:fs';
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

  it('says where a test file is none, and where there is none', async () => {
    write('p.test.yaml', 'tests:', '  - nam: x', '    input: []', '    output: []');
    const bad = await zds(['test', at('p.yaml')]);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('p.test.yaml:2:5')]);
    write('q.yaml', 'name: q');
    expect((await zds(['test', at('q.yaml')])).stderr).toContain('no tests found');
    write('r.test.yaml', ...good);
    expect((await zds(['test', at('r.test.yaml')])).stderr).toContain('no pipeline r.yaml');
  });
});
