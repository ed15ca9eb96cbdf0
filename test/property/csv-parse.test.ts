/**
 * CSV read as csv-parse reads it: real files, corner cases, and what a writer with any dialect writes,
 * as bytes and as objects, by both kernels, and cut anywhere.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteReader } from '../../src/core/stage.ts';
import { joinBytes } from '../../src/formats/chunk-reader.ts';
import { type CsvOptions, decodeRows } from '../../src/formats/csv.ts';
import { type CsvSniff, sniffSamples } from '../../src/formats/csv-sniff.ts';
import { fitsCsvType } from '../../src/kernels/csv.ts';
import { csvSource } from '../../src/sources/csv-source.ts';
import { inSample, LONG, runs } from '../support/long.ts';

type Row = Record<string, unknown>;

/** Gives the parts as they are cut, each behind the rest of the one before. */
function readParts(parts: readonly Uint8Array[]): ByteReader {
  const rest = [...parts];
  return {
    read: async (carry) => {
      const part = rest.shift();
      return part && joinBytes([carry, part], carry.length + part.length);
    },
    close: async () => {},
  };
}

async function decode(parts: readonly Uint8Array[], options: CsvOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of decodeRows(readParts(parts), options)) {
    if (options.documents) batch.bytes();
    rows.push(...(batch.documents() as Row[]));
  }
  return rows;
}

/** What begins behind the header, so that no beginning is gathered before the first cut. */
function behindHeader(bytes: Uint8Array, options: CsvOptions) {
  const sniff = sniffSamples({ head: bytes, whole: true }, { header: true, ...options });
  const { dataOffset: offset, dataLine: line } = sniff;
  return { data: bytes.slice(offset), from: { offset, line, row: 0, layout: sniff } };
}

/** Reads in every way: whole and cut in two at `cuts` and into pieces of `sizes` bytes. */
async function expectAllWays(
  bytes: Uint8Array,
  options: CsvOptions,
  expected: readonly object[],
  cuts: readonly number[],
  sizes: readonly number[],
): Promise<void> {
  const text = JSON.stringify(expected);
  for (const implementation of ['wasm', 'typescript'] as const) {
    // What is long holds little that is new to the slower of the two.
    if (implementation === 'typescript' && bytes.length > 100_000 && !LONG) continue;
    const found = await decode([bytes.slice()], { ...options, implementation });
    expect(JSON.stringify(found)).toBe(text);
  }
  const { data, from } = behindHeader(bytes, options);
  for (const documents of [false, true]) {
    const how = { ...options, from, documents };
    for (const cut of cuts) {
      const found = JSON.stringify(await decode([data.slice(0, cut), data.slice(cut)], how));
      if (found !== text)
        expect({ cut, documents, found }).toEqual({ cut, documents, found: text });
    }
    for (const size of sizes) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < data.length; at += size) parts.push(data.slice(at, at + size));
      const found = JSON.stringify(await decode(parts, how));
      if (found !== text)
        expect({ size, documents, found }).toEqual({ size, documents, found: text });
    }
  }
}

/** Every place of a text of so many bytes; a quarter of them by default. */
function allCuts(length: number): number[] {
  return Array.from({ length }, (_, i) => i).filter((i) => inSample(i));
}

/** What csv-parse's texts are with the types that were found. */
function typed(records: readonly Record<string, string>[], { columns, types }: CsvSniff): Row[] {
  return records.map((record) => {
    const fields = columns.map((name): [string, unknown] => {
      const text = record[name]!;
      const type = types[name]!;
      if (text === '') return [name, null];
      const isValue = type !== 'string' && fitsCsvType(type, text);
      return [name, isValue ? JSON.parse(text.toLowerCase()) : text];
    });
    return Object.fromEntries(fields);
  });
}

describe('real files', () => {
  const folder = 'node_modules/vega-datasets/data';
  const names = readdirSync(folder).filter((name) => /\.[ct]sv$/.test(name));

  it.each(names)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(join(folder, name)));
    const sniff = sniffSamples({ head: bytes, whole: true }, { header: true });
    const records = parse(bytes, {
      columns: [...sniff.columns],
      delimiter: sniff.delimiter,
      from_line: 2,
      bom: true,
      relax_quotes: true,
      skip_empty_lines: true,
    }) as Record<string, string>[];
    const expected = typed(records, sniff);
    const found: Row[] = [];
    for await (const row of csvSource<Row>(join(folder, name))) found.push(row);
    expect(JSON.stringify(found)).toBe(JSON.stringify(expected));

    const { delimiter, types } = sniff;
    const isSmall = bytes.length < 3000;
    const cuts = isSmall ? allCuts(bytes.length) : [];
    const sizes = isSmall ? [1, 2, 61] : LONG ? [61, 4099, 65_537] : [4099];
    await expectAllWays(bytes, { types, delimiter }, expected, cuts, sizes);
  });
});

