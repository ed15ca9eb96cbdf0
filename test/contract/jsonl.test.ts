import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { Document } from '../../src/core/batch.ts';
import { jsonlSink } from '../../src/sinks/jsonl-sink.ts';
import { fromIterable } from '../../src/sources/from-iterable.ts';
import { jsonSource } from '../../src/sources/json-source.ts';
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

testSourceContract('jsonSource', () => {
  const path = join(temporaryFolder(), 'a.json');
  writeFileSync(path, JSON.stringify(documents));
  return { documents, open: (options) => jsonSource(path, { ...options, batchBytes: 1000 }) };
});

testSourceContract('fromIterable(array)', () => ({
  documents,
  open: (options) => fromIterable(documents, options),
}));

testSourceContract('fromIterable(Readable)', () => ({
  documents,
  open: (options) => fromIterable(Readable.from(documents), options),
}));
