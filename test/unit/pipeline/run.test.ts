/** Runs: their accounts, bad records, stopping, resuming, and what is left when they fail. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../../src/core/batch.ts';
import { EtlError } from '../../../src/core/errors.ts';
import type { Sink, Source, Transform } from '../../../src/core/stage.ts';
import { run } from '../../../src/pipeline/index.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { chain, dedupe, filter, map } from '../../../src/stages.ts';
import { FastStore } from '../../../src/store/index.ts';
import {
  linesBatch,
  openDescriptors,
  probeSink,
  probeSource,
  sleep,
  temporaryFolder,
} from '../../support/stages.ts';

interface Numbers extends Source {
  pulled: number;
  closed: number;
}

/** Documents `{ _id, n }` from 0 to `total` (not included), ten a batch, that go on from `n`. */
function numbers(
  total: number,
  options: { failAt?: number; error?: unknown; waitMs?: number } = {},
) {
  const source: Numbers = {
    name: 'numbers',
    pulled: 0,
    closed: 0,
    async *batches(signal, _wants, from = 0) {
      try {
        for (let n = from as number; n < total; n += 10) {
          if (options.waitMs) await sleep(options.waitMs, undefined, { signal });
          if (n === options.failAt && source.pulled++ >= 0) {
            const { error } = options;
            if (error) throw error;
          }
          source.pulled++;
          const documents = Array.from({ length: Math.min(10, total - n) }, (_, i) => ({
            _id: `d${n + i}`,
            n: n + i,
          }));
          yield linesBatch(documents, n).withCursor(n + documents.length);
        }
      } finally {
        source.closed++;
      }
    },
  };
  return source;
}

/** The same with a cursor behind every third batch only. */
function sparing(source: Numbers): Source {
  return {
    name: source.name,
    async *batches(...given) {
      for await (const batch of source.batches(...given)) {
        yield (batch.cursor as number) % 30 === 0 ? batch : batch.withCursor(undefined);
      }
    },
  };
}

async function readBack(root: string, name = 'c'): Promise<Document[]> {
  const store = await FastStore.open(root, name, { mode: 'read' });
  try {
    return await store.scanAll();
  } finally {
    await store.close();
  }
}

describe('a chain', () => {
  it('is a source and transforms of a run, each with its id', async () => {
    const store = temporaryFolder();
    const rows = chain(fromIterable([{ n: 1 }, { n: 2 }, { n: 1 }]))
      .through(map(({ n }) => ({ _id: `d${n}` })))
      .through(dedupe(), 'seen');
    const sink = zdsSink(store, 'a');
    const { read, written, filtered } = await run({ name: 'x', ...rows, sink });
    expect([read, written, filtered]).toEqual([3, 2, 1]);
    expect(rows.transforms.map((each) => ('id' in each ? each.id : ''))).toEqual(['', 'seen']);
    expect(chain(rows.source).transforms).toEqual([]);
  });
});

