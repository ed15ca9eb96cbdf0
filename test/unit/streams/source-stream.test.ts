import { type Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, vi } from 'vitest';
import { Batch } from '../../../src/core/batch.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import { numbers, probeSink, probeSource, sinkStream, sleep } from '../../support/stages.ts';

const identity = () =>
  new Transform({ objectMode: true, transform: (chunk, _, callback) => callback(null, chunk) });

function collector(): { seen: unknown[]; stream: Writable } {
  const seen: unknown[] = [];
  const stream = new Writable({
    objectMode: true,
    write(chunk, _, callback) {
      seen.push(chunk);
      setImmediate(callback);
    },
  });
  return { seen, stream };
}

describe('SourceStream', () => {
  it('opens nothing before it is read', async () => {
    const source = probeSource(1, 1);
    const stream = new SourceStream(source);
    await sleep(5);
    expect(source.opened).toBe(0);
    stream.destroy();
    await sleep(1);
    expect(source.opened).toBe(0);
  });

  it('yields documents to for await, in order, and ends properly', async () => {
    const source = probeSource(3, 4);
    const stream = new SourceStream<{ n: number }>(source);
    const seen: number[] = [];
    for await (const { n } of stream) seen.push(n);
    expect(seen).toEqual(numbers(12).map((d) => d.n));
    await sleep(1);
    expect([stream.readableEnded, stream.closed, source.closed]).toEqual([true, true, 1]);
  });

  it('answers calls of next that do not wait for each other in order', async () => {
    const iterator = new SourceStream<{ n: number }>(probeSource(3, 2, { delayMs: 1 }))[
      Symbol.asyncIterator
    ]();
    const steps = await Promise.all(Array.from({ length: 9 }, () => iterator.next()));
    expect(steps.map((step) => step.value?.n)).toEqual([
      0,
      1,
      2,
      3,
      4,
      5,
      undefined,
      undefined,
      undefined,
    ]);
    expect(steps.map((step) => step.done)).toEqual([...Array(6).fill(false), true, true, true]);
  });

  it('closes the source when the loop is left', async () => {
    const source = probeSource(100, 2);
    for await (const _ of new SourceStream(source)) break;
    expect([source.closed, source.pulled]).toEqual([1, 1]);
    const batched = probeSource(100, 2);
    for await (const _ of new SourceStream(batched).batches()) break;
    expect([batched.closed, batched.pulled]).toEqual([1, 1]);
  });

  it.each(['documents', 'batches'])(
    'throws the error itself after everything before it: %s',
    async (form) => {
      const broken = new Error('broken');
      const stream = new SourceStream(probeSource(2, 3, { error: broken }));
      let seen = 0;
      const reading = async () => {
        if (form === 'documents') for await (const _ of stream) seen++;
        else for await (const batch of stream.batches()) seen += batch.length;
      };
      await expect(reading()).rejects.toBe(broken);
      expect(seen).toBe(6);
      expect(stream.errored).toBe(broken);
    },
  );

  it('delivers everything before an error also when piped to a slow stranger', async () => {
    const broken = new Error('broken');
    const seen: unknown[] = [];
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(chunk, _, callback) {
        seen.push(chunk);
        setTimeout(callback, 1);
      },
    });
    const source = new SourceStream(probeSource(3, 3, { error: broken }));
    await expect(pipeline(source, slow)).rejects.toBe(broken);
    expect(seen).toHaveLength(9);
  });

  it('sends batches when every destination is ours', async () => {
    const { codec } = sharedKernel();
    const decode = vi.spyOn(codec, 'decode');
    const [one, two] = [sinkStream(countingSink()), sinkStream(countingSink())];
    const source = new SourceStream(probeSource(4, 10));
    source.pipe(one);
    source.pipe(two);
    expect(await Promise.all([one.summary, two.summary])).toEqual([40, 40]);
    expect(decode).not.toHaveBeenCalled();
    decode.mockRestore();
  });

  it.each(['before', 'after'])(
    'sends documents when a stranger is piped to %s ours',
    async (order) => {
      const sink = probeSink();
      const mine = sinkStream(sink);
      const { seen, stream } = collector();
      const source = new SourceStream(probeSource(2, 3));
      for (const target of order === 'before' ? [stream, mine] : [mine, stream])
        source.pipe(target);
      await mine.summary;
      await new Promise((resolve) => (stream.closed ? resolve(0) : stream.once('close', resolve)));
      expect(seen).toEqual(numbers(6));
      expect(sink.documents).toEqual(numbers(6));
    },
  );

  it.each(['before', 'after'])(
    'sends documents when somebody listens to them %s a pipe to ours',
    async (order) => {
      const sink = probeSink();
      const mine = sinkStream(sink);
      const seen: unknown[] = [];
      const source = new SourceStream(probeSource(2, 3));
      if (order === 'after') source.pipe(mine);
      source.on('data', (document) => seen.push(document));
      if (order === 'before') source.pipe(mine);
      await mine.summary;
      expect(seen).toEqual(numbers(6));
      expect(sink.documents).toEqual(numbers(6));
    },
  );

  it('refuses a stranger once batches flow', async () => {
    const source = new SourceStream(probeSource(50, 1, { delayMs: 1 }));
    const mine = sinkStream(countingSink());
    source.pipe(mine);
    await sleep(10);
    const { seen, stream } = collector();
    expect(() => source.pipe(stream)).toThrow(/before the data flows/);
    expect(() => source.on('data', (chunk) => seen.push(chunk))).toThrow(/before the data flows/);
    expect(() => source.once('readable', () => {})).toThrow(/before the data flows/);
    expect([await mine.summary, seen]).toEqual([50, []]);
  });

  it('is an ordinary object-mode Readable', async () => {
    expect(await new SourceStream(probeSource(2, 2)).toArray()).toEqual(numbers(4));
    const events: unknown[] = [];
    const stream = new SourceStream(probeSource(2, 2));
    stream.on('data', (document) => events.push(document));
    await new Promise((resolve) => stream.once('end', resolve));
    expect(events).toEqual(numbers(4));
    const composed = new SourceStream(probeSource(2, 2)).compose(identity());
    expect(await (composed as unknown as Readable).toArray()).toEqual(numbers(4));
  });

  it('passes through foreign stages and async generators on the way to a sink of ours', async () => {
    const sink = probeSink();
    await pipeline(
      new SourceStream<{ n: number }>(probeSource(3, 700)),
      identity(),
      async function* (documents: AsyncIterable<{ n: number }>) {
        for await (const document of documents) yield { n: document.n + 1 };
      },
      sinkStream(sink),
    );
    expect(sink.documents.map((d) => d.n)).toEqual(numbers(2100).map((d) => (d.n as number) + 1));
  });

  it('skips empty batches', async () => {
    const { codec } = sharedKernel();
    const source = {
      name: 'holes',
      async *batches() {
        for (const documents of [[], [{ n: 0 }], [], [], [{ n: 1 }], []]) {
          yield Batch.fromDocuments(documents, codec);
        }
      },
    };
    expect(await new SourceStream(source).toArray()).toEqual(numbers(2));
    const web: unknown[] = [];
    for await (const document of new SourceStream(source).toWeb()) web.push(document);
    expect(web).toEqual(numbers(2));
  });

  it('goes to the Web and back, pulled and cancelled', async () => {
    const source = probeSource(10, 2);
    const web = new SourceStream(source).toWeb({ batches: true });
    await sleep(5);
    expect(source.opened).toBe(0);
    const reader = web.getReader();
    expect((await reader.read()).value).toBeInstanceOf(Batch);
    await reader.cancel();
    expect([source.closed, source.pulled]).toEqual([1, 1]);
    const broken = new Error('broken');
    const failing = new SourceStream(probeSource(1, 1, { error: broken })).toWeb();
    const reading = async () => {
      for await (const _ of failing);
    };
    await expect(reading()).rejects.toBe(broken);
  });

  it('can be read once', async () => {
    const stream = new SourceStream(probeSource(1, 1));
    const batches = stream.batches();
    expect(() => stream.batches()).toThrow(/already being read/);
    expect(() => stream[Symbol.asyncIterator]()).toThrow(/already being read/);
    await batches.return?.();
    const other = new SourceStream(probeSource(5, 2));
    let seen = 0;
    for await (const _ of other) {
      seen++;
      expect(() => other[Symbol.asyncIterator]()).toThrow(/already being read/);
      expect(() => other.pipe(sinkStream(countingSink()))).toThrow(/already being read/);
    }
    expect(seen).toBe(10);
  });

  it('gives the rest of what has been read otherwise to for await', async () => {
    const stream = new SourceStream(probeSource(2, 2));
    await new Promise((resolve) => stream.once('readable', resolve));
    const seen: unknown[] = [stream.read()];
    for await (const document of stream) seen.push(document);
    expect(seen).toEqual(numbers(4));
  });

  it.each(['listens', 'reads'])('fails when somebody %s beside a loop', async (way) => {
    const stream = new SourceStream(probeSource(5, 2));
    const reading = async () => {
      for await (const _ of stream) {
        if (way === 'listens') stream.on('data', () => {});
        else stream.read();
        await sleep(1);
      }
    };
    await expect(reading()).rejects.toThrow(/already being read/);
  });

  it.each(['documents', 'batches'])('fails when it is destroyed in a loop: %s', async (form) => {
    const stream = new SourceStream(probeSource(5, 2));
    let seen = 0;
    const reading = async () => {
      for await (const _ of form === 'batches' ? stream.batches() : stream) {
        if (++seen === 2) stream.destroy();
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen).toBe(2);
    const broken = new Error('broken');
    const other = new SourceStream(probeSource(5, 2));
    const failing = async () => {
      for await (const _ of form === 'batches' ? other.batches() : other) other.destroy(broken);
    };
    await expect(failing()).rejects.toBe(broken);
  });

  describe('when its signal fires', () => {
    const reason = new Error('enough');

    it.each(['for await', 'batches', 'pipeline'])(
      'stops with ABORTED and the reason: %s',
      async (way) => {
        const controller = new AbortController();
        const source = probeSource(1000, 1, { delayMs: 2 });
        const stream = new SourceStream(source, { signal: controller.signal });
        const run = async () => {
          if (way === 'for await') for await (const _ of stream);
          else if (way === 'batches') for await (const _ of stream.batches());
          else await pipeline(stream, sinkStream(countingSink()));
        };
        const running = run();
        setTimeout(() => controller.abort(reason), 10);
        await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
        await sleep(1);
        expect([source.closed, stream.closed]).toEqual([1, true]);
      },
    );

    it('stops before the start when it has already fired', async () => {
      const source = probeSource(1, 1);
      const stream = new SourceStream(source, { signal: AbortSignal.abort(reason) });
      const run = async () => {
        for await (const _ of stream);
      };
      await expect(run()).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
      expect(source.opened).toBe(0);
    });
  });

  it('is disposed of with everything it has opened', async () => {
    const source = probeSource(100, 1);
    const stream = new SourceStream(source);
    stream.on('data', () => {});
    await sleep(2);
    await stream[Symbol.asyncDispose]();
    expect([source.closed, stream.closed]).toEqual([1, true]);
    await stream[Symbol.asyncDispose]();
  });
});

function countingSink() {
  let count = 0;
  return {
    name: 'count',
    async open() {},
    async write(batch: Batch) {
      count += batch.length;
    },
    async finish() {
      return count;
    },
    async abort() {},
  };
}
