/** What lint finds, and loading says, of files that are wrong. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files have variables
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lintPipeline, loadPipeline } from '../../../src/pipeline-file/index.ts';
import { pipelineFolder } from './harness.ts';

const { at, lint, head, foot } = pipelineFolder();

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
      'a wrong share',
      'source: { type: csv, path: a }\nmaxErrors: { share: 2 }\n',
      '2:21 maxErrors.share must be at most 1',
    ],
    [
      'a wrong share in percent',
      'source: { type: csv, path: a }\nmaxErrors: 100.5%\n',
      '2:12 maxErrors takes a whole number or text such as 1% or { count, share }, not "100.5%"',
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
    const faulty = `${head}transforms:
  - { type: sample, id: a }
  - { type: batch, id: "\${ID}" }
  - { type: dedupe, byy: x, id: "\${ID}" }
  - { type: sample, every: 1, id: a }
  - 3
${foot}`;
    expect(await lint('ids.yaml', faulty, { ID: 'secret' })).toEqual([
      '4:5 sample takes one of share, every and count',
      '6:5 two transforms of the run have the id ${ID}',
      expect.stringMatching(/^6:21 transform dedupe has no "byy"/),
      '7:5 two transforms of the run have the id a',
      expect.stringMatching(/^8:5 transforms\[4\] takes a transform/),
    ]);
  });

  it('is a file that is not UTF-8', async () => {
    writeFileSync(at('w.yaml'), Buffer.from(`${head}${foot}# \xe9\n`, 'latin1'));
    const place = { path: at('w.yaml') };
    await expect(loadPipeline(at('w.yaml'))).rejects.toMatchObject({ code: 'INVALID_UTF8', place });
    expect(await lintPipeline(at('w.yaml'))).toEqual([
      { place, problem: 'the bytes are not UTF-8' },
    ]);
  });

  it('is nothing for a byte order mark, which moves no place', async () => {
    const data = `{"name":"x","source":{"type":"jsonl","path":"a"},"sink":{"type":"jsonl","path":"b"}`;
    for (const name of ['bom.json', 'bom.yaml']) {
      expect(await lint(name, `\uFEFF${data}}`)).toEqual([]);
      expect(await lint(name, `\uFEFF${data},"x":1}`)).toEqual(['1:85 the pipeline has no "x"']);
    }
    expect(await lint('bom.json', '\uFEFF{"name":}')).toEqual([expect.stringMatching(/^1:9 /)]);
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

  it.each([
    ['a.yaml', 'a: &a [*a]\n', '1:8'],
    ['b.yaml', `name: x\nsource: &a { type: jsonl, path: *a }\n${foot}`, '2:33'],
    [
      'c.yaml',
      `${head}sink: { type: module, path: x.mjs, options: &a [{ q: &b { r: [*a] } }] }\n`,
      '3:63',
    ],
    ['d.mjs', 'const a = {}; a.a = [a]; export default a;\n', 'undefined:undefined'],
  ])('is a value that contains itself, in %s', async (name, text, place) => {
    expect(await lint(name, text)).toEqual([`${place} this contains itself`]);
    await expect(loadPipeline(at(name))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('is said first of what stands first, with all that lint finds counted', async () => {
    const text = `${head}transforms: [{ type: sample }]\nsink: { type: jsonl, path: "" }\nresume: "\${NO}"\n`;
    expect(await lint('first.yaml', text)).toHaveLength(3);
    await expect(loadPipeline(at('first.yaml'), {})).rejects.toMatchObject({
      place: { line: 3 },
      reason: 'sample takes one of share, every and count (and 2 more: zds lint shows them)',
    });
  });

  it('says how many more there are', async () => {
    writeFileSync(at('w.yaml'), 'name: 3\nsauce: 1\n');
    await expect(loadPipeline(at('w.yaml'))).rejects.toThrow(/\(and 3 more: zds lint shows them\)/);
    await expect(loadPipeline(at('none.yaml'))).rejects.toMatchObject({ code: 'IO_ERROR' });
  });
});
