import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Int32, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { arrowSource } from '../../src/sources/arrow-source.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const table = new Table({
  n: vectorFromArray(
    documents.map(({ n }) => n),
    new Int32(),
  ),
});

for (const format of ['file', 'stream'] as const) {
  testSourceContract(`arrowSource(${format})`, () => {
    const path = join(temporaryFolder(), 'a.arrow');
    writeFileSync(path, tableToIPC(table, format));
    return { documents, open: (options) => arrowSource(path, { ...options, batchBytes: 1000 }) };
  });
}
