/** What a run that is stopped has written: what its cursor covers, or nothing where a part is of no use. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import { eq } from '../../../src/core/predicate.ts';
import type { Source, Transform } from '../../../src/core/stage.ts';
import { type RunHandle, run } from '../../../src/pipeline/index.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { csvSink } from '../../../src/sinks/csv-sink.ts';
import { jsonSink } from '../../../src/sinks/json-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { parquetSink } from '../../../src/sinks/parquet-sink.ts';
import { route } from '../../../src/sinks/route.ts';
import { tee } from '../../../src/sinks/tee.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { tailSource } from '../../../src/sources/tail-source.ts';
import { FastStore, listRuns } from '../../../src/store/index.ts';
import type { SinkStream } from '../../../src/streams/sink-stream.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { batchTransform } from '../../../src/transforms/index.ts';
import { linesBatch, temporaryFolder } from '../../support/stages.ts';

/** Ten documents a batch; after so many batches it waits for more for ever. */
function waiting(batches: number): Source {
  return {
    name: 'waiting',
    async *batches(signal, _wants, from = 0) {
      for (let n = from as number; n < batches * 10; n += 10) {
        const documents = Array.from({ length: 10 }, (_, i) => ({ n: n + i }));
        yield linesBatch(documents, n).withCursor(n + 10);
      }
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
  };
}

/** The second half of every other batch waits for the next. */
function halves(): Transform {
  let held: Batch | undefined;
  return {
    name: 'halves',
    *apply(batch) {
      if (held) {
        yield held;
        held = undefined;
        yield batch;
      } else {
        yield batch.slice(0, 5);
        held = batch.slice(5, 10).withCursor(batch.cursor);
      }
    },
    flush: () => (held ? [held] : []),
  };
}

/** Stops when so many have been read; answers documents read, written and filtered. */
async function stopAt(at: number, transforms: readonly Transform[]): Promise<number[]> {
  const sink = memorySink<{ n: number }>();
  const running = run({ name: 'x', source: waiting(9), transforms, sink, progressMs: 0 });
  running.on('progress', ({ read }) => void (read >= at && running.stop()));
  const { outcome, cursor, read, written, filtered } = await running;
  expect(outcome).toBe('stopped');
  expect(sink.documents.map(({ n }) => n)).toEqual([...Array(cursor as number).keys()]);
  return [read, written, filtered];
}

describe('a run that is stopped', () => {
  it('writes what waits in batch, rather than wait for the source', async () => {
    const transforms = () => [batchTransform({ count: 4 }), batchTransform({ count: 7 })];
    expect(await stopAt(30, transforms())).toEqual([30, 30, 0]);
    expect(await stopAt(90, transforms())).toEqual([90, 90, 0]);
  });

  it('goes on until a transform of its own has given a cursor behind all it gave', async () => {
    expect(await stopAt(20, [halves()])).toEqual([20, 20, 0]);
    expect(await stopAt(30, [halves()])).toEqual([40, 40, 0]);
  });
});

/** Runs into the sink, and stops when so many have been read. */
async function stopInto(sink: SinkStream<unknown>, at: number) {
  const running = run({ name: 'x', source: waiting(at / 10), sink, progressMs: 0 });
  if (at === 0) setTimeout(() => running.stop(), 20);
  running.on('progress', ({ read }) => void (read >= at && running.stop()));
  return running;
}

const nothing = { outcome: 'stopped', written: 0, rejected: 0, sink: undefined, cursor: undefined };

describe.each([0, 40])('a run that is stopped after %s documents', (at) => {
  const files: Record<string, (path: string) => SinkStream<unknown>> = {
    jsonlSink,
    gzip: (path) => jsonlSink(path, { compression: 'gzip' }),
    jsonSink,
    csvSink,
    arrowSink,
    parquetSink,
    tee: (path) => tee(memorySink(), jsonlSink(path)),
    route: (path) => route({ by: 'n', to: {}, otherwise: jsonlSink(path) }),
  };
  it.each(Object.entries(files))('leaves the file that was there: %s', async (_, sink) => {
    const folder = temporaryFolder();
    const path = join(folder, 'out');
    writeFileSync(path, 'old');
    expect(await stopInto(sink(path), at)).toMatchObject({ ...nothing, read: at, filtered: at });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it.skipIf(process.platform === 'win32').each(Object.entries(files))(
    'ends a pipe with what was read: %s',
    async (_, sink) => {
      const pipe = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const [got, told] = await Promise.all([readFile(pipe), stopInto(sink(pipe), at)]);
      expect(told).toMatchObject({ outcome: 'stopped', read: at, written: at });
      expect(JSON.stringify(told.sink)).toContain(`"bytesWritten":${got.length}`);
    },
  );

  it.skipIf(process.platform === 'win32').each(Object.entries(files))(
    'ends a run into a pipe that nobody reads: %s',
    async (_, sink) => {
      const pipe = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const handle = run({ name: 'r', source: waiting(4), sink: sink(pipe) });
      setTimeout(() => handle.stop(), 50);
      await expect(handle.done).rejects.toMatchObject({ code: 'ABORTED' });
    },
  );

  it('leaves a folder empty whose files appear together', async () => {
    const folder = temporaryFolder();
    const rotate = { documents: 10 };
    expect(await stopInto(jsonlSink(folder, { rotate }), at)).toMatchObject(nothing);
    expect(readdirSync(folder)).toEqual([]);
    const each = await stopInto(jsonlSink(folder, { rotate, publish: 'each' }), at);
    expect(each).toMatchObject({ outcome: 'stopped', written: at });
    expect(readdirSync(folder)).toHaveLength(at / 10);
  });

  it.each([
    { write: 'replace' as const },
    { write: { deleteWhere: eq('old', true) } },
    { write: { deleteBy: 'old' } },
  ])('leaves the collection that was there: $write', async ({ write }) => {
    const root = join(temporaryFolder(), 'store');
    const store = await FastStore.open<object>(root, 'c');
    await store.writeJsonl('{"_id":"a","old":true}\n{"_id":"b","old":null}\n');
    await store.close();
    const sink = zdsSink(root, 'c', { write, generateIds: true, commitDocuments: 1 });
    expect(await stopInto(sink, at)).toMatchObject({ ...nothing, read: at });
    const after = await FastStore.open(root, 'c', { mode: 'read' });
    expect((await after.scanAll()).map(({ _id }) => _id)).toEqual(['a', 'b']);
    await after.close();
    const [told] = await listRuns(root, 'c');
    expect(told).toMatchObject({ totals: { outcome: 'stopped', written: 0 } });
    expect(told).not.toHaveProperty('error');
  });

  it('ends a stream with what was read', async () => {
    const stream = new PassThrough();
    expect(await stopInto(jsonlSink(stream), at)).toMatchObject({ written: at });
    expect(stream.read()?.toString().trim().split('\n') ?? []).toHaveLength(at);
  });
});

it('a run that follows a file until it is stopped writes what it has read', async () => {
  const folder = temporaryFolder();
  const [log, out] = [join(folder, 'log'), join(folder, 'out')];
  appendFileSync(log, '{"a":1}\n{"a":2}\n');
  const running = run({ name: 'x', source: tailSource(log), sink: jsonlSink(out), progressMs: 0 });
  running.on('progress', () => void running.stop());
  expect(await running).toMatchObject({ outcome: 'stopped', written: 2 });
  expect(readFileSync(out, 'utf8')).toBe(readFileSync(log, 'utf8'));
});

it('a stop that comes when all has been read is too late', async () => {
  const out = join(temporaryFolder(), 'out');
  const sink = jsonlSink(out).sink;
  const running: RunHandle<unknown> = run({
    name: 'x',
    source: generateSource({ documents: 3 }),
    sink: {
      ...sink,
      finish() {
        void running.stop();
        return sink.finish();
      },
    },
  });
  expect(await running).toMatchObject({ outcome: 'done', written: 3, sink: { documents: 3 } });
  expect(existsSync(out)).toBe(true);
});
