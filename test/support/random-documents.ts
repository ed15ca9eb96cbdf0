/**
 * Random JSONL for the kernels' tests, written as text rather than from objects, so that it has what
 * `JSON.stringify` never writes: escapes where none are needed, duplicate keys, odd numbers, spaces.
 * Lines repeat a shape with variations, since kernels learn shapes.
 */
import fc from 'fast-check';

const encoder = new TextEncoder();

const oddNumbers = [
  ...['0', '-0', '1', '-1', '1.0', '1e0', '10E-1', '-0.0', '0.1', '1e400', '-1e400', '1e-400'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '9007199254740993'],
  ...['9007199254740992', '9223372036854775807', '9223372036854775808', '-9223372036854775808'],
  ...['18446744073709551616', '123456789012345678901234567890', '3.141592653589793', '5e-324'],
  ...['1.7976931348623157e308', '123456.7890123456789', '1E+22', '1e23', '0.000001', '100e-2'],
];

const pieces = [
  ...['a', 'b', 'Z', '0', ' ', '_id', 'é', 'ß', '€', '😀', '\u2028', '\ufeff', '\x7f', '/'],
  ...['\\n', '\\t', '\\"', '\\\\', '\\/', '\\b', '\\u0041', '\\u00e9', '\\u0000', '\\u001F'],
  ...['\\ud83d\\ude00', '\\ud800', '\\uDC00', '\\uD83D', 'T', ':', ',', '{', '}', '[', ']'],
  'a text that is longer than sixteen bytes',
];

/** Names that meet each other escaped and not, and names that objects have of their own. */
const names = [
  ...['_id', '_id', 'a', 'b', 'c', 'd', '\\u0061', '\\u005fid', '__proto__', 'constructor'],
  ...['', '0', '1', 'é', '\\u00e9', '\\ud83d\\ude00', '😀', '\\ud800', 'a.b', 'toString'],
];

const spaces = fc.constantFrom('', '', '', '', ' ', '\t', '  ', ' \r ');

const text: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...pieces), { maxLength: 6 })
  .map((parts) => `"${parts.join('')}"`);

const name: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...names).map((each) => `"${each}"`) },
  { weight: 1, arbitrary: text },
);

const number: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...oddNumbers),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);

const timestamp: fc.Arbitrary<string> = fc.constantFrom(
  ...['"2024-02-29"', '"2024-02-30"', '"1969-12-31T23:59:59.999999Z"', '"2024-01-01 10:11"'],
  ...['"2024-01-01T10:11:12.123456789+05:30"', '"2024-01-01T24:00:00Z"', '"0001-01-01T00:00-0100"'],
);

const scalar: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 4, arbitrary: number },
  { weight: 1, arbitrary: timestamp },
  { weight: 2, arbitrary: fc.constantFrom('true', 'false', 'null') },
);

const { value, object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 5, arbitrary: scalar },
    { weight: 2, arbitrary: tie('object') },
    { weight: 2, arbitrary: tie('array') },
  ),
  object: fc
    .array(fc.tuple(name, tie('value'), spaces, spaces), { maxLength: 5 })
    .map((members) => `{${members.map(([k, v, s, t]) => `${s}${k}${t}:${s}${v}${t}`).join(',')}}`),
  array: fc
    .array(fc.tuple(tie('value'), spaces), { maxLength: 4 })
    .map((elements) => `[${elements.map(([v, s]) => `${s}${v}`).join(',')}]`),
}));

/** Any JSON value, as text. */
export const jsonValue: fc.Arbitrary<string> = value;

/** Any JSON object, as text. */
export const jsonObject: fc.Arbitrary<string> = object;

/** A document with an id, mostly. */
const document: fc.Arbitrary<string> = fc.oneof(
  object,
  fc
    .tuple(fc.constantFrom('"_id"', '"_id"', '"\\u005f\\u0069d"'), text, object)
    .map(([key, id, rest]) =>
      rest.startsWith('{}') ? `{${key}:${id}}` : `{${key}:${id},${rest.slice(1)}`,
    )
    .filter(isObjectText),
);

