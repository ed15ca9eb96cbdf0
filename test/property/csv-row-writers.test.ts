import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EncodedLines } from '../../src/core/batch.ts';
import { type CsvEncodeOptions, CsvEncoder } from '../../src/formats/csv-encode.ts';
import { createCsvRowWriter } from '../../src/kernels/csv.ts';
import { sharedKernel } from '../../src/kernels/index.ts';

const NAMES = ['a', 'b,c', 'd"e', 'f\\', 'a name of more than sixteen bytes', 'é', '', 'g'];
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('"', ',', '\\', '\n', '\r', ' ', 'x', '\ud800', ';'),
    maxLength: 40,
  }),
  fc.constantFrom('', 'NA', '\ufeffx', '\u00a0', 'x'.repeat(15), 'x'.repeat(16), 'x'.repeat(17)),
);
const value = fc.oneof(
  text,
  fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
  fc.constantFrom(null, [], {}, [1, { 'x"]': '}"\\' }], 12345678901234567890n.toString()),
);
/** A document as JSON text: members in any order, any of them twice, with spaces and escapes or not. */
const line = fc
  .tuple(
    fc.oneof(
      fc.constant(NAMES.slice(0, 5)),
      fc.array(fc.constantFrom(...NAMES, 'no column'), { maxLength: 9 }),
    ),
    fc.array(value, { minLength: 9, maxLength: 9 }),
    fc.constantFrom('', '', ' ', '\t '),
    fc.boolean(),
  )
  .map(([names, values, space, escapes]) => {
    const members = names.map((name, i) => {
      const key = escapes && name === 'a' ? '"\\u0061"' : JSON.stringify(name);
      return [space, key, space, ':', space, JSON.stringify(values[i]), space].join('');
    });
    return `{${members.join()}}`;
  });
const options: fc.Arbitrary<CsvEncodeOptions> = fc.record(
  {
    columns: fc.constantFrom(NAMES, NAMES.slice(0, 5), ['a'], ['g', 'a']),
    delimiter: fc.constantFrom(',', ';', '\t', ' ', '\\'),
    header: fc.boolean(),
    null: fc.constantFrom('', 'NA', 'xxxxxxxxxxxxxxxxx'),
    quote: fc.constantFrom('needed' as const, 'strings' as const),
    lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
    extra: fc.constantFrom('error' as const, 'drop' as const),
  },
  { requiredKeys: [] },
);

function write(
  lines: EncodedLines,
  given: CsvEncodeOptions,
  implementation: 'wasm' | 'typescript',
) {
  const encoder = new CsvEncoder(given, implementation);
  const refused: [number, string][] = [];
  const rows = encoder.encode(lines, (ordinal, reason) => refused.push([ordinal, reason]));
  const decode = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  return { rows: decode(rows), rest: decode(encoder.finish()), refused, dropped: encoder.dropped };
}

describe('writers of CSV rows', () => {
  it('give the same in WebAssembly as in TypeScript', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), options, (texts, given) => {
        const lines = sharedKernel().lines(Buffer.from(texts.join('\n')));
        expect(write(lines, given, 'wasm')).toEqual(write(lines, given, 'typescript'));
      }),
      { numRuns: 300 },
    );
  });

  it('go on where the room for output ends, and take lines out of what lies between them', () => {
    const text = Array.from({ length: 2000 }, (_, i) => `{"c7":${i}}`).join('\n\n\n');
    const lines = sharedKernel().lines(Buffer.from(text));
    const chosen = { ...lines, records: lines.records.slice(4 * 8), count: 1, dense: false };
    const columns = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const how = { columns, null: 'a text for null' };
    for (const each of [lines, chosen]) {
      expect(write(each, how, 'wasm')).toEqual(write(each, how, 'typescript'));
    }
  });

  it('are in WebAssembly unless the columns do not fit its memory', () => {
    const program = { delimiter: 44, null: '', lineEnd: '\n', quotesAll: false, dropsExtra: true };
    const columns = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);
    const nameOf = (count: number) =>
      createCsvRowWriter({ ...program, lineEnd: '\n', columns: columns(count) }).name;
    expect([nameOf(8_192), nameOf(8_193)]).toEqual(['wasm', 'typescript']);
  });
});
