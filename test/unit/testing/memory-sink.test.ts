/** The sink in memory: the contract of all sinks, and what a run finds in it that is run again. */
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/pipeline/index.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { filter, incremental, map } from '../../../src/stages.ts';
import { memorySink, sinkContract } from '../../../src/testing/index.ts';

describe('memorySink', () => {
  const fresh = () => {
    let sink = memorySink();
    return {
      open: (options: { signal?: AbortSignal }) => {
        sink = memorySink(options);
        return sink;
      },
      readBack: async () => sink.documents,
    };
  };
  it.each(sinkContract(fresh).map((check) => [check.name, check] as const))('%s', (_, check) =>
    check.run(),
  );

  it('shows what a pipeline and a run have made', async () => {
    const rows = [{ n: 1 }, { n: 2 }, { n: 3 }];
    const piped = memorySink<{ n: number }>();
    await pipeline(
      fromIterable(rows),
      filter((row: { n: number }) => row.n > 1),
      piped,
    );
    expect(piped.documents.map(({ n }) => n)).toEqual([2, 3]);
    const sink = memorySink();
    const double = map((row: { n: number }) => ({ n: row.n * 2 }));
    const source = fromIterable(rows);
    expect(await run({ name: 'x', source, transforms: [double], sink })).toMatchObject({
      written: 3,
      sink: { documents: 3 },
    });
    expect(sink.documents).toEqual([{ n: 2 }, { n: 4 }, { n: 6 }]);
  });

  it('keeps what was committed when a run fails, and the next goes on behind it', async () => {
    const options = { documents: 50, seed: 7, batchDocuments: 10 };
    const whole = memorySink();
    await run({ name: 'x', source: generateSource(options), sink: whole });
    const sink = memorySink();
    let calls = 0;
    const broken = map((document: object) => {
      if (++calls === 25) throw new Error('boom');
      return document;
    });
    const source = () => generateSource(options);
    await expect(run({ name: 'x', source: source(), transforms: [broken], sink })).rejects.toThrow(
      'boom',
    );
    expect(sink.documents).toEqual(whole.documents.slice(0, 20));
    expect(await run({ name: 'x', source: source(), sink, resume: true })).toMatchObject({
      resumed: true,
      written: 30,
    });
    expect(sink.documents).toEqual(whole.documents);
  });

  it('keeps what transforms remember, apart from what they go on to remember', async () => {
    const sink = memorySink();
    const load = (...times: number[]) => {
      const source = fromIterable(times.map((t) => ({ t })));
      return run({ name: 'x', source, transforms: [incremental({ field: 't' })], sink });
    };
    await load(1, 2);
    await load(1, 2, 3);
    expect(sink.documents).toEqual([{ t: 1 }, { t: 2 }, { t: 3 }]);
  });
});
