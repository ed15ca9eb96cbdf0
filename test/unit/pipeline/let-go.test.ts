/**
 * Whatever ends the work in the middle, and whatever the stage: no descriptor, socket, watcher or timer
 * stays behind, and no temporary file. For every kind of source and of sink.
 */
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import * as zds from '../../../src/index.ts';
import { Layout } from '../../../src/store/layout.ts';
import { expectLetGo, held } from '../../support/held.ts';
import { sendFile, serve } from '../../support/http-server.ts';
import { probeSink, runStages, temporaryFolder } from '../../support/stages.ts';

const COUNT = 1000;
/** Documents of a page, row group or file. */
const PART = 200;
const BATCH = { batchBytes: 4096 };
const documents = Array.from({ length: COUNT }, (_, n) => ({
  _id: `d${n}`,
  n,
  g: n % 3,
  s: 'x'.repeat(40),
}));
const lines = documents.map((document) => JSON.stringify(document));
const csv = ['_id,n,g,s', ...documents.map(({ _id, n, g, s }) => `${_id},${n},${g},${s}`)];
const retry = { retries: 0 };

/** Parts, one of them in the middle replaced by what is none. */
function damage(parts: readonly string[], bad: boolean): string[] {
  return parts.map((part, n) => (bad && n === COUNT / 2 ? '{"n":bad",,' : part));
}

/** The same bytes with the middle third overwritten. */
function damageBytes(bytes: Buffer): Buffer {
  const third = Math.floor(bytes.length / 3);
  return bytes.fill(0xff, third, 2 * third);
}

function* throwing(bad: boolean): Generator<(typeof documents)[number], void, void> {
  for (const document of documents) {
    if (bad && document.n === COUNT / 2) throw new Error('no more');
    yield document;
  }
}

interface Case {
  readonly folder: string;
  /** Whether something is wrong in the middle. */
  readonly bad: boolean;
}
type Source = zds.SourceStream<object>;
type MakeSource = (about: Case) => Source | Promise<Source>;

/** A source over a file of these bytes. */
function ofFile(
  name: string,
  bytes: (bad: boolean) => string | Uint8Array,
  open: (path: string) => Source,
): MakeSource {
  return ({ folder, bad }) => {
    writeFileSync(join(folder, name), bytes(bad));
    return open(join(folder, name));
  };
}

/** A source over a file that a sink of ours wrote, its second half overwritten if it is to be bad. */
function ofSink(sink: (path: string) => unknown, open: (path: string) => Source): MakeSource {
  return async ({ folder, bad }) => {
    const path = join(folder, 'in');
    await runStages([zds.fromIterable(documents), sink(path)]);
    if (bad) writeFileSync(path, damageBytes(readFileSync(path)));
    return open(path);
  };
}

function ofServer(
  body: (bad: boolean) => string | Uint8Array,
  path: string,
  options: zds.HttpSourceOptions = {},
  cut?: number,
): MakeSource {
  return async ({ bad }) => {
    const how = cut !== undefined && bad ? { cut } : {};
    const bytes = Buffer.from(body(bad && cut === undefined));
    const { base } = await serve((request, response) => sendFile(request, response, bytes, how));
    return zds.httpSource(`${base}/${path}`, { ...BATCH, retry, ...options });
  };
}

function ofPages(
  options: (base: string) => [string | string[], zds.HttpSourceOptions],
): MakeSource {
  return async ({ bad }) => {
    const { base } = await serve((request, response) => {
      const page = Number(new URL(request.url!, 'http://host').searchParams.get('page'));
      response.end(
        damage(lines, bad)
          .slice((page - 1) * PART, page * PART)
          .join('\n'),
      );
    });
    const [urls, more] = options(base);
    return zds.httpSource(urls, { ...BATCH, retry, ...more });
  };
}

const jsonl = (bad: boolean): string => `${damage(lines, bad).join('\n')}\n`;
const json = (bad: boolean): string => `[${damage(lines, bad).join(',')}]`;
const rows = (bad: boolean): string => damage(csv, bad).join('\n');
const pageUrls = (base: string) => [1, 2, 3, 4, 5].map((page) => `${base}/?page=${page}`);

