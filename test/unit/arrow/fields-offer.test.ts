/** `zdsSource` to `arrowSink`: what the one tells the other beforehand, and what both let go of. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tableFromIPC } from 'apache-arrow';
import { beforeEach, describe, expect, it } from 'vitest';
import { offerFields } from '../../../src/arrow/fields-offer.ts';
import type { Document } from '../../../src/core/batch.ts';
import { eq, gt } from '../../../src/core/predicate.ts';
import { type ArrowSinkOptions, arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { type ZdsSourceOptions, zdsSource } from '../../../src/sources/zds-source.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder, 'store');
});

const store = (documents: readonly object[], name = 'c'): Promise<void> =>
  pipeline(fromIterable(documents as Document[]), zdsSink(root, name));
const source = (options: ZdsSourceOptions = {}, name = 'c') =>
  zdsSource(root, name, { pieceBytes: 64, ...options });
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });
const toFile = (options: ArrowSinkOptions = {}) =>
  arrowSink(join(folder, 'out.arrow'), { inferBytes: 1, ...options });
const toStream = (options: ArrowSinkOptions = {}) =>
  arrowSink(nowhere(), { inferBytes: 1, ...options });
const plain = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ _id: `d${i}`, n: i, o: { p: i } }));

describe('fields told beforehand', () => {
  const ways: [string, ZdsSourceOptions, () => ReturnType<typeof toFile>][] = [
    ['a file', {}, () => toFile()],
    ['a file without new fields', {}, () => toFile({ onNewField: 'ignore' })],
    ['a file of some', { limit: 2 }, () => toFile()],
    ['a file of what lies deeper', { select: ['n', 'o.p'] }, () => toFile()],
    ['a stream', {}, () => toStream()],
    ['a stream of a choice', { where: gt('n', 0) }, () => toStream()],
    ['a stream of one', { where: gt('n', 0), limit: 1 }, () => toStream()],
    ['nowhere', {}, () => arrowSink(join(folder, 'none', 'out.arrow'))],
  ];

  it.each(ways)('leave no file open behind the way to %s', async (_, options, sink) => {
    await store(plain(20));
    // In one piece: all is read before the sink is open.
    const once = () => pipeline(zdsSource(root, 'c', options), sink()).catch(() => undefined);
    await once();
    const before = openDescriptors();
    for (let i = 0; i < 5; i++) await once();
    expect(openDescriptors()).toBe(before);
  });

  it.each([1, 2, 3, 20])(
    'are those of %i documents, however soon these are read',
    async (count) => {
      await store([...plain(count), { _id: 'x', late: 'x' }]);
      const sink = toStream();
      await pipeline(source(), sink);
      const { documents, schema } = await sink.summary;
      expect([documents, schema.names]).toEqual([count + 1, ['_id', 'n', 'o', 'late']]);
    },
  );

  it('are not told where documents are under way, whose files close behind them', async () => {
    await store(plain(4));
    const { signal } = new AbortController();
    const stream = source();
    const reading = stream.source.batches(signal, {});
    await reading.next();
    const told = stream[offerFields](signal);
    while (!(await reading.next()).done);
    expect(await told).toBeUndefined();
  });

  it.each(['unpiped', 'destroyed', 'closed before'])(
    'are not waited for from a source that was %s',
    async (how) => {
      await store(plain(4));
      const [stream, sink] = [source(), toStream()];
      if (how === 'closed before') await stream[Symbol.asyncDispose]();
      stream.pipe(sink);
      if (how === 'unpiped') stream.unpipe(sink);
      if (how === 'destroyed') stream.destroy();
      sink.end();
      expect((await sink.summary).documents).toBe(0);
    },
  );

  it.each([
    ['a file', toFile],
    ['a stream', toStream],
  ])('leave out those that the predicate of the sink to %s leaves out', async (_, to) => {
    const other = { _id: 'x', n: -1, o: 'text', z: 5 };
    await store([...plain(10), other, { _id: 'y', n: 0.5 }]);
    const sink = to({ where: gt('n', -1) });
    await pipeline(source(), sink);
    const { schema, documents, filtered } = await sink.summary;
    expect([documents, filtered]).toEqual([11, 1]);
    const types = schema.fields.map(({ name, type }) => `${name} ${type}`);
    expect(types).toEqual(['_id Utf8', 'n Float64', 'o Struct<{p:Int64}>']);
  });

  it('leave documents as selected for a predicate over what was not', async () => {
    await store(plain(10));
    const sink = toFile({ where: eq('n', 1) });
    await pipeline(source({ select: ['_id'] }), sink);
    expect(await sink.summary).toMatchObject({ documents: 0, filtered: 10 });
  });

  it('leave documents as selected for other receivers', async () => {
    await store(plain(10));
    const [stream, arrow] = [source({ select: ['_id'] }), toFile()];
    const path = join(folder, 'out.jsonl');
    const jsonl = jsonlSink(path);
    stream.pipe(arrow);
    stream.pipe(jsonl);
    await Promise.all([arrow.summary, jsonl.summary]);
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    expect(lines).toEqual(plain(10).map(({ _id }) => JSON.stringify({ _id })));
    const table = tableFromIPC(readFileSync(join(folder, 'out.arrow')));
    expect([table.numRows, table.schema.names]).toEqual([10, ['_id']]);
  });

  it('leave ids to be read that can be gone through once', async () => {
    await store(plain(10));
    const sink = toStream();
    await pipeline(source({ ids: new Set(['d1', 'd2']).values() }), sink);
    expect((await sink.summary).schema.names).toEqual(['_id', 'n', 'o']);
    expect((await sink.summary).documents).toBe(2);
  });
});

describe('what comes behind the documents of an offer', () => {
  const late = (count: number) =>
    plain(count).map((each, i) => (i === count - 5 ? { ...each, late: 1 } : each));
  const rowsOf = () => tableFromIPC(readFileSync(join(folder, 'out.arrow'))).numRows;
  /** Pipes one source behind the other. */
  const inTurn = async (sink: ReturnType<typeof toFile>, next: () => void, options = {}) => {
    const first = source(options);
    sink.on('error', () => undefined);
    first.pipe(sink, { end: false });
    first.on('end', next);
    return sink.summary;
  };

  it('is in the file too, where that was begun anew', async () => {
    await store(late(40));
    const sink = toFile();
    await inTurn(sink, () => source().pipe(sink));
    expect(rowsOf()).toBe(80);
    const byHand = toFile();
    await inTurn(byHand, () => {
      byHand.write({ _id: 'x', n: 1 });
      byHand.end({ _id: 'y', n: 2 });
    });
    expect(rowsOf()).toBe(42);
    const before = toFile();
    before.write({ _id: 'x', n: 1 });
    const failing = inTurn(before, () => before.end());
    await expect(failing).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
  });

  it('says so where it has other fields', async () => {
    await store(late(40));
    await store([{ _id: 'o', other: 1 }], 'o');
    for (const make of [toFile, toStream]) {
      const sink = make();
      const summary = inTurn(sink, () => source({}, 'o').pipe(sink));
      await expect(summary).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
      const lenient = make({ onNewField: 'ignore' });
      const { documents } = await inTurn(lenient, () => source({}, 'o').pipe(lenient));
      expect(documents).toBe(41);
    }
  });

  it('needs a schema where the first has chosen fields', async () => {
    await store(plain(40));
    const sink = toFile();
    const summary = inTurn(sink, () => source().pipe(sink), { select: ['n'] });
    await expect(summary).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
