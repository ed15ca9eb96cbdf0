import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Reject } from '../../../src/core/reject.ts';
import type { CsvMisfits } from '../../../src/formats/csv.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import {
  type CsvSourceOptions,
  createCsvSource,
  csvSource,
  sniffCsv,
} from '../../../src/sources/csv-source.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import { temporaryFolder } from '../../support/stages.ts';

async function read(text: string | Uint8Array, options: CsvSourceOptions = {}) {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const found: unknown[] = [];
  for await (const document of csvSource([bytes], options)) found.push(document);
  return found;
}

function fileWith(text: string | Uint8Array, name = 'a.csv'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

describe('csvSource', () => {
  it.each([
    ['comma_in_quotes', 'a,b\n1,"x, y"\n', [{ a: 1, b: 'x, y' }]],
    ['escaped_quotes', 'a,b\n1,"ha ""ha"" ha"\n', [{ a: 1, b: 'ha "ha" ha' }]],
    [
      'newlines',
      'a,b\n1,"x\ny"\n2,"x\r\ny"\n',
      [
        { a: 1, b: 'x\ny' },
        { a: 2, b: 'x\r\ny' },
      ],
    ],
    ['newlines_crlf', 'a,b\r\n1,"x\r\ny"\r\n', [{ a: 1, b: 'x\r\ny' }]],
    [
      'carriage returns only',
      'a,b\r1,x\r2,y',
      [
        { a: 1, b: 'x' },
        { a: 2, b: 'y' },
      ],
    ],
    ['quotes_and_newlines', 'a,b\n1,"a ""\n b"\n', [{ a: 1, b: 'a "\n b' }]],
    [
      'empty',
      'a,b,c\n1,"",""\n2,3,4\n',
      [
        { a: 1, b: null, c: null },
        { a: 2, b: 3, c: 4 },
      ],
    ],
    [
      'empty text',
      'a,b\n"",x\n,y\n',
      [
        { a: '', b: 'x' },
        { a: null, b: 'y' },
      ],
    ],
    ['json', 'a,b\n1,"{""x"": ""\\u00e9""}"\n', [{ a: 1, b: '{"x": "\\u00e9"}' }]],
    ['utf8', '\ufeffä,b\n€,😀\n', [{ ä: '€', b: '😀' }]],
    ['simple, no end', 'a,b\n1,2', [{ a: 1, b: 2 }]],
    ['a delimiter at the end', 'a,b\n1,', [{ a: 1, b: null }]],
    ['a quote inside a field', 'a,b\n5" pipe,x"\n', [{ a: '5" pipe', b: 'x"' }]],
    ['quoted header over two lines', '"a\nb",c\n1,2\n', [{ 'a\nb': 1, c: 2 }]],
    ['names that repeat or lack', 'a,,a\n1,2,3\n', [{ a: 1, column_2: 2, a_2: 3 }]],
    ['__proto__', '__proto__,b\nx,2\n', [JSON.parse('{"__proto__":"x","b":2}')]],
    ['empty lines', '\n\na\n\n1\n\n2\n\n', [{ a: 1 }, { a: 2 }]],
    ['semicolons', 'a;b\n1,5;2\n', [{ a: '1,5', b: 2 }]],
    ['tabs', 'a\tb\n1\tx, y\n', [{ a: 1, b: 'x, y' }]],
    ['a header alone', 'a,b\n', []],
    ['nothing', '', []],
  ])('reads %s', async (_, text, expected) => {
    expect(await read(text)).toEqual(expected);
  });

  it('infers types that lose nothing', async () => {
    const text =
      'int,big,zip,float,bool,mixed,exp,neg,plus\n' +
      '1,9007199254740993,00501,1.5,true,1,1e5,-3,+1\n2,12345678901234567890,10001,2,FALSE,x,2,0,2\n';
    const batches = [];
    for await (const batch of csvSource([Buffer.from(text)]).batches()) batches.push(batch);
    expect(Buffer.from(batches[0]!.bytes()).toString()).toBe(
      '{"int":1,"big":9007199254740993,"zip":"00501","float":1.5,"bool":true,"mixed":"1","exp":1e5,"neg":-3,"plus":"+1"}\n' +
        '{"int":2,"big":12345678901234567890,"zip":"10001","float":2,"bool":false,"mixed":"x","exp":2,"neg":0,"plus":"2"}\n',
    );
  });

  it('takes options at their word', async () => {
    expect(await read('1,2\n3,4\n', { columns: ['x', 'y'] })).toEqual([
      { x: 1, y: 2 },
      { x: 3, y: 4 },
    ]);
    expect(await read('a,b\n3,4\n', { columns: ['x', 'y'], header: true })).toEqual([
      { x: 3, y: 4 },
    ]);
    expect(await read('1,2\n', { header: false })).toEqual([{ column_1: 1, column_2: 2 }]);
    expect(await read('a,b\n1,2\n', { types: 'string' })).toEqual([{ a: '1', b: '2' }]);
    expect(await read('a,b\n1,2\n', { types: { b: 'string' } })).toEqual([{ a: 1, b: '2' }]);
    expect(await read("a,b\n'x,y',2\n", { quote: "'" })).toEqual([{ a: 'x,y', b: 2 }]);
    expect(await read('a,b\n"x,2\n', { quote: null })).toEqual([{ a: '"x', b: 2 }]);
    expect(await read('a,b\n"x\\"y",2\n', { escape: '\\' })).toEqual([{ a: 'x"y', b: 2 }]);
    expect(await read('#c,d,e\na,b\n#x\n1,2\n', { comment: '#' })).toEqual([{ a: 1, b: 2 }]);
    expect(await read('junk\n"more\na,b\n1,2\n', { skipLines: 2 })).toEqual([{ a: 1, b: 2 }]);
    expect(await read('a , b\n x , "y " \n', { trim: true })).toEqual([{ a: 'x', b: 'y ' }]);
    expect(await read('a,b\nNA,1\nx,NA\n', { nulls: ['NA'] })).toEqual([
      { a: null, b: 1 },
      { a: 'x', b: null },
    ]);
    expect(await read('a,b\n,x\n1,\n', { empty: 'omit' })).toEqual([{ b: 'x' }, { a: 1 }]);
    expect(await read('a,b\n,x\n1,\n', { empty: 'string' })).toEqual([
      { a: null, b: 'x' },
      { a: 1, b: '' },
    ]);
  });

  it.each([
    [0xff, 0xfe, 0x61, 0, 0x0a, 0],
    [0xfe, 0xff, 0, 0x61, 0, 0x0a],
  ])('says that UTF-16 is no UTF-8 (%i, %i)', async (...bytes) => {
    const path = fileWith(Uint8Array.from(bytes));
    const place = { path, offset: 0 };
    const error = { code: 'INVALID_UTF8', place };
    await expect(sniffCsv(path)).rejects.toMatchObject(error);
    await expect(csvSource(path).toArray()).rejects.toMatchObject(error);
  });

  it.each([
    { delimiter: ',,' },
    { delimiter: '\n' },
    { delimiter: '"' },
    { quote: 'é' },
    { quote: 'q' },
    { escape: '1' },
    { comment: ',', delimiter: ',' },
    { columns: ['a', 'a'] },
  ])('refuses %j', async (options) => {
    await expect(read('a,b\n', options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  const ragged = 'a,b\n1,2\n3\n4,5,6\n7,8\n';
  it.each([
    [
      'pad' as const,
      [
        { a: 1, b: 2 },
        { a: 3, b: null },
        { a: 7, b: 8 },
      ],
      1,
    ],
    [
      'truncate' as const,
      [
        { a: 1, b: 2 },
        { a: 4, b: 5 },
        { a: 7, b: 8 },
      ],
      1,
    ],
    [
      'fit' as const,
      [
        { a: 1, b: 2 },
        { a: 3, b: null },
        { a: 4, b: 5 },
        { a: 7, b: 8 },
      ],
      0,
    ],
    [
      'error' as const,
      [
        { a: 1, b: 2 },
        { a: 7, b: 8 },
      ],
      2,
    ],
  ])('has a policy for ragged rows: %s', async (policy, expected, bad) => {
    const rejects: Reject[] = [];
    const onError = (reject: Reject) => void rejects.push(reject);
    expect(await read(ragged, { ragged: policy, onError })).toEqual(expected);
    expect(rejects).toHaveLength(bad);
  });

  it('says of every bad row what it is, where, and its bytes', async () => {
    const rows = ['a,b', '1,x', '2,"y" z', '3', '"4\n\n",5,6', '7,\xff', '8,z', '9,"never', '10,w'];
    const bytes = Buffer.from(rows.map((row) => `${row}\r\n`).join(''), 'latin1');
    const rejects: Reject[] = [];
    const documents = await read(bytes, { onError: (reject) => void rejects.push(reject) });
    expect(documents).toEqual([
      { a: 1, b: 'x' },
      { a: 8, b: 'z' },
      { a: 10, b: 'w' },
    ]);
    const seen = rejects.map(({ code, place, bytes: raw }) => {
      return [
        code,
        place.line,
        place.column,
        bytes[place.offset!],
        Buffer.from(raw).toString('latin1'),
      ];
    });
    expect(rejects[2]!.reason).toContain('more fields than there are columns: expected 2, found 3');
    expect(seen).toEqual([
      ['CSV_ERROR', 3, 6, 0x20, '2,"y" z'],
      ['CSV_ERROR', 4, 2, 13, '3'],
      ['CSV_ERROR', 7, 5, 0x36, '"4\n\n",5,6'],
      ['INVALID_UTF8', 8, 3, 0xff, '7,\xff'],
      ['CSV_ERROR', 10, 3, 0x22, '9,"never'],
    ]);
    expect(rejects[0]!.place.path).toBe('stream');
  });

  it('stops at a bad row by default, after the good ones, with its place', async () => {
    const path = fileWith('a,b\n1,2\n3\n4,5\n');
    const found: unknown[] = [];
    const reading = async () => {
      for await (const document of csvSource(path)) found.push(document);
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'CSV_ERROR',
      place: { path, line: 3, column: 2, offset: 9 },
      message: expect.stringContaining('fewer fields than there are columns: expected 2, found 1'),
    });
    expect(found).toEqual([{ a: 1, b: 2 }]);
  });

  it('passes over a row that is too long, in constant memory', async () => {
    const rejects: Reject[] = [];
    const long = 'x'.repeat(3_000_000);
    const text = `a,b\n1,y\n2,${long}\r\n3,z\n4,"${long}\n5,w\n`;
    const options = { maxRowBytes: 1000, onError: (reject: Reject) => void rejects.push(reject) };
    expect(await read(text, options)).toEqual([
      { a: 1, b: 'y' },
      { a: 3, b: 'z' },
      { a: 5, b: 'w' },
    ]);
    expect(rejects.map(({ code, place }) => [code, place.line])).toEqual([
      ['LINE_TOO_LONG', 3],
      ['LINE_TOO_LONG', 5],
    ]);
    expect(rejects[0]!.bytes).toHaveLength(1000);
    await expect(read(long)).rejects.toMatchObject({ code: 'LINE_TOO_LONG' });
    await expect(read(text, { maxRowBytes: 1000 })).rejects.toMatchObject({
      code: 'LINE_TOO_LONG',
    });
  });

  it('counts values that do not fit, and keeps them', async () => {
    const rows = Array.from(
      { length: 60_000 },
      (_, i) => `${i},${i % 7 === 0 ? 'true' : 'false'}\n`,
    );
    rows[26_000] = 'n/a,true\n';
    rows[26_001] = 'n/b,maybe\n';
    const text = `n,b\n${rows.join('')}`;
    let misfits: readonly CsvMisfits[] = [];
    const onMisfits = (all: readonly CsvMisfits[]) => {
      misfits = all;
    };
    const path = fileWith(text);
    const found: unknown[] = [];
    for await (const document of csvSource(path, { onMisfits })) found.push(document);
    expect(found[26_000]).toEqual({ n: 'n/a', b: true });
    expect(found[26_001]).toEqual({ n: 'n/b', b: 'maybe' });
    const first = { path, line: 26_002, offset: text.indexOf('n/a') };
    expect(misfits).toEqual([
      { column: 'n', type: 'integer', count: 2, first },
      {
        column: 'b',
        type: 'boolean',
        count: 1,
        first: { path, line: 26_003, offset: text.indexOf('n/b') },
      },
    ]);
    const types = { n: 'integer', b: 'boolean' } as const;
    const nulled = await read('n,b\nx,1\n2,true\n', { types, misfit: 'null' });
    expect(nulled).toEqual([
      { n: null, b: null },
      { n: 2, b: true },
    ]);
    await expect(read('n,b\n1,true\nx,1\n', { types, misfit: 'error' })).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      place: { line: 3, column: 1 },
    });
  });

  it('keeps a type through all files, and reads each in its own dialect', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '1.csv'), 'a,b\n1,x\n');
    writeFileSync(join(folder, '2.csv'), 'b;a;c\n2;y;3\n');
    writeFileSync(join(folder, '3.csv.gz'), gzipSync('a\n7\n'));
    const found: unknown[] = [];
    for await (const document of csvSource(join(folder, '*.csv*'))) found.push(document);
    expect(found).toEqual([{ a: 1, b: 'x' }, { b: '2', a: 'y', c: 3 }, { a: 7 }]);
  });

  it('feeds a store by its bytes', async () => {
    const root = temporaryFolder();
    const rows = Array.from({ length: 5000 }, (_, i) => `${i},"id""${i}",d${i}\n`);
    const path = fileWith(`n,q,_id\n${rows.join('')}`);
    await pipeline(csvSource(path, { batchBytes: 10_000 }), zdsSink(root, 'docs'));
    const found = [];
    for await (const document of zdsSource(root, 'docs')) found.push(document);
    expect(found).toHaveLength(5000);
    expect(found[4999]).toEqual({ _id: 'd4999', n: 4999, q: 'id"4999' });
  });

  it('tells where every document comes from', async () => {
    const path = fileWith('a,b\n1,"x\ny"\n\n#\n2,z\n');
    for (const documents of [true, false]) {
      for await (const batch of csvSource(path, { comment: '#' }).batches({ documents })) {
        expect([batch.place(0), batch.place(1)]).toEqual([
          { path, offset: 4, line: 2, ordinal: 0 },
          { path, offset: 15, line: 6, ordinal: 1 },
        ]);
      }
    }
  });
});

