/** Numbers of every length and exponent come out of the kernels as from JSON.parse. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';

const digits = (minLength: number, maxLength: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength, maxLength, size: 'max' })
    .map((list) => list.join(''));
const whole = digits(1, 25).map((text) => text.replace(/^0+(?=\d)/, ''));
const written = fc
  .tuple(
    fc.constantFrom('', '-'),
    whole,
    fc.option(digits(1, 30), { nil: undefined }),
    fc.option(
      fc.tuple(
        fc.constantFrom('e', 'E'),
        fc.constantFrom('', '+', '-'),
        fc.integer({ min: 0, max: 400 }),
      ),
      {
        nil: undefined,
      },
    ),
  )
  .map(
    ([sign, int, fraction, exponent]) =>
      `${sign}${int}${fraction === undefined ? '' : `.${fraction}`}${exponent?.join('') ?? ''}`,
  );
const doubles = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => JSON.stringify(value));
/** Halves between neighbouring doubles, where one more digit decides. */
const halves = fc
  .tuple(
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 54n }),
    fc.constantFrom('', '.0', '.000000000000000000001', '.5'),
  )
  .map(([value, tail]) => `${value}${tail}`);

const encoder = new TextEncoder();

describe.each(kernels)('numbers of the $name kernel', (kernel) => {
  const documents = kernel.selector({});
  const read = (texts: readonly string[]) => {
    const bytes = encoder.encode(texts.map((text) => `{"n":${text}}`).join('\n'));
    const columns = kernel.columns([{ name: 'n', type: { kind: 'float64' } }]);
    columns.fill(bytes);
    return {
      objects: documents.documents(bytes).documents.map(({ n }) => n),
      column: Array.from(columns.take()[0]!.values as Float64Array),
    };
  };

  it('are those of JSON.parse', () => {
    const number = fc.oneof(written, doubles, halves);
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 30 }), (texts) => {
        const expected = texts.map((text) => JSON.parse(text) as number);
        const { objects, column } = read(texts);
        expect(objects).toEqual(expected);
        expect(column).toEqual(expected);
      }),
      { numRuns: runs(1500) },
    );
  });

  it('are right at the edges', () => {
    const texts = [
      '5e-324',
      '2.4703282292062327e-324',
      '2.4703282292062328e-324',
      '2.2250738585072011e-308',
      '2.2250738585072014e-308',
      '1.7976931348623157e308',
      '1.7976931348623159e308',
      '1e400',
      '-1e400',
      '1e-400',
      '0e999',
      '-0',
      '-0.0',
      '9007199254740993',
      '9007199254740993.0',
      '1e23',
      '8.5e22',
      '6631236846766476e-316',
      '3.7455744005952583e15',
      '0.000000000000000000000000000000000000123e40',
      '123456789012345678901234567890',
      '0.1000000000000000055511151231257827021181583404541015625',
    ];
    const expected = texts.map((text) => JSON.parse(text) as number);
    const { objects, column } = read(texts);
    expect(objects).toEqual(expected);
    expect(column).toEqual(expected);
  });
});
