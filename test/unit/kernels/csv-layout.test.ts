import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CsvNumbers, CsvReason } from '../../../src/kernels/csv.ts';
import { CsvEntry, CsvLayout } from '../../../src/kernels/csv-layout.ts';

it('has the same addresses and numbers as the module', () => {
  const text = readFileSync('src/kernels/wasm/csv-layout.ts', 'utf8');
  const constant = (name: string) => {
    const found = new RegExp(`export const ${name}: \\w+ = (\\w+);`).exec(text);
    return Number(found?.[1]);
  };
  const addresses = { state: 'STATE', bad: 'BAD', badSize: 'BAD_SIZE', nulls: 'NULLS' };
  const more = { nullsEnd: 'NULLS_END', columns: 'COLUMNS', columnSize: 'COLUMN_SIZE' };
  const rest = { columnsEnd: 'COLUMNS_END', keys: 'KEYS', keysEnd: 'KEYS_END' };
  const last = { records: 'RECORDS', sites: 'SITES', input: 'INPUT' };
  const names = { ...addresses, ...more, ...rest, ...last };
  for (const [key, address] of Object.entries(CsvLayout)) {
    expect([key, constant(names[key as keyof typeof names])]).toEqual([key, address]);
  }
  const { type, empty, misfit } = CsvNumbers;
  const { string, integer, number, boolean } = type;
  expect([string, integer, number, boolean]).toEqual(
    ['STRING', 'INTEGER', 'NUMBER', 'BOOLEAN'].map(constant),
  );
  expect([empty.null, empty.omit, empty.string]).toEqual(
    ['EMPTY_NULL', 'EMPTY_OMIT', 'EMPTY_STRING'].map(constant),
  );
  expect([misfit.string, misfit.null, misfit.error]).toEqual(
    ['MISFIT_STRING', 'MISFIT_NULL', 'MISFIT_ERROR'].map(constant),
  );
  for (const [name, number] of Object.entries(CsvEntry)) {
    expect([name, constant(`ENTRY_${name.toUpperCase()}`)]).toEqual([name, number]);
  }
  const reasons = [
    'R_CLOSING',
    'R_UNCLOSED',
    'R_SURPLUS',
    'R_MISSING',
    'R_MISFIT',
    'R_UTF8',
    'R_LONG',
  ];
  expect(Object.values(CsvReason)).toEqual([0, ...reasons.map(constant)]);
});
