import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batch, type Document } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import { decodeCsv } from '../../../src/formats/csv.ts';
import { CsvEncoder } from '../../../src/formats/csv-encode.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { type CsvSinkOptions, createCsvSink, csvSink } from '../../../src/sinks/csv-sink.ts';
import { linesBatch, temporaryFolder } from '../../support/stages.ts';
import { batchOf } from '../../support/transforms.ts';

async function write(documents: readonly Document[], options: CsvSinkOptions = {}) {
  const path = join(temporaryFolder(), 'out.csv');
  const sink = csvSink(path, options);
  await pipeline(Readable.from(documents), sink);
  return { text: readFileSync(path, 'utf8'), summary: await sink.summary };
}

describe('csvSink', () => {
  it.each<[string, Document[], CsvSinkOptions, string]>([
    [
      'numbers and texts',
      [
        { a: 1, b: 'x' },
        { a: 1.5, b: 'y z' },
      ],
      {},
      'a,b\n1,x\n1.5,y z\n',
    ],
    ['nulls', [{ a: null, b: '' }, { b: true }], {}, 'a,b\n,""\n,true\n'],
    [
      'what needs quotes',
      [{ a: 'x,y', b: 'q"r', c: 'l\nm', d: ' n' }],
      {},
      'a,b,c,d\n"x,y","q""r","l\nm"," n"\n',
    ],
    ['escapes', [{ a: 'é\u0001\\', b: '\t', c: 'a\\b' }], {}, 'a,b,c\né\u0001\\,"\t",a\\b\n'],
    [
      'objects and arrays',
      [{ a: { x: ['"}'] }, b: [1, 2] }],
      {},
      'a,b\n"{""x"":[""\\""}""]}","[1,2]"\n',
    ],
    ['names like numbers in their order', [{ b: 1, 2: 3, 1: 2 }], {}, '1,2,b\n2,3,1\n'],
    ['a header that needs quotes', [{ 'a,b': 1, 'c"d': 2 }], {}, '"a,b","c""d"\n1,2\n'],
    ['one column of nulls', [{ a: null }, { a: 1 }], {}, 'a\n""\n1\n'],
    ['columns given', [{ a: 1, b: 2 }, { b: 3 }], { columns: ['b', 'a'] }, 'b,a\n2,1\n3,\n'],
    ['no header', [{ a: 1 }], { header: false }, '1\n'],
    ['semicolons', [{ a: 'x,y', b: 'x;y' }], { delimiter: ';' }, 'a;b\nx,y;"x;y"\n'],
    ['null as a text', [{ a: null, b: 'NA' }], { null: 'NA' }, 'a,b\nNA,"NA"\n'],
    [
      'all texts quoted',
      [{ a: 'x', b: 1, c: 'y\n' }],
      { quote: 'strings' },
      '"a","b","c"\n"x",1,"y\n"\n',
    ],
    ['CRLF', [{ a: 1 }, { a: 2 }], { lineEnd: '\r\n' }, 'a\r\n1\r\n2\r\n'],
    ['nothing', [], {}, ''],
    ['nothing but columns', [], { columns: ['a', 'b'] }, 'a,b\n'],
  ])('writes %s', async (_, documents, options, expected) => {
    const { text, summary } = await write(documents, options);
    expect(text).toBe(expected);
    expect(summary).toMatchObject({ documents: documents.length, bytes: Buffer.byteLength(text) });
  });

  it('keeps the digits of numbers, and the order of fields', async () => {
    const path = join(temporaryFolder(), 'out.csv.gz');
    const { codec } = sharedKernel();
    const line = '{ "z" : 9007199254740993 , "2" :1e400,"a":-0.10}';
    const lines = sharedKernel().lines(new TextEncoder().encode(`${line}\n`));
    await pipeline(Readable.from([Batch.fromLines(lines, codec)]), csvSink(path));
    expect(gunzipSync(readFileSync(path)).toString()).toBe('z,2,a\n9007199254740993,1e400,-0.10\n');
  });

  it('refuses a late field by default, with its place', async () => {
    const documents = [{ a: 1 }, { a: 2, late: 3 }, { a: 4 }];
    const path = join(temporaryFolder(), 'out.csv');
    const columns = ['a'];
    await expect(
      pipeline(Readable.from([linesBatch(documents)]), csvSink(path, { columns })),
    ).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      message: expect.stringContaining('"late"'),
      place: { ordinal: 1 },
    });
    expect(existsSync(path)).toBe(false);
    const { text, summary } = await write(documents, { columns, extra: 'drop' });
    expect(text).toBe('a\n1\n2\n4\n');
    expect(summary).toMatchObject({ documents: 3, dropped: 1 });
  });

  it('refuses documents without a field while it knows no column', async () => {
    await expect(write([{}])).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
    const path = join(temporaryFolder(), 'out.csv');
    const sink = createCsvSink(path);
    const rejects: Reject[] = [];
    await sink.open(new AbortController().signal);
    for (const documents of [
      [{}, {}],
      [{ a: 1 }, {}],
    ]) {
      await sink.write(linesBatch(documents), (reject) => rejects.push(reject));
    }
    expect(await sink.finish()).toMatchObject({ documents: 2 });
    expect(rejects).toHaveLength(2);
    expect(readFileSync(path, 'utf8')).toBe('a\n1\n""\n');
  });

  it('hands a document with a late field to whoever takes bad ones', async () => {
    const path = join(temporaryFolder(), 'out.csv');
    const sink = createCsvSink(path);
    const rejects: Reject[] = [];
    await sink.open(new AbortController().signal);
    await sink.write(linesBatch([{ a: 1 }]));
    await sink.write(linesBatch([{ b: 1 }, { a: 2 }]), (reject) => void rejects.push(reject));
    expect(await sink.finish()).toMatchObject({ documents: 2 });
    expect(readFileSync(path, 'utf8')).toBe('a\n1\n2\n');
    expect(rejects).toMatchObject([{ code: 'SCHEMA_CHANGED', place: { ordinal: 0 } }]);
    expect(Buffer.from(rejects[0]!.bytes).toString()).toBe('{"b":1}');
  });

  it.each([
    ...['"', ',,', '1', '.', '-', '+', 'e', 'T'].map((delimiter) => ({ delimiter })),
    { null: 'a,b' },
    { columns: ['a', 'a'] },
  ])('refuses %j', (options) => {
    expect(() => createCsvSink('x.csv', options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('CSV written and read again', () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom('', '"', ',', '\n', '\r', ' ', 'NA', '\ufeff', '\\', '7', 'true'),
    fc.constant(null),
  );

  it('is the same whatever separates the fields, of those that may', async () => {
    const scalars = '"a":-1.5e+3,"b":2E-7,"c":1234567890,"t":true,"f":false,"z":null';
    const lines = batchOf([`{${scalars},"s":"x y","l":[1,[]],"o":{"p":{}}}`]).lines();
    const all = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code));
    const able = all.filter((delimiter) => {
      try {
        return new CsvEncoder({ delimiter });
      } catch {
        return false;
      }
    });
    expect(able.length).toBeGreaterThan(30);
    const read = async (delimiter: string) => {
      const rows = new CsvEncoder({ delimiter }).encode(lines, () => expect.unreachable()).slice();
      const found: unknown[] = [];
      for await (const batch of decodeCsv([rows], { delimiter, types: 'string' })) {
        found.push(...batch.documents());
      }
      return found;
    };
    const expected = await read(',');
    for (const delimiter of able) expect(await read(delimiter), delimiter).toEqual(expected);
  });

  it('is the same, and to csv-parse too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(',', ';', '\t'),
        fc.constantFrom('', 'NA'),
        fc.constantFrom('needed' as const, 'strings' as const),
        async (rows, delimiter, nullText, quote) => {
          const documents = rows.map(([a, b]) => ({ a, b }));
          const encoder = new CsvEncoder({ delimiter, null: nullText, quote });
          const { codec } = sharedKernel();
          const bytes = encoder.encode(codec.encode(documents), () => expect.unreachable());
          const found: unknown[] = [];
          const how = { delimiter, types: 'string', nulls: [nullText] } as const;
          for await (const batch of decodeCsv([bytes.slice()], how))
            found.push(...batch.documents());
          expect(found).toEqual(documents);
          const parsed = parse(Buffer.from(bytes), {
            columns: true,
            delimiter,
            record_delimiter: '\n',
          });
          expect(parsed).toEqual(rows.map(([a, b]) => ({ a: a ?? nullText, b: b ?? nullText })));
        },
      ),
      { numRuns: 300, examples: [[[["'", '#']], ',', '', 'needed']] },
    );
  });
});
