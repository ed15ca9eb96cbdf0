/** Pipeline files: what is read, what is wrong and where, variables, modules. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files have variables
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/pipeline/index.ts';
import { lintPipeline, loadPipeline } from '../../../src/pipeline-file/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-files-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function lint(name: string, text: string, environment = {}): Promise<string[]> {
  writeFileSync(at(name), text);
  const findings = await lintPipeline(at(name), environment);
  return findings.map(({ place: { line, column }, problem }) => `${line}:${column} ${problem}`);
}

async function result(name: string, environment = {}): Promise<unknown[]> {
  const { options, close } = await loadPipeline(at(name), environment);
  await run(options);
  await close();
  const lines = readFileSync(at('out.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as unknown);
}

const head = `name: x\nsource: { type: jsonl, path: ${at('in.jsonl')} }\n`;
const foot = `sink: { type: jsonl, path: ${at('out.jsonl')} }\n`;

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

describe('what is wrong', () => {
  const wrong: [what: string, text: string, ...findings: string[]][] = [
    [
      'an unknown option',
      'source:\n  type: csv\n  path: a\n  delimeter: ";"\n',
      '4:3 source csv has no "delimeter"; did you mean "delimiter"?',
    ],
    [
      'an unknown type',
      'source: { type: jsnl, path: a }\n',
      '1:17 there is no source of this type; did you mean "jsonl"?',
    ],
    [
      'a missing type',
      'source: { path: a }\n',
      '1:9 source needs "type": jsonl, csv, json, arrow, parquet, tail, generate, http, zds, module',
    ],
    ['a missing option', 'source: { type: jsonl }\n', '1:9 source jsonl needs "path"'],
    [
      'a wrong type',
      'source: { type: jsonl, path: 3 }\n',
      '1:30 source.path takes text or a list of text, not 3',
    ],
    [
      'a wrong word',
      'source: { type: csv, path: a, empty: nul }\n',
      '1:38 source.empty takes "null", "omit", "string", not "nul"; did you mean "null"?',
    ],
    [
      'a wrong number',
      'source: { type: csv, path: a, skipLines: -1 }\n',
      '1:42 source.skipLines must be at least 0',
    ],
    [
      'a wrong size',
      'source: { type: csv, path: a, batchBytes: 3 apples }\n',
      '1:43 source.batchBytes takes a whole number or text such as 32MiB, not "3 apples"',
    ],
    [
      'a wrong expression',
      'source: { type: zds, root: a, collection: c, where: n > }\n',
      "1:53 where-expression, column 4: expected a value: a number, 'text', true, false or null\n" +
        '  n >\n     ^',
    ],
    [
      'a wrong tag',
      'source: { type: http, url: a, pages: { type: curser, cursor: a } }\n',
      '1:38 source.pages takes { type: link } or { type: body, next } or { type: cursor, cursor, ' +
        'parameter } or { type: offset, size, parameter, sizeParameter } or { type: page, first, ' +
        'parameter, size, sizeParameter }',
    ],
    [
      'a field of a tagged one',
      'source: { type: http, url: a, pages: { type: body } }\n',
      '1:38 source.pages needs "next"',
    ],
    [
      'no single character',
      'source: { type: csv, path: a, delimiter: ab }\n',
      '1:42 source.delimiter takes text such as ;',
    ],
    [
      'a list in place of a mapping',
      'source: [1]\n',
      '1:9 source takes a source: a mapping with its type',
    ],
  ];
  for (const [what, text, ...findings] of wrong) {
    it(`is told with its place: ${what}`, async () => {
      expect(await lint('w.yaml', `${text}name: x\n${foot}`)).toEqual(findings);
    });
  }

  it('is told of transforms and runs, too, in the order of the file', async () => {
    const text = `${head}onErrors: skip
transforms:
  - { type: cast, types: { n: int } }
  - { type: sample }
maxErrors: 200%
${foot}`;
    expect(await lint('w.yaml', text)).toEqual([
      '3:1 the pipeline has no "onErrors"; did you mean "onError"?',
      '5:31 transforms[0].types.n takes "string", "number", "integer", "boolean", "timestamp", not "int"',
      '6:5 sample takes one of share, every and count',
      '7:12 maxErrors takes a whole number or text such as 1% or { count, share }, not "200%"',
    ]);
  });

  it('is what the function of a stage says, when the form is right', async () => {
    const text = `${head}transforms:\n  - type: filter\n    where: 'true'\n  - type: sample\n${foot}`;
    expect(await lint('w.yaml', text)).toEqual(['6:5 sample takes one of share, every and count']);
    const append = `${head}sink: { type: csv, path: ${at('a.csv')}, existing: append }\n`;
    expect(await lint('v.yaml', append)).toEqual([
      '3:7 csvSink: existing is for a folder of files, and this writes one file',
    ]);
    await expect(loadPipeline(at('w.yaml'))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      place: { path: at('w.yaml'), line: 6, column: 5 },
    });
  });

  it('is all that stages, names and the run say at once', async () => {
    const text = `${head}transforms:
  - { type: sample, share: 0.5, every: 2 }
  - { type: cast, types: { n: int } }
  - { type: rename, fields: { a: x, b: x } }
  - { type: lookup, from: { root: s, collection: .x }, by: a, as: b }
sink:
  type: tee
  sinks:
    - { type: csv, path: x.csv, delimiter: '.' }
    - { type: zds, root: s, collection: a/b }
resume: true
reset: true
`;
    expect(await lint('all.yaml', text)).toEqual([
      '4:5 sample takes one of share, every and count',
      expect.stringMatching(/^5:31 transforms\[1\]\.types\.n takes/),
      '6:5 two fields would be x',
      '7:50 transforms[3].from.collection is no name for a collection',
      expect.stringMatching(/^11:7 .*delimiter/),
      '12:41 sink.sinks[1].collection is no name for a collection',
      '14:8 a run takes resume or reset',
    ]);
    writeFileSync(at('all.yaml'), text.replace(/.*(: cast|: lookup|: zds|resume|reset).*\n/g, ''));
    await expect(loadPipeline(at('all.yaml'))).rejects.toMatchObject({
      place: { path: at('all.yaml'), line: 4 },
      reason: expect.stringMatching(/^sample takes .* \(and 2 more: zds lint shows them\)$/),
    });
  });

  it('is an id that two transforms would have', async () => {
    const list =
      '[{ type: dedupe }, { type: batch, id: a }, { type: sample, id: dedupe, every: 2 }]';
    const text = `${head}transforms: ${list}\n${foot}`;
    expect(await lint('ids.yaml', `${text}maxErrors: x\n`)).toEqual([
      '3:56 two transforms of the run have the id dedupe',
      expect.stringMatching(/^5:12 maxErrors takes/),
    ]);
    expect(await lint('ids.yaml', text.replace('id: dedupe', 'id: b'))).toEqual([]);
  });

  it('is a file that is not UTF-8', async () => {
    writeFileSync(at('w.yaml'), Buffer.from(`${head}${foot}# \xe9\n`, 'latin1'));
    const place = { path: at('w.yaml') };
    await expect(loadPipeline(at('w.yaml'))).rejects.toMatchObject({ code: 'INVALID_UTF8', place });
    expect(await lintPipeline(at('w.yaml'))).toEqual([
      { place, problem: 'the bytes are not UTF-8' },
    ]);
  });

  it('is where a file is no YAML or no JSON', async () => {
    expect(await lint('w.yaml', 'name: x\nname: y\n')).toEqual(['2:1 Map keys must be unique']);
    expect(await lint('w.yaml', 'name: [\n')).toHaveLength(1);
    expect(await lint('w.yaml', '')).toEqual([expect.stringContaining('takes')]);
    expect(await lint('w.json', '{\n  "name": "x",\n  sink: 1}')).toEqual([
      expect.stringMatching(/^3:3 /),
    ]);
    expect(await lint('w.json', '{"name": "x"')).toEqual([expect.stringMatching(/^1:13 /)]);
    expect(await lint('w.json', "{'name': 'x'}")).toEqual([expect.stringMatching(/^1:2 /)]);
    expect(await lint('w.toml', '')).toEqual([expect.stringContaining('ends in .yaml')]);
    const bomb = [
      'a: &a [x, x]',
      ...'bcdefgh'.split('').map((name, i) => {
        const before = 'abcdefgh'[i];
        return `${name}: &${name} [${`*${before},`.repeat(9)}]`;
      }),
    ].join('\n');
    expect(await lint('w.yaml', bomb)).toEqual([expect.stringContaining('alias')]);
  });

  it('says how many more there are', async () => {
    writeFileSync(at('w.yaml'), 'name: 3\nsauce: 1\n');
    await expect(loadPipeline(at('w.yaml'))).rejects.toThrow(/\(and 3 more: zds lint shows them\)/);
    await expect(loadPipeline(at('none.yaml'))).rejects.toMatchObject({ code: 'IO_ERROR' });
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
