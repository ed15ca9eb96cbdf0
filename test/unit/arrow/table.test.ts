import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { RecordBatchOptions } from '../../../src/arrow/table.ts';
import { recordBatches, table } from '../../../src/arrow/table.ts';
import type { Batch, Document } from '../../../src/core/batch.ts';
import { gt } from '../../../src/core/predicate.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { kernels } from '../../support/kernels.ts';
import { readDocuments, toBatch, toBatches, withoutNulls } from './support.ts';

const dataset = (name: string): Document[] => {
  const url = new URL(`../../../node_modules/vega-datasets/data/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8'));
};

async function collect(
  input: Iterable<Batch>,
  options: RecordBatchOptions,
): Promise<RecordBatch[]> {
  const out: RecordBatch[] = [];
  for await (const batch of recordBatches(input, options)) out.push(batch);
  return out;
}

describe.each(kernels)('Arrow tables with the $name kernel', (kernel) => {
  const tableOf = (documents: readonly Document[], size = 1000) =>
    table(toBatches(kernel, documents, size), { kernel });
  const roundTrip = async (documents: readonly Document[], size?: number) =>
    expect(readDocuments(await tableOf(documents, size))).toEqual(documents.map(withoutNulls));

  it.each([['movies.json'], ['cars.json'], ['countries.json'], ['miserables.json']])(
    'holds what is in %s',
    async (name) => {
      const data = dataset(name);
      await roundTrip(Array.isArray(data) ? data : [data]);
    },
  );

  it('holds 20,000 flights in record batches of at most batchRows', async () => {
    const documents = dataset('flights-200k.json').slice(0, 20_000);
    const batches = toBatches(kernel, documents, 3_333);
    const got = await collect(batches, { kernel, batchRows: 4096 });
    expect(got.map((batch) => batch.numRows)).toEqual([4096, 4096, 4096, 4096, 3616]);
    expect(String(got[0]!.schema.fields[0]!.type)).toBe('Int64');
    const delays = got.flatMap((batch) => Array.from(batch.getChild('delay')!, Number));
    expect(delays).toEqual(documents.map((document) => document.delay));
  });

  it('cuts at 65,536 rows by itself', async () => {
    const batch = toBatch(kernel, '{"a":1}\n'.repeat(65_536));
    const one = toBatch(kernel, '{"a":2}\n');
    expect((await collect([batch], { kernel })).map((each) => each.numRows)).toEqual([65_536]);
    const got = await collect([one, batch], { kernel });
    expect(got.map((each) => each.numRows)).toEqual([65_536, 1]);
    expect([...got[1]!.getChild('a')!]).toEqual([1n]);
  });

  it('holds nested objects, lists of lists, lists of objects, mixed and empty values', async () => {
    await roundTrip(
      [
        { a: { b: { c: [1, 2.5] } }, l: [[1], [], [2, 3]], o: [{ x: 1 }, { y: 'é\n' }, {}] },
        { a: {}, l: [], o: [{ x: null, z: [{ deep: true }] }], e: {}, n: null, z: [] },
        { m: 'text', a: { b: { c: [] } } },
        { m: 5, e: {}, z: [] },
        { m: { any: ['thing'] }, l: [[7]] },
        {},
      ],
      2,
    );
  });

  it('makes a json column of mixed kinds, with the raw text', async () => {
    const got = await table([toBatch(kernel, '{"m":"s"}\n{"m":1e2}\n{"m":{"a": 1}}\n{}\n')], {
      kernel,
    });
    expect([...got.getChild('m')!]).toEqual(['"s"', '1e2', '{"a": 1}', null]);
    expect(got.schema.fields[0]!.metadata.get('ARROW:extension:name')).toBe('arrow.json');
  });

  it('takes a source, without making an object', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'zds-table-')), 'in.jsonl');
    writeFileSync(path, '{"a":1}\n\n{"a":2}\r\n{"a":3}');
    const decode = vi.spyOn(kernel.codec, 'decode');
    try {
      const got = await table(jsonlSource(path), { kernel });
      expect([...got.getChild('a')!]).toEqual([1n, 2n, 3n]);
      expect(decode).not.toHaveBeenCalled();
      writeFileSync(path, '{"a":true}\r\n\n{"a":2}\n');
      const failed = table(jsonlSource(path), { kernel, schema: { a: 'bool' } });
      await expect(failed).rejects.toMatchObject({ place: { path, line: 3, offset: 13 } });
    } finally {
      decode.mockRestore();
      rmSync(dirname(path), { recursive: true });
    }
  });

  it('keeps 64-bit integers exact', async () => {
    const got = await table(
      [toBatch(kernel, '{"n":9223372036854775807}\n{"n":-9007199254740993}\n')],
      {
        kernel,
      },
    );
    expect([...got.getChild('n')!]).toEqual([9223372036854775807n, -9007199254740993n]);
  });

  it('widens integers to float64 when fractions come later', async () => {
    const got = await tableOf([{ n: 1 }, { n: 2 }, { n: 0.5 }], 1);
    expect(String(got.schema.fields[0]!.type)).toBe('Float64');
    expect([...got.getChild('n')!]).toEqual([1, 2, 0.5]);
  });

  it('gives columns that are only null', async () => {
    const got = await tableOf([{ a: null }, { a: null, l: [null] }]);
    expect(got.schema.fields.map(String)).toEqual(['a: Utf8', 'l: List<Utf8>']);
    expect([...got.getChild('a')!]).toEqual([null, null]);
  });

  it('gives an empty table for no input, with the schema if there is one', async () => {
    const none = await table([], { kernel });
    expect([none.numRows, none.schema.fields]).toEqual([0, []]);
    const given = await table([], { kernel, schema: { a: 'utf8' } });
    expect([given.numRows, given.schema.names]).toEqual([0, ['a']]);
    expect(await collect([], { kernel, schema: { a: 'utf8' } })).toEqual([]);
  });

  it('takes a given schema as what to take', async () => {
    const documents = [
      { id: 'a', at: '2020-01-01T00:00:00Z', x: 1 },
      { id: 'b', at: 5, y: 'new' },
    ];
    const got = await table(toBatches(kernel, documents, 1), {
      kernel,
      schema: { at: 'timestamp[ms]', id: 'utf8', absent: 'int32' },
    });
    expect(got.toArray().map((row) => row.toJSON())).toEqual([
      { at: 1577836800000, id: 'a', absent: null },
      { at: 5, id: 'b', absent: null },
    ]);
  });

  it('reads columns from paths', async () => {
    const got = await table(toBatches(kernel, [{ actor: { login: 'x' } }, {}], 1), {
      kernel,
      schema: [{ name: 'login', type: { kind: 'utf8' }, path: ['actor', 'login'] }],
    });
    expect([...got.getChild('login')!]).toEqual(['x', null]);
  });

  it('takes what the predicate keeps, in bounded record batches', async () => {
    const documents = Array.from({ length: 1000 }, (_, n) => ({ n }));
    const options = { kernel, where: gt('n', 99), batchRows: 64 };
    const got = await collect(toBatches(kernel, documents, 300), options);
    expect(got.flatMap((batch) => Array.from(batch.getChild('n')!, Number))).toEqual(
      documents.slice(100).map(({ n }) => n),
    );
    for (const batch of got) expect(batch.numRows).toBeLessThanOrEqual(64);
    for (const batch of got.slice(0, -1)) expect(batch.numRows).toBeGreaterThanOrEqual(60);
  });

  it('starts a new record batch before one grows past batchBytes', async () => {
    const documents = Array.from({ length: 40 }, (_, i) => ({ text: String(i).repeat(500) }));
    const got = await collect(toBatches(kernel, documents, 7), { kernel, batchBytes: 4000 });
    expect(got.length).toBeGreaterThan(8);
    for (const batch of got) {
      expect(batch.data.children[0]!.values.byteLength).toBeLessThanOrEqual(4000);
    }
    const texts = got.flatMap((batch) => [...batch.getChild('text')!]);
    expect(texts).toEqual(documents.map(({ text }) => text));
  });

  it('gives a document larger than batchBytes a record batch of its own', async () => {
    const documents = [{ t: 'a' }, { t: 'b'.repeat(5000) }, { t: 'c' }];
    const got = await collect(toBatches(kernel, documents, 3), { kernel, batchBytes: 1000 });
    expect(got.flatMap((batch) => [...batch.getChild('t')!])).toEqual(documents.map(({ t }) => t));
    expect(got.length).toBe(3);
  });

  describe('data that no longer fits', () => {
    const inferred = { kernel, inferBytes: 1 };
    const changed = (text: RegExp, place: object) =>
      expect.objectContaining({
        code: 'SCHEMA_CHANGED',
        message: expect.stringMatching(text),
        place: expect.objectContaining(place),
      });

    it.each<[string, Document[], RegExp, number]>([
      ['a new field', [{ a: 1 }, { a: 2 }, { a: 3, late: 1 }], /new field late/, 2],
      ['a new field that is null', [{ a: 1 }, { a: 2, late: null }], /new field late/, 1],
      ['a new nested field', [{ a: { x: 1 } }, { a: { x: 1 } }, { a: { y: 1 } }], /field a\.y/, 2],
      ['a new field in a list', [{ a: [{ x: 1 }] }, { a: [{ x: 1, y: 2 }] }], /field a\.y/, 1],
      ['another type', [{ a: 1 }, { a: 2 }, { a: 'text' }], /field a:/, 2],
      ['a fraction', [{ a: 1 }, { a: 0.5 }], /field a:/, 1],
      ['another nested type', [{ a: { b: [1] } }, { a: { b: ['x'] } }], /field a\.b/, 1],
    ])('%s fails, naming field and place', async (_name, documents, text, ordinal) => {
      const sizes = documents.length > 2 ? [1, 2] : [1];
      for (const size of sizes) {
        // The first batch alone makes the schema, so it must not hold the odd document.
        const [first, ...rest] = documents;
        const input = [
          ...toBatches(kernel, [first!], 1),
          ...[...toBatches(kernel, [first!, ...rest], size)].slice(size === 1 ? 1 : 0),
        ];
        await expect(collect(input, inferred)).rejects.toEqual(
          changed(text, { path: 'test.jsonl', ordinal }),
        );
      }
    });

    it('is found in the middle of a batch that was cut', async () => {
      const documents = Array.from({ length: 20 }, (_, n) => ({ n: n < 17 ? n : 'text' }));
      const input = toBatches(kernel, documents, 20);
      const options = { kernel, schema: { n: 'int64' }, batchRows: 5 } as const;
      await expect(collect(input, options)).rejects.toEqual(changed(/field n:/, { ordinal: 17 }));
    });

    it('has no line where no path leads to it', async () => {
      const documents = [{ l: [[{ x: 1 }]] }, { l: [[{ x: 1 }]] }, { l: [[{ y: 1 }]] }];
      const input = toBatches(kernel, documents, 1);
      await expect(collect(input, inferred)).rejects.toMatchObject({
        code: 'SCHEMA_CHANGED',
        message: expect.stringMatching(/new field l\.y/),
        place: { path: 'test.jsonl' },
      });
    });

    it('is shown where the predicate keeps it', async () => {
      const documents = [{ n: 1 }, { n: 0, late: 1 }, { n: 1 }, { n: 1, late: 1 }];
      const input = [
        ...toBatches(kernel, documents.slice(0, 1), 1),
        ...toBatches(kernel, documents, 4),
      ];
      await expect(collect(input, { ...inferred, where: gt('n', 0) })).rejects.toEqual(
        changed(/new field late/, { ordinal: 3 }),
      );
    });

    it('gives advice', async () => {
      const input = toBatches(kernel, [{ a: 1 }, { b: 1 }], 1);
      await expect(collect(input, inferred)).rejects.toThrow(/inferBytes.*onNewField/);
    });

    it('is left out where asked', async () => {
      const input = toBatches(kernel, [{ a: 1 }, { a: 2, late: 1 }], 1);
      const got = await collect(input, { ...inferred, onNewField: 'ignore' });
      expect(got.map((batch) => batch.schema.names)).toEqual([['a']]);
    });

    it('fails with a given schema too where asked', async () => {
      const input = toBatches(kernel, [{ a: 1 }, { a: 2, late: 1 }], 1);
      const options = { kernel, schema: { a: 'int64' }, onNewField: 'error' } as const;
      await expect(collect(input, options)).rejects.toEqual(changed(/late/, { ordinal: 1 }));
    });

    it('is not looked for in documents that the predicate leaves out', async () => {
      const input = toBatches(kernel, [{ n: 1 }, { n: 0, late: 1 }, { n: 'text' }, { n: 2 }], 1);
      const got = await collect(input, { ...inferred, where: gt('n', 0) });
      expect(got.map((batch) => batch.numRows)).toEqual([2]);
    });
  });

  it.each([
    { batchRows: 0 },
    { batchRows: Number.NaN },
    { batchBytes: 2 ** 31 },
    { inferBytes: 0 },
  ])('refuses %j', async (options) => {
    await expect(table([], { kernel, ...options })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('holds any documents, however they are batched', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'long name', 'é');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 3 }),
      ),
    }));
    const documents = fc.array(fc.dictionary(key, value, { maxKeys: 4 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(documents, fc.integer({ min: 1, max: 8 }), async (generated, size) => {
        const written = JSON.parse(JSON.stringify(generated)) as Document[];
        await roundTrip(written, size);
      }),
      { numRuns: 200 },
    );
  });
});
