/** Schema contracts: every mode for every kind of news, and bytes that stay as they were. */
import { describe, expect, it } from 'vitest';
import { Batch } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { type ContractOptions, contractTransform } from '../../../src/transforms/index.ts';

const { signal } = new AbortController();

function batchOf(text: string): Batch {
  const kernel = sharedKernel();
  return Batch.fromLines(kernel.lines(new TextEncoder().encode(text)), kernel.codec, {
    offset: 0,
    line: 0,
    ordinal: 0,
  });
}

/** What comes through of `text`, after `before`; with what was refused and left out. */
async function pass(options: ContractOptions, text: string, before = '{"a":1,"b":{"c":"x"}}\n') {
  const rejects: Reject[] = [];
  const discarded: (string | undefined)[] = [];
  const transform = contractTransform({ ...options, onDiscard: (_, path) => discarded.push(path) });
  let out = '';
  const places: (number | undefined)[] = [];
  const run = async (input: string, collect: boolean) => {
    if (input === '') return;
    for await (const batch of await transform.apply(batchOf(input), signal, (r) =>
      rejects.push(r),
    )) {
      if (!collect) continue;
      out += new TextDecoder().decode(batch.bytes());
      for (let i = 0; i < batch.length; i++) places.push(batch.place(i).line);
    }
  };
  await run(before, false);
  await run(text, true);
  return { out, rejects, discarded, places, transform };
}

const news =
  '{"a":2,"b":{"c":"y"}}\n{"a":12345678901234567890,"b":{"c":"z","d":1.50},"e":[]}\n{"a":3}\n';