/** Documents of one shape: optional fields, values that turn null or change type, one spacing. */
const family: fc.Arbitrary<string[]> = fc
  .record({
    fields: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('"_id"', '"a"', '"b"', '"c"', '"d"', '"n"', '"é"', '"__proto__"'),
        values: fc.oneof(
          fc.array(fc.integer().map(String), { minLength: 1, maxLength: 4 }),
          fc.array(number, { minLength: 1, maxLength: 4 }),
          fc.array(text, { minLength: 1, maxLength: 4 }),
          fc.array(timestamp, { minLength: 1, maxLength: 4 }),
          fc.array(fc.constantFrom('true', 'false'), { minLength: 1, maxLength: 2 }),
          fc.array(object, { minLength: 1, maxLength: 3 }),
          fc.array(value, { minLength: 1, maxLength: 3 }),
        ),
        strange: value,
      }),
      { minLength: 1, maxLength: 6, selector: (field) => field.name },
    ),
    rows: fc.array(fc.array(fc.nat(99), { minLength: 6, maxLength: 6 }), {
      minLength: 1,
      maxLength: 24,
    }),
    separator: fc.constantFrom(',', ', '),
    colon: fc.constantFrom(':', ': '),
  })
  .map(({ fields, rows, separator, colon }) =>
    rows.map((choices) => {
      const members: string[] = [];
      for (const [i, field] of fields.entries()) {
        const choice = choices[i]!;
        if (choice < 6) continue;
        const plain = field.values[choice % field.values.length]!;
        const shown = choice < 10 ? 'null' : choice < 14 ? field.strange : plain;
        members.push(`${field.name}${colon}${shown}`);
        if (choice === 99) members.push(`${field.name}${colon}${field.strange}`);
      }
      return `{${members.join(separator)}}`;
    }),
  );

/** Lines, without their ends, that are all documents. */
export const documentLines: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 2, arbitrary: family },
  { weight: 1, arbitrary: fc.array(document, { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.tuple(family, family).map(([a, b]) => interleave(a, b)) },
);

/** Dense JSONL bytes of documents. */
export const denseChunk: fc.Arbitrary<Uint8Array> = documentLines.map((lines) =>
  encoder.encode(lines.map((line) => `${line}\n`).join('')),
);

const badLine: fc.Arbitrary<Uint8Array> = fc.oneof(
  jsonValue.map((each) => encoder.encode(each)),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => bytes.filter((byte) => byte !== 0x0a)),
  mutated(document),
  fc.tuple(document, fc.nat()).map(([line, cut]) => {
    const bytes = encoder.encode(line);
    return bytes.slice(0, cut % (bytes.length + 1));
  }),
);

/** A chunk as the world sends them: CRLF, blank and bad lines, spaces around, no end at the end. */
export const chunk: fc.Arbitrary<Uint8Array> = fc
  .record({
    lines: documentLines,
    between: fc.array(
      fc.tuple(fc.nat(30), fc.oneof(badLine, fc.constantFrom(...['', ' ', '\t\r'].map(encode)))),
      { maxLength: 4 },
    ),
    around: fc.tuple(spaces, spaces),
    end: fc.constantFrom('\n', '\n', '\n', '\r\n'),
    ended: fc.boolean(),
  })
  .map(({ lines, between, around, end, ended }) => {
    const all = lines.map((line) => encode(`${around[0]}${line}${around[1]}`));
    for (const [at, line] of between) all.splice(at % (all.length + 1), 0, line);
    const parts = all.flatMap((line, i) =>
      i === all.length - 1 && !ended ? [line] : [line, encode(end)],
    );
    return concat(parts);
  });

/** The bytes of a text with one byte replaced, inserted or removed. */
export function mutated(source: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const byte = fc.oneof(
    fc.constantFrom(...Array.from('{}[]",:\\u0123eE+-. \tnN/', (char) => char.charCodeAt(0))),
    fc.integer({ min: 0, max: 255 }),
  );
  return fc
    .tuple(source, fc.nat(), byte, fc.constantFrom('replace', 'insert', 'remove'))
    .map(([line, at, by, how]) => {
      const bytes = encoder.encode(line);
      const place = at % (bytes.length + 1);
      const after = how === 'insert' ? place : place + 1;
      const middle = how === 'remove' ? [] : [by === 0x0a ? 0x20 : by];
      return Uint8Array.of(...bytes.subarray(0, place), ...middle, ...bytes.subarray(after));
    });
}

/** One array of bytes from several. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function encode(line: string): Uint8Array {
  return encoder.encode(line);
}

function isObjectText(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function interleave(a: readonly string[], b: readonly string[]): string[] {
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, i) => [a[i], b[i]])
    .flat()
    .filter((line) => line !== undefined);
}
