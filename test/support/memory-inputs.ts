/** What the tests of memory read from, in every form, and what is found where they have written. */

import { once } from 'node:events';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { parquetMetadata } from 'hyparquet';
import type { Sink } from '../../src/core/stage.ts';
import * as zds from '../../src/index.ts';
import { makeDocument, makeText } from './memory-document.mjs';

/** Documents by the size's name. */
export type Counts = Readonly<Record<'few' | 'many', number>>;

type MakeSink = (path: string) => zds.SinkStream<unknown> | Sink<unknown>;

/** Groups of columns as small as the memory that is allowed. */
const GROUPS = { batchBytes: 4 << 20 };

const files: Readonly<Record<string, MakeSink>> = {
  jsonl: (path) => zds.jsonlSink(`${path}.jsonl`),
  'jsonl.gz': (path) => zds.jsonlSink(`${path}.jsonl.gz`),
  csv: (path) => zds.csvSink(`${path}.csv`),
  json: (path) => zds.jsonSink(`${path}.json`),
  arrow: (path) => zds.arrowSink(`${path}.arrow`, GROUPS),
  parquet: (path) => zds.parquetSink(`${path}.parquet`, GROUPS),
  zds: (path) => zds.zdsSink(path, 'c'),
};
/** Which file a source reads, if not the one of its name. */
const reads: Readonly<Record<string, string>> = { http: 'jsonl', tail: 'jsonl', stdin: 'jsonl' };

/** Makes what these sources read, in a folder; the same documents for all. */
export async function makeInputs(
  folder: string,
  counts: Counts,
  sources: readonly string[],
): Promise<void> {
  const text = makeText();
  writeFileSync(join(folder, 'about.json'), JSON.stringify({ counts, text }));
  const kinds = new Set(sources.map((source) => reads[source] ?? source));
  for (const [size, documents] of Object.entries(counts)) {
    const path = join(folder, size);
    const make = (n: number) => makeDocument(text, n);
    const chosen = Object.entries(files).filter(([kind]) => kinds.has(kind));
    const sink = zds.tee(...chosen.map(([, open]) => open(path)));
    await zds.run({ name: 'inputs', source: zds.generateSource({ documents, make }), sink });
    if (kinds.has('drive')) await makeDrive(`${path}.drive`, documents, make);
  }
}

async function makeDrive(
  path: string,
  documents: number,
  make: (n: number) => { _id: string },
): Promise<void> {
  const drive = await zds.DataStore.open(path);
  for (let from = 0; from < documents; from += 1000) {
    const entries = Array.from({ length: Math.min(1000, documents - from) }, (_, i) => {
      const document = make(from + i);
      return [document._id, Buffer.from(JSON.stringify(document))] as const;
    });
    await drive.batchWrite(entries);
  }
  await drive.close();
}

export interface InputServer {
  /** `http://127.0.0.1:port`. */
  readonly base: string;
  /** Lines posted, by path. */
  readonly taken: Map<string, number>;
  close(): void;
}

/** Sends files of a folder by their last names; takes what is posted anywhere. */
export async function serveInputs(folder: string): Promise<InputServer> {
  const taken = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = request.url!;
    if (request.method !== 'POST') {
      createReadStream(join(folder, basename(url))).pipe(response);
      return;
    }
    request.on('data', (chunk: Buffer) => taken.set(url, (taken.get(url) ?? 0) + linesIn(chunk)));
    request.once('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { base: `http://127.0.0.1:${port}`, taken, close: () => server.close() };
}

/** Documents in what a sink has written, by the sink's kind. */
export const documentsIn: Readonly<Record<string, (path: string) => Promise<number>>> = {
  jsonl: (path) => countLines(createReadStream(`${path}.jsonl`)),
  'jsonl.gz': (path) => countLines(createReadStream(`${path}.jsonl.gz`).pipe(createGunzip())),
  csv: async (path) => Math.max(0, (await countLines(createReadStream(`${path}.csv`))) - 1),
  json: async (path) => JSON.parse(readFileSync(`${path}.json`, 'utf8')).length,
  arrow: async (path) => tableFromIPC(readFileSync(`${path}.arrow`)).numRows,
  parquet: async (path) => {
    const bytes = new Uint8Array(readFileSync(`${path}.parquet`));
    return Number(parquetMetadata(bytes.buffer).num_rows);
  },
  async zds(path) {
    const store = await zds.FastStore.open(path, 'c', { mode: 'read' });
    await store.close();
    return store.count;
  },
  async drive(path) {
    const drive = await zds.DataStore.open(`${path}.drive`, { mode: 'read' });
    const count = drive.len();
    await drive.close();
    return count;
  },
};

async function countLines(bytes: AsyncIterable<Buffer>): Promise<number> {
  let count = 0;
  for await (const chunk of bytes) count += linesIn(chunk);
  return count;
}

function linesIn(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++;
  return count;
}