describe('a contract', () => {
  it('lets new fields in, and knows them from then on', async () => {
    const { out, transform } = await pass({}, news);
    expect(out).toBe(news);
    expect(transform.save!()).toMatchObject({ 'b.d': ['number'], e: ['array'] });
  });

  it('lets all through that has nothing new, as it is', async () => {
    const text = '{"b":{"c":null}, "a":7}\n';
    for (const mode of ['freeze', 'discard_value', 'discard_row'] as const) {
      const { out, rejects } = await pass({ columns: mode, dataType: mode }, text);
      expect(out).toBe(text);
      expect(rejects).toEqual([]);
    }
  });

  it('freezes: such documents are refused', async () => {
    const { out, rejects, places } = await pass({ columns: 'freeze' }, news);
    expect(out).toBe('{"a":2,"b":{"c":"y"}}\n{"a":3}\n');
    expect(places).toEqual([1, 3]);
    expect(rejects).toMatchObject([{ code: 'CONTRACT_BROKEN', place: { line: 2 } }]);
    expect(new TextDecoder().decode(rejects[0]!.bytes)).toBe(news.split('\n')[1]);
    const alone = contractTransform({ columns: 'freeze', schema: { a: 'integer' } });
    expect(() => alone.apply(batchOf(news), signal)).toThrow(/b is a new field/);
  });

  it('leaves new fields out, and everything else as it was to the byte', async () => {
    const { out, discarded, places } = await pass({ columns: 'discard_value' }, news);
    expect(out).toBe('{"a":2,"b":{"c":"y"}}\n{"a":12345678901234567890,"b":{"c":"z"}}\n{"a":3}\n');
    expect(discarded).toEqual(['b.d', 'e']);
    expect(places).toEqual([1, 2, 3]);
    const only = await pass({ columns: 'discard_value' }, '{"z":1}\n');
    expect(only.out).toBe('{}\n');
  });

  it('leaves documents with new fields out', async () => {
    const { out, discarded } = await pass({ columns: 'discard_row' }, news);
    expect(out).toBe('{"a":2,"b":{"c":"y"}}\n{"a":3}\n');
    expect(discarded).toEqual([undefined]);
  });

  it.each([
    ['freeze', '{"a":null}\n{"a":5}\n', 1],
    ['discard_value', '{"k":1}\n{"a":null}\n{"a":5}\n', 0],
    ['discard_row', '{"a":null}\n{"a":5}\n', 0],
  ] as const)('has the same for types: %s', async (mode, expected, refused) => {
    const text = '{"a":"one","k":1}\n{"a":null}\n{"a":5}\n';
    const { out, rejects } = await pass({ dataType: mode }, text);
    expect(out).toBe(expected);
    expect(rejects).toHaveLength(refused);
  });

  it('takes integers for numbers, not the other way round', async () => {
    const options: ContractOptions = { dataType: 'freeze', schema: { n: 'number', i: 'integer' } };
    const { rejects } = await pass(options, '{"n":1,"i":1}\n{"n":1.5}\n{"i":1.5}\n', '');
    expect(rejects).toMatchObject([
      { place: { line: 3 }, reason: 'i is of type number, not integer' },
    ]);
  });

  it('holds the types of fields that are new by their order, however batches are cut', async () => {
    const lines = ['{"a":1}', '{"a":2,"b":1}', '{"a":3,"b":"x"}', '{"a":"y"}', '{"b":1.5}'];
    const text = lines.map((line) => `${line}\n`);
    for (const dataType of ['freeze', 'discard_row', 'discard_value'] as const) {
      const one = await pass({ dataType }, text.join(''), '');
      const transform = contractTransform({ dataType });
      let each = '';
      for (const line of text) {
        for await (const batch of await transform.apply(batchOf(line), signal, () => undefined)) {
          each += new TextDecoder().decode(batch.bytes());
        }
      }
      expect(one.out).toBe(each);
      const kept =
        dataType === 'discard_value'
          ? [...lines.slice(0, 2), '{"a":3}', '{}', '{}']
          : lines.slice(0, 2);
      expect(one.out).toBe(kept.map((line) => `${line}\n`).join(''));
    }
    const columns = await pass({ columns: 'freeze', dataType: 'freeze' }, text.join(''), '');
    expect(columns.rejects).toHaveLength(3);
  });

  it.each([
    [['1.0', 'true', '1.5'], 'freeze'],
    [['1e3', 'true', '1.5'], 'freeze'],
    [['1', 'true', '9223372036854775808', '9223372036854775807'], 'discard_value'],
    [['-9223372036854775808', '"x"', '-0', '-9223372036854775809', '2.0'], 'discard_row'],
  ] as const)(
    'reads types from how %j are written, however batches are cut',
    async (values, mode) => {
      const lines = values.map((value) => `{"a":${value}}\n`);
      const one = await pass({ dataType: mode }, lines.join(''), '');
      const transform = contractTransform({ dataType: mode });
      let each = '';
      for (const line of lines) {
        for await (const batch of await transform.apply(batchOf(line), signal, () => undefined)) {
          each += new TextDecoder().decode(batch.bytes());
        }
      }
      expect(one.out).toBe(each);
      expect(one.transform.save!()).toEqual(transform.save!());
    },
  );

  it.each([
    // A known object that loses all it had is still there.
    ['{"a":1,"b":{"y":1}}', '{"a":1,"b":{}}'],
    ['{"a":1,"b":{"y":1,"c":"x","z":2}}', '{"a":1,"b":{"c":"x"}}'],
    [
      '{ "y" : 1 , "z":2, "a" : 1 ,"w": {"c": 1} , "b" : { "c" :"x" } }',
      '{ "a" : 1 , "b" : { "c" :"x" } }',
    ],
    ['{"a":1, "y":1 , "z":[{"a":1}] }', '{"a":1 }'],
    ['{ "y":1, "z":2 }', '{  }'],
    ['{"":1,"a":1,"b":{"":{"":2}}}', '{"a":1,"b":{}}'],
    // Of repeated keys the last counts, and all go.
    [
      '{"y":1,"a":1,"y":2,"b":{"c":"x"},"b":{"c":"y","d":1}}',
      '{"a":1,"b":{"c":"x"},"b":{"c":"y"}}',
    ],
    ['{"a.b":1,"b":{"c":"x"},"\\u0061":2}', '{"b":{"c":"x"},"\\u0061":2}'],
    ['{"b":[{"y":1}],"a":null}', '{"b":[{"y":1}],"a":null}'],
  ])('cuts new fields out of %s and nothing else', async (line, expected) => {
    const { out } = await pass({ columns: 'discard_value' }, `${line}\n${line}\n`);
    expect(out).toBe(`${expected}\n${expected}\n`);
  });

  it('knows what it knew, and may refuse what it knows nothing of', async () => {
    const { transform } = await pass({ columns: 'freeze' }, '');
    const later = contractTransform({ columns: 'freeze', collection: 'freeze' });
    later.restore!(JSON.parse(JSON.stringify(transform.save!())));
    expect(() => later.apply(batchOf(news), signal)).toThrow(/b\.d is a new field/);
    const { rejects } = await pass({ collection: 'freeze' }, '{"a":1}\n', '');
    expect(rejects).toMatchObject([{ code: 'CONTRACT_BROKEN' }]);
    const { out, discarded } = await pass({ collection: 'discard_row' }, '{"a":1}\n', '');
    expect([out, discarded]).toEqual(['', [undefined]]);
    expect(() => contractTransform({ columns: 'frozen' as 'freeze' })).toThrow(/evolve/);
  });

  it('reads the names in a schema as paths, however they are written', () => {
    const schema = { 'a\\x': 'integer', '\\b.c': 'string', 'd\\.e': 'integer' } as const;
    const transform = contractTransform({ columns: 'freeze', dataType: 'freeze', schema });
    const batch = batchOf('{"ax":1,"d.e":2}\n');
    expect(transform.apply(batch, signal)).toEqual([batch]);
    const known = { ax: ['integer'], 'b.c': ['string'], 'd\\.e': ['integer'] };
    expect(transform.save!()).toEqual(known);
    transform.restore!(undefined);
    expect(transform.save!()).toEqual(known);
    for (const path of ['a\\', '']) {
      expect(() => contractTransform({ schema: { [path]: 'integer' } })).toThrow(/path/);
    }
  });

  it('makes no objects of documents that fit', async () => {
    const transform = contractTransform({ columns: 'freeze', schema: { a: 'integer' } });
    const batch = batchOf('{"a":1}\n'.repeat(10));
    const [same] = transform.apply(batch, signal) as Batch[];
    expect(same).toBe(batch);
    expect(batch.hasDocuments).toBe(false);
  });
});
