/** The door to the CSV kernels. */
import { createWasmCsvReader } from './csv-machine.ts';
import { createWasmCsvRowWriter } from './csv-row-machine.ts';
import type { CsvProgram, CsvReader, CsvRowProgram, CsvRowWriter } from './csv-types.ts';
import { createTwinCsvReader } from './twin/csv.ts';
import { TwinCsvRowWriter } from './twin/csv-rows.ts';
import { wasmSupported } from './wasm-supported.ts';

export * from './csv-types.ts';
export { fitsCsvType } from './twin/csv.ts';
export { afterLine, type CsvRow, findLineEnd, readCsvRow } from './twin/csv-fields.ts';
export { readFieldNames } from './twin/csv-rows.ts';

/** A reader by this program: the fastest that runs here and holds it, unless told otherwise. */
export function createCsvReader(
  program: CsvProgram,
  implementation: CsvReader['name'] = 'wasm',
): CsvReader {
  const fast = implementation === 'wasm' && wasmSupported();
  return (fast ? createWasmCsvReader(program) : undefined) ?? createTwinCsvReader(program);
}

/** A writer of rows by this program: the fastest that runs here and holds it, unless told otherwise. */
export function createCsvRowWriter(
  program: CsvRowProgram,
  implementation: CsvRowWriter['name'] = 'wasm',
): CsvRowWriter {
  const fast = implementation === 'wasm' && wasmSupported();
  return (fast ? createWasmCsvRowWriter(program) : undefined) ?? new TwinCsvRowWriter(program);
}
