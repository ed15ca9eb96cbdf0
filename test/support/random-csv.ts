/** Random CSV: well-formed, nearly well-formed, and how it is to be read. */
import fc from 'fast-check';
import type { CsvProgram } from '../../src/kernels/csv.ts';

const encoder = new TextEncoder();

/** Pieces of which fields consist; quotes, delimiters and line ends among them. */
const piece = fc.constantFrom(
  ...['a', 'é', '😀', ' ', '\t', '0', '12', '-', '.5', '1.5', '007', 'true', 'FALSE', 'null', 'NA'],
  ...['"', '""', '\\', '\\"', ',', ';', '\n', '\r', '\r\n', '\u0001', "'", '#'],
  ...['a text that is longer than a vector', '9007199254740993', '1e5', '-0', '+1', ''],
);
const loose = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));
const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true }).map(String),
  fc.constantFrom('-', '1.', '.1', '1e', '1e+', '00', '-01', '123456789012345678901234', '0.0'),
);
const quoted = loose.map((text) => `"${text.replaceAll('"', '""')}"`);
const field = fc.oneof(
  { weight: 3, arbitrary: number },
  { weight: 2, arbitrary: quoted },
  { weight: 2, arbitrary: loose },
  fc.constantFrom('', 'true', 'false', 'NA', 'x'),
);
const row = fc.array(field, { minLength: 1, maxLength: 5 }).map((fields) => fields.join(','));

/** Any bytes that look like CSV. */
export const csvBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.array(fc.tuple(row, fc.constantFrom('\n', '\r\n', '\r', '\n\n')), { maxLength: 8 }),
    fc.oneof(row, fc.constant('')),
    fc.option(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { freq: 3, nil: undefined }),
  )
  .map(([rows, last, flip]) => {
    const bytes = encoder.encode(rows.map(([text, end]) => text + end).join('') + last);
    if (flip && bytes.length > 0) bytes[flip[0] % bytes.length] = flip[1];
    return bytes;
  });

const type = fc.constantFrom('string', 'integer', 'number', 'boolean') as fc.Arbitrary<
  CsvProgram['columns'][number]['type']
>;

/** Any program that fits such bytes more or less. */
export const csvProgram: fc.Arbitrary<CsvProgram> = fc
  .record({
    dialect: fc.record({
      delimiter: fc.constantFrom(0x2c, 0x2c, 0x3b, 0x09),
      quote: fc.constantFrom(0x22, 0x22, 0x27, undefined),
      escape: fc.constantFrom(undefined, undefined, 0x5c),
      comment: fc.constantFrom(undefined, undefined, 0x23),
      trim: fc.boolean(),
    }),
    types: fc.array(type, { minLength: 1, maxLength: 6 }),
    empty: fc.constantFrom('null' as const, 'omit' as const, 'string' as const),
    nulls: fc.constantFrom([], ['NA', 'null']),
    misfit: fc.constantFrom('string' as const, 'null' as const, 'error' as const),
    ragged: fc.constantFrom(
      'error' as const,
      'pad' as const,
      'truncate' as const,
      'fit' as const,
      'fit' as const,
    ),
    maxRowBytes: fc.constantFrom(1 << 20, 1 << 20, 12),
    key: fc.constantFrom(
      'a',
      'long "key" of a column, longer than 32 bytes',
      '',
      'none',
      undefined,
    ),
  })
  .map(({ types, ...rest }) => ({
    ...rest,
    columns: types.map((each, i) => ({
      name: ['a', 'long "key" of a column, longer than 32 bytes', '', '__proto__', 'c.d', 'é'][i]!,
      type: each,
    })),
  }));
