import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Document } from '../../src/core/batch.ts';
import { csvSink } from '../../src/sinks/csv-sink.ts';
import { csvSource } from '../../src/sources/csv-source.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSinkContract } from './sink-contract.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const text = `n\n${documents.map(({ n }) => `${n}\n`).join('')}`;

for (const name of ['a.csv', 'a.csv.gz']) {
  testSourceContract(`csvSource(${name})`, () => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
    return { documents, open: (options) => csvSource(path, { ...options, batchBytes: 1000 }) };
  });

  testSinkContract(`csvSink(${name})`, () => {
    const path = join(temporaryFolder(), name);
    return {
      open: (options) => csvSink(path, options),
      async readBack() {
        if (!existsSync(path)) return undefined;
        const found: Document[] = [];
        for await (const document of csvSource(path)) found.push(document);
        return found;
      },
    };
  });
}
