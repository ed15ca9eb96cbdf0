import { describe, expect, it } from 'vitest';
import {
  castTransform,
  flattenTransform,
  renameTransform,
  unnestTransform,
} from '../../../src/transforms/index.ts';
import { applyTo, batchesOf, batchOf } from '../../support/transforms.ts';

describe('rename', () => {
  it('swaps names, leads into arrays, and keeps every other byte', async () => {
    const rename = renameTransform({ a: 'b', b: 'a', 'c.x': 'y' });
    const input = [
      '{ "a" :1.0, "b":12345678901234567890,"c":[{"x":1},{"x":{"x":2}},3]}',
      '{"\\u0061":"\\u0041"}',
      '{"d":"a"}',
    ];
    expect((await applyTo(rename, batchesOf(input, 9))).texts).toEqual([
      '{ "b" :1.0, "a":12345678901234567890,"c":[{"y":1},{"y":{"x":2}},3]}',
      '{"b":"\\u0041"}',
      '{"d":"a"}',
    ]);
  });

  it('hands the same batch on where there is nothing to do', async () => {
    const [batch] = batchesOf(['{"x":1}'], 1);
    const { batches } = await applyTo(renameTransform({ a: 'b' }), [batch!]);
    expect(batches[0]).toBe(batch);
  });

  it('refuses a document that has the new name already, and says where', async () => {
    const texts = ['{"a":1}', '{"b":0,"a":1}', '{"a":3}'];
    const { texts: made, rejects } = await applyTo(
      renameTransform({ a: 'b' }),
      batchesOf(texts, 3),
    );
    expect(made).toEqual(['{"b":1}', '{"b":3}']);
    expect(rejects).toMatchObject([
      { code: 'INVALID_DOCUMENT', place: { path: 'a.jsonl', line: 2, ordinal: 1 } },
    ]);
    const stopped = applyTo(renameTransform({ a: 'b' }), batchesOf(texts, 3), false);
    await expect(stopped).rejects.toMatchObject({ code: 'INVALID_DOCUMENT', place: { line: 2 } });
    expect(() => renameTransform({ a: 'c', b: 'c' })).toThrow(/two fields would be c/);
  });
});

describe('cast', () => {
  it.each([
    ['string', '1.50', '"1.50"'],
    ['string', '12345678901234567890', '"12345678901234567890"'],
    ['string', 'true', '"true"'],
    ['string', '"\\u0041"', '"\\u0041"'],
    ['string', '{}', undefined],
    ['number', '" 12345678901234567890 "', '12345678901234567890'],
    ['number', '"-1.5e3"', '-1.5e3'],
    ['number', '"0x10"', undefined],
    ['number', '"1,5"', undefined],
    ['number', '"NaN"', undefined],
    ['number', '"01"', undefined],
    ['number', '""', undefined],
    ['number', 'true', undefined],
    ['integer', '"007"', '7'],
    ['integer', '"+5"', '5'],
    ['integer', '"-0"', '0'],
    ['integer', '9223372036854775807', '9223372036854775807'],
    ['integer', '3.000', '3'],
    ['integer', '1e3', '1000'],
    ['integer', '1.5', undefined],
    ['boolean', '"Yes"', 'true'],
    ['boolean', '0', 'false'],
    ['boolean', '"2"', undefined],
    ['timestamp', '"2024-02-29"', '"2024-02-29T00:00:00.000Z"'],
    ['timestamp', '"2024-01-01T10:00:00+02:00"', '"2024-01-01T08:00:00.000Z"'],
    ['timestamp', '"2024-01-01 10:00"', '"2024-01-01T10:00:00.000Z"'],
    ['timestamp', '1000', '"1970-01-01T00:00:01.000Z"'],
    ['timestamp', '1e300', undefined],
    ['timestamp', '"2024-02-30"', undefined],
    ['timestamp', '"2024-02-30T00:00:00Z"', undefined],
    ['timestamp', '"2024-02-29T24:00:00Z"', undefined],
    ['timestamp', '"2024-02-29T23:59:59.5Z"', '"2024-02-29T23:59:59.500Z"'],
    ['timestamp', '"0099-12-31T23:59:59Z"', '"0099-12-31T23:59:59.000Z"'],
    ['timestamp', '"yesterday"', undefined],
    ['number', 'null', 'null'],
  ] as const)('to %s: %s is %s', async (type, value, expected) => {
    const text = (made: string) => `{"x":[1, 2],"a":${made} }`;
    const { texts, rejects } = await applyTo(castTransform({ a: type }), [batchOf([text(value)])]);
    expect(texts).toEqual(expected === undefined ? [] : [text(expected)]);
    expect(rejects.length).toBe(expected === undefined ? 1 : 0);
  });

  it('does with misfits and empty text as told', async () => {
    const batches = () => [batchOf(['{"a":"x"}', '{"a":""}'])];
    const nulls = await applyTo(castTransform({ a: 'number' }, { onMisfit: 'null' }), batches());
    expect(nulls.texts).toEqual(['{"a":null}', '{"a":null}']);
    const kept = await applyTo(castTransform({ a: 'number' }, { onMisfit: 'keep' }), batches());
    expect(kept.texts).toEqual(['{"a":"x"}', '{"a":""}']);
    const empty = await applyTo(castTransform({ a: 'number' }, { emptyAsNull: true }), batches());
    expect(empty.texts).toEqual(['{"a":null}']);
    expect(empty.rejects[0]!.reason).toBe('cast: a is not a number: x');
  });

  it('refuses what it does not know, and paths within each other', () => {
    expect(() => castTransform({ a: 'float' as never })).toThrow(/no type float/);
    expect(() => castTransform({ a: 'number', 'a.b': 'string' })).toThrow(/within another/);
  });
});

