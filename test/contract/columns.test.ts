import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Int32, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { decompress as unpackZstd } from 'fzstd';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { ShortSchema } from '../../src/arrow/schema.ts';
import type { Document } from '../../src/core/batch.ts';
import { gt } from '../../src/core/predicate.ts';
import { arrowSink } from '../../src/sinks/arrow-sink.ts';
import { parquetSink } from '../../src/sinks/parquet-sink.ts';
import { arrowSource } from '../../src/sources/arrow-source.ts';
import { createParquetSource, parquetSource } from '../../src/sources/parquet-source.ts';
import { LONG } from '../support/long.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSinkContract } from './sink-contract.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const table = new Table({
  n: vectorFromArray(
    documents.map(({ n }) => n),
    new Int32(),
  ),
});

for (const format of ['file', 'stream'] as const) {
  testSourceContract(`arrowSource(${format})`, () => {
    const path = join(temporaryFolder(), 'a.arrow');
    writeFileSync(path, tableToIPC(table, format));
    return { documents, open: (options) => arrowSource(path, { ...options, batchBytes: 1000 }) };
  });
}

const flights = fileURLToPath(
  new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
);

const sinks = {
  arrow: { sink: arrowSink, source: arrowSource },
  parquet: { sink: parquetSink, source: parquetSource },
};

describe.each(Object.entries(sinks))('%s', (name, { sink, source }) => {
  testSinkContract(`${name}Sink`, () => {
    const path = join(temporaryFolder(), 'a');
    return {
      open: (options) => sink(path, options),
      async readBack() {
        if (!existsSync(path)) return undefined;
        const found: Document[] = [];
        for await (const document of source(path)) found.push(document);
        return found;
      },
    };
  });

  it('keeps documents of every kind of column, through file and back', async () => {
    const path = join(temporaryFolder(), 'a');
    const rows = [
      { i: 1, f: 0.5, t: 'é', b: true, l: [1, null], s: { a: [{ x: 'y' }] }, m: [1, 'a'], e: [] },
      { i: null, f: -1, t: '', b: false, l: [], s: { a: [] }, m: { k: null }, e: [] },
      { i: 3, f: 1e300, t: null, b: null, l: null, s: null, m: 'text', e: null },
    ];
    const schema: ShortSchema = {
      i: 'int64',
      f: 'float64',
      t: 'utf8',
      b: 'bool',
      l: ['int32'],
      s: { a: [{ x: 'utf8' }] },
      m: 'json',
      e: ['utf8'],
      at: 'timestamp[us]',
    };
    const whole = rows.map((row, i) => ({ ...row, at: i === 1 ? null : 1_600_000_000_123_456 }));
    await pipeline(Readable.from(whole), sink(path, { schema, batchRows: 2 }));
    const found: Document[] = [];
    for await (const document of source(path)) found.push(document);
    const at = '2020-09-13T12:26:40.123456Z';
    expect(found).toEqual(whole.map((row, i) => ({ ...row, at: i === 1 ? null : at })));
  });

  it('keeps a byte order mark that begins a text or stands in it', async () => {
    const path = join(temporaryFolder(), 'a');
    const text = '\ufeffa\ufeff';
    const row = { t: text, l: [text, '\ufeff'], s: { x: text }, m: text };
    await pipeline(Readable.from([row, { ...row, m: 1 }]), sink(path));
    const found: Document[] = [];
    for await (const document of source(path)) found.push(document);
    expect(found).toEqual([row, { ...row, m: 1 }]);
  });
});

describe('parquetSink', () => {
  it('refuses documents of which none has a field, and leaves no file', async () => {
    const path = join(temporaryFolder(), 'a.parquet');
    const writing = pipeline(Readable.from([{}, {}]), parquetSink(path));
    await expect(writing).rejects.toMatchObject({ code: 'UNSUPPORTED', place: { path } });
    expect(existsSync(path)).toBe(false);
    await pipeline(Readable.from([{}, { n: 1 }]), parquetSink(path));
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    expect(rows).toHaveLength(2);
  });
});

