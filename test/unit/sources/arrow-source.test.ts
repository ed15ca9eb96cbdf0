import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import {
  DateMillisecond,
  Decimal,
  Dictionary,
  Field,
  Float64,
  Int32,
  Map_,
  makeData,
  makeVector,
  Schema,
  Struct,
  Table,
  TimestampMillisecond,
  TimestampSecond,
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
  Uint64,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../../src/core/batch.ts';
import { isEtlError } from '../../../src/core/errors.ts';
import { eq, exists, gt } from '../../../src/core/predicate.ts';
import type { Reject } from '../../../src/core/reject.ts';
import {
  type ArrowSourceOptions,
  arrowSource,
  createArrowSource,
} from '../../../src/sources/arrow-source.ts';
import type { ByteInput } from '../../../src/sources/byte-input.ts';
import { serve } from '../../support/http-server.ts';
import { LONG, runs } from '../../support/long.ts';
import { temporaryFolder } from '../../support/stages.ts';

const small = new Table({
  n: vectorFromArray([1, null, -3, 4, 5, 6], new Int32()),
  s: vectorFromArray(['a', 'é"\n', null, '', 'x'.repeat(60), 'b'], new Utf8()),
  d: vectorFromArray(['p', 'q', 'p', null, 'q', 'p'], new Dictionary(new Utf8(), new Int32())),
  f: vectorFromArray([0.5, 1e21, -0, Number.NaN, null, 0.1], new Float64()),
});
const rows: Document[] = [
  { n: 1, s: 'a', d: 'p', f: 0.5 },
  { n: null, s: 'é"\n', d: 'q', f: 1e21 },
  { n: -3, s: null, d: 'p', f: -0 },
  { n: 4, s: '', d: null, f: null },
  { n: 5, s: 'x'.repeat(60), d: 'q', f: null },
  { n: 6, s: 'b', d: 'p', f: 0.1 },
];
/** The same rows in three record batches. */
const inThree = small.slice(0, 2).concat(small.slice(2, 3), small.slice(3));
const forms = { file: tableToIPC(inThree, 'file'), stream: tableToIPC(inThree, 'stream') };

/** Pieces of `size` bytes, each in memory of its own. */
function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
}

async function read(input: ByteInput, options: ArrowSourceOptions = {}): Promise<Document[]> {
  const found: Document[] = [];
  for await (const batch of arrowSource(input, options).batches()) {
    found.push(...batch.documents());
  }
  return found;
}

async function textOf(table: Table, options: ArrowSourceOptions = {}): Promise<string> {
  let text = '';
  for await (const batch of arrowSource([tableToIPC(table, 'file')], options).batches()) {
    text += Buffer.from(batch.bytes()).toString();
  }
  return text;
}

it.each([
  [2n ** 53n + 1n, '+285428751-11-12T07:36:33', 's'],
  [2n ** 63n - 1n, '+292277026596-12-04T15:30:07', 's'],
  [-(2n ** 63n), '-292277022657-01-27T08:29:52', 's'],
  [9_007_199_254_740_993_001n, '+285428751-11-12T07:36:33.001', 'ms'],
  [-9_100_000_000_000_000_001n, '-288365551-08-02T22:13:19.999', 'ms'],
  [2n ** 63n - 1n, '+292278994-08-17T07:12:55.807', 'ms'],
])('gives timestamps exactly, far away: %i', async (value, text, unit) => {
  const type = unit === 's' ? new TimestampSecond() : new TimestampMillisecond();
  const data = makeData({ type, length: 1, nullCount: 0, data: BigInt64Array.of(value) });
  expect(await textOf(new Table({ at: new Vector([data]) }))).toBe(`{"at":"${text}"}\n`);
});

