import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { Batch, type Document } from '../../../src/core/batch.ts';
import type { Transform as CoreTransform } from '../../../src/core/stage.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { map, transformStage } from '../../../src/stages.ts';
import {
  numbers,
  probeSink,
  probeStream,
  runStages,
  sinkStream,
  sleep,
} from '../../support/stages.ts';

const stranger = () =>
  new Transform({ objectMode: true, transform: (chunk, _, callback) => callback(null, chunk) });

/** Passes batches on and notes them. */
function noting(): { seen: Batch[]; transform: CoreTransform } {
  const seen: Batch[] = [];
  return {
    seen,
    transform: {
      name: 'note',
      apply(batch) {
        seen.push(batch);
        return [batch];
      },
    },
  };
}

describe('TransformStage', () => {
  it.each([
    ['ours, ours', false, false],
    ['ours, stranger', false, true],
    ['stranger, ours', true, false],
    ['stranger, stranger', true, true],
  ])('works between %s', async (_, before, after) => {
    const { seen, transform } = noting();
    const sink = probeSink();
    await runStages([
      probeStream(4, 600),
      ...(before ? [stranger()] : []),
      transformStage(transform),
      ...(after ? [stranger()] : []),
      sinkStream(sink),
    ]);
    expect(sink.documents).toEqual(numbers(2400));
    if (!before) expect(seen.map((batch) => batch.length)).toEqual([600, 600, 600, 600]);
    if (!before && !after) expect(sink.batches).toEqual(seen);
  });

  it('can be read, iterated and written by hand', async () => {
    expect(
      await probeStream(2, 3)
        .pipe(map((d) => d))
        .toArray(),
    ).toEqual(numbers(6));
    const stage = map<{ n: number }>((d) => ({ n: -d.n }));
    stage.write({ n: 1 });
    const got = await new Promise((resolve) => stage.once('data', resolve));
    expect(got).toEqual({ n: -1 });
    stage.destroy();
  });

  it('lets a trickle flow through stranger and stage', async () => {
    const stage = map((d) => d);
    const seen: unknown[] = [];
    stage.on('data', (document) => seen.push(document));
    stage.write({ n: 0 });
    await sleep(5);
    expect(seen).toEqual([{ n: 0 }]);
    stage.destroy();
  });

  it.each(['array', 'generator', 'async generator', 'promise'])(
    'takes what apply and flush give: %s',
    async (form) => {
      const { codec } = sharedKernel();
      const give = (batches: Batch[]): ReturnType<CoreTransform['apply']> => {
        if (form === 'array') return batches;
        if (form === 'promise') return Promise.resolve(batches);
        return form === 'generator' ? batches.values() : Readable.from(batches);
      };
      let held: Document[] = [];
      const transform: CoreTransform = {
        name: 'last of all',
        apply(batch) {
          held = [...held, ...batch.documents()];
          return give([]);
        },
        flush: () => give([Batch.fromDocuments(held, codec), Batch.fromDocuments([], codec)]),
      };
      const sink = probeSink();
      await pipeline(probeStream(3, 5), transformStage(transform), sinkStream(sink));
      expect(sink.documents).toEqual(numbers(15));
    },
  );

  it.each(['apply', 'flush', 'async'])('keeps the error itself: %s', async (where) => {
    const error = new Error(where);
    const transform: CoreTransform = {
      name: 'failing',
      apply(batch) {
        if (where === 'apply') throw error;
        return where === 'async' ? Promise.reject(error) : [batch];
      },
      flush() {
        throw error;
      },
    };
    const sink = probeSink();
    const running = pipeline(probeStream(3, 5), transformStage(transform), sinkStream(sink));
    await expect(running).rejects.toBe(error);
    expect(sink.events).not.toContain('finish');
  });

  it('tells a transform under way that it is over', async () => {
    let signal: AbortSignal | undefined;
    const error = new Error('sink');
    const transform: CoreTransform = {
      name: 'watching',
      apply(batch, given) {
        signal = given;
        return [batch];
      },
    };
    const failing = new Writable({
      objectMode: true,
      write: (_c, _e, callback) => callback(error),
    });
    await expect(pipeline(probeStream(9, 5), transformStage(transform), failing)).rejects.toBe(
      error,
    );
    await sleep(1);
    expect(signal!.aborted).toBe(true);
  });

  it('refuses what is no document', async () => {
    const running = pipeline(
      Readable.from([{ n: 0 }, [1]]),
      map((d) => d),
      sinkStream(probeSink()),
    );
    await expect(running).rejects.toMatchObject({
      code: 'INVALID_DOCUMENT',
      place: { ordinal: 1 },
    });
  });
});