describe('parquetSource', () => {
  it.each(['none', 'snappy', 'gzip', 'brotli'] as const)(
    'goes on from every cursor: %s',
    async (compression) => {
      const path = join(temporaryFolder(), 'a.parquet');
      await pipeline(Readable.from(numbers(10)), parquetSink(path, { compression, batchRows: 4 }));
      const source = createParquetSource(path, { batchBytes: 1 });
      const { signal } = new AbortController();
      const all: Document[] = [];
      const stops: [unknown, number][] = [];
      for await (const batch of source.batches(signal, {})) {
        all.push(...batch.documents());
        stops.push([JSON.parse(JSON.stringify(batch.cursor)), all.length]);
      }
      expect(all).toEqual(numbers(10));
      for (const [cursor, read] of stops) {
        const rest: Document[] = [];
        for await (const batch of source.batches(signal, {}, cursor))
          rest.push(...batch.documents());
        expect(rest).toEqual(all.slice(read));
      }
      await pipeline(Readable.from(numbers(11)), parquetSink(path, { compression, batchRows: 4 }));
      const again = source.batches(signal, {}, stops[0]![0]).next();
      await expect(again).rejects.toMatchObject({ code: 'CURSOR_MISMATCH', place: { path } });
    },
  );

  it('refuses what is cut or damaged, naming the file', async () => {
    const path = join(temporaryFolder(), 'a.parquet');
    await pipeline(Readable.from(numbers(10)), parquetSink(path));
    const whole = readFileSync(path);
    for (let size = 0; size < whole.length; size += 7) {
      writeFileSync(path, whole.subarray(0, size));
      const reading = createParquetSource(path).batches(new AbortController().signal, {}).next();
      await expect(reading).rejects.toMatchObject({ code: 'CORRUPTED_INPUT', place: { path } });
    }
  });

  it.each([
    ['of fewer values than there are rows', 12, 2 * 8],
    ['of fewer nulls than the levels have', 14, 2 * 4],
    ['in no encoding that there is', 18, 1],
  ])('refuses pages %s, naming column and page', async (_, at, byte) => {
    const path = join(temporaryFolder(), 'a.parquet');
    const rows = Array.from({ length: 10 }, (_, n) => ({ n: n % 2 ? n : null }));
    await pipeline(Readable.from(rows), parquetSink(path, { compression: 'none' }));
    const damaged = readFileSync(path);
    // In the page's header, doubled for their sign: the counts of values, nulls and rows, and the encoding.
    expect([...damaged.subarray(11, 19)]).toEqual([0x15, 20, 0x15, 10, 0x15, 20, 0x15, 0]);
    damaged[at] = byte;
    writeFileSync(path, damaged);
    const reading = createParquetSource(path).batches(new AbortController().signal, {}).next();
    await expect(reading).rejects.toMatchObject({
      code: 'CORRUPTED_INPUT',
      message: expect.stringContaining('column n: '),
      place: { path, offset: 4 },
    });
  });

  it('refuses row groups without one of the columns', async () => {
    const path = join(temporaryFolder(), 'a.parquet');
    await pipeline(Readable.from([{ first: 1, second: 2 }]), parquetSink(path));
    const damaged = readFileSync(path);
    damaged.write('u', damaged.lastIndexOf('second'));
    writeFileSync(path, damaged);
    const reading = createParquetSource(path).batches(new AbortController().signal, {}).next();
    await expect(reading).rejects.toMatchObject({
      code: 'CORRUPTED_INPUT',
      message: expect.stringContaining('column second'),
      place: { path },
    });
  });

  it('ends in rows or in one of its errors, and soon, whatever bit is turned', async () => {
    const path = join(temporaryFolder(), 'a.parquet');
    await pipeline(Readable.from(documents.slice(0, 10)), parquetSink(path));
    const whole = readFileSync(path);
    for (let bit = 32; bit < (whole.length - 8) * 8; bit += LONG ? 1 : 9) {
      const damaged = Uint8Array.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      const before = process.cpuUsage();
      try {
        for await (const batch of parquetSource(path).batches()) if (batch.length > 1000) break;
      } catch (error) {
        expect(error, `bit ${bit}`).toMatchObject({
          code: expect.stringMatching(/^(CORRUPTED_INPUT|UNSUPPORTED|INVALID_UTF8|JSON_ERROR)$/),
        });
      }
      expect(process.cpuUsage(before).user, `bit ${bit}`).toBeLessThan(500_000);
    }
  });

  it('reads real data by columns and predicate', async () => {
    const options = { columns: ['origin', 'delay'], where: gt('delay', 100) };
    const found: Document[] = [];
    let last = 0;
    for await (const batch of parquetSource(flights, options).batches()) {
      found.push(...batch.documents());
      last = batch.place(batch.length - 1).ordinal!;
      break;
    }
    const file = await asyncBufferFromFile(flights);
    const zstd = (bytes: Uint8Array, size: number) => unpackZstd(bytes, new Uint8Array(size));
    const rows = await parquetReadObjects({
      file,
      rowEnd: last + 1,
      columns: options.columns,
      compressors: { ZSTD: zstd },
    });
    const expected = rows.filter(({ delay }) => delay > 100);
    expect(expected.length).toBeGreaterThan(100);
    expect(found).toEqual(
      expected.map((row) => ({ origin: row.origin, delay: Number(row.delay) })),
    );
  });
});