describe.each(['file', 'stream'] as const)('arrowSource of a %s', (form) => {
  const bytes = forms[form];

  it.each([1, 7, 64, 1000, 1 << 20])('reads it in chunks of %i bytes', async (size) => {
    expect(await read(cut(bytes, size))).toEqual(rows);
  });

  it('reads paths, streams and compressed files', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.arrow'), bytes);
    writeFileSync(join(folder, 'b.arrow.gz'), gzipSync(bytes));
    expect(await read(join(folder, '*.arrow*'))).toEqual([...rows, ...rows]);
    expect(await read(Readable.from([Buffer.from(bytes)]))).toEqual(rows);
  });

  it('reads it over HTTP', async () => {
    const { base } = await serve((_, response) => response.end(bytes));
    expect(await read(new URL(`${base}/a.arrow`))).toEqual(rows);
  });

  it('says so when it is cut, wherever that is', async () => {
    for (let size = 0; size < bytes.length; size += LONG || bytes.length < size + 50 ? 1 : 11) {
      const reading = read([bytes.slice(0, size)]).then(
        (found) => ({ found, code: '' }),
        (error) => ({ found: [], code: isEtlError(error) ? error.code : String(error) }),
      );
      const { found, code } = await reading;
      // Nobody can tell a stream that ends between two messages from one that is cut there.
      if (code === '') expect([form, rows.slice(0, found.length)]).toEqual(['stream', found]);
      else expect(code).toMatch(/^(TRUNCATED|CORRUPTED)_INPUT$/);
    }
  }, 60_000);

  it('ends in rows or in one of its errors, whatever bits are turned', async () => {
    const codes = /^(TRUNCATED_INPUT|CORRUPTED_INPUT|UNSUPPORTED|INVALID_UTF8|LIMIT_EXCEEDED)$/;
    const steps = fc.integer({ min: 0, max: bytes.length * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 4 }), async (bits) => {
        const damaged = bytes.slice();
        for (const bit of bits) damaged[bit >> 3]! ^= 1 << (bit & 7);
        try {
          let count = 0;
          for await (const batch of arrowSource([damaged]).batches()) {
            count += batch.length;
            if (count > 1000) break;
          }
        } catch (error) {
          expect(isEtlError(error) ? error.code : String((error as Error).stack)).toMatch(codes);
        }
      }),
      { numRuns: runs(500) },
    );
  }, 60_000);

  it('goes on from every cursor with the same documents', async () => {
    const options = { batchBytes: 1 };
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.arrow'), bytes);
    writeFileSync(join(folder, 'b.arrow'), bytes);
    const source = createArrowSource(join(folder, '*.arrow'), options);
    const all: Document[] = [];
    const stops: { cursor: unknown; read: number }[] = [];
    for await (const batch of source.batches(new AbortController().signal, {})) {
      all.push(...batch.documents());
      stops.push({ cursor: JSON.parse(JSON.stringify(batch.cursor)), read: all.length });
    }
    expect(all).toEqual([...rows, ...rows]);
    expect(stops).toHaveLength(12);
    for (const { cursor, read: before } of stops) {
      const rest: Document[] = [];
      let place: unknown;
      for await (const batch of source.batches(new AbortController().signal, {}, cursor)) {
        if (batch.length > 0) place ??= batch.place(0).ordinal;
        rest.push(...batch.documents());
      }
      expect(rest).toEqual(all.slice(before));
      if (rest.length > 0) expect(place).toBe(before);
    }
  });

  it('notices that the file is another one', async () => {
    const path = join(temporaryFolder(), 'a.arrow');
    writeFileSync(path, bytes);
    const source = createArrowSource(path);
    const signal = new AbortController().signal;
    const reading = source.batches(signal, {});
    const { cursor } = (await reading.next()).value as Batch;
    await reading.return();
    writeFileSync(path, tableToIPC(small.slice(1).concat(small), form));
    const again = source.batches(signal, {}, cursor).next();
    await expect(again).rejects.toMatchObject({ code: 'CURSOR_MISMATCH', place: { path } });
    expect(() => source.batches(signal, {}, { batch: 1 })).toThrow('the cursor is not one');
  });
});

