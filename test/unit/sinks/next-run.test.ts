/** A sink used for one run after another: each writes its own documents and counts those. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  arrowSink,
  csvSink,
  FastStore,
  fromIterable,
  httpSink,
  jsonlSink,
  jsonSink,
  listRuns,
  parquetSink,
  route,
  run,
  tee,
  zdsSink,
} from '../../../src/index.ts';
import type { SinkStream } from '../../../src/streams/sink-stream.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { numbers, temporaryFolder } from '../../support/stages.ts';

const keys: (string | null)[] = [];
const taking: typeof fetch = async (_url, init) => {
  keys.push(new Headers(init?.headers).get('idempotency-key'));
  return new Response();
};

const SINKS: Readonly<Record<string, (path: string) => SinkStream<unknown>>> = {
  zdsSink: (path) => zdsSink(path, 'c', { generateIds: true }),
  'zdsSink that deletes': (path) =>
    zdsSink(path, 'c', { generateIds: true, write: { deleteBy: 'n' } }),
  'zdsSink that replaces': (path) => zdsSink(path, 'c', { generateIds: true, write: 'replace' }),
  jsonlSink: (path) => jsonlSink(path),
  'jsonlSink of a folder': (path) =>
    jsonlSink(path, { rotate: { documents: 3 }, existing: 'append' }),
  jsonSink: (path) => jsonSink(path),
  csvSink: (path) => csvSink(path),
  arrowSink: (path) => arrowSink(path),
  parquetSink: (path) => parquetSink(path),
  httpSink: () => httpSink('http://localhost/', { fetch: taking }),
  tee: (path) => tee(jsonlSink(path), memorySink()),
  route: (path) => route({ by: 'n', to: { 1: jsonlSink(path) }, otherwise: 'drop' }),
  memorySink: () => memorySink(),
};

const load = (documents: Iterable<object>, sink: SinkStream<unknown>) =>
  run({ name: 'load', source: fromIterable(documents), sink });

function* failing() {
  yield* numbers(4);
  throw new Error('no more');
}

it.each(Object.entries(SINKS))('%s', async (_name, make) => {
  const sink = make(join(temporaryFolder(), 'out'));
  const first = await load(numbers(10), sink);
  await expect(load(failing(), sink)).rejects.toThrow('no more');
  const last = await load(numbers(7), sink);
  expect(first.sink).toMatchObject({ documents: first.written });
  expect(last.sink).toMatchObject({ documents: last.written });
  expect([first.read, last.read]).toEqual([10, 7]);
});

it('gives the requests of each run keys of their own', async () => {
  const sink = httpSink('http://localhost/', { fetch: taking });
  keys.length = 0;
  for (let i = 0; i < 2; i++) await load(numbers(1), sink);
  expect(new Set(keys).size).toBe(2);
});

it('keeps a history of each run', async () => {
  const path = join(temporaryFolder(), 'store');
  const sink = zdsSink(path, 'c', { generateIds: true });
  for (let i = 0; i < 2; i++) await load(numbers(1), sink);
  const runs = await listRuns(path, 'c');
  expect(runs.map(({ totals }) => totals?.outcome)).toEqual(['done', 'done']);
});

it('leaves the history of one run alone when the next cannot be opened', async () => {
  const path = join(temporaryFolder(), 'store');
  const sink = zdsSink(path, 'c', { generateIds: true });
  await load(numbers(3), sink);
  const other = await FastStore.open(path, 'c', { mode: 'write' });
  await expect(load(numbers(1), sink)).rejects.toMatchObject({ code: 'LOCKED' });
  await other.close();
  const runs = await listRuns(path, 'c');
  expect(runs.map(({ totals }) => totals)).toMatchObject([{ outcome: 'done', written: 3 }]);
});