describe('a run', () => {
  it('takes contracts and streams alike, and accounts for every document', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out.jsonl');
    const doubled: Transform = {
      name: 'twice',
      apply: (batch) => [batch, batch],
    };
    const summary = await run({
      name: 'all',
      source: fromIterable(Array.from({ length: 100 }, (_, n) => ({ n }))),
      transforms: [filter<{ n: number }>(({ n }) => n % 4 === 0), doubled, map((each) => each)],
      sink: jsonlSink(out),
    });
    expect(summary).toMatchObject({
      outcome: 'done',
      read: 100,
      filtered: 75,
      expanded: 25,
      written: 50,
      rejected: 0,
      sink: { documents: 50 },
      resumed: false,
      deadLetter: undefined,
    });
    expect(summary.stages.map(({ name, in: taken, out }) => [name, taken, out])).toEqual([
      ['fromIterable', 100, 100],
      ['filter', 100, 25],
      ['twice', 25, 50],
      ['map', 50, 50],
      ['jsonlSink', 50, 50],
    ]);
    expect(summary.loadId).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(readFileSync(out, 'utf8').split('\n')).toHaveLength(51);
  });

  it('fails when a sink wrote less than it was given', async () => {
    const sink: Sink<object> = { ...probeSink(), finish: async () => ({ documents: 39 }) };
    const running = run({ name: 'x', source: numbers(40), sink }).done;
    await expect(running).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(running).rejects.toThrow(
      /in \+ expanded = out \+ filtered \+ rejected: 40 is not 39/,
    );
  });

  it('keeps the first cause, closes everything and leaves no descriptor', async () => {
    const root = join(temporaryFolder(), 'store');
    const before = openDescriptors();
    const error = new Error('first');
    const source = numbers(100, { failAt: 50, error });
    await expect(run({ name: 'x', source, sink: zdsSink(root, 'c') }).done).rejects.toBe(error);
    expect(source.closed).toBe(1);
    const sink = probeSink({ failAt: 2, error });
    await expect(run({ name: 'x', source: numbers(100), sink }).done).rejects.toBe(error);
    expect(sink.events).toEqual(['open', 'abort']);
    const finishing = probeSink({ finishError: error });
    await expect(run({ name: 'x', source: numbers(9), sink: finishing }).done).rejects.toBe(error);
    const broken: Transform = {
      name: 'broken',
      apply() {
        throw error;
      },
    };
    const working = run({ name: 'x', source: numbers(9), transforms: [broken], sink: probeSink() });
    await expect(working.done).rejects.toBe(error);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
    expect(await readBack(root)).toEqual([]);
  });

  it('is caught like a promise', async () => {
    const broken = (): AsyncGenerator<Batch> => {
      throw new Error('boom');
    };
    const source: Source = { name: 'broken', batches: broken };
    const failing = () => run({ name: 'x', source, sink: probeSink() });
    let settled = 0;
    await expect(failing().catch((error: unknown) => String(error))).resolves.toBe('Error: boom');
    await expect(failing().finally(() => settled++)).rejects.toThrow('boom');
    expect(settled).toBe(1);
  });

  it('is aborted by a signal or its handle, also while a stage waits for ever', async () => {
    const never = new Promise<never>(() => {});
    const stuck: Source = {
      name: 'stuck',
      async *batches(signal) {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    };
    const reason = new Error('enough');
    const sink = probeSink();
    const handle = run({ name: 'x', source: stuck, sink });
    setTimeout(() => handle.abort(reason), 5);
    await expect(handle.done).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect(sink.events).toEqual(['open', 'abort']);
    const slow = { ...probeSink(), write: () => never };
    const signal = AbortSignal.timeout(5);
    const writing = run({ name: 'x', source: numbers(9), sink: slow, signal });
    await expect(writing.done).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(writing.done).rejects.toHaveProperty('cause', signal.reason);
    const done = run({ name: 'x', source: numbers(9), sink, signal: AbortSignal.abort(reason) });
    await expect(done.done).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
  });

  it('stops in good order, and goes on from there', async () => {
    const root = join(temporaryFolder(), 'store');
    const sink = () => zdsSink(root, 'c', { commitDocuments: 30 });
    const source = numbers(1000, { waitMs: 1 });
    const handle = run({ name: 'load', source, sink: sink(), progressMs: 0 });
    handle.on('progress', ({ read }) => {
      if (read >= 200) void handle.stop();
    });
    const stopped = await handle;
    expect(stopped.outcome).toBe('stopped');
    expect(source.closed).toBe(1);
    const there = await readBack(root);
    expect(there).toHaveLength(stopped.written);
    expect(stopped.cursor).toBe(stopped.written);
    const rest = numbers(1000);
    const done = await run({ name: 'load', source: rest, sink: sink(), resume: true });
    expect(done).toMatchObject({ outcome: 'done', resumed: true, read: 1000 - stopped.written });
    expect(done.sink?.replaced).toBe(0);
    expect((await readBack(root)).map(({ n }) => n)).toEqual([...Array(1000).keys()]);
    const again = await run({ name: 'load', source: numbers(1000), sink: sink(), resume: true });
    expect(again).toMatchObject({ read: 0, written: 0, resumed: true });
  });

  it('goes on to the next cursor before it stops', async () => {
    const root = join(temporaryFolder(), 'store');
    const sink = () => zdsSink(root, 'c', { write: 'append', commitDocuments: 1 });
    const source = sparing(numbers(200));
    const handle = run({ name: 'load', source, sink: sink(), resume: true, progressMs: 0 });
    handle.on('progress', ({ read }) => void (read >= 70 && handle.stop()));
    expect(await handle).toMatchObject({ outcome: 'stopped', written: 90, cursor: 90 });
    const rest = { name: 'load', source: sparing(numbers(200)), sink: sink(), resume: true };
    // The last of these documents stand behind the last cursor.
    await expect(run(rest).done).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect((await readBack(root)).map(({ n }) => n)).toEqual([...Array(180).keys()]);
    const more = { ...rest, source: sparing(numbers(210)), sink: sink() };
    expect(await run(more)).toMatchObject({ read: 30, written: 30, cursor: 210 });
    expect(await readBack(root)).toHaveLength(210);
  });

  it('keeps no cursor of documents that lie behind it', async () => {
    const root = join(temporaryFolder(), 'store');
    const sink = () => zdsSink(root, 'c');
    const first = await run({ name: 'load', source: sparing(numbers(100)), sink: sink() });
    expect(first).toMatchObject({ written: 100, cursor: undefined });
    const again = { name: 'load', source: sparing(numbers(100)), sink: sink(), resume: true };
    await expect(run(again).done).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(await readBack(root)).toHaveLength(100);
  });

  it('does not take another source for its own, nor one that cannot resume', async () => {
    const root = join(temporaryFolder(), 'store');
    const sink = () => zdsSink(root, 'c');
    await run({ name: 'load', source: numbers(10), sink: sink() });
    const other = { ...numbers(10), name: 'other' };
    const mixed = run({ name: 'load', source: other, sink: sink(), resume: true });
    await expect(mixed.done).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
    const source = fromIterable([{ _id: 'a' }]);
    const blind = run({ name: 'blind', source, sink: sink(), resume: true });
    await expect(blind.done).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const nowhere = run({ name: 'load', source: numbers(1), sink: probeSink(), resume: true });
    await expect(nowhere.done).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const fresh = await run({ name: 'new', source: numbers(10), sink: sink(), resume: true });
    expect(fresh).toMatchObject({ resumed: false, read: 10 });
  });

  it('commits only where a cursor covers what was written', async () => {
    const root = join(temporaryFolder(), 'store');
    // Holds each batch back until the next but one comes, and then gives all of it without cursor.
    const held: Batch[] = [];
    const holding: Transform = {
      name: 'holding',
      apply(batch) {
        held.push(batch);
        return held.length < 3 ? [] : held.splice(0).map((each) => each.withCursor(undefined));
      },
      flush: () => held.splice(0),
    };
    const error = new Error('late');
    const options = { name: 'load', sink: zdsSink(root, 'c', { commitDocuments: 1 }) };
    const failing = run({
      ...options,
      source: numbers(100, { failAt: 90, error }),
      transforms: [holding],
    });
    await expect(failing.done).rejects.toBe(error);
    expect(await readBack(root)).toEqual([]);
    held.length = 0;
    const whole = await run({
      ...options,
      sink: zdsSink(root, 'c', { commitDocuments: 1 }),
      source: numbers(100),
      transforms: [holding],
    });
    expect(whole.sink).toMatchObject({ documents: 100, commits: 1 });
  });

  it('advances over documents that no transform lets through', async () => {
    const root = join(temporaryFolder(), 'store');
    const sink = () => zdsSink(root, 'c');
    const none = filter(() => false);
    const first = await run({ name: 'l', source: numbers(95), transforms: [none], sink: sink() });
    expect(first).toMatchObject({ read: 95, written: 0, filtered: 95 });
    const options = { name: 'l', transforms: [filter(() => true)], resume: true };
    const next = await run({ ...options, source: numbers(100), sink: sink() });
    expect(next).toMatchObject({ read: 5, written: 5, resumed: true });
  });

  it('tells its progress, to listeners and to a loop', async () => {
    const handle = run({
      name: 'x',
      source: numbers(200, { waitMs: 1 }),
      sink: probeSink(),
      progressMs: 0,
    });
    const seen: number[] = [];
    for await (const { read } of handle) seen.push(read);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(200);
    const failing = run({
      name: 'x',
      source: probeSource(1, 1, { error: new Error('e') }),
      sink: probeSink(),
    });
    const reading = async () => {
      for await (const _ of failing);
    };
    await expect(reading()).rejects.toThrow('e');
  });

  it('reads ahead one batch, and none that does not fit', async () => {
    for (const [maxMemory, most] of [
      [1 << 20, 2],
      [300, 1],
    ] as const) {
      const source = numbers(100);
      let ahead = 0;
      let written = 0;
      const sink: Sink<object> = {
        ...probeSink(),
        async write() {
          await sleep(1);
          written++;
          ahead = Math.max(ahead, source.pulled - written + 1);
        },
        finish: async () => ({}),
      };
      await run({ name: 'x', source, sink, maxMemory });
      expect(ahead).toBe(most);
    }
  });

  it('opens a source again that failed for a moment, behind what it gave', async () => {
    let failures = 0;
    const source: Source = {
      ...numbers(0),
      async *batches(signal, wants, from) {
        for await (const batch of numbers(100).batches(signal, wants, from)) {
          yield batch;
          if (failures < 3 && Number(batch.cursor) >= 30 * (failures + 1)) {
            failures++;
            throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
          }
        }
      },
    };
    const sink = probeSink();
    const retries: unknown[] = [];
    const handle = run({ name: 'x', source, sink, retry: { baseDelayMs: 1 } });
    handle.on('retry', (retry) => retries.push(retry.attempt));
    await handle;
    expect(sink.documents.map(({ n }) => n)).toEqual([...Array(100).keys()]);
    expect(retries).toHaveLength(3);
    const untried = run({
      name: 'x',
      source: numbers(9, { failAt: 0, error: new Error('hard') }),
      sink: probeSink(),
      retry: {},
    });
    await expect(untried.done).rejects.toThrow('hard');
  });

  it('refuses what cannot be', () => {
    const make = (more: object) => () =>
      run({ name: 'x', source: numbers(1), sink: probeSink(), ...more });
    expect(make({ name: '' })).toThrow(EtlError);
    for (const maxErrors of [-1, 'x%', '5', { share: 2 }]) {
      expect(make({ maxErrors })).toThrow(/maxErrors/);
    }
  });
});
