import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tableFromIPC } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { offerFields } from '../../../src/arrow/fields-offer.ts';
import { inferSchema } from '../../../src/arrow/infer.ts';
import type { Batch, Document } from '../../../src/core/batch.ts';
import { gt } from '../../../src/core/predicate.ts';
import { run } from '../../../src/pipeline/index.ts';
import { arrowSink, createArrowSink } from '../../../src/sinks/arrow-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import { kernels } from '../../support/kernels.ts';
import { readDocuments, toBatches, withoutNulls } from './support.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-arrow-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const movies = JSON.parse(
  readFileSync(
    new URL('../../../node_modules/vega-datasets/data/movies.json', import.meta.url),
    'utf8',
  ),
) as Document[];
const toJsonl = (documents: readonly Document[]): string =>
  documents.map((document) => `${JSON.stringify(document)}\n`).join('');

describe.each(kernels)('arrowSink with the $name kernel', (kernel) => {
  it.each([
    ['movies.arrow', 'ARROW1'],
    ['movies.feather', 'ARROW1'],
    ['movies.arrows', '\uFFFD\uFFFD\uFFFD\uFFFD'],
  ])('writes %s', async (name, magic) => {
    const path = join(folder, name);
    const sink = arrowSink(path, { kernel, batchRows: 1000 });
    for (const batch of toBatches(kernel, movies, 700)) sink.write(batch);
    sink.end();
    const summary = await sink.summary;
    const bytes = readFileSync(path);
    expect(new TextDecoder().decode(bytes).startsWith(magic)).toBe(true);
    const table = tableFromIPC(bytes);
    expect(readDocuments(table)).toEqual(movies.map(withoutNulls));
    expect(summary).toMatchObject({
      documents: movies.length,
      recordBatches: Math.ceil(movies.length / 1000),
      bytesWritten: bytes.length,
    });
    expect(summary.schema.names).toEqual(table.schema.names);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it('makes no object of what comes from a file', async () => {
    const decode = vi.spyOn(kernel.codec, 'decode');
    try {
      writeFileSync(join(folder, 'in.jsonl'), toJsonl(movies));
      const sink = arrowSink(join(folder, 'out.arrow'), { kernel });
      await pipeline(jsonlSource(join(folder, 'in.jsonl')), sink);
      expect((await sink.summary).documents).toBe(movies.length);
      expect(decode).not.toHaveBeenCalled();
    } finally {
      decode.mockRestore();
    }
  });

  it('takes documents from foreign stages', async () => {
    writeFileSync(join(folder, 'in.jsonl'), '{"a":1}\n{"a":2}\n');
    const double = new Transform({
      objectMode: true,
      transform: (document, _encoding, done) => done(null, { a: document.a * 2, b: 'x' }),
    });
    const path = join(folder, 'out.arrow');
    await pipeline(jsonlSource(join(folder, 'in.jsonl')), double, arrowSink(path, { kernel }));
    expect(readDocuments(tableFromIPC(readFileSync(path)))).toEqual([
      { a: 2, b: 'x' },
      { a: 4, b: 'x' },
    ]);
  });

  it.each(['file', 'stream'] as const)('writes a valid %s for no input', async (format) => {
    for (const schema of [undefined, { a: 'utf8' }] as const) {
      const path = join(folder, 'empty');
      const options = schema ? { kernel, format, schema } : { kernel, format };
      await pipeline(Readable.from([]), arrowSink(path, options));
      const table = tableFromIPC(readFileSync(path));
      expect([table.numRows, table.schema.names]).toEqual([0, schema ? ['a'] : []]);
    }
  });

  it('writes the stream format to a stream', async () => {
    const out = new PassThrough();
    const chunks: Buffer[] = [];
    out.on('data', (chunk) => chunks.push(chunk));
    await pipeline(Readable.from(movies), arrowSink(out, { kernel }));
    const table = tableFromIPC(Buffer.concat(chunks));
    expect(readDocuments(table)).toEqual(movies.map(withoutNulls));
  });

  it('leaves no file, and the old one as it was, when the data stops fitting', async () => {
    const path = join(folder, 'out.arrow');
    writeFileSync(path, 'old');
    const input = toBatches(kernel, [{ a: 1 }, { a: 2 }, { a: 3, late: true }], 1);
    const failed = pipeline(
      Readable.from(input),
      arrowSink(path, { kernel, inferBytes: 1, batchRows: 1 }),
    );
    await expect(failed).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      place: { path: 'test.jsonl', ordinal: 2 },
    });
    expect(readdirSync(folder)).toEqual(['out.arrow']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('fails with the place of the fault in the source', async () => {
    writeFileSync(join(folder, 'in.jsonl'), '{"a":1}\n{"a":2}\n{"a":"x"}\n');
    const sink = arrowSink(join(folder, 'out.arrow'), { kernel, schema: { a: 'int64' } });
    await expect(pipeline(jsonlSource(join(folder, 'in.jsonl')), sink)).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      place: { path: join(folder, 'in.jsonl'), line: 3, offset: 16 },
    });
  });

  it('takes no more input while its target takes nothing', async () => {
    let release = (): void => {};
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => void stuck.then(() => done()),
    });
    const documents = Array.from({ length: 500 }, (_, n) => ({ n }));
    let taken = 0;
    const source = (function* (): Generator<Batch> {
      for (const batch of toBatches(kernel, documents, 10)) {
        taken++;
        yield batch;
      }
    })();
    const sink = arrowSink(slow, { kernel, schema: { n: 'int64' }, batchRows: 10 });
    const done = pipeline(Readable.from(source, { highWaterMark: 1 }), sink);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(taken).toBeLessThan(6);
    release();
    await done;
    expect(await sink.summary).toMatchObject({ documents: 500, recordBatches: 50 });
  });

  it('refuses what cannot be, at once', () => {
    const schema = { a: 'text' } as unknown as { a: 'utf8' };
    const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    expect(() => arrowSink('x.arrow', { kernel, schema })).toThrow(invalid);
    expect(() => arrowSink('x.arrow', { kernel, batchRows: -1 })).toThrow(invalid);
    expect(() => arrowSink('x.arrow', { kernel, format: 'feather' as 'file' })).toThrow(invalid);
  });

  describe('with a source that knows its fields', () => {
    const documents = [{ a: 1 }, { a: 0.5, late: 'x' }];
    const knowing = (asked: (signal: AbortSignal) => void): Readable =>
      Object.assign(Readable.from(toBatches(kernel, documents, 1)), {
        async [offerFields](signal: AbortSignal) {
          asked(signal);
          const observer = kernel.observer();
          for (const batch of toBatches(kernel, documents, 2)) observer.observe(batch.bytes());
          return observer.fields();
        },
      });

    it('asks it, so that late fields and types have their place', async () => {
      const path = join(folder, 'out.arrow');
      const asked = vi.fn();
      await pipeline(knowing(asked), arrowSink(path, { kernel, inferBytes: 1 }));
      expect(asked).toHaveBeenCalledTimes(1);
      expect(readDocuments(tableFromIPC(readFileSync(path)))).toEqual(documents);
    });

    it('does not ask where a schema is given', async () => {
      const asked = vi.fn();
      const sink = arrowSink(join(folder, 'out.arrow'), { kernel, schema: { late: 'utf8' } });
      await pipeline(knowing(asked), sink);
      expect(asked).not.toHaveBeenCalled();
    });

    it('does not trust one of two sources', async () => {
      const sink = arrowSink(join(folder, 'out.arrow'), { kernel, inferBytes: 1 });
      const asked = vi.fn();
      sink.on('error', () => {});
      knowing(asked).pipe(sink);
      Readable.from([{ other: 1 }]).pipe(sink, { end: false });
      await expect(sink.summary).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
      expect(asked.mock.lastCall?.[0].aborted).toBe(true);
    });
  });

  describe('with a store that can be read again', () => {
    const exportAll = async (documents: readonly object[], options: { select?: string[] } = {}) => {
      const root = join(folder, 'store');
      await pipeline(fromIterable(documents as Document[]), zdsSink(root, 'c'));
      const path = join(folder, 'out.arrow');
      const { select } = options;
      const scan = zdsSource(root, 'c', select ? { select, pieceBytes: 64 } : { pieceBytes: 64 });
      const sink = arrowSink(path, { kernel, inferBytes: 1, batchRows: 2 });
      await pipeline(scan, sink);
      const table = tableFromIPC(readFileSync(path));
      const { columns } = inferAll(documents, select);
      expect(table.schema.fields.map(({ name }) => name)).toEqual(columns.map(({ name }) => name));
      const wanted = documents.map((each) => withoutNulls(select ? pick(each, select) : each));
      // A struct with nothing in it and no struct at all are one in the last of these documents.
      expect(readDocuments(table)).toEqual(wanted);
      return sink.summary;
    };
    const pick = (document: object, names: string[]): object =>
      Object.fromEntries(Object.entries(document).filter(([name]) => names.includes(name)));
    const inferAll = (documents: readonly object[], select?: string[]) => {
      const observer = kernel.observer(select ? { select: select.map((name) => [name]) } : {});
      for (const batch of toBatches(kernel, documents as Document[], 100))
        observer.observe(batch.bytes());
      return inferSchema(observer.fields());
    };
    const plain = Array.from({ length: 20 }, (_, i) => ({ _id: `d${i}`, n: i }));

    it.each([
      ['fits', []],
      ['has a late field', [{ _id: 'x', n: 1, late: 'x' }]],
      ['has a number with a fraction', [{ _id: 'x', n: 0.5 }]],
      ['has another kind of value', [{ _id: 'x', n: ['a'] }]],
      [
        'has a late field inside',
        [
          { _id: 'x', n: 1, o: { a: 1 } },
          { _id: 'y', n: 2, o: { b: 1 } },
        ],
      ],
    ])(
      'begins before it knows all, and starts over if it must: what comes late %s',
      async (_, late) => {
        const summary = await exportAll([...plain, ...late, { _id: 'z', n: 3 }]);
        expect(summary.documents).toBe(plain.length + late.length + 1);
      },
    );

    it('takes no notice of fields that were not selected', async () => {
      await exportAll([...plain, { _id: 'x', n: 1, late: 'x' }], { select: ['_id', 'n'] });
    });

    it('asks for all fields where the first documents leave a type open', async () => {
      const empty = Array.from({ length: 5 }, (_, i) => ({ _id: `e${i}`, o: {} }));
      await exportAll([...empty, { _id: 'x', o: { a: 1 } }]);
    });
  });

  it('accounts for what its predicate leaves out', async () => {
    const sink = arrowSink(join(folder, 'out.arrow'), { kernel, where: gt('n', 6) });
    const source = fromIterable(Array.from({ length: 10 }, (_, n) => ({ n })));
    expect(await run({ name: 'r', source, sink })).toMatchObject({
      read: 10,
      written: 3,
      filtered: 7,
    });
  });

  it('names a folder that is not there', async () => {
    const path = join(folder, 'none', 'out.arrow');
    await expect(
      createArrowSink(path, { kernel }).open(new AbortController().signal),
    ).rejects.toMatchObject({
      code: 'IO_ERROR',
      place: { path },
    });
  });
});
