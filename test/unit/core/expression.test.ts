import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEtlError } from '../../../src/core/errors.ts';
import { parseExpression } from '../../../src/core/expression.ts';
import { formatExpression } from '../../../src/core/expression-format.ts';
import {
  and,
  between,
  contains,
  endsWith,
  eq,
  exists,
  gt,
  gte,
  isNull,
  lt,
  lte,
  matches,
  ne,
  not,
  oneOf,
  or,
  type Predicate,
  startsWith,
} from '../../../src/core/predicate.ts';
import { runs } from '../../support/long.ts';

describe('parseExpression reads', () => {
  const cases: [string, Predicate][] = [
    ["score > 90 and metadata.source = 'web'", and(gt('score', 90), eq('metadata.source', 'web'))],
    ['a = 1', eq('a', 1)],
    ['a==1', eq('a', 1)],
    ['a != 1', ne('a', 1)],
    ['a <> 1', ne('a', 1)],
    ['a < -1.5e3', lt('a', -1500)],
    ['a<=0', lte('a', 0)],
    ['a >= "m"', gte('a', 'm')],
    ['a = null', eq('a', null)],
    ['a = TRUE', eq('a', true)],
    ["a in (1, 'x', false, null)", oneOf('a', [1, 'x', false, null])],
    ['a in ()', oneOf('a', [])],
    ['a not in (1)', not(oneOf('a', [1]))],
    ['a between 1 and 2 and b = 3', and(between('a', 1, 2), eq('b', 3))],
    ['a not between 1 and 2', not(between('a', 1, 2))],
    ['a is null', isNull('a')],
    ['a IS NOT NULL', not(isNull('a'))],
    ['exists(a.b)', exists('a.b')],
    ['a.b exists', exists('a.b')],
    ['a not exists', not(exists('a'))],
    ["a starts with 'x'", startsWith('a', 'x')],
    ["startsWith(a, 'x')", startsWith('a', 'x')],
    ["a ends with 'x'", endsWith('a', 'x')],
    ["endswith(a,'x')", endsWith('a', 'x')],
    ['a contains 5', contains('a', 5)],
    ["contains(a, 'x')", contains('a', 'x')],
    ['a matches /^x[/]\\/y/i', matches('a', /^x[/]\/y/i)],
    ['matches(a, /x/)', matches('a', /x/)],
    ['a = 1 or b = 2 and c = 3', or(eq('a', 1), and(eq('b', 2), eq('c', 3)))],
    ['(a = 1 or b = 2) and c = 3', and(or(eq('a', 1), eq('b', 2)), eq('c', 3))],
    ['not a = 1 and b = 2', and(not(eq('a', 1)), eq('b', 2))],
    ['not (a = 1 and b = 2)', not(and(eq('a', 1), eq('b', 2)))],
    ['not not a exists', not(not(exists('a')))],
    ['true', and()],
    ['false or true', or(or(), and())],
    ['tags.0.name = 1', eq(['tags', '0', 'name'], 1)],
    ['a.null.in = 1', eq(['a', 'null', 'in'], 1)],
    ['`Release Date`.`a.b` = 1', eq(['Release Date', 'a.b'], 1)],
    ['`not` = 1', eq(['not'], 1)],
    ['`` = 1', eq([''], 1)],
    ['content-type = 1', eq(['content-type'], 1)],
    ['contains = 1', eq(['contains'], 1)],
    ['straße.名 = 1', eq(['straße', '名'], 1)],
    ["a = 'it''s'", eq('a', "it's")],
    ['a = "it\'s \\"x\\" \\u00e9\\n"', eq('a', 'it\'s "x" é\n')],
    ['a = 9007199254740993', eq('a', 9007199254740993n)],
    ['a = 9007199254740991', eq('a', 9007199254740991)],
  ];
  for (const [text, predicate] of cases) {
    it(text, () => expect(parseExpression(text)).toEqual(predicate));
  }
});