describe('arrowSource', () => {
  it('finds and hashes the key that is asked for', async () => {
    const table = tableFromArrays({ id: ['a', 'b'], _id: ['c', 'd'] });
    for (const [key, ids] of [
      [undefined, 'cd'],
      ['id', 'ab'],
    ] as const) {
      const wants = key ? { key: [key] } : {};
      for await (const batch of arrowSource([tableToIPC(table)]).batches(wants)) {
        const { bytes, records } = batch.lines();
        const text = Buffer.from(bytes);
        const found = [3, 11].map((at) => text.toString('utf8', records[at], records[at + 1]));
        expect(found.join('')).toBe(ids);
      }
    }
  });

  it('reads the columns asked for, in that order', async () => {
    const input = () => [forms.file];
    const found = await read(input(), { columns: ['f', 'n'] });
    expect(Object.keys(found[0]!)).toEqual(['f', 'n']);
    expect(found).toEqual(rows.map(({ f, n }) => ({ f, n })));
    await expect(read(input(), { columns: ['n', 'zzz'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('zzz'),
    });
    await expect(read(input(), { columns: ['n', 'f', 'n'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('n twice'),
    });
  });

  it('keeps the rows of a predicate, over columns that are not read too', async () => {
    const where = gt('n', 3);
    const options = { columns: ['s'], where, batchBytes: 20 };
    const found: unknown[] = [];
    for await (const batch of arrowSource([forms.stream], options).batches()) {
      for (const [i, each] of batch.documents().entries()) {
        found.push([batch.place(i).ordinal, each]);
      }
    }
    expect(found).toEqual([3, 4, 5].map((at) => [at, { s: rows[at]!.s }]));
    expect(await read([forms.file], { where: eq('d', 'q') })).toEqual([rows[1], rows[4]]);
    expect(await read([forms.file], { where: exists('zzz') })).toEqual([]);
  });

  it('leaves nulls out where asked to', async () => {
    const found = await read([forms.file], { nulls: 'absent' });
    // A number that JSON has none for is no null.
    const isKept = (row: Document, name: string, at: number) =>
      row[name] !== null || (name === 'f' && at === 3);
    const without = rows.map((row, at) =>
      Object.entries(row).filter(([name]) => isKept(row, name, at)),
    );
    expect(found.map((row) => Object.entries(row))).toEqual(without);
    expect(await read([forms.file], { nulls: 'absent', where: exists('n') })).toHaveLength(5);
  });

  it('writes integers of 64 bits exactly, and dates as ISO text', async () => {
    const table = new Table({
      n: vectorFromArray([2n ** 64n - 1n, 2n ** 53n + 1n], new Uint64()),
      at: vectorFromArray(
        [0, -1].map((at) => new Date(at)),
        new DateMillisecond(),
      ),
    });
    expect(await textOf(table)).toBe(
      '{"n":18446744073709551615,"at":"1970-01-01"}\n' +
        '{"n":9007199254740993,"at":"1969-12-31T23:59:59.999"}\n',
    );
  });

  it('writes decimals that are keys of maps as text', async () => {
    const key = new Field('key', new Decimal(2, 5, 128), false);
    const entry = new Struct([key, new Field('value', new Int32(), true)]);
    const keys = makeData({ type: key.type, data: Uint32Array.of(150, 0, 0, 0) });
    const values = makeData({ type: new Int32(), data: Int32Array.of(1) });
    const child = makeData({ type: entry, length: 1, children: [keys, values] });
    const type = new Map_(new Field('entries', entry, false));
    const map = makeData({ type, length: 1, valueOffsets: Int32Array.of(0, 1), child });
    const table = new Table({ m: makeVector(map) });
    for (const decimals of ['number', 'string'] as const) {
      expect(await textOf(table, { decimals })).toBe('{"m":{"1.50":1}}\n');
    }
  });

  it('writes every double so that it reads back the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.double(), fc.integer(), decimals)), async (values) => {
        if (values.length === 0) return;
        const table = new Table({ f: vectorFromArray(values, new Float64()) });
        const lines = (await textOf(table)).trim().split('\n');
        const texts = values.map((each) => (Object.is(each, -0) ? '-0' : JSON.stringify(each)));
        expect(lines).toEqual(texts.map((text) => `{"f":${text}}`));
      }),
    );
  });

  it('embeds JSON text, and refuses what is more than a value', async () => {
    const json = new Map([['ARROW:extension:name', 'arrow.json']]);
    const schema = new Schema([new Field('j', new Utf8(), true, json)]);
    const one = (...texts: string[]) =>
      new Table(schema, { j: vectorFromArray(texts, new Utf8()) } as never);
    const good = ['{"a":[1,"}"]}', '[1,\n2]', '"x"', ' 9007199254740993 ', 'null'];
    const text = await textOf(one(...good));
    expect(text).toBe(good.map((each) => `{"j":${each.replace('\n', ' ')}}\n`).join(''));
    const bad = ['1,"b":2', '1},{"a":1', '', '1]', '"a\nb"', '{"a":1', 'x', '"', '1 2', '":'];
    const rejects: Reject[] = [];
    const onError = (reject: Reject) => rejects.push(reject);
    const mixed = await textOf(one('1', ...bad, '2'), { onError });
    expect(mixed).toBe('{"j":1}\n{"j":2}\n');
    expect(rejects.map(({ place }) => place.ordinal)).toEqual(bad.map((_, i) => i + 1));
  });

  it('refuses text that is no UTF-8 with the row, or tells of it', async () => {
    const table = tableFromArrays({ s: ['abc', 'déf', 'ghi'], n: [1, 2, 3] });
    const bytes = tableToIPC(table, 'file');
    bytes[Buffer.from(bytes).indexOf('déf') + 2] = 0xff;
    const seen: unknown[] = [];
    const reading = async () => {
      for await (const batch of arrowSource([bytes]).batches()) seen.push(...batch.documents());
    };
    const place = { path: 'stream', ordinal: 1 };
    await expect(reading()).rejects.toMatchObject({ code: 'INVALID_UTF8', place });
    expect(seen).toEqual([{ s: 'abc', n: 1 }]);
    const rejects: Reject[] = [];
    const onError = (reject: Reject) => rejects.push(reject);
    expect(await read([bytes], { onError })).toEqual([
      { s: 'abc', n: 1 },
      { s: 'ghi', n: 3 },
    ]);
    const where = gt('n', 0);
    expect(await read([bytes], { onError, where })).toHaveLength(2);
    expect(rejects).toMatchObject([{ code: 'INVALID_UTF8', place }, { place }]);
  });

  it('reads files whose beginning is filled up to 64 bytes, as arrow-rs writes them', async () => {
    const footerBytes = Buffer.from(forms.file).readInt32LE(forms.file.length - 10);
    const end = forms.file.subarray(-footerBytes - 10);
    const nothing = Buffer.concat([Buffer.from('ARROW1'), Buffer.alloc(58)]);
    expect(await read([Buffer.concat([nothing, forms.stream, end])])).toEqual(rows);
    await expect(read([nothing])).rejects.toMatchObject({ code: 'TRUNCATED_INPUT' });
  });

  it.each(['file', 'stream'] as const)('reads a %s without record batches', async (format) => {
    const schema = new Schema([new Field('a', new Int32())]);
    expect(await read([tableToIPC(new Table(schema), format)])).toEqual([]);
  });

  it('has a limit for record batches', async () => {
    const reading = read([forms.file], { maxBatchBytes: 100 });
    await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('refuses what is no Arrow', async () => {
    for (const text of ['', 'a', '{"a":1}\n{"b":2}\n', 'ARROW1', 'PAR1'.repeat(99)]) {
      const reading = read([Buffer.from(text)]);
      await expect(reading).rejects.toMatchObject({ place: { path: 'stream' } });
    }
    const path = join(temporaryFolder(), 'a.arrow');
    writeFileSync(path, forms.file);
    appendFileSync(path, 'more');
    await expect(read(path)).rejects.toMatchObject({ code: 'TRUNCATED_INPUT', place: { path } });
  });

  it('reads what apache-arrow reads of real data', async () => {
    const url = new URL(
      '../../../node_modules/vega-datasets/data/flights-200k.arrow',
      import.meta.url,
    );
    const table = tableFromIPC(readFileSync(url));
    let at = 0;
    for await (const batch of arrowSource(url).batches()) {
      const text = Buffer.from(batch.bytes()).toString();
      const from = at;
      at += batch.length;
      const expected = table
        .slice(from, at)
        .toArray()
        .map((row) => `${JSON.stringify(row)}\n`);
      expect(text === expected.join('')).toBe(true);
    }
    expect(at).toBe(table.numRows);
  });
});

/** Doubles with few digits. */
const decimals = fc
  .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 20 }))
  .map(([n, scale]) => n / 10 ** scale);
