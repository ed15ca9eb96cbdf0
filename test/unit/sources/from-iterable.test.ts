import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import { fromIterable, fromWeb } from '../../../src/sources/from-iterable.ts';
import { linesBatch, numbers, sleep } from '../../support/stages.ts';

async function* slowly(count: number, ms: number) {
  for (let n = 0; n < count; n++) {
    await sleep(ms);
    yield { n };
  }
}

async function readBatches(batches: AsyncIterable<Batch>) {
  const lengths: number[] = [];
  const documents: unknown[] = [];
  for await (const batch of batches) {
    lengths.push(batch.length);
    documents.push(...batch.documents());
  }
  return { lengths, documents };
}

describe('fromIterable', () => {
  it.each([
    ['an array', () => numbers(2500)],
    ['a generator', () => numbers(2500).values()],
    ['an async iterable', () => Readable.from(numbers(2500))],
  ])('gathers %s into batches of at most 1,000', async (_, items) => {
    const { lengths, documents } = await readBatches(fromIterable(items()).batches());
    expect(documents).toEqual(numbers(2500));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1000);
    expect(lengths.length).toBeLessThan(20);
  });

  it('lets a trickle flow', async () => {
    const { lengths } = await readBatches(fromIterable(slowly(4, 3)).batches());
    expect(lengths).toEqual([1, 1, 1, 1]);
  });

  it('passes batches as they are, between documents in order', async () => {
    const batch = linesBatch([{ n: 1 }, { n: 2 }]);
    const seen: Batch[] = [];
    for await (const each of fromIterable([{ n: 0 }, batch, { n: 3 }]).batches()) seen.push(each);
    expect(seen.flatMap((each) => each.documents())).toEqual(numbers(4));
    expect(seen[1]).toBe(batch);
    expect(seen[2]!.place(0)).toEqual({ ordinal: 3 });
  });

  it.each([[[1]], [null], [7], ['text'], [undefined]])(
    'refuses %j after what stands before it',
    async (bad) => {
      const seen: unknown[] = [];
      const reading = async () => {
        for await (const document of fromIterable([{ n: 0 }, bad as never, { n: 2 }]))
          seen.push(document);
      };
      await expect(reading()).rejects.toMatchObject({
        code: 'INVALID_DOCUMENT',
        place: { ordinal: 1 },
      });
      expect(seen).toEqual([{ n: 0 }]);
    },
  );

  it('passes the error on as it is, after everything before it', async () => {
    const broken = new Error('broken');
    async function* failing() {
      yield* numbers(3);
      throw broken;
    }
    let seen = 0;
    const reading = async () => {
      for await (const _ of fromIterable(failing())) seen++;
    };
    await expect(reading()).rejects.toBe(broken);
    expect(seen).toBe(3);
  });

  it('closes what it reads from when it is left, and does not hang on what is silent', async () => {
    let closed = 0;
    async function* endless() {
      try {
        for (;;) yield { n: 1 };
      } finally {
        closed++;
      }
    }
    for await (const _ of fromIterable(endless())) break;
    await sleep(5);
    expect(closed).toBe(1);
    const silent = fromIterable(new Readable({ objectMode: true, read() {} }));
    silent.on('data', () => {});
    await sleep(2);
    await silent[Symbol.asyncDispose]();
  });

  it('reads ahead no more than a batch', async () => {
    let given = 0;
    async function* counted() {
      for (;;) {
        given++;
        yield { n: given };
      }
    }
    const iterator = fromIterable(counted()).batches();
    await iterator.next();
    await sleep(10);
    expect(given).toBeLessThanOrEqual(2001);
    await iterator.return?.();
  });

  it('reads Web streams, and cancels them', async () => {
    expect(await fromWeb(ReadableStream.from(numbers(3))).toArray()).toEqual(numbers(3));
    let cancelled = false;
    const stream = new ReadableStream<{ n: number }>({
      pull: (controller) => controller.enqueue({ n: 0 }),
      cancel() {
        cancelled = true;
      },
    });
    for await (const _ of fromWeb(stream)) break;
    await sleep(1);
    expect(cancelled).toBe(true);
  });
});