describe('corner cases', () => {
  it.each([
    ['comma_in_quotes', 'first,last,address\nJohn,Doe,"120 any st., Anytown, WW"\n'],
    ['empty', 'a,b,c\n1,"",""\n2,3,4\n'],
    ['empty_crlf', 'a,b,c\r\n1,"",""\r\n2,3,4\r\n'],
    ['escaped_quotes', 'a,b\n1,"ha ""ha"" ha"\n3,4\n'],
    ['json', 'key,val\n1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"\n'],
    ['location_coordinates', 'Lat,Lon\n"57°05\'44""N","17° 3\'"\n'],
    ['newlines', 'a,b,c\n1,2,3\n"Once upon \na time",5,6\n7,8,9\n'],
    ['newlines_crlf', 'a,b,c\r\n1,2,3\r\n"Once upon \r\na time",5,6\r\n7,8,9\r\n'],
    ['quotes_and_newlines', 'a,b\n1,"ha \n""ha"" \nha"\n3,4\n'],
    ['simple_crlf', 'a,b,c\r\n1,2,3\r\n'],
    ['utf8', 'a,b,c\n1,2,3\n4,5,ʤ\n𝄞,é,€\n'],
    ['only quotes', 'a,b\n"""","""""",\n'.replace(',\n', '\n')],
    ['quotes at the edges of quotes', 'a,b\n"""x","x"""\n'],
    ['a line end in quotes at the end', 'a,b\n1,"\n"'],
    ['lone line ends of other kinds in quotes', 'a,b\n"\r","\n\r"\n"\r\n\r\n",x\n'],
    ['all fields empty', 'a,b,c\n,,\n,,\n'],
    ['one empty quoted field', 'a\n""\n""\n'],
    ['blanks', 'a,b\n  x , y\t\n'],
    ['a field in quotes at the very end', 'a,b\n1,"2"'],
    ['a mark in front of a quoted header', '\ufeff"a","b"\n1,2\n'],
    ['a mark behind the start', 'a,b\n\ufeff1,\ufeff\n'],
    ['quotes in the header', '"a ""b""","c,d"\n1,2\n'],
    ['a quote behind a blank', 'a,b\n "x", "y\n'],
    ['one column, no end', 'a\nx'],
    ['backslashes', 'a,b\n\\,"\\"\n'],
    ['NUL and other controls', 'a,b\n\u0000,\u0001\u001f\n'],
  ])('%s', async (_, text) => {
    const bytes = new TextEncoder().encode(text);
    const expected = parse(text, {
      columns: true,
      bom: true,
      relax_quotes: true,
      skip_empty_lines: true,
    }) as Row[];
    expect(expected.length).toBeGreaterThan(0);
    const options: CsvOptions = { delimiter: ',', types: 'string', empty: 'string' };
    await expectAllWays(bytes, options, expected, allCuts(bytes.length), [1, 2, 3]);
  });
});

