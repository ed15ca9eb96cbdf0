import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { fromIterable, fromNode, fromWeb } from '../../src/sources/from-iterable.ts';
import { createGenerateSource, generateSource } from '../../src/sources/generate-source.ts';
import { httpSource } from '../../src/sources/http-source.ts';
import { jsonSource } from '../../src/sources/json-source.ts';
import { tailSource } from '../../src/sources/tail-source.ts';
import { zdsSource } from '../../src/sources/zds-source.ts';
import { FastStore, Layout } from '../../src/store/index.ts';
import { sourceContract } from '../../src/testing/index.ts';
import { sendFile, serve } from '../support/http-server.ts';
import { numbers, temporaryFolder } from '../support/stages.ts';
import { testSourceContract } from './source-contract.ts';

const documents = numbers(3000);
const lines = documents.map((document) => `${JSON.stringify(document)}\n`).join('');

testSourceContract('jsonSource', () => {
  const path = join(temporaryFolder(), 'a.json');
  writeFileSync(path, JSON.stringify({ a: { items: documents } }));
  const settings = { path: 'a.items', batchBytes: 1000 };
  return { documents, open: (options) => jsonSource(path, { ...options, ...settings }) };
});

for (const [name, body, etag] of [
  ['plain', Buffer.from(lines), '"v1"'],
  ['gzip', gzipSync(lines), undefined],
] as const) {
  testSourceContract(`httpSource(${name})`, async () => {
    const { base } = await serve((request, response) =>
      sendFile(request, response, body, etag ? { etag } : {}),
    );
    return { documents, open: (options) => httpSource(base, { ...options, batchBytes: 9000 }) };
  });
}

testSourceContract('httpSource with pages', async () => {
  const { base } = await serve((request, response) => {
    const page = Number(new URL(request.url!, 'http://host').searchParams.get('page'));
    response.end(JSON.stringify(documents.slice((page - 1) * 500, page * 500)));
  });
  const pages = { type: 'page' } as const;
  return { documents, open: (options) => httpSource(`${base}/a.json`, { ...options, pages }) };
});

testSourceContract('tailSource', () => {
  const path = join(temporaryFolder(), 'a.log');
  writeFileSync(path, lines);
  const settings = { idleMs: 1, pollMs: 1 };
  return { documents, open: (options) => tailSource(path, { ...options, ...settings }) };
});

for (const kind of ['in lines', 'a file per document']) {
  testSourceContract(`zdsSource (${kind})`, async () => {
    const root = temporaryFolder();
    const stored = documents.slice(0, 100).map((document, i) => ({ _id: `d${i}`, ...document }));
    if (kind === 'in lines') {
      const store = await FastStore.open(root, 'c');
      for (const document of stored) store.put(document._id, document);
      await store.close();
    } else {
      const docs = Layout.docsDir(root, 'c');
      mkdirSync(docs, { recursive: true });
      for (const { _id, ...rest } of stored) {
        writeFileSync(join(docs, `${_id}.json`), JSON.stringify(rest, null, 2));
      }
      await Layout.initCollection(root, 'c');
      writeFileSync(Layout.orderFile(root, 'c'), stored.map(({ _id }) => `${_id}\n`).join(''));
    }
    // Small pieces, for many batches.
    const settings = { pieceBytes: 300 };
    return {
      documents: stored,
      open: (options) => zdsSource(root, 'c', { ...options, ...settings }),
    };
  });
}

const make = (n: number) => ({ n });
testSourceContract('generateSource', () => ({
  documents,
  open: (options) => generateSource({ documents: 3000, make, batchDocuments: 70, ...options }),
}));

testSourceContract('fromIterable(array)', () => ({
  documents,
  open: (options) => fromIterable(documents, options),
}));

testSourceContract('fromNode', () => ({
  documents,
  open: (options) => fromNode(Readable.from(documents), options),
}));

testSourceContract('fromWeb', () => ({
  documents,
  open: (options) => fromWeb(ReadableStream.from(documents) as ReadableStream<object>, options),
}));

it.each([
  ['documents that are missing', { documents: documents.slice(0, -1) }],
  ['documents that change', { make: (n: number) => ({ n: n === 2999 ? -1 : n }) }],
  ['cursors that go on too late', { skip: 1 }],
])(
  'the suite finds %s',
  async (_, fault: { documents?: object[]; make?: typeof make; skip?: number }) => {
    const good = createGenerateSource({ documents: 3000, make: fault.make ?? make });
    const source: typeof good = {
      name: 'bad',
      async *batches(signal, wants, from) {
        const cursor = from as { seed: number; ordinal: number } | undefined;
        const late = cursor && { ...cursor, ordinal: cursor.ordinal + (fault.skip ?? 0) };
        yield* good.batches(signal, wants, late);
      },
    };
    const expected = (fault.documents ?? documents) as { n: number }[];
    const failed: string[] = [];
    for (const { name, run } of sourceContract({ documents: expected, open: () => source })) {
      await run().catch(() => failed.push(name));
    }
    expect(failed.length).toBeGreaterThan(0);
  },
);
