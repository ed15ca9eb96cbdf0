/** Pipeline files: what is read, variables, modules. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files have variables
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/pipeline/index.ts';
import { lintPipeline, loadPipeline } from '../../../src/pipeline-file/index.ts';
import { pipelineFolder } from './harness.ts';

const { folder, at, lint, head, foot } = pipelineFolder();

async function result(name: string, environment = {}): Promise<unknown[]> {
  const { options, close } = await loadPipeline(at(name), environment);
  await run(options);
  await close();
  const lines = readFileSync(at('out.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as unknown);
}

beforeEach(() => {
  const lines = [1, 2, 3, 4].map((n) => `{"_id":"d${n}","n":${n},"tags":["a","b"]}\n`);
  writeFileSync(at('in.jsonl'), lines.join(''));
});

describe('a data file', () => {
  it('runs, as YAML and as JSON', async () => {
    const transforms = [
      { type: 'filter', where: 'n > 1 and n < 4' },
      { type: 'unnest', path: 'tags' },
      { type: 'rename', fields: { tags: 'tag' } },
      { type: 'project', fields: ['_id', 'tag'] },
    ];
    const expected = ['d2', 'd3'].flatMap((id) => [
      { _id: `${id}-0`, tag: 'a' },
      { _id: `${id}-1`, tag: 'b' },
    ]);
    const list = transforms.map((each) => `  - ${JSON.stringify(each)}\n`).join('');
    expect(await lint('a.yaml', `${head}transforms:\n${list}${foot}`)).toEqual([]);
    expect(await result('a.yaml')).toEqual(expected);
    const source = { type: 'jsonl', path: at('in.jsonl') };
    const sink = { type: 'jsonl', path: at('out.jsonl') };
    const text = JSON.stringify({ name: 'x', source, transforms, sink }, undefined, '\t');
    expect(await lint('a.json', text)).toEqual([]);
    expect(await result('a.json')).toEqual(expected);
  });

  it('has mappings whose keys are any names', async () => {
    writeFileSync(at('in.jsonl'), '{"__proto__":1,"constructor":2}\n');
    const rename = '{ type: rename, fields: { __proto__: a, constructor: b } }';
    writeFileSync(at('names.yaml'), `${head}transforms: [${rename}]\n${foot}`);
    expect(await result('names.yaml')).toEqual([{ a: 1, b: 2 }]);
  });

  it('joins with a store, and closes it', async () => {
    writeFileSync(at('fill.yaml'), `${head}sink: { type: zds, root: ${at('s')}, collection: c }\n`);
    await run((await loadPipeline(at('fill.yaml'))).options);
    const lookup = `{ type: lookup, from: { root: ${at('s')}, collection: c }, by: _id, as: found }`;
    const more = `[${lookup}, { type: filter, where: n = 2 }, { type: project, fields: [found.n] }]`;
    expect(await lint('join.yaml', `${head}transforms: ${more}\n${foot}`)).toEqual([]);
    expect(await result('join.yaml')).toEqual([{ found: { n: 2 } }]);
  });

  it('joins with the bytes of a store, so that no number is rounded', async () => {
    const exact = '{"_id":"d1","n":12345678901234567890,"x":1.50}';
    writeFileSync(at('in.jsonl'), `${exact}\n`);
    writeFileSync(at('fill.yaml'), `${head}sink: { type: zds, root: ${at('e')}, collection: c }\n`);
    await run((await loadPipeline(at('fill.yaml'))).options);
    const lookup = `{ type: lookup, from: { root: ${at('e')}, collection: c }, by: _id, as: found }`;
    writeFileSync(at('join.yaml'), `${head}transforms: [${lookup}]\n${foot}`);
    await result('join.yaml');
    expect(readFileSync(at('out.jsonl'), 'utf8')).toBe(`${exact.slice(0, -1)},"found":${exact}}\n`);
  });
});

describe('variables', () => {
  const withPath = (path: string, rest = '') =>
    `name: x\nsource: { type: jsonl, path: "${path}"${rest} }\n${foot}`;

  it('stand in texts, with defaults and for numbers', async () => {
    const text = withPath(`\${DIR}/\${FILE:-in}.jsonl`, `, maxDepth: "\${DEPTH}"`);
    expect(await lint('v.yaml', text, { DIR: folder, DEPTH: '7', FILE: '' })).toEqual([]);
    expect(await result('v.yaml', { DIR: folder, DEPTH: '7' })).toHaveLength(4);
    const { data } = await loadPipeline(at('v.yaml'), { DIR: folder, DEPTH: '7' });
    expect(data!.source.options).toEqual({ path: at('in.jsonl'), maxDepth: 7 });
  });

  it('cannot change the structure of the file', async () => {
    writeFileSync(at('v.yaml'), withPath(`\${X}`));
    const X = 'a", type: "csv';
    expect((await loadPipeline(at('v.yaml'), { X })).data!.source.options).toEqual({ path: X });
  });

  it.each([
    ["s = '${X}'", `' or n < 9 or s = '`, undefined],
    ["s = '${X}'", 'it\'s \\ "so"', undefined],
    ['s = "${X}"', 'a"b\\', undefined],
    ["s = '${X}${X}' or s = '${X}'", "'", undefined],
    ['s matches /^${X}$/i', '.*/ or n < 9 or s matches /[', undefined],
    ['s matches /^[${X}]+$/u', ']/😀', undefined],
    ['s = ${X}', '-12.5e1', -125],
    ['s = ${X}', 'true', true],
    ['${X}', "s = 'whole'", 'whole'],
    ["${NO:-s} = '${X}'", 'b', undefined],
  ])('are literals in the expression %s', async (where, X, s = X) => {
    writeFileSync(at('in.jsonl'), `${JSON.stringify({ s })}\n{"s":"other","n":1}\n`);
    const filter = `transforms: [${JSON.stringify({ type: 'filter', where })}]\n`;
    expect(await lint('v.yaml', `${head}${filter}${foot}`, { X })).toEqual([]);
    expect(await result('v.yaml', { X })).toEqual([{ s }]);
  });

  it.each(['s = ${X}', '${X} = 1', "s = '\\${X}'"])(
    'cannot be anything else in the expression %s',
    async (where) => {
      const filter = `transforms: [${JSON.stringify({ type: 'filter', where })}]\n`;
      expect(await lint('v.yaml', `${head}${filter}${foot}`, { X: 'n or true' })).toEqual([
        '3:39 transforms[0].where: ${X} takes a number, true, false or null here; other text needs quotes around it',
      ]);
      expect(await lint('v.yaml', `${head}${filter}${foot}`)).toContain(
        '3:39 transforms[0].where: the environment has no X; ${X:-default} would do without',
      );
    },
  );

  it('take nothing but what is documented', async () => {
    for (const bad of ['${', '${}', '${a.b}', '${A:+b}', '${A-b}', '${1}']) {
      expect(await lint('v.yaml', withPath(bad), { A: 'x', a: 'x' })).toEqual([
        `2:30 source.path: takes \${NAME} and \${NAME:-default}, nothing else; $\${ stands for \${`,
      ]);
    }
    expect(await lint('v.yaml', withPath('$${A}'))).toEqual([]);
    expect((await loadPipeline(at('v.yaml'))).data!.source.options).toEqual({ path: '${A}' });
  });

  it('are missed when they are missing', async () => {
    expect(await lint('v.yaml', withPath('${GONE}'))).toEqual([
      '2:30 source.path: the environment has no GONE; ${GONE:-default} would do without',
    ]);
  });

  it('are all that is said of a value where they are missing, and no stage is made with it', async () => {
    writeFileSync(at('told.mjs'), 'export default () => { throw new Error("made"); };\n');
    const own = `{ type: module, path: ${at('told.mjs')}, options: { key: ["\${GONE}"] } }`;
    const text = `name: x
source: { type: http, url: "\${GONE}/x" }
transforms:
  - { type: map, path: "\${GONE}" }
  - { type: sample, share: "\${GONE}" }
  - { type: filter, where: "a = \${GONE}" }
  - { type: "\${GONE}" }
sink:
  type: tee
  sinks: [${own}, "\${GONE}"]
resume: "\${GONE}"
onError: { deadLetter: "\${GONE}" }
`;
    const findings = await lint('v.yaml', text);
    const ways = findings.map((finding) => /^[\d:]+ (\S+): the environment/.exec(finding)?.[1]);
    expect(ways).toEqual([
      'source.url',
      'transforms[0].path',
      'transforms[1].share',
      'transforms[2].where',
      'transforms[3].type',
      'sink.sinks[0].options.key[0]',
      'sink.sinks[1]',
      'resume',
      'onError.deadLetter',
    ]);
  });

  it('are never shown', async () => {
    const secret = 'pa"ss&word';
    const texts = [
      'source: { type: jsonl, path: a, maxDepth: "${S}" }',
      'source: { type: csv, path: a, empty: "${S}" }',
      'source: { type: "${S}" }',
      'source: { type: zds, root: a, collection: c, where: "${S}" }',
      'source: { type: jsonl, path: a, maxLineBytes: "${S}" }',
      'source: { type: http, url: "http://u:${S}@:0/x" }',
      'source: { type: module, path: "./${S}.mjs" }',
      'source: { type: module, path: a, export: "${S}" }',
    ];
    for (const text of texts) {
      writeFileSync(at('v.yaml'), `name: x\n${text}\n${foot}`);
      const findings = await lintPipeline(at('v.yaml'), { S: secret }).catch((error) => [error]);
      for (const finding of findings) {
        expect(`${finding.problem ?? finding.message}`).not.toContain('word');
      }
      expect(findings.length, text).toBeGreaterThan(0);
    }
  });
});

