import { expect, it, vi } from 'vitest';
import { createCsvReader } from '../../../src/kernels/csv.ts';

it('cuts texts at their places where there is no Buffer', () => {
  const reader = createCsvReader({
    dialect: { delimiter: 44, quote: 34, trim: false },
    columns: [
      { name: 'a', type: 'string' },
      { name: 'b', type: 'string' },
    ],
    empty: 'null',
    nulls: [],
    misfit: 'string',
    ragged: 'error',
    maxRowBytes: 1000,
  });
  const bytes = new TextEncoder().encode('äöü€,one\ntwo,three\n');
  vi.stubGlobal('Buffer', undefined);
  const { documents } = reader.objects(bytes, true);
  vi.unstubAllGlobals();
  expect(documents).toEqual([
    { a: 'äöü€', b: 'one' },
    { a: 'two', b: 'three' },
  ]);
});