describe('generated files', () => {
  const cell = fc.record({
    text: fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
      fc.constantFrom('', '"', ',', '\n', '\r\n', 'a"b', ' x ', '#', '12', '\\', "'", ';x', '\t'),
      fc.string({ minLength: 15, maxLength: 40 }),
    ),
    isQuoted: fc.boolean(),
    blanks: fc.constantFrom('', '', ' ', '\t '),
  });
  const dialects = fc
    .record({
      delimiter: fc.constantFrom(',', ';', '\t', '|', ':', '^', ' '),
      quote: fc.constantFrom('"', '"', "'", '`'),
      escape: fc.constantFrom('same', 'same', '\\', '~'),
      comment: fc.option(fc.constantFrom('#', '%'), { nil: undefined }),
      end: fc.constantFrom('\n', '\r\n', '\r'),
      trim: fc.boolean(),
      hasMark: fc.boolean(),
      endsOpen: fc.boolean(),
      skipLines: fc.constantFrom(0, 0, 2),
      ragged: fc.constantFrom(
        'error' as const,
        'fit' as const,
        'pad' as const,
        'truncate' as const,
      ),
    })
    // Where a blank separates fields, what would be trimmed has two meanings.
    .map((dialect) => ({ ...dialect, trim: dialect.trim && !' \t'.includes(dialect.delimiter) }));
  type Dialect = typeof dialects extends fc.Arbitrary<infer T> ? T : never;
  type Cell = typeof cell extends fc.Arbitrary<infer T> ? T : never;

  function writeCell({ text, isQuoted, blanks }: Cell, dialect: Dialect, isFirst: boolean): string {
    const { delimiter, quote, comment, trim } = dialect;
    const around = trim ? blanks : '';
    const isPlain =
      !isQuoted &&
      !text.includes(delimiter) &&
      !/[\r\n]/.test(text) &&
      !text.startsWith(quote) &&
      !(isFirst && (text === '' || text.startsWith(comment ?? '\n'))) &&
      !(trim && /^\s|\s$/.test(text));
    // Blanks in front of a row's first field would hide what begins a comment.
    if (isPlain) return isFirst ? text + around : around + text + around;
    const by = dialect.escape === 'same' ? quote : dialect.escape;
    const inner = [...text].map((each) => (each === quote || each === by ? by + each : each));
    return `${isFirst ? '' : around}${quote}${inner.join('')}${quote}${around}`;
  }

  /** Rows of 3 fields, or, where that is allowed, some of fewer or more. */
  const rows = fc.array(
    fc.record({
      cells: fc.array(cell, { minLength: 5, maxLength: 5 }),
      width: fc.constantFrom(3, 3, 3, 1, 2, 5),
      before: fc.constantFrom('', '', '', 'empty', 'comment'),
    }),
    { minLength: 1, maxLength: 8 },
  );

  type Body = typeof rows extends fc.Arbitrary<infer T> ? T : never;

  function writeFile(dialect: Dialect, body: Body): string {
    const { delimiter, comment, end, ragged, skipLines } = dialect;
    const lines = [['a', 'b', 'c'].join(delimiter)];
    for (const { cells, width, before } of body) {
      if (before === 'empty') lines.push('');
      if (before === 'comment' && comment) lines.push(`${comment} "not${delimiter}a row`);
      const least = ragged === 'pad' || ragged === 'fit' ? 1 : 3;
      const most = ragged === 'truncate' || ragged === 'fit' ? 5 : 3;
      const fields = cells.slice(0, Math.min(Math.max(width, least), most));
      lines.push(fields.map((each, i) => writeCell(each, dialect, i === 0)).join(delimiter));
    }
    const preamble = Array.from({ length: skipLines }, (_, i) => `preamble${i}"${end}`).join('');
    const text = preamble + lines.join(end) + (dialect.endsOpen ? '' : end);
    return dialect.hasMark ? `\ufeff${text}` : text;
  }

  it('of any dialect', async () => {
    await fc.assert(
      fc.asyncProperty(dialects, rows, async (dialect, body) => {
        const { delimiter, quote, comment, end, trim, skipLines, ragged } = dialect;
        const by = dialect.escape === 'same' ? quote : dialect.escape;
        const text = writeFile(dialect, body);
        const theirs = {
          columns: ['a', 'b', 'c'],
          from_line: skipLines + 2,
          ...{ delimiter, quote, escape: by, trim, bom: true },
          ...(comment ? { comment, comment_no_infix: true } : {}),
          record_delimiter: [end],
          relax_quotes: true,
          relax_column_count: ragged !== 'error',
          skip_empty_lines: true,
        };
        const expected = (parse(text, theirs) as Row[]).map(({ a, b = '', c = '' }) => ({
          a,
          b,
          c,
        }));
        expect(expected).toHaveLength(body.length);
        const options: CsvOptions = {
          ...{ delimiter, quote, escape: by, trim, skipLines },
          ...(comment ? { comment } : {}),
          ragged,
          types: 'string',
          empty: 'string',
        };
        const bytes = new TextEncoder().encode(text);
        const cuts = bytes.length < 200 ? allCuts(bytes.length) : [];
        await expectAllWays(bytes, options, expected, cuts, [1, 17]);
      }),
      { numRuns: runs(150) },
    );
  });
});
