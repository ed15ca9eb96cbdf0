import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { csvSource } from '../../src/sources/csv-source.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const text = `n\n${documents.map(({ n }) => `${n}\n`).join('')}`;

for (const name of ['a.csv', 'a.csv.gz']) {
  testSourceContract(`csvSource(${name})`, () => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
    return { documents, open: (options) => csvSource(path, { ...options, batchBytes: 1000 }) };
  });
}