describe('parseExpression refuses', () => {
  const cases: [text: string, column: number, problem: RegExp][] = [
    ['', 1, /empty/],
    ['   ', 4, /empty/],
    ['score >', 8, /expected a value/],
    ['score > web', 9, /expected a value/],
    ['score 90', 7, /expected a test/],
    ['a = 1 b = 2', 7, /"and", "or" or the end/],
    ['(a = 1', 7, /expected "\)"/],
    ['a = 1)', 6, /"and", "or" or the end/],
    ['a & b', 3, /means nothing/],
    ['a = 1 && b = 2', 7, /write "and"/],
    ['!a', 1, /write "not"/],
    ["a = 'open", 5, /never closed/],
    ["a = 'C:\\dir'", 8, /unknown escape/],
    ['a = 01', 5, /not a number/],
    ['a = 1.', 5, /not a number/],
    ['a = 12px', 5, /not a number/],
    ['a = 1e999', 5, /out of range/],
    ['a < true', 5, /have an order/],
    ['a < null', 5, /have an order/],
    ['a between 1 or 2', 13, /upper end/],
    ['a in 1', 6, /expected "\("/],
    ['a in (1,)', 9, /expected a value/],
    ['a is 1', 6, /null/],
    ['a starts 1', 10, /"with"/],
    ['a starts with 1', 15, /expected 'text'/],
    ["a matches 'x'", 11, /regular expression/],
    ['a matches /(/', 11, /Invalid regular expression/],
    ['a matches /x', 11, /never closed/],
    ['like(a, 1)', 1, /expected exists/],
    ['constructor(a, 1)', 1, /expected exists/],
    ['"a" = 1', 1, /backticks/],
    ['and = 1', 1, /backticks/],
    ['a. = 1', 4, /field name/],
    ["a = 'x'\n  and b ~ 1", 17, /means nothing/],
  ];
  for (const [text, column, problem] of cases) {
    it(JSON.stringify(text), () => {
      const error = refusal(text);
      expect(error.message).toMatch(problem);
      expect(error.place.column).toBe(column);
    });
  }

  it('points at the place with a caret', () => {
    expect(refusal("a = 'x'\n\tand b ~ 1").message.split('\n').slice(1)).toEqual([
      '  \tand b ~ 1',
      '  \t      ^',
    ]);
    const long = `${'a = 1 and '.repeat(200)}b ~ 1`;
    const [, line, caret] = refusal(long).message.split('\n');
    expect(line![caret!.indexOf('^')]).toBe('~');
    expect(line!.length).toBeLessThan(90);
  });

  it('endless nesting, without overflowing the stack', () => {
    expect(refusal(`${'('.repeat(100_000)}a = 1`).message).toMatch(/too deep/);
    expect(refusal(`${'not '.repeat(100_000)}a = 1`).message).toMatch(/too deep/);
  });

  it('anything else, always with a column', () => {
    const word = fc.constantFrom(
      ...[
        'a',
        '.',
        '=',
        '<',
        '(',
        ')',
        'and',
        'or',
        'not',
        'in',
        ',',
        "'x'",
        '/x/',
        '1',
        '`b`',
        'is',
      ],
      ...['null', 'between', 'exists', 'starts', 'with', '"', '\\', '-', '~', '\n'],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const text = words.join(' ');
        try {
          expect(formatExpression(parseExpression(text))).not.toBe('');
        } catch (error) {
          if (!isEtlError(error, 'INVALID_EXPRESSION')) throw error;
          expect(error.place.column).toBeGreaterThanOrEqual(1);
          expect(error.place.column).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      { numRuns: runs(2000) },
    );
  });
});

describe('formatExpression', () => {
  it('reads well', () => {
    expect(
      formatExpression(and(gt('score', 90), or(ne('a.b', "it's"), isNull('Release Date')))),
    ).toBe("score > 90 and (a.b != 'it''s' or `Release Date` is null)");
  });

  it('keeps doubles and BigInts beyond 2^53 apart', () => {
    for (const value of [2 ** 60, -(2 ** 53), 2n ** 60n, -0, 5e-324]) {
      expect(parseExpression(formatExpression(eq('a', value)))).toEqual(eq('a', value));
    }
  });

  it('is read back by parseExpression to the same predicate', () => {
    fc.assert(
      fc.property(predicates(), (predicate) => {
        expect(parseExpression(formatExpression(predicate))).toEqual(predicate);
      }),
      { numRuns: runs(1000) },
    );
  });
});

function refusal(text: string): Error & { place: { column?: number } } {
  try {
    parseExpression(text);
  } catch (error) {
    if (isEtlError(error, 'INVALID_EXPRESSION')) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

function predicates(): fc.Arbitrary<Predicate> {
  const field = fc.oneof(
    fc.constantFrom('a', 'not', 'null', 'exists', 'a b', '0', '-', '`', '\\', '', 'é', '\ud800'),
    fc.string({ unit: 'binary' }),
  );
  const path = fc.array(field, { minLength: 1, maxLength: 3 });
  const text = fc.string({
    unit: fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom("'", '"', '\\', '\n', '\ud800'),
    ),
  });
  const big = fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value)));
  const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), big);
  const ordered = fc.oneof(text, number);
  const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null));
  const pattern = fc.constantFrom(/x/, /^a[/\]]\/\\$/giu, /[[a]/, /(?:)/, /\n/s, /'"`/);
  return fc.letrec<{ any: Predicate }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.tuple(path, scalar).map(([p, v]) => eq(p, v)),
      fc.tuple(fc.constantFrom(lt, lte, gt, gte), path, ordered).map(([make, p, v]) => make(p, v)),
      fc.tuple(path, fc.array(scalar, { maxLength: 3 })).map(([p, v]) => oneOf(p, v)),
      fc.tuple(fc.constantFrom(startsWith, endsWith), path, text).map(([make, p, v]) => make(p, v)),
      fc.tuple(path, scalar).map(([p, v]) => contains(p, v)),
      fc.tuple(path, pattern).map(([p, v]) => matches(p, v)),
      fc.tuple(fc.constantFrom(exists, isNull), path).map(([make, p]) => make(p)),
      tie('any').map((term) => not(term)),
      fc
        .tuple(fc.constantFrom(and, or), fc.array(tie('any'), { maxLength: 3 }))
        .filter(([, terms]) => terms.length !== 1)
        .map(([make, terms]) => make(...terms)),
    ),
  })).any;
}