const sources: Readonly<Record<string, MakeSource>> = {
  jsonl: ofFile('a.jsonl', jsonl, (path) => zds.jsonlSource(path, BATCH)),
  'jsonl, gzip': ofFile(
    'a.gz',
    (bad) => gzipSync(jsonl(bad)),
    (path) => zds.jsonlSource(path, BATCH),
  ),
  'jsonl, cut gzip': ofFile(
    'a.gz',
    (bad) => gzipSync(jsonl(false)).subarray(0, bad ? -500 : undefined),
    (path) => zds.jsonlSource(path, BATCH),
  ),
  'jsonl, stream': ofFile('a.jsonl', jsonl, (path) =>
    zds.jsonlSource(createReadStream(path), BATCH),
  ),
  csv: ofFile('a.csv', rows, (path) => zds.csvSource(path, BATCH)),
  json: ofFile('a.json', json, (path) => zds.jsonSource(path, BATCH)),
  'json by path': ofFile(
    'a.json',
    (bad) => `{"a":{"b":${json(bad)}}}`,
    (path) => zds.jsonSource(path, { ...BATCH, path: 'a.b' }),
  ),
  tail: ofFile('a.log', jsonl, (path) => zds.tailSource(path, { ...BATCH, idleMs: 20 })),
  arrow: ofSink(
    (path) => zds.arrowSink(path, { batchRows: PART }),
    (path) => zds.arrowSource(path, BATCH),
  ),
  parquet: ofSink(
    (path) => zds.parquetSink(path, { batchRows: PART, compression: 'none' }),
    (path) => zds.parquetSource(path, BATCH),
  ),
  async zds({ folder, bad }) {
    await runStages([zds.fromIterable(documents), zds.zdsSink(folder, 'c')]);
    if (bad) truncateSync(Layout.dataFile(folder, 'c'), 30_000);
    return zds.zdsSource(folder, 'c');
  },
  generate: ({ bad }) =>
    zds.generateSource({
      documents: COUNT,
      batchDocuments: PART,
      make: (n) => {
        if (bad && n === COUNT / 2) throw new Error('no more');
        return documents[n]!;
      },
    }),
  iterable: ({ bad }) => zds.fromIterable(throwing(bad)),
  'node stream': ({ bad }) => zds.fromNode(Readable.from(throwing(bad))),
  'web stream': ({ bad }) => {
    const iterator = throwing(bad);
    const pull = (controller: ReadableStreamDefaultController) => {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    };
    return zds.fromWeb(new ReadableStream({ pull }));
  },
  http: ofServer(jsonl, 'a.jsonl'),
  'http, gzip': ofServer((bad) => gzipSync(rows(bad)), 'a.csv.gz'),
  'http, reset': ofServer(jsonl, 'a.jsonl', {}, 30_000),
  'http, reset, by fetch': ofServer(jsonl, 'a.jsonl', { fetch }, 30_000),
  'http, pages': ofPages((base) => [base, { pages: { type: 'page' } }]),
  'http, several': ofPages((base) => [pageUrls(base), {}]),
  'http, several at once': ofPages((base) => [pageUrls(base), { concurrency: 3 }]),
};

const isCause = (error: unknown, cause: Error): boolean =>
  error === cause || (error as Error).cause === cause;

/** By name: how the reading ends before its end. */
const endings: Readonly<Record<string, (open: () => Promise<Source>) => Promise<void>>> = {
  async 'is aborted'(open) {
    const controller = new AbortController();
    const cause = new Error('enough');
    const sink = probeSink();
    sink.write = async () => controller.abort(cause);
    const { signal } = controller;
    const running = zds.run({ name: 'x', source: await open(), sink, signal });
    await expect(running).rejects.toSatisfy((error) => isCause(error, cause));
  },
  async 'is stopped'(open) {
    const sink = probeSink();
    const running = zds.run({ name: 'x', source: await open(), sink });
    sink.write = async () => void running.stop();
    expect(await running).toMatchObject({ outcome: 'stopped' });
  },
  async 'is cut off by a sink that fails'(open) {
    const error = new Error('full');
    const sink = probeSink({ failAt: 0, error });
    await expect(zds.run({ name: 'x', source: await open(), sink })).rejects.toBe(error);
  },
  async 'is left by a loop over documents'(open) {
    for await (const _ of await open()) break;
  },
  async 'is left by a loop over batches'(open) {
    for await (const _ of (await open()).batches()) break;
  },
  async 'is left by a stream that is destroyed'(open) {
    const source = await open();
    source.once('data', () => source.destroy());
    await new Promise((resolve) => source.once('close', resolve));
  },
};

let folder: string;
/** Where temporary files go. */
let temporary: string;
beforeEach(() => {
  folder = temporaryFolder();
  temporary = temporaryFolder();
  vi.stubEnv('TMPDIR', temporary);
  return () => vi.unstubAllEnvs();
});

