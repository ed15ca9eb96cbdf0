/** What `batch` holds back goes on when it has waited long enough, whoever drives it. */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Source, Transform } from '../../../src/core/stage.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { run } from '../../../src/pipeline/index.ts';
import { batch } from '../../../src/stages.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import { TransformStage } from '../../../src/streams/transform-stage.ts';
import { memorySink } from '../../../src/testing/index.ts';
import { batchTransform } from '../../../src/transforms/index.ts';
import { linesBatch, probeSink, runStages, sinkStream } from '../../support/stages.ts';
import { applyTo, batchesOf } from '../../support/transforms.ts';

/** Three documents, then silence until `go`, then one more. */
function halting(): { source: Source; go: () => void } {
  let go = (): void => {};
  const until = new Promise<void>((resolve) => {
    go = resolve;
  });
  const source: Source = {
    name: 'halting',
    async *batches(signal) {
      for (let n = 0; n < 3; n++) yield linesBatch([{ _id: `d${n}`, n }], n).withCursor(n + 1);
      await Promise.race([until, sleep(2000, undefined, { signal }).catch(() => {})]);
      signal.throwIfAborted();
      yield linesBatch([{ _id: 'd3', n: 3 }], 3).withCursor(4);
    },
  };
  return { source, go };
}

async function eventually(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isTrue(); i++) await sleep(5);
  expect(isTrue()).toBe(true);
}

/** Runs the work with the timers that it has started and that are still there; other tests have theirs. */
async function ownTimers(work: (timers: ReadonlySet<number>) => Promise<void>): Promise<void> {
  const own = new AsyncLocalStorage<boolean>();
  const timers = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && own.getStore() && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  }).enable();
  await own.run(true, () => work(timers)).finally(() => hook.disable());
}

describe('batch with waitMs', () => {
  it('commits in a run what has waited, while the source is silent', async () => {
    const { source, go } = halting();
    const sink = memorySink();
    const running = run({
      name: 'x',
      source,
      transforms: [batchTransform({ count: 10, waitMs: 20 })],
      sink,
    });
    await eventually(() => sink.documents.length === 3);
    go();
    expect(await running).toMatchObject({ read: 4, written: 4, filtered: 0, cursor: 4 });
  });

  it('goes on in streams while the source is silent', async () => {
    const { source, go } = halting();
    const sink = probeSink();
    const stage = batch({ count: 10, waitMs: 20 });
    const running = runStages([new SourceStream(source), stage, sinkStream(sink)]);
    await eventually(() => sink.documents.length === 3);
    go();
    await running;
    expect(sink.batches.map(({ length }) => length)).toEqual([3, 1]);
  });

  it('lets go of what is due first, whichever transform holds it', async () => {
    const { source, go } = halting();
    const sink = memorySink();
    const transforms = [
      batchTransform({ count: 2, waitMs: 60_000 }),
      batchTransform({ count: 10, waitMs: 20 }),
    ];
    const running = run({ name: 'x', source, transforms, sink });
    await eventually(() => sink.documents.length === 2);
    go();
    expect(await running).toMatchObject({ read: 4, written: 4 });
  });

  it('asks a transform again that lets go of a part at a time', async () => {
    const held: Batch[] = [];
    const transform: Transform = {
      name: 'drip',
      apply: (each) => {
        held.push(each);
        return [];
      },
      flush: () => held.splice(0, 1),
      get due() {
        return held.length > 0 ? performance.now() + 5 : undefined;
      },
    };
    for (const drive of ['run', 'streams']) {
      const { source, go } = halting();
      const sink = probeSink();
      const running =
        drive === 'run'
          ? run({ name: 'x', source, transforms: [transform], sink })
          : runStages([
              new SourceStream(source),
              new TransformStage(transform, sharedKernel().codec),
              sinkStream(sink),
            ]);
      await eventually(() => sink.documents.length === 3);
      go();
      await running;
      expect(sink.documents).toHaveLength(4);
    }
  });

  it('does not wait for silence where batches keep coming', async () => {
    const texts = Array.from({ length: 6 }, (_, n) => `{"n":${n}}`);
    const transform = batchTransform({ waitMs: 30 });
    const signal = new AbortController().signal;
    const lengths: number[] = [];
    for (const each of batchesOf(texts, 1)) {
      await sleep(12);
      for await (const out of await transform.apply(each, signal)) lengths.push(out.length);
    }
    expect(lengths[0]).toBeGreaterThan(1);
    expect(lengths[0]).toBeLessThan(6);
    const whole = await applyTo(batchTransform({ waitMs: 10_000 }), batchesOf(texts, 1));
    expect(whole.batches.map(({ length }) => length)).toEqual([6]);
  });

  it('keeps no timer behind after an end, an error or an abort', async () => {
    await ownTimers(async (timers) => {
      const { source } = halting();
      const options = { count: 10, waitMs: 60_000 };
      const running = run({
        name: 'x',
        source,
        transforms: [batchTransform(options)],
        sink: memorySink(),
      });
      await sleep(10);
      running.abort();
      await expect(running).rejects.toThrow('aborted');
      const stage = batch(options);
      stage.write({ n: 1 });
      await sleep(10);
      expect(timers.size).toBeGreaterThan(0);
      stage.destroy();
      const ended = batch(options);
      ended.end({ n: 1 });
      expect(await ended.toArray()).toEqual([{ n: 1 }]);
      await turn();
      expect(timers.size).toBe(0);
    });
  });

  it('hands on what the sink says about a batch that was due', async () => {
    const { source } = halting();
    const sink = probeSink({ failAt: 0, error: new Error('full') });
    const transforms = [batchTransform({ count: 10, waitMs: 10 })];
    await expect(run({ name: 'x', source, transforms, sink })).rejects.toThrow('full');
    const stage = batch({ count: 10, waitMs: 10 });
    const again = probeSink({ failAt: 0, error: new Error('full') });
    const streams = [new SourceStream(halting().source), stage, sinkStream(again)];
    await expect(runStages(streams)).rejects.toThrow('full');
  });
});
