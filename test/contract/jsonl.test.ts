import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Document } from '../../src/core/batch.ts';
import { jsonlSink } from '../../src/sinks/jsonl-sink.ts';
import { jsonlSource } from '../../src/sources/jsonl-source.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSinkContract } from './sink-contract.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const text = documents.map((document) => `${JSON.stringify(document)}\n`).join('');

for (const name of ['a.jsonl', 'a.jsonl.gz']) {
  testSourceContract(`jsonlSource(${name})`, () => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
    return { documents, open: (options) => jsonlSource(path, { ...options, batchBytes: 1000 }) };
  });

  testSinkContract(`jsonlSink(${name})`, () => {
    const path = join(temporaryFolder(), name);
    return {
      open: (options) => jsonlSink(path, options),
      async readBack() {
        if (!existsSync(path)) return undefined;
        const found: Document[] = [];
        for await (const document of jsonlSource(path)) found.push(document);
        return found;
      },
    };
  });
}