describe('csvSource from a cursor', () => {
  const rows = Array.from({ length: 400 }, (_, i) => {
    return `${i},"text ${i}${i % 5 === 0 ? '\n' : ''}",${i % 3 === 0 ? '' : i / 7}${i % 4 ? '\n' : '\r\n'}`;
  });
  const text = `\ufeffid,text,value\n${rows.join('')}`;

  it.each([
    ['a.csv', text],
    ['a.csv.gz', gzipSync(text)],
    ['torn.csv', text.trimEnd()],
  ])('goes on in the middle of %s', async (name, bytes) => {
    const path = fileWith(bytes, name);
    for (const documents of [true, false]) {
      const source = createCsvSource(path, { batchBytes: 700 });
      const whole: unknown[] = [];
      const cursors: { cursor: string; count: number }[] = [];
      const { signal } = new AbortController();
      for await (const batch of source.batches(signal, { documents })) {
        whole.push(...batch.documents().map((document, i) => [document, batch.place(i)]));
        cursors.push({ cursor: JSON.stringify(batch.cursor), count: whole.length });
      }
      expect(whole).toHaveLength(400);
      expect(cursors.length).toBeGreaterThan(name === 'a.csv.gz' ? 0 : 10);
      for (const { cursor, count } of cursors) {
        const rest: unknown[] = [];
        for await (const batch of source.batches(signal, {}, JSON.parse(cursor))) {
          rest.push(...batch.documents().map((document, i) => [document, batch.place(i)]));
        }
        expect(rest).toEqual(whole.slice(count));
      }
    }
  });

  it('keeps header and types, whatever the file has become behind it', async () => {
    const path = fileWith('a,b\n1,2\n');
    const { signal } = new AbortController();
    let cursor: unknown;
    for await (const batch of createCsvSource(path).batches(signal, {})) ({ cursor } = batch);
    writeFileSync(path, 'a,b\n1,2\nx,3\n');
    for await (const batch of createCsvSource(path).batches(signal, {}, cursor)) {
      expect(batch.documents()).toEqual([{ a: 'x', b: 3 }]);
    }
    writeFileSync(path, 'a,c\n1,2\nx,3\n');
    await expect(createCsvSource(path).batches(signal, {}, cursor).next()).rejects.toMatchObject({
      code: 'CURSOR_MISMATCH',
    });
    const foreign = { ...(cursor as object), layout: undefined };
    const reading = async () => createCsvSource(path).batches(signal, {}, foreign).next();
    await expect(reading()).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });
});
