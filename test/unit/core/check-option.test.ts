/** Options that cannot be are refused wherever one could pass for another. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { gt } from '../../../src/core/predicate.ts';
import { retry } from '../../../src/core/retry.ts';
import { run } from '../../../src/pipeline/index.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { csvSink } from '../../../src/sinks/csv-sink.ts';
import { httpSink } from '../../../src/sinks/http-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { parquetSink } from '../../../src/sinks/parquet-sink.ts';
import { route } from '../../../src/sinks/route.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { arrowSource } from '../../../src/sources/arrow-source.ts';
import { csvSource, sniffCsv } from '../../../src/sources/csv-source.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { httpSource } from '../../../src/sources/http-source.ts';
import { jsonSource } from '../../../src/sources/json-source.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { parquetSource } from '../../../src/sources/parquet-source.ts';
import { tailSource } from '../../../src/sources/tail-source.ts';
import {
  aggregate,
  batch,
  cast,
  contract,
  dedupe,
  filter,
  flatten,
  incremental,
  lookup,
  map,
  project,
  sample,
  throttle,
  unnest,
  validate,
} from '../../../src/stages.ts';
import {
  BufferedWriter,
  DataStore,
  Engine,
  FastStore,
  pack,
  SyncWriter,
  unpack,
  verify,
  ZdsRoot,
} from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const wrong = (word: string) => word as never;
const at = (name: string) => join(temporaryFolder(), name);
const file = (text: string) => {
  const path = at('x');
  writeFileSync(path, text);
  return path;
};
const stages = () => ({
  name: 'x',
  source: jsonlSource(file('')),
  sink: jsonlSink(at('y')),
});
const URL = 'http://127.0.0.1:1/';
const packed = async (options: object) => {
  await (await FastStore.open(at('lake'), 'c')).close();
  await pack(at('lake'), at('lake.zds'), options);
};
const found = { from: new Map(), by: 'a', as: 'b' };
const write = async (sink: NodeJS.WritableStream) => {
  await new Promise<void>((resolve, reject) => {
    sink.on('error', reject);
    sink.on('finish', resolve);
    sink.end({ _id: 'a' } as never);
  });
};

describe('options that are one of some words', () => {
  it.each([
    ['write', async () => write(zdsSink(at('lake'), 'c', { write: wrong('mergee') }))],
    ['generateIds', async () => write(zdsSink(at('lake'), 'c', { generateIds: wrong('nanoid') }))],
    ['mode', async () => void (await ZdsRoot.open(at('lake'), { mode: wrong('reed') }))],
    ['mode', async () => void (await DataStore.open(at('x.drive'), { mode: wrong('reed') }))],
    [
      'mode',
      async () => {
        await using root = await ZdsRoot.open(at('lake'));
        await root.collection('c', { mode: wrong('readonly') });
      },
    ],
    ['compression', async () => write(jsonlSink(at('x'), { compression: wrong('gzp') }))],
    ['publish', async () => write(jsonlSink(at('x'), { partitionBy: 'n', publish: wrong('no') }))],
    ['existing', async () => write(jsonlSink(at('x'), { partitionBy: 'n', existing: wrong('') }))],
    ['format', async () => write(arrowSink(at('x.arrow'), { format: wrong('strem') }))],
    ['onNewField', async () => write(arrowSink(at('x.arrow'), { onNewField: wrong('ignor') }))],
    ['format', async () => void httpSource(URL, { format: wrong('jsn') })],
    ['pages.type', async () => void httpSource(URL, { pages: { type: wrong('lnk') } })],
    ['compression', async () => packed({ compression: wrong('defalte') })],
    ['columns', async () => void contract({ columns: wrong('freze') })],
    ['schema.a', async () => void contract({ schema: { a: ['number', wrong('integr')] } })],
    ['onMisfit', async () => void cast({ a: 'number' }, { onMisfit: wrong('rejct') })],
    ['missing', async () => void lookup({ ...found, missing: wrong('dropp') })],
    ['missing', async () => void incremental({ field: 'a', missing: wrong('drp') })],
    ['empty', async () => void unnest('a', { empty: wrong('kep') })],
    ['ids', async () => void unnest('a', { ids: wrong('kep') })],
    ['onThrow', async () => void map((d) => d, { onThrow: wrong('rejct') })],
    ['onThrow', async () => void filter(() => true, { onThrow: wrong('rejct') })],
    ['keep', async () => void validate({} as never, { keep: wrong('inptu') })],
    ['quote', async () => void csvSink(at('x'), { quote: wrong('string') })],
    ['extra', async () => void csvSink(at('x'), { extra: wrong('drp') })],
    ['lineEnd', async () => void csvSink(at('x'), { lineEnd: wrong('\r') })],
    ['empty', async () => void csvSource(at('x'), { empty: wrong('omitt') })],
    ['misfit', async () => void csvSource(at('x'), { misfit: wrong('nulll') })],
    ['ragged', async () => void csvSource(at('x'), { ragged: wrong('padd') })],
    ['types', async () => void csvSource(at('x'), { types: wrong('strings') })],
    ['types.a', async () => void csvSource(at('x'), { types: { a: wrong('int') } })],
    ['misfit', async () => void (await sniffCsv(at('x'), { misfit: wrong('nulll') }))],
    ['begin', async () => void tailSource(at('x'), { begin: wrong('ende') })],
    ['onLost', async () => void tailSource(at('x'), { onLost: wrong('skp') })],
    ['nulls', async () => void (await arrowSource(at('x'), { nulls: wrong('no') }).toArray())],
    ['decimals', async () => void (await parquetSource('x', { decimals: wrong('n') }).toArray())],
    ['method', async () => void httpSink(URL, { method: wrong('GET') })],
    ['format', async () => void httpSink(URL, { format: wrong('csv') })],
    ['compression', async () => void httpSink(URL, { compression: wrong('br') })],
    ['compression', async () => void parquetSink(at('x'), { compression: wrong('zstd') })],
  ])('are refused when they are none: %s', async (name, work) => {
    await expect(work()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`${name} must be one of `),
    });
  });

  it('are refused as the ending of a name, where a file cannot be compressed as a whole', () => {
    const message = expect.stringContaining('compressed as a whole');
    const failure = expect.objectContaining({ code: 'INVALID_ARGUMENT', message });
    expect(() => arrowSink(at('x.arrow.gz'))).toThrow(failure);
    expect(() => arrowSink(at('x.arrows.zst'), { format: 'stream' })).toThrow(failure);
    expect(() => parquetSink(at('x.parquet.br'), { compression: 'none' })).toThrow(failure);
    expect(() => arrowSink(at('x.gz'), { rotate: { documents: 9 } })).not.toThrow();
  });
});

describe('paths that are none', () => {
  it.each([null, 3, {}, [null], [3], [[3]]])('are refused by their kind: %j', (none) => {
    const path = none as never;
    const measures = { n: { count: true } } as const;
    const failure = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    const makers = [
      () => dedupe({ by: path }),
      () => jsonlSink(at('x'), { partitionBy: path }),
      () => aggregate({ by: none instanceof Object ? { n: path } : path, measures }),
      () => incremental({ field: path }),
    ];
    for (const make of makers) expect(make).toThrow(failure);
  });
});

describe('numbers that no option can be', () => {
  it.each([
    ['concurrency', () => map((document) => document, { concurrency: -3 })],
    ['concurrency', () => map((document) => document, { concurrency: 1.5 })],
    ['concurrency', () => lookup({ from: new Map(), on: 'a', as: 'b', concurrency: 0 } as never)],
    ['concurrency', () => httpSource(URL, { concurrency: Number.NaN })],
    ['requestsPerSecond', () => httpSource(URL, { requestsPerSecond: 0 })],
    ['window', () => dedupe({ window: 0 })],
    ['maxKeys', () => dedupe({ maxKeys: Number.NaN })],
    ['by', () => dedupe({ by: [] })],
    ['initial', () => incremental({ field: 'a', initial: Number.NaN })],
    ['initial', () => incremental({ field: 'a', initial: 2 ** 53 })],
    ['initial', () => incremental({ field: 'a', initial: new Date() as never })],
    ['maxDepth', () => flatten({ maxDepth: -5 })],
    ['share', () => sample({ share: 1.1 })],
    ['every', () => sample({ every: 0 })],
    ['count', () => sample({ count: -1 })],
    ['count', () => batch({ count: 0 })],
    ['waitMs', () => batch({ waitMs: 0 })],
    ['documentsPerSecond', () => throttle({ documentsPerSecond: 0 })],
    ['documents', () => generateSource({ documents: 1.5 })],
    ['commitIntervalMs', () => zdsSink(at('lake'), 'c', { commitIntervalMs: 0 })],
    ['maxDocuments', () => httpSink(URL, { maxDocuments: 0 })],
    ['retries', () => retry(async () => 1, { retries: -1 })],
    ['baseDelayMs', () => retry(async () => 1, { baseDelayMs: Number.NaN })],
    ['progressMs', () => run({ ...stages(), progressMs: -1 })],
    ['retries', () => run({ ...stages(), retry: { retries: Number.NaN } })],
    ['maxDepth', () => jsonSource(file('[]'), { maxDepth: 0 }).toArray()],
    ['maxDepth', () => jsonlSource(file('{}'), { maxDepth: 8193 }).toArray()],
    ['maxLineBytes', () => jsonlSource(file('{}'), { maxLineBytes: Number.NaN }).toArray()],
    ['maxRowBytes', () => csvSource(file('a'), { maxRowBytes: 0 }).toArray()],
    ['skipLines', () => sniffCsv(file('a'), { skipLines: -1 })],
    ['pollMs', () => tailSource(file('{}'), { pollMs: 0 })],
    ['idleMs', () => tailSource(file('{}'), { idleMs: Number.NaN })],
    ['maxFiles', () => tailSource(file('{}'), { maxFiles: 0 })],
    ['maxPages', () => httpSource(URL, { maxPages: Number.NaN })],
    ['maxPageBytes', () => httpSource(URL, { maxPageBytes: 0 })],
    ['pages.size', () => httpSource(URL, { pages: { type: 'offset', size: 0 } })],
    ['pages.first', () => httpSource(URL, { pages: { type: 'page', first: Number.NaN } })],
    ['connectTimeoutMs', () => httpSource(URL, { connectTimeoutMs: Number.NaN })],
    ['maxRedirects', () => httpSource(URL, { maxRedirects: -1 })],
    ['maxBatchBytes', () => arrowSource(file(''), { maxBatchBytes: 0 }).toArray()],
    ['batchRows', () => write(arrowSink(at('x.arrow'), { batchRows: 0 }))],
    ['batchRows', () => write(arrowSink(at('x.arrow'), { batchRows: 1000.5 }))],
    ['batchRows', () => write(parquetSink(at('x.parquet'), { batchRows: 1.5 }))],
    ['batchSize', () => FastStore.open(at('lake'), 'c', { batchSize: wrong('5') })],
    ['deadShare', () => FastStore.open(at('lake'), 'c', { autoCompact: { deadShare: 2 } })],
    ['minBytes', () => FastStore.open(at('lake'), 'c', { autoCompact: { minBytes: Number.NaN } })],
    ['documentsPerSecond', () => throttle({ documentsPerSecond: wrong('5') })],
    ['project', () => project(wrong('name'))],
    ['nulls', () => csvSource(file('a'), { nulls: wrong('NA') })],
    ['columns', () => csvSink(at('x'), { columns: wrong('n') })],
    ['maxOpenFiles', () => jsonlSink(at('x'), { partitionBy: 'n', maxOpenFiles: 0 })],
    ['window', () => dedupe({ window: 0 })],
    ['maxBytes', () => aggregate({ measures: { n: { count: true } }, maxBytes: Number.NaN })],
    ['maxDepth', () => flatten({ maxDepth: Number.NaN })],
    [
      'maxFindings',
      async () => {
        const lake = at('lake');
        await (await FastStore.open(lake, 'c')).close();
        await verify(lake, 'c', { maxFindings: Number.NaN });
      },
    ],
    ['maxRatio', () => unpack(file(''), at('lake'), { maxRatio: Number.NaN })],
  ])('are refused: %s', async (name, work) => {
    await expect((async () => work())()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^${name}.* must be `)),
    });
  });

  it.each([0, -1, Number.NaN, 1.5])('are refused: batchBytes of %s', async (batchBytes) => {
    const [lines, table, rows] = [file('{"n":1}\n'), at('x.arrow'), at('x.parquet')];
    await pipeline(jsonlSource(lines), arrowSink(table));
    await pipeline(jsonlSource(lines), parquetSink(rows));
    const where = gt('n', 0);
    for (const source of [
      jsonlSource(lines, { batchBytes }),
      jsonSource(lines, { batchBytes }),
      csvSource(lines, { batchBytes }),
      tailSource(lines, { batchBytes, idleMs: 0 }),
      arrowSource(table, { batchBytes }),
      arrowSource(table, { batchBytes, where }),
      parquetSource(rows, { batchBytes }),
    ]) {
      await expect(source.toArray()).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/^batchBytes must be /),
      });
    }
  });

  it('are refused: pieceBytes of a scan', async () => {
    await using store = await FastStore.open(at('lake'), 'c');
    for (const pieceBytes of [0, 1.5, -5, Number.NaN]) {
      expect(() => store.scan({ pieceBytes })).toThrow('pieceBytes must be');
    }
  });
});

describe('a text in the place of a predicate', () => {
  it('is refused wherever documents are asked for', async () => {
    const where = wrong('n > 1');
    const [lines, table, rows] = [file('{"n":1}\n'), at('x.arrow'), at('x.parquet')];
    await pipeline(jsonlSource(lines), arrowSink(table));
    await pipeline(jsonlSource(lines), parquetSink(rows));
    await using store = await FastStore.open(at('lake'), 'c');
    for (const [name, ask] of [
      ['arrowSource', () => arrowSource(table, { where }).toArray()],
      ['parquetSource', () => parquetSource(rows, { where }).toArray()],
      ['arrowSink', () => pipeline(jsonlSource(lines), arrowSink(at('y.arrow'), { where }))],
      ['scan', () => store.scan({ where }).toArray()],
      ['filter', () => pipeline(jsonlSource(lines), filter(where), jsonlSink(at('y')))],
    ] as const) {
      await expect((async () => ask())(), name).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/^where takes a predicate/),
      });
    }
    expect(() => store.scan({ select: wrong('n') })).toThrow('select must be an array');
  });
});

describe('a predicate made by hand', () => {
  it.each([
    { op: 'like', path: ['n'], value: 1 },
    { op: 'eq', path: 'n', value: 1 },
    { op: 'eq', path: ['n'] },
    { op: 'gt', path: ['n'], value: new Date(0) },
    { op: 'in', path: ['n'] },
    { op: 'in', path: ['n'], values: [{}] },
    { op: 'matches', path: ['n'], pattern: {} },
    { op: 'and', terms: [{ op: 'not', term: 'n' }] },
  ])('is refused for what would find nothing: %j', async (where) => {
    await using store = await FastStore.open(at('lake'), 'c');
    await expect((async () => store.scan({ where: where as never }).toArray())()).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('what is no path', () => {
  it.each([
    ['pages.next', () => httpSource(URL, { pages: { type: 'body' } as never })],
    ['pages.next', () => httpSource(URL, { pages: { type: 'body', next: '' } })],
    ['pages.cursor', () => httpSource(URL, { pages: { type: 'cursor' } as never })],
    ['pages.cursor', () => httpSource(URL, { pages: { type: 'cursor', cursor: wrong('a\\') } })],
    ['pages.type', () => httpSource(URL, { pages: wrong('link') })],
    ['pages.type', () => httpSource(URL, { pages: null as never })],
    ['a path', () => jsonSource(file('[]'), { path: 5 as never })],
    ['a path', () => lookup({ from: new Map(), as: 'b' } as never)],
    ['a path', () => unnest(undefined as never)],
    ['a path', () => gt(undefined as never, 0)],
  ])('is refused: %s', async (name, work) => {
    await expect((async () => work())()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^${name}\\b`)),
    });
  });
});

describe('a URL where only files are read', () => {
  it('is refused before anything is asked of it', async () => {
    const secret = 'HTTP://user:password@127.0.0.1:1/?token=abc';
    for (const url of [URL, new globalThis.URL(URL), secret]) {
      const place = { url: url === secret ? `${URL}?token=***` : URL };
      await expect(parquetSource(url).toArray()).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.not.stringContaining('password'),
        place,
      });
    }
  });
});

describe('what can be neither of two', () => {
  it('is refused before a collection is made', async () => {
    const lake = at('lake');
    await expect(SyncWriter.open(lake, 'c', { strict: wrong('yes') })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'strict must be true or false, not yes',
    });
    await expect(Engine.open(lake, 'c')).rejects.toMatchObject({ code: 'COLLECTION_NOT_FOUND' });
    for (const root of [lake, await ZdsRoot.open(lake, { mode: 'read' })]) {
      const opening = FastStore.open(root, 'c', { mode: 'read', replace: true });
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });
});

describe('functions that are asked for an answer at once', () => {
  const one = () => fromIterable([{ a: 'x' }]);
  it.each([
    [
      'cast',
      () =>
        one()
          .pipe(cast({ a: async () => '***' }))
          .toArray(),
    ],
    ['route', () => write(route({ by: (async () => 'a') as never, to: {}, otherwise: 'drop' }))],
    ['generateSource', () => generateSource({ documents: 1, make: async () => ({}) }).toArray()],
  ])('must not answer with a promise: %s', async (_, work) => {
    await expect((async () => work())()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('must not be async'),
    });
  });
});

describe('a time of Infinity', () => {
  it('is never, and not at once as the timers of the system have it', async () => {
    await using store = await FastStore.open(at('lake'), 'c');
    const writer = new BufferedWriter(store, { flushIntervalMs: Number.POSITIVE_INFINITY });
    await writer.put('a', {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([writer.pendingOps, writer.stats.interval]).toEqual([1, 0]);
    await writer.close();
  });
});
