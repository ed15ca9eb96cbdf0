/** The door to the CSV kernel. */
import { createWasmCsvReader } from './csv-machine.ts';
import type { CsvProgram, CsvReader } from './csv-types.ts';
import { createTwinCsvReader } from './twin/csv.ts';
import { wasmSupported } from './wasm-kernel.ts';

export * from './csv-types.ts';
export { fitsCsvType } from './twin/csv.ts';
export { afterLine, type CsvRow, findLineEnd, readCsvRow } from './twin/csv-fields.ts';

/** A reader by this program: the fastest that runs here and holds it, unless told otherwise. */
export function createCsvReader(
  program: CsvProgram,
  implementation: CsvReader['name'] = 'wasm',
): CsvReader {
  const fast = implementation === 'wasm' && wasmSupported();
  return (fast ? createWasmCsvReader(program) : undefined) ?? createTwinCsvReader(program);
}