describe.each(Object.entries(sources))('nothing stays open when %s', (_, make) => {
  it('is read to its end', async () => {
    const { read } = await zds.run({
      name: 'x',
      source: await make({ folder, bad: false }),
      sink: probeSink(),
    });
    expect(read).toBe(COUNT);
  });

  it.each(Object.entries(endings))('%s', async (_, ending) => {
    const source = await make({ folder, bad: false });
    const before = held();
    await ending(async () => source);
    await expectLetGo(before);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is bad in the middle', async () => {
    const source = await make({ folder, bad: true });
    const before = held();
    await expect(zds.run({ name: 'x', source, sink: probeSink() })).rejects.toThrow();
    await expectLetGo(before);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

const spoilTarget = (path: string) => mkdirSync(join(path, 'x'), { recursive: true });

/** Of those that one target alone has not failed, a file may stay. */
const spoilBoth = (path: string) => [path, `${path}.csv`].forEach(spoilTarget);

interface SinkCase {
  open(path: string, base: string): zds.SinkStream<unknown>;
  /** Makes the sink fail that is opened after it; by default by a folder where the file should be. */
  spoil?(path: string): void;
  /** What may be left when the work has failed: a store has what was committed. */
  readonly leaves?: RegExp;
}

const store: Omit<SinkCase, 'open'> = {
  spoil: (path) => writeFileSync(path, ''),
  leaves: /^out(\/(?!.*\.tmp).*)?$/,
};

const sinks: Readonly<Record<string, SinkCase>> = {
  jsonl: { open: (path) => zds.jsonlSink(path) },
  'jsonl, gzip': { open: (path) => zds.jsonlSink(path, { compression: 'gzip' }) },
  'jsonl, stream': {
    open: (path) => {
      const stream = new PassThrough().resume();
      if (existsSync(path)) stream.destroy(new Error('gone'));
      return zds.jsonlSink(stream);
    },
  },
  json: { open: (path) => zds.jsonSink(path) },
  csv: { open: (path) => zds.csvSink(path) },
  arrow: { open: (path) => zds.arrowSink(path, { batchRows: PART }) },
  parquet: { open: (path) => zds.parquetSink(path, { batchRows: PART }) },
  partitioned: { open: (path) => zds.jsonlSink(path, { partitionBy: 'g' }), leaves: /^out$/ },
  rotated: {
    open: (path) => zds.jsonlSink(path, { rotate: { documents: PART } }),
    leaves: /^out$/,
  },
  tee: {
    open: (path) => zds.tee(zds.csvSink(`${path}.csv`), zds.jsonlSink(path)),
    spoil: spoilBoth,
  },
  route: {
    open: (path) => {
      const [even, odd] = [zds.csvSink(`${path}.csv`), zds.jsonlSink(path)];
      return zds.route({ by: ({ n }) => (Number(n) % 2 ? 'odd' : 'even'), to: { even, odd } });
    },
    spoil: spoilBoth,
  },
  'store, append': {
    open: (path) => zds.zdsSink(path, 'c', { write: 'append', commitDocuments: PART }),
    ...store,
  },
  'store, replace': { open: (path) => zds.zdsSink(path, 'c', { write: 'replace' }), ...store },
  http: {
    open: (path, base) => zds.httpSink(`${base}/${existsSync(path)}`, { maxDocuments: 100, retry }),
  },
};

/** By name: how the writing ends before its end. */
const failures: Readonly<Record<string, (sink: zds.SinkStream<unknown>) => Promise<void>>> = {
  async 'the source fails'(sink) {
    const running = zds.run({ name: 'x', source: zds.fromIterable(throwing(true)), sink });
    await expect(running).rejects.toThrow('no more');
  },
  async 'the run is aborted'(sink) {
    const controller = new AbortController();
    function* source() {
      for (const document of documents) {
        if (document.n === COUNT / 2) controller.abort(new Error('enough'));
        yield document;
      }
    }
    const { signal } = controller;
    const running = zds.run({ name: 'x', source: zds.fromIterable(source()), sink, signal });
    await expect(running).rejects.toThrow();
  },
  async 'the run is aborted while it opens'({ sink }) {
    const controller = new AbortController();
    const open = sink.open.bind(sink);
    sink.open = (...about) => {
      const opening = open(...about);
      controller.abort(new Error('enough'));
      return opening;
    };
    const source = zds.fromIterable(documents);
    const { signal } = controller;
    await expect(zds.run({ name: 'x', source, sink, signal })).rejects.toThrow();
  },
  async 'a document is none for it'(sink) {
    const source = zds.fromIterable<object>([...documents, { _id: 'x', n: 1n }]);
    await expect(zds.run({ name: 'x', source, sink })).rejects.toThrow('BigInt');
  },
  async 'a pipeline of streams fails'(sink) {
    const piped = runStages([zds.fromIterable(throwing(true)), sink]);
    await expect(piped).rejects.toThrow('no more');
  },
  async 'the stream is destroyed'(sink) {
    zds.fromIterable(documents).pipe(sink);
    sink.once('drain', () => sink.destroy());
    await new Promise((resolve) => sink.once('close', resolve));
  },
};

describe.each(Object.entries(sinks))('nothing stays open or lies about, to %s', (_, kind) => {
  const { open, spoil = spoilTarget } = kind;
  const opened = async () => {
    const { base } = await serve((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(request.url === '/true' ? 400 : 200).end();
      });
    });
    return open(join(folder, 'out'), base);
  };

  it.each(Object.entries(failures))('when %s', async (_, fail) => {
    const sink = await opened();
    const before = held();
    await fail(sink);
    await expectLetGo(before);
    const left = readdirSync(folder, { recursive: true }) as string[];
    expect(left.filter((name) => !kind.leaves?.test(name))).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('when it fails itself', async () => {
    spoil(join(folder, 'out'));
    const found = readdirSync(folder, { recursive: true });
    const sink = await opened();
    const before = held();
    const running = zds.run({ name: 'x', source: zds.fromIterable(documents), sink });
    await expect(running).rejects.toThrow();
    await expectLetGo(before);
    expect(readdirSync(folder, { recursive: true })).toEqual(found);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
