import { describe, expect, it } from 'vitest';
import { parsePath } from '../../../src/core/path.ts';
import { buildSelection, projectDocument } from '../../../src/kernels/index.ts';
import { kernels } from '../../support/kernels.ts';

/** Selected paths, a line, and the line that is left, byte for byte. */
const cases: readonly (readonly [readonly string[], string, string])[] = [
  [[], '{"a":1}', '{}'],
  [['a'], '{"a":1}', '{"a":1}'],
  [['x'], '{"a":1}', '{}'],
  [['b', 'a'], '{ "a" : 1 , "b" : 2 }', '{"b":2,"a":1}'],
  [['a'], '{"a": 1.50e+1 }', '{"a":1.50e+1}'],
  [['a'], '{"a":9007199254740993}', '{"a":9007199254740993}'],
  [['a'], '{"a":"\\u0041\\/\\ud800"}', '{"a":"\\u0041\\/\\ud800"}'],
  [['a'], '{"a":[ 1, {"b" : 2} ]}', '{"a":[ 1, {"b" : 2} ]}'],
  [['ab'], '{"\\u0061b":1}', '{"ab":1}'],
  [['a"b'], '{"a\\u0022b":1}', '{"a\\"b":1}'],
  [['a'], '{"a":1,"a":2}', '{"a":2}'],
  [['a', 'a'], '{"a":1}', '{"a":1}'],
  [['a.b', 'c', 'a.d'], '{"a":{"d":1,"e":2,"b":3},"c":4}', '{"a":{"b":3,"d":1},"c":4}'],
  [['a.b', 'a'], '{"a":{"b":1,"c":2}}', '{"a":{"b":1,"c":2}}'],
  [['a', 'a.b'], '{"a":{"b":1,"c":2}}', '{"a":{"b":1,"c":2}}'],
  [['a.b'], '{"a":{"c":1}}', '{"a":{}}'],
  [['a.b'], '{"a":1}', '{}'],
  [['a.b'], '{"a":null}', '{}'],
  [
    ['a.b'],
    '{"a":[{"b":1,"c":2}, 3, null, [{"b":4}], {"c":5}, { "b": [6 ,7]}]}',
    '{"a":[{"b":1},{},{"b":[6 ,7]}]}',
  ],
  [
    ['a.b.c'],
    '{"a":[{"b":[{"c":1},{"c":2,"d":3}]},{"b":{"c":4}}]}',
    '{"a":[{"b":[{"c":1},{"c":2}]},{"b":{"c":4}}]}',
  ],
  [['a.b'], '{"a":[]}', '{"a":[]}'],
  [['a.0'], '{"a":[{"0":1}]}', '{"a":[{"0":1}]}'],
  [['__proto__.a'], '{"__proto__":{"a":1,"b":2}}', '{"__proto__":{"a":1}}'],
  [['toString'], '{"a":1}', '{}'],
  [['é', '😀'], '{"\\ud83d\\ude00":"é","\\u00e9":"😀"}', '{"é":"😀","😀":"é"}'],
  [['\ud800'], '{"\\ud800":1,"\ufffd":2}', '{"\\ud800":1}'],
  [['\ufffd'], '{"\\ud800":1,"\ufffd":2}', '{"\ufffd":2}'],
  [['a\\.b'], '{"a.b":1,"a":{"b":2}}', '{"a.b":1}'],
  [[''], '{"":1}', '{"":1}'],
].map(([select, line, left]) => [select, line, left] as [string[], string, string]);

describe.each(kernels)('projection in the $name kernel', (kernel) => {
  it.each(cases)('of %j from %s', (select, line, left) => {
    const paths = select.map((path) => (path === '' ? [''] : parsePath(path)));
    const selector = kernel.selector({ select: paths });
    const bytes = Buffer.from(`${line}\r\n\n ${line} \n${line}`);
    const table = selector.project(bytes);
    expect(Buffer.from(table.bytes).toString()).toBe(`${left}\n`.repeat(3));
    expect(table).toMatchObject({ count: 3, dense: true, bad: [], lineCount: 4 });
    const expected = JSON.stringify(JSON.parse(left));
    const { documents } = selector.documents(bytes);
    expect(documents.map((document) => JSON.stringify(document))).toEqual([
      expected,
      expected,
      expected,
    ]);
    const projected = projectDocument(JSON.parse(line), buildSelection(paths));
    expect(JSON.stringify(projected)).toBe(expected);
    expect(Object.getPrototypeOf(projected)).toBe(Object.prototype);
  });

  it('without paths keeps documents as they are written', () => {
    const table = kernel.selector({}).project(Buffer.from(' { "a" : 1 }\r\n\n{}'));
    expect(Buffer.from(table.bytes).toString()).toBe('{ "a" : 1 }\n{}\n');
  });
});
