import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { and, eq, gte, lt } from '../../../src/core/predicate.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { filter, map, project, tap } from '../../../src/stages.ts';
import {
  numbers,
  probeSink,
  probeStream,
  runStages,
  sinkStream,
  sleep,
  temporaryFolder,
} from '../../support/stages.ts';

async function run(...stages: NodeJS.ReadWriteStream[]) {
  const sink = probeSink();
  await runStages([probeStream(3, 10), ...stages, sinkStream(sink)]);
  return sink;
}

describe('filter and project on bytes', () => {
  it('make no object', async () => {
    const { codec } = sharedKernel();
    const decode = vi.spyOn(codec, 'decode');
    const encode = vi.spyOn(codec, 'encode');
    const folder = temporaryFolder();
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, '{"n":1,"x":{"y":12345678901234567890,"z":0}}\n{"n":2,"x":{}}\n{"n":1}\n');
    await pipeline(
      jsonlSource(path),
      filter(eq('n', 1)),
      project(['x.y', 'n']),
      jsonlSink(join(folder, 'b.jsonl')),
    );
    expect([decode.mock.calls.length, encode.mock.calls.length]).toEqual([0, 0]);
    decode.mockRestore();
    encode.mockRestore();
    const seen: unknown[] = [];
    for await (const batch of jsonlSource(join(folder, 'b.jsonl')).batches()) {
      seen.push(Buffer.from(batch.bytes()).toString());
    }
    expect(seen).toEqual(['{"x":{"y":12345678901234567890},"n":1}\n{"n":1}\n']);
  });

  it('do not bring back what an earlier filter dropped', async () => {
    const sink = await run(
      filter(gte('n', 5)),
      filter(lt('n', 25)),
      filter((d) => d.n !== 7),
      project(['n']),
      filter(lt('n', 9)),
    );
    expect(sink.documents).toEqual([{ n: 5 }, { n: 6 }, { n: 8 }]);
  });

  it('work on what map made as on its JSON', async () => {
    const sink = await run(
      map((d) => ({ n: d.n, at: new Date(0), gone: undefined })),
      filter(and(eq('at', '1970-01-01T00:00:00.000Z'), lt('n', 2))),
      project(['at', 'gone']),
    );
    expect(sink.documents).toEqual(Array(2).fill({ at: '1970-01-01T00:00:00.000Z' }));
  });

  it('keep the place of every document', async () => {
    const sink = await run(
      filter(gte('n', 12)),
      project(['n']),
      map((d) => d),
    );
    const places = sink.batches.flatMap((b) =>
      b.documents().map((d, i) => [d.n, b.place(i).ordinal]),
    );
    expect(places).toHaveLength(18);
    for (const [n, ordinal] of places) expect(ordinal).toBe(n);
  });

  it('refuse rather than drop a document that nests deeper than they can look', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, `{"n":1}\n{"n":${'['.repeat(600)}${']'.repeat(600)}}\n`);
    const running = pipeline(
      jsonlSource(path, { maxDepth: 1000 }),
      filter(eq('n', 1)),
      sinkStream(probeSink()),
    );
    await expect(running).rejects.toMatchObject({
      code: 'NESTING_TOO_DEEP',
      place: { path, line: 2 },
    });
  });

  it('project needs a path', () => {
    expect(() => project([])).toThrow(/needs a path/);
  });
});

describe('map, filter and tap by function', () => {
  it('see documents, in order', async () => {
    const seen: unknown[] = [];
    const sink = await run(
      tap((d) => seen.push(d.n)),
      filter((d) => (d.n as number) % 2 === 0),
      map((d) => ({ n: (d.n as number) * 10 })),
    );
    expect(seen).toEqual(numbers(30).map((d) => d.n));
    expect(sink.documents).toEqual(numbers(15).map((d) => ({ n: (d.n as number) * 20 })));
  });

  it.each([1, 3, 100])('keep the order of async functions, %i at a time', async (concurrency) => {
    let running = 0;
    let most = 0;
    const sink = await run(
      map(
        async (d) => {
          most = Math.max(most, ++running);
          await sleep(Math.random() * 3);
          running--;
          return { n: d.n };
        },
        { concurrency },
      ),
      filter(async (d) => (d.n as number) < 20),
      tap(async () => {}),
    );
    expect(sink.documents).toEqual(numbers(20));
    expect(most).toBe(Math.min(concurrency, 10));
  });

  it('take functions that are async only sometimes', async () => {
    const sink = await run(
      map((d) => ((d.n as number) % 3 === 1 ? Promise.resolve({ n: d.n }) : { n: d.n })),
    );
    expect(sink.documents).toEqual(numbers(30));
  });

  it('keep bytes as they are where a function only looks', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a'), '{"n":12345678901234567890}\n{"n":1.0}\n');
    await pipeline(
      jsonlSource(join(folder, 'a')),
      tap(() => {}),
      filter((d) => d.n !== 1),
      jsonlSink(join(folder, 'b')),
    );
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('{"n":12345678901234567890}\n');
  });

  it.each([false, true])('pass their errors on as they are (async: %s)', async (late) => {
    const error = new Error('mine');
    const fail = late
      ? async () => {
          throw error;
        }
      : () => {
          throw error;
        };
    for (const stage of [map(fail as () => never), filter(fail as () => never), tap(fail)]) {
      await expect(run(stage)).rejects.toBe(error);
    }
  });

  it.each([[undefined], [null], [3], [[1]]])(
    'refuse %j as a result, with the place',
    async (value) => {
      const stage = map((d) => (d.n === 12 ? (value as unknown as Document) : d));
      await expect(run(stage)).rejects.toMatchObject({
        code: 'INVALID_DOCUMENT',
        place: { ordinal: 12 },
      });
    },
  );

  it('do not wait for a function that never answers once the work is stopped', async () => {
    const controller = new AbortController();
    const stuck = map(() => new Promise<Document>(() => {}));
    const running = pipeline(
      fromIterable(numbers(3), { signal: controller.signal }),
      stuck,
      sinkStream(probeSink()),
    );
    setTimeout(() => controller.abort(), 5);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