describe('modules', () => {
  it('give stages of their own to data files', async () => {
    const code = `export const add = ({ by }) => ({
      name: 'add',
      apply: (batch) => [batch.deriveDocuments(batch.documents().map((d) => ({ n: d.n + by })))],
    });
    export default (document) => ({ twice: document.n * 2 });
    export const five = { '~standard': { version: 1, vendor: 'x', validate: (value) =>
      value.twice > 23 ? { value } : { issues: [{ message: 'too small' }] } } };\n`;
    writeFileSync(at('own.mjs'), code);
    const path = at('own.mjs');
    const list = [
      { type: 'module', path, export: 'add', options: { by: 10 } },
      { type: 'map', path },
      { type: 'validate', path, export: 'five' },
    ];
    const text = `${head}transforms: ${JSON.stringify(list)}\nonError: skip\n${foot}`;
    expect(await lint('m.yaml', text)).toEqual([]);
    expect(await result('m.yaml')).toEqual([{ twice: 24 }, { twice: 26 }, { twice: 28 }]);
    const none = text.replace('"add"', '"ad"');
    expect(await lint('m.yaml', none)).toEqual([expect.stringContaining('exports no function ad')]);
  });

  it('may be the pipeline: data, a function, or stages', async () => {
    const data = JSON.stringify({
      name: 'x',
      source: { type: 'jsonl', path: at('in.jsonl') },
      sink: { type: 'jsonl', path: at('out.jsonl') },
    });
    writeFileSync(at('p.mjs'), `export default ${data};\n`);
    expect(await result('p.mjs')).toHaveLength(4);
    writeFileSync(at('p.mjs'), `export default async () => (${data});\n`);
    expect(await result('p.mjs')).toHaveLength(4);
    writeFileSync(at('p.mjs'), 'export default { name: "x", sauce: 1 };\n');
    expect((await lintPipeline(at('p.mjs'))).map(({ problem }) => problem)).toEqual([
      'the pipeline has no "sauce"; did you mean "source"?',
      'the pipeline needs "source"',
      'the pipeline needs "sink"',
    ]);
    writeFileSync(at('p.mjs'), 'export default { source: { batches() {} }, x: 1 };\n');
    expect((await loadPipeline(at('p.mjs'))).data).toBeUndefined();
    writeFileSync(at('p.mjs'), 'throw new Error("on loading");\n');
    await expect(loadPipeline(at('p.mjs'))).rejects.toThrow(/p\.mjs: cannot be loaded: on loading/);
  });
});