describe('flatten', () => {
  it('joins names and keeps values as they are written', async () => {
    const input = ['{"a":{ "b" : {"c":1.0, "d":[{"e":1}]}, "x":{} }, "y":"\\u0041"}', '{}'];
    const made = await applyTo(flattenTransform({ separator: '.' }), [batchOf(input)]);
    expect(made.texts).toEqual(['{"a.b.c":1.0,"a.b.d":[{"e":1}],"a.x":{},"y":"\\u0041"}', '{}']);
    const shallow = await applyTo(flattenTransform({ maxDepth: 1 }), [batchOf(input)]);
    expect(shallow.texts[0]).toBe('{"a_b":{"c":1.0, "d":[{"e":1}]},"a_x":{},"y":"\\u0041"}');
  });

  it('refuses names that meet, however they are written, among few and many', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `"k${i}":${i}`).join(',');
    const { texts, rejects } = await applyTo(flattenTransform(), [
      batchOf([
        '{"a":{"b":1},"a_b":2}',
        '{"a":{"b":1},"\\u0061_b":2}',
        `{${many}}`,
        `{${many},"k":{"":1},"k_":2}`,
      ]),
    ]);
    expect(texts).toEqual([`{${many}}`]);
    expect(rejects.map(({ place }) => place.line)).toEqual([1, 2, 4]);
  });
});

describe('unnest', () => {
  it('puts each element in the place of the array, and numbers ids', async () => {
    const input = [
      '{"_id":"a","n":9007199254740993,"items":[ {"x":1} , 2.0],"z":0}',
      '{"items":[[1],[]],"_id":7}',
      '{"_id":"c","items":[]}',
      '{"_id":"d","items":"one"}',
      '{"_id":"e"}',
    ];
    const { texts } = await applyTo(unnestTransform('items'), [batchOf(input)]);
    expect(texts).toEqual([
      '{"_id":"a-0","n":9007199254740993,"items":{"x":1},"z":0}',
      '{"_id":"a-1","n":9007199254740993,"items":2.0,"z":0}',
      '{"items":[1],"_id":"7-0"}',
      '{"items":[],"_id":"7-1"}',
      '{"_id":"d","items":"one"}',
    ]);
    const kept = await applyTo(unnestTransform('items', { empty: 'keep', ids: 'keep' }), [
      batchOf(input.slice(1)),
    ]);
    expect(kept.texts[0]).toBe('{"items":[1],"_id":7}');
    expect(kept.texts.slice(2)).toEqual([input[2], input[3], input[4]]);
  });

  it('refuses to go through an array', async () => {
    const { rejects } = await applyTo(unnestTransform('a.b'), [batchOf(['{"a":[{"b":[1]}]}'])]);
    expect(rejects[0]!.reason).toBe('unnest: a.b leads through an array');
  });
});
