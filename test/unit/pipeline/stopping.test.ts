/** What a run that is stopped has written: what its cursor covers. */
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Source, Transform } from '../../../src/core/stage.ts';
import { run } from '../../../src/pipeline/index.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { batchTransform } from '../../../src/transforms/index.ts';
import { linesBatch } from '../../support/stages.ts';

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
