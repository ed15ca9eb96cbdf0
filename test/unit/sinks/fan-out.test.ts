/** tee and route. */
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { Reject } from '../../../src/core/reject.ts';
import { httpSink } from '../../../src/sinks/http-sink.ts';
import { createRoute, route } from '../../../src/sinks/route.ts';
import { tee } from '../../../src/sinks/tee.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { testSinkContract } from '../../contract/sink-contract.ts';
import {
  numbers,
  type ProbeSink,
  probeSink,
  probeStream,
  sinkStream,
  sleep,
} from '../../support/stages.ts';
import { batchesOf, batchOf } from '../../support/transforms.ts';

testSinkContract('tee', () => {
  const sinks = [probeSink(), probeSink()];
  return {
    open: ({ signal }) => {
      const stream = tee(...sinks);
      signal?.addEventListener('abort', () => stream.destroy(abortedBy(signal.reason)));
      return stream;
    },
    async readBack() {
      expect(sinks[1]!.documents).toEqual(sinks[0]!.documents);
      return sinks[0]!.documents;
    },
  };
});

testSinkContract('route', () => {
  const [even, odd] = [probeSink(), probeSink()];
  return {
    open: ({ signal }) => {
      const by = ({ n }: { n?: unknown }) => ((n as number) % 2 === 0 ? 'even' : 'odd');
      const stream = route({ by, to: { even, odd } });
      signal?.addEventListener('abort', () => stream.destroy(abortedBy(signal.reason)));
      return stream;
    },
    readBack: async () =>
      [...even.documents, ...odd.documents].sort((a, b) => (a.n as number) - (b.n as number)),
  };
});

function abortedBy(reason: unknown): Error {
  return Object.assign(new Error('stopped', { cause: reason }), { code: 'ABORTED' });
}

describe.each([
  ['tee', (a: ProbeSink, b: ProbeSink) => tee(a, sinkStream(b))],
  [
    'route',
    (a: ProbeSink, b: ProbeSink) =>
      route({ by: ({ n }) => ((n as number) % 2 ? 'b' : 'a'), to: { a, b: sinkStream(b) } }),
  ],
] as const)('%s', (_, make) => {
  it('gives up all when one fails, once, with its error', async () => {
    const error = new Error('mine');
    const [good, bad] = [probeSink(), probeSink({ failAt: 2, error })];
    await expect(pipeline(probeStream(9, 4), make(good, bad))).rejects.toBe(error);
    expect([good.events, bad.events]).toEqual([
      ['open', 'abort'],
      ['open', 'abort'],
    ]);
  });

  it('asks its sinks anew whether a part is of use: a pipe may have taken the place of a file', () => {
    const [changing, other] = [probeSink(), probeSink()];
    let atomic = true;
    Object.defineProperty(changing, 'atomic', { get: () => atomic });
    const { sink } = make(other, changing);
    expect(sink.atomic).toBe(true);
    atomic = false;
    expect(sink.atomic).toBe(false);
  });

  it('does not give up what has finished', async () => {
    const error = new Error('late');
    const [good, bad] = [probeSink(), probeSink({ finishError: error })];
    await expect(pipeline(probeStream(3, 4), make(good, bad))).rejects.toBe(error);
    expect(good.events).toEqual(['open', 'finish']);
    expect(bad.events).toEqual(['open', 'finish', 'abort']);
  });

  it('goes at the pace of the slowest', async () => {
    const slow = probeSink({ delayMs: 2 });
    const fast = probeSink();
    let ahead = 0;
    const write = fast.write.bind(fast);
    fast.write = async (batch) => {
      await write(batch);
      ahead = Math.max(ahead, fast.batches.length - slow.batches.length);
    };
    await pipeline(probeStream(20, 4), make(fast, slow));
    expect(ahead).toBe(1);
    expect(slow.events).toEqual(['open', 'finish']);
  });
});

describe('tee', () => {
  it('says what each says, and ends the source when nobody wants more', async () => {
    const [a, b] = [probeSink(), probeSink()];
    const sink = tee(a, b);
    await pipeline(fromIterable(numbers(7)), sink);
    expect(await sink.summary).toEqual({ documents: 7, sinks: [7, 7] });
    const limited = () => {
      const probe = probeSink();
      Object.defineProperty(probe, 'satisfied', { get: () => probe.batches.length >= 2 });
      return probe;
    };
    const [c, d] = [limited(), limited()];
    await pipeline(probeStream(1000, 2), tee(c, d));
    expect(c.batches).toHaveLength(2);
    expect(() => tee()).toThrow(/needs a sink/);
  });

  it('of many sinks that listen to the signal prints no warning', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', onWarning);
    const fetch = async () => new Response();
    const sinks = Array.from({ length: 12 }, () => httpSink('http://localhost/', { fetch }));
    await pipeline(fromIterable(numbers(1)), tee(...sinks));
    await sleep(1);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('route', () => {
  const texts = ['{"t":"a","n":1}', '{"t":"b"}', '{"t":1}', '{"t":"\\u0061"}', '{}', '{"t":{}}'];

  it('by path takes scalars as text, and says what each sink says', async () => {
    const [a, b, one] = [probeSink(), probeSink(), probeSink()];
    const sink = route({ by: 't', to: { a, b, '1': one }, otherwise: 'drop' });
    await pipeline(fromIterable(batchesOf(texts, 2)), sink);
    expect(a.documents).toEqual([{ t: 'a', n: 1 }, { t: 'a' }]);
    expect([b.documents, one.documents]).toEqual([[{ t: 'b' }], [{ t: 1 }]]);
    const summary = await sink.summary;
    expect(summary).toEqual({ documents: 4, filtered: 2, sinks: { a: 2, b: 1, '1': 1 } });
  });

  it('sends the rest to a sink, or rejects it with its place', async () => {
    const [a, rest] = [probeSink(), probeSink()];
    const sink = route({ by: 't', to: { a }, otherwise: rest });
    await pipeline(fromIterable(batchesOf(texts, 4)), sink);
    expect((await sink.summary).otherwise).toBe(4);
    expect(rest.documents).toHaveLength(4);
    const stopped = pipeline(fromIterable(batchesOf(texts, 4)), route({ by: 't', to: { a } }));
    await expect(stopped).rejects.toMatchObject({ code: 'INVALID_DOCUMENT', place: { line: 2 } });
    const rejects: Reject[] = [];
    const bare = createRoute({ by: 't', to: { a: probeSink(), toString: probeSink() } });
    await bare.open(new AbortController().signal);
    await bare.write(batchOf(['{"t":"constructor"}', ...texts]), (reject) => rejects.push(reject));
    expect(rejects.map(({ place }) => place.line)).toEqual([1, 3, 4, 6, 7]);
    expect(rejects[0]!.reason).toBe('route: there is no sink for "constructor"');
  });
});
