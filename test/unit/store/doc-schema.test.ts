/** Document schemas and their ids, against what the Rust crate computes. */
import { describe, expect, it } from 'vitest';
import {
  canonicalSchema,
  encodeSchema,
  hashSchema,
  schemaFromJson,
  schemaOfText,
} from '../../../src/store/engine/doc-schema.ts';

const canonicalOf = (text: string) => canonicalSchema(schemaOfText(text));

describe('the schema of a document', () => {
  it.each([
    ['{"name":"ada","age":36}', '8dbb5c07cd0b0d3c4108fb466bbcdd1b71a4eb1ae975799ad6b69565dbd79fb1'],
    ['{"name":""}', '13a5b517f9762294c792cfec409c1e348d2117c251c6422ffa789b2b4802f06f'],
    ['{}', '6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279'],
    ['[]', 'd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab'],
  ])('%s has the id that the crate gives it', (text, id) => {
    expect(hashSchema(canonicalOf(text))).toBe(id);
  });

  it.each([
    ['0', 'integer'],
    ['-1', 'integer'],
    ['-0', 'number'],
    ['1.0', 'number'],
    ['1e2', 'number'],
    ['9223372036854775807', 'integer'],
    ['9223372036854775808', 'number'],
    ['-9223372036854775808', 'integer'],
    ['-9223372036854775809', 'number'],
    ['18446744073709551615', 'number'],
    ['123456789012345678901234567890', 'number'],
    ['"a\\"b\\\\"', 'string'],
    ['true', 'boolean'],
    ['false', 'boolean'],
    ['null', 'null'],
  ])('the value %s is of type %s', (text, type) => {
    expect(schemaOfText(` { "a" :\t${text}\n, "b": ${text} } `)).toEqual(
      new Map([
        ['a', type],
        ['b', type],
      ]),
    );
  });

  it('of an array is that of its first element alone', () => {
    expect(canonicalOf('{"a":[{"x":[1.5, "s"]}, 2, [true]], "b":[], "c":[[],[1]]}')).toBe(
      '{"a":[{"x":["number"]}],"b":[],"c":[[]]}',
    );
  });

  it('takes the last of equal keys, and keys as they are when unescaped', () => {
    expect(canonicalOf('{"a":1,"\\u0061":"x","__proto__":1,"q\\"":null}')).toBe(
      '{"__proto__":"integer","a":"string","q"":"null"}',
    );
  });

  it('sorts members as texts: a quote stands behind a shorter key', () => {
    expect(canonicalOf('{"a":1,"a!":1,"A":1,"\u{10000}":1,"\uffff":1}')).toBe(
      '{"A":"integer","a!":"integer","a":"integer","\uffff":"integer","\u{10000}":"integer"}',
    );
    expect(encodeSchema(schemaOfText('{"a!":1,"a":1}'))).toBe('{"a":"integer","a!":"integer"}');
  });

  it('survives the way through schemas.jsonl', () => {
    const schema = schemaOfText('{"a":[{"x\\n":1}],"10":{},"9":[[]],"s":"t"}');
    const again = schemaFromJson(JSON.parse(encodeSchema(schema)));
    expect(canonicalSchema(again!)).toBe(canonicalSchema(schema));
    for (const none of [1, null, { a: 1 }, [null]]) expect(schemaFromJson(none)).toBeUndefined();
  });

  it('is that of the text behind a byte order mark', () => {
    expect(canonicalOf('\ufeff{"a":1}')).toBe('{"a":"integer"}');
  });

  it('is refused for what nests too deep, and made of what is long', () => {
    const deep = `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`;
    expect(() => schemaOfText(deep)).toThrow(expect.objectContaining({ code: 'NESTING_TOO_DEEP' }));
    const long = JSON.stringify({ text: '\\"'.repeat(1 << 20), list: new Array(1e5).fill(0.5) });
    expect(canonicalOf(long)).toBe('{"list":["number"],"text":"string"}');
  });
});
