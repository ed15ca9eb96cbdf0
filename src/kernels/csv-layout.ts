/**
 * Where things stand in the memory of the "csv" module, and the entries of its tables: what of
 * wasm/csv-layout.ts the loader uses. A test compares them.
 */
export const CsvLayout = {
  state: 0x10000,
  bad: 0x11000,
  badSize: 28,
  nulls: 0x18000,
  nullsEnd: 0x20000,
  columns: 0x20000,
  columnSize: 32,
  columnsEnd: 0xa0000,
  keys: 0xa0000,
  keysEnd: 0x1a0000,
  records: 0x1a0000,
  sites: 0x2a0000,
  input: 0x310000,
} as const;

/** The first of the four words that each field has in a table. */
export const CsvEntry = {
  null: 0,
  omit: 1,
  true: 2,
  false: 3,
  integer: 4,
  double: 5,
  digits: 6,
  ascii: 7,
  utf8: 8,
  escaped: 9,
} as const;
