import { setFlagsFromString } from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { createCsvReader } from '../../../src/kernels/csv.ts';

/** The rows of a text without a header, all columns texts. */
function rowsOf(text: string, ...names: string[]): readonly Document[] {
  const reader = createCsvReader({
    dialect: { delimiter: 44, quote: 34, trim: false },
    columns: names.map((name) => ({ name, type: 'string' as const })),
    empty: 'null',
    nulls: [],
    misfit: 'string',
    ragged: 'error',
    maxRowBytes: 1000,
  });
  return reader.objects(new TextEncoder().encode(text), true).documents;
}

describe('objects of CSV', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('have their texts cut at their places where there is no Buffer', () => {
    vi.stubGlobal('Buffer', undefined);
    expect(rowsOf('äöü€,one\ntwo,three\n', 'a', 'b')).toEqual([
      { a: 'äöü€', b: 'one' },
      { a: 'two', b: 'three' },
    ]);
  });

  it('are plain, with fields of their own whatever all objects have', () => {
    const [row = {}] = rowsOf('1,2,3,4\n', 'constructor', '__proto__', 'toString', 'plain');
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(JSON.stringify(row)).toBe(
      '{"constructor":"1","__proto__":"2","toString":"3","plain":"4"}',
    );
    const taken: unknown[] = [];
    Object.defineProperty(Object.prototype, 'taken', {
      set: (value) => taken.push(value),
      configurable: true,
    });
    try {
      expect(Object.entries(rowsOf('1\n', 'taken')[0]!)).toEqual([['taken', '1']]);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'taken');
    }
    expect(taken).toEqual([]);
  });

  it('are of one hidden class for all readers of the same columns', () => {
    setFlagsFromString('--allow-natives-syntax');
    const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)');
    setFlagsFromString('--no-allow-natives-syntax');
    const [first] = rowsOf('1,2\n', 'one', 'two');
    expect(haveSameMap(first, rowsOf('3,4\n', 'one', 'two')[0])).toBe(true);
    expect(haveSameMap(first, rowsOf('3,4\n', 'one', 'three')[0])).toBe(false);
  });
});
