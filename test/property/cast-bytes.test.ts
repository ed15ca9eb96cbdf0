/** Casts on bytes against what `String`, `Number` and `Date` say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BYTE_CASTS } from '../../src/transforms/cast-bytes.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The JSON text that the value becomes; undefined where it is left to the cast on text. */
function castBytes(type: string, value: string): string | undefined {
  const bytes = encoder.encode(`{"v":${value}}`);
  const [start, end] = [5, bytes.length - 1];
  let out = '';
  let done = start;
  const isDone = BYTE_CASTS[type]!(bytes, start, end, {
    replace(from, to, by) {
      expect(from).toBeGreaterThanOrEqual(done);
      out += decoder.decode(bytes.subarray(done, from)) + decoder.decode(by);
      done = to;
    },
  });
  out += decoder.decode(bytes.subarray(done, end));
  if (!isDone) expect(out).toBe(value);
  return isDone ? out : undefined;
}

function model(type: string, value: unknown, written: string): string {
  if (value === null) return 'null';
  const text = typeof value === 'string' ? value : written;
  switch (type) {
    case 'string':
      return typeof value === 'string' ? written : JSON.stringify(written);
    case 'timestamp':
      return JSON.stringify(new Date(text).toISOString());
    case 'boolean':
      return String(value === true || text === '1');
    default:
      // Digits stay as they are written, and what is cast is a number of JSON.
      expect(typeof JSON.parse(text)).toBe('number');
      if (type === 'integer') expect(String(BigInt(text))).toBe(text);
      return text;
  }
}

const digit = fc.constantFrom(...'0123456789');
const looseTime = fc
  .tuple(
    ...[2000, 1, 1].map((n) => fc.integer({ min: n - 1, max: n + 34 })),
    ...[24, 60, 60].map((max) => fc.integer({ min: 0, max })),
    fc.array(digit, { maxLength: 4 }),
    fc.integer({ min: 0, max: 3 }),
  )
  .map(([year, month, day, hour, minute, second, fraction, form]) => {
    const two = (n: unknown) => String(n).padStart(2, '0');
    const time = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`;
    const tail = [
      ``,
      `:${two(second)}`,
      `:${two(second)}.${(fraction as string[]).join('')}`,
      '+01:00',
    ][form as number];
    return `${time}${tail}Z`;
  });
const text = fc.oneof(
  fc.stringMatching(/^[-+.e01 9]{0,8}$/),
  fc.integer().map(String),
  fc.constantFrom(
    '',
    '-',
    '-0',
    '00',
    '1.',
    '.5',
    '1e5',
    'true',
    'é',
    '2024-02-29T00:00Z',
    '1900-02-29T00:00:00Z',
  ),
  looseTime,
);
const written = fc.oneof(
  text.map((each) => JSON.stringify(each)),
  fc.constantFrom(
    'true',
    'false',
    'null',
    '0',
    '1',
    '-0',
    '1.0',
    '1e3',
    '[]',
    '{"a":1}',
    '"\\u0031"',
  ),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => JSON.stringify(each)),
);

describe('casts on bytes', () => {
  it.each(Object.keys(BYTE_CASTS))('make what others make, or leave it: %s', (type) => {
    fc.assert(
      fc.property(written, (value) => {
        const made = castBytes(type, value);
        if (made !== undefined) expect(made).toBe(model(type, JSON.parse(value), value));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['string', '1.50', '"1.50"'],
    ['string', 'true', '"true"'],
    ['number', '"-0.5"', '-0.5'],
    ['number', '"12345678901234567890"', '12345678901234567890'],
    ['integer', '"42"', '42'],
    ['integer', '7', '7'],
    ['boolean', '1', 'true'],
    ['boolean', '"0"', 'false'],
    ['timestamp', '"2024-02-29T23:59Z"', '"2024-02-29T23:59:00.000Z"'],
    ['timestamp', '"2024-02-29T23:59:58Z"', '"2024-02-29T23:59:58.000Z"'],
    ['timestamp', '"2024-02-29T23:59:58.1Z"', '"2024-02-29T23:59:58.100Z"'],
    ['timestamp', '"2024-02-29T23:59:58.12Z"', '"2024-02-29T23:59:58.120Z"'],
    ['timestamp', '"2024-02-29T23:59:58.123Z"', '"2024-02-29T23:59:58.123Z"'],
  ])('take the common forms: %s of %s', (type, value, made) => {
    expect(castBytes(type, value)).toBe(made);
  });
});
