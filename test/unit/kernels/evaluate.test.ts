import { describe, expect, it } from 'vitest';
import * as p from '../../../src/core/predicate.ts';
import { compareText, evaluate } from '../../../src/kernels/index.ts';
import { kernels } from '../../support/kernels.ts';

const line = JSON.stringify({
  n: 1,
  zero: -0,
  text: 'Zürich 😀',
  empty: '',
  flag: true,
  none: null,
  digits: '1',
  list: [1, 'two', null, [3], { a: 4, b: [{ c: 5 }] }, { a: 'x' }],
  nested: { a: { b: 'deep' }, 'x.y': 1 },
  odd: { 0: 'zero' },
});
const big = `${line.slice(0, -1)},"big":9007199254740993,"huge":1e400,"twice":1,"twice":2,"__proto__":{"a":1}}`;

const cases: readonly (readonly [string, p.Predicate, boolean])[] = [
  ['a number', p.eq('n', 1), true],
  ['a number of another form', p.eq('n', 1), true],
  ['text that looks like a number', p.eq('digits', 1), false],
  ['a number and text', p.eq('n', '1'), false],
  ['true and 1', p.eq('flag', 1), false],
  ['true', p.eq('flag', true), true],
  ['null', p.eq('none', null), true],
  ['null and missing', p.eq('missing', null), false],
  ['minus zero', p.eq('zero', 0), true],
  ['an array and a scalar', p.eq('list', 1), false],
  ['ne of missing', p.ne('missing', 1), true],
  ['ne of equal', p.ne('n', 1), false],
  ['not of missing', p.not(p.gt('missing', 1)), true],
  ['lt', p.lt('n', 2), true],
  ['lt of equal', p.lt('n', 1), false],
  ['lte of equal', p.lte('n', 1), true],
  ['gt of text and number', p.gt('text', 1), false],
  ['gt of null', p.gte('none', 0), false],
  ['text order', p.gt('text', 'Zz'), true],
  ['text order of a beginning', p.gt('text', 'Z'), true],
  ['between', p.between('n', 1, 1), true],
  ['between outside', p.between('n', 2, 3), false],
  ['in', p.oneOf('n', [3, '1', 1]), true],
  ['in without', p.oneOf('n', ['1', null]), false],
  ['in of none', p.oneOf('n', []), false],
  ['exists', p.exists('none'), true],
  ['exists missing', p.exists('missing'), false],
  ['exists of the prototype', p.exists('toString'), false],
  ['exists of __proto__', p.exists('__proto__.a'), true],
  ['isNull', p.isNull('none'), true],
  ['isNull of missing', p.isNull('missing'), false],
  ['startsWith', p.startsWith('text', 'Zü'), true],
  ['startsWith all', p.startsWith('text', 'Zürich 😀!'), false],
  ['startsWith half a character', p.startsWith('text', 'Zürich \ud83d'), false],
  ['endsWith', p.endsWith('text', '😀'), true],
  ['endsWith half a character', p.endsWith('text', '\ude00'), false],
  ['startsWith nothing', p.startsWith('empty', ''), true],
  ['contains text', p.contains('text', 'rich'), true],
  ['contains half a character', p.contains('text', '\ud83d'), false],
  ['contains in a number', p.contains('n', '1'), false],
  ['contains an element', p.contains('list', 'two'), true],
  ['contains null', p.contains('list', null), true],
  ['contains of inner arrays', p.contains('list', 3), false],
  ['contains other type', p.contains('list', '1'), false],
  ['matches', p.matches('text', /zÜR/iu), true],
  ['matches a number', p.matches('n', /1/), false],
  ['a nested path', p.eq('nested.a.b', 'deep'), true],
  ['a field with a dot', p.eq('nested.x\\.y', 1), true],
  ['a path through a scalar', p.exists('n.a'), false],
  ['elements that are objects', p.eq('list.a', 'x'), true],
  ['elements of elements', p.eq('list.b.c', 5), true],
  ['an element by place', p.eq('list.0', 1), true],
  ['an element of an element', p.eq('list.3.0', 3), true],
  ['an element out of reach', p.exists('list.6'), false],
  ['a field named by digits', p.eq('odd.0', 'zero'), true],
  ['a field of an element by place', p.eq('list.4.a', 4), true],
  ['between is one per comparison', p.and(p.eq('list.a', 4), p.eq('list.a', 'x')), true],
  ['and of none', p.and(), true],
  ['or of none', p.or(), false],
  ['or', p.or(p.eq('n', 2), p.eq('n', 1)), true],
  ['the last duplicate', p.eq('twice', 2), true],
  ['the first duplicate', p.eq('twice', 1), false],
  ['an exact integer', p.eq('big', 9007199254740993n), true],
  ['its neighbour exactly', p.eq('big', 9007199254740992n), false],
  ['its neighbour as a number', p.eq('big', 9007199254740992), true],
  ['an exact order', p.gt('big', 9007199254740992n), true],
  ['an exact order the other way', p.lt('big', 9007199254740994n), true],
  [
    'exact and as a number at once',
    p.and(p.eq('big', 9007199254740992), p.eq('big', 9007199254740993n)),
    true,
  ],
  ['bigint and number', p.eq('n', 1n), true],
  ['bigint among values', p.oneOf('big', ['x', 9007199254740993n]), true],
  ['bigint and text', p.eq('digits', 1n), false],
  ['infinity', p.gt('huge', 1.7976931348623157e308), true],
];

describe.each(kernels)('predicates in the $name kernel', (kernel) => {
  it.each(cases)('%s', (_, where, expected) => {
    const bytes = Buffer.from(`${big}\n${big}\n${big}`);
    expect(kernel.selector({ where }).filter(bytes).count).toBe(expected ? 3 : 0);
    expect(kernel.selector({ where }).documents(bytes).documents.length).toBe(expected ? 3 : 0);
  });
});

describe('evaluate', () => {
  it.each(cases.filter(([name]) => !/exact|bigint/.test(name)))('%s', (_, where, expected) => {
    expect(evaluate(where, JSON.parse(big))).toBe(expected);
  });

  it('starts every match anew and leaves the pattern alone', () => {
    const pattern = /a/g;
    pattern.lastIndex = 5;
    for (let i = 0; i < 3; i++) expect(evaluate(p.matches('x', pattern), { x: 'a' })).toBe(true);
    expect(pattern.lastIndex).toBe(5);
  });
});

describe('compareText', () => {
  it('orders as UTF-8 bytes do', () => {
    const texts = [
      '',
      'a',
      'aa',
      'b',
      'é',
      '\u07ff',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '😀',
      '😁',
      '\u{10ffff}',
    ];
    for (const [i, a] of texts.entries()) {
      for (const [j, b] of texts.entries()) {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(i - j));
        expect(Math.sign(compareText(`x${a}y`, `x${b}y`))).toBe(
          Buffer.compare(Buffer.from(`x${a}y`), Buffer.from(`x${b}y`)),
        );
      }
    }
  });

  it('puts lone surrogates between U+D7FF and U+E000', () => {
    const texts = [
      '\ud7ff',
      '\ud83d',
      '\ud83d\ue000',
      '\ud83e',
      '\ude00',
      '\ue000',
      '\ud83d\ude00',
    ];
    for (const [i, a] of texts.entries()) {
      for (const [j, b] of texts.entries()) {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(i - j));
      }
    }
  });
});
