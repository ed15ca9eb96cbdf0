/**
 * Inputs of every kind of source, of the same documents `{ n, s }` with `n` from 0 on, each with the
 * expression that opens it in a script on the built package.
 */
import { appendFileSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { arrowSink } from '../../src/sinks/arrow-sink.ts';
import { parquetSink } from '../../src/sinks/parquet-sink.ts';
import { fromIterable } from '../../src/sources/from-iterable.ts';
import { sendFile, serve } from './http-server.ts';
import { runStages } from './stages.ts';

/** Documents in every input. */
export const DOCUMENTS = 3000;
const BATCH = '{ batchBytes: 2048 }';

export interface KillInput {
  /** What opens the source: JavaScript. */
  readonly source: string;
  /** To be called again and again while the script runs or is dead; false once all is there. */
  grow?(): boolean;
}

const documents = Array.from({ length: DOCUMENTS }, (_, n) => ({
  n,
  s: 'ab\n"c", é'.slice(n % 7),
}));
const linesOf = (from: number, to: number): string =>
  documents
    .slice(from, to)
    .map((each) => `${JSON.stringify(each)}\n`)
    .join('');
const csv = `n,s\n${documents.map(({ n, s }) => `${n},"${s.replaceAll('"', '""')}"\r\n`).join('')}`;
const quoted = (value: unknown): string => JSON.stringify(value);

/** Writes the input into a folder, or serves it until the test ends. */
export const killInputs: Readonly<Record<string, (folder: string) => Promise<KillInput>>> = {
  csv: (folder) => file(folder, 'a.csv', csv, 'csvSource'),
  'csv, gzip': (folder) => file(folder, 'a.csv.gz', gzipSync(csv), 'csvSource'),
  'json, array': (folder) =>
    file(folder, 'a.json', JSON.stringify(documents, undefined, 1), 'jsonSource'),
  'json, path': (folder) => {
    const text = JSON.stringify({ about: [1, { items: [] }], data: { items: documents }, end: {} });
    return file(folder, 'a.json', text, 'jsonSource', `{ path: 'data.items', batchBytes: 2048 }`);
  },
  'gzip of several members': (folder) => {
    const members = [0, 1000, 1001, 2500].map((from, i, all) =>
      gzipSync(linesOf(from, all[i + 1] ?? DOCUMENTS)),
    );
    return file(folder, 'a.jsonl.gz', Buffer.concat(members), 'jsonlSource');
  },
  'several files': async (folder) => {
    for (let i = 0; i < 10; i++) {
      const text = linesOf(i * 300, (i + 1) * 300);
      const bytes = i % 3 === 1 ? gzipSync(text) : text;
      writeFileSync(join(folder, `${i}.jsonl${i % 3 === 1 ? '.gz' : ''}`), bytes);
    }
    return { source: `jsonlSource(${quoted(join(folder, '*.jsonl*'))}, ${BATCH})` };
  },
  arrow: async (folder) => {
    const path = join(folder, 'a.arrow');
    await runStages([fromIterable(documents), arrowSink(path, { batchRows: 700 })]);
    return { source: `arrowSource(${quoted(path)}, ${BATCH})` };
  },
  parquet: async (folder) => {
    const path = join(folder, 'a.parquet');
    await runStages([fromIterable(documents), parquetSink(path, { batchRows: 700 })]);
    return { source: `parquetSource(${quoted(path)}, ${BATCH})` };
  },
  'http, by Range': () =>
    served('/a.jsonl', `${BATCH}`, (request, response) =>
      sendFile(request, response, Buffer.from(linesOf(0, DOCUMENTS)), { etag: '"v1"' }),
    ),
  'http, anew, gzip': () =>
    served('/a.csv.gz', `${BATCH}`, (request, response) =>
      sendFile(request, response, gzipSync(csv)),
    ),
  'http, pages': () => served('/a.json', `{ pages: { type: 'page' } }`, sendPage),
  'http, several requests': async () => {
    const { base } = await serve(sendPage);
    const urls = Array.from({ length: DOCUMENTS / 50 }, (_, i) => `${base}/a.json?page=${i + 1}`);
    return { source: `httpSource(${quoted(urls)}, { concurrency: 3 })` };
  },
  tail: async (folder) => tail(folder),
};

async function file(
  folder: string,
  name: string,
  bytes: string | Uint8Array,
  stage: string,
  options = BATCH,
): Promise<KillInput> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { source: `${stage}(${quoted(path)}, ${options})` };
}

async function served(
  path: string,
  options: string,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<KillInput> {
  const { base } = await serve(handler);
  return { source: `httpSource(${quoted(base + path)}, ${options})` };
}

function sendPage(request: IncomingMessage, response: ServerResponse): void {
  const page = Number(new URL(request.url!, 'http://host').searchParams.get('page'));
  response.setHeader('content-type', 'application/x-ndjson');
  response.end(linesOf((page - 1) * 50, page * 50));
}

/** A log that grows by lines and parts of lines and is renamed away, every name once more, each time. */
function tail(folder: string): KillInput {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'app.log');
  const text = Buffer.from(linesOf(0, DOCUMENTS));
  let written = 0;
  let steps = 0;
  return {
    source: `tailSource(${quoted(path)}, { batchBytes: 2048, pollMs: 20, idleMs: 400 })`,
    grow() {
      const rotates = ++steps % 8 === 0;
      const part = Math.min(text.length, written + 700);
      const end = rotates ? text.indexOf(10, part - 1) + 1 : part;
      appendFileSync(path, text.subarray(written, end));
      written = end;
      if (rotates) rotate(folder);
      return written < text.length;
    },
  };
}

function rotate(folder: string): void {
  const old = readdirSync(folder).filter((name) => name !== 'app.log').length;
  for (let i = old; i > 0; i--) rename(folder, `app.log.${i}`, `app.log.${i + 1}`);
  rename(folder, 'app.log', 'app.log.1');
}

function rename(folder: string, from: string, to: string): void {
  renameSync(join(folder, from), join(folder, to));
}
