import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import { sharedKernel } from '../../../src/kernels/index.ts';
import { map } from '../../../src/stages.ts';
import { SinkStream } from '../../../src/streams/sink-stream.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import {
  linesBatch,
  numbers,
  probeSink,
  probeSource,
  probeStream,
  sinkStream,
  sleep,
} from '../../support/stages.ts';

describe('SinkStream', () => {
  it('takes batches and documents in any mix, in order', async () => {
    const sink = probeSink();
    const stream = sinkStream(sink);
    const [a, b, c, d, e, f] = numbers(6);
    for (const chunk of [a, b, linesBatch([c!]), d, linesBatch([e!]), f]) stream.write(chunk);
    stream.end();
    expect(await stream.summary).toBe(6);
    expect(sink.documents).toEqual(numbers(6));
    expect(sink.events).toEqual(['open', 'finish']);
  });

  it('gathers documents, and knows their ordinals', async () => {
    const sink = probeSink();
    await pipeline(Readable.from(numbers(2500)), sinkStream(sink));
    expect(sink.documents).toEqual(numbers(2500));
    expect(Math.max(...sink.batches.map((batch) => batch.length))).toBeLessThanOrEqual(1000);
    expect(sink.batches.length).toBeLessThan(20);
    expect(sink.batches.at(-1)!.place(0).ordinal).toBe(2500 - sink.batches.at(-1)!.length);
  });

  it('lets a trickle of documents flow', async () => {
    const sink = probeSink();
    const stream = sinkStream(sink);
    stream.write({ n: 0 });
    await sleep(5);
    expect(sink.documents).toEqual([{ n: 0 }]);
    stream.write({ n: 1 });
    await sleep(5);
    expect(sink.documents).toHaveLength(2);
    stream.destroy();
  });

  it('opens for an empty input too, since nothing is also a result', async () => {
    const sink = probeSink();
    await pipeline(Readable.from([]), sinkStream(sink));
    expect(sink.events).toEqual(['open', 'finish']);
  });

  it('finishes before it says so', async () => {
    const sink = probeSink();
    const stream = sinkStream({
      ...sink,
      async finish() {
        await sleep(10);
        sink.events.push('durable');
        return 1;
      },
    });
    await pipeline(probeStream(2, 2), stream);
    expect(sink.events).toContain('durable');
  });

  it.each([
    ['an array', [1], 'an array'],
    ['a string', 'text', 'a string: a stream of text is for jsonlSource'],
    ['bytes', Buffer.from('{"n":2}\n'), 'bytes: a stream of text is for jsonlSource'],
    ['a number', 7, 'a number'],
  ])('refuses %s with its ordinal', async (_, value, found) => {
    const sink = probeSink();
    const stream = sinkStream(sink);
    const items = Readable.from([{ n: 0 }, { n: 1 }, value]);
    const error = await pipeline(items, stream).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_DOCUMENT', place: { ordinal: 2 } });
    expect(error.message).toContain(found);
    expect(sink.events).not.toContain('finish');
  });

  it('keeps the error of a write, aborts once and rejects the summary with it', async () => {
    const error = new Error('full');
    const sink = probeSink({ failAt: 1, error });
    const stream = sinkStream(sink);
    await expect(pipeline(probeStream(5, 2), stream)).rejects.toBe(error);
    await expect(stream.summary).rejects.toBe(error);
    expect(sink.events).toEqual(['open', 'abort']);
  });

  it('keeps an error that comes while nobody waits', async () => {
    const error = new Error('full');
    const sink = probeSink({ failAt: 0, error });
    const stream = sinkStream(sink);
    const failed = new Promise((resolve) => stream.once('error', resolve));
    stream.write({ n: 0 });
    expect(await failed).toBe(error);
    await sleep(1);
    expect(sink.events).toEqual(['open', 'abort']);
  });

  it('keeps an error of finish, and aborts', async () => {
    const error = new Error('sync');
    const sink = probeSink({ finishError: error });
    await expect(pipeline(probeStream(1, 1), sinkStream(sink))).rejects.toBe(error);
    expect(sink.events).toEqual(['open', 'finish', 'abort']);
  });

  it('keeps an error of open', async () => {
    const error = new Error('locked');
    const sink = {
      ...probeSink(),
      async open() {
        throw error;
      },
    };
    await expect(pipeline(probeStream(1, 1), sinkStream(sink))).rejects.toBe(error);
  });

  it('aborts, and does not finish, when the source fails', async () => {
    const error = new Error('source');
    const sink = probeSink();
    const stream = sinkStream(sink);
    await expect(pipeline(probeStream(2, 1, { error }), stream)).rejects.toBe(error);
    await expect(stream.summary).rejects.toBe(error);
    expect(sink.events).toEqual(['open', 'abort']);
  });

  it('stops with ABORTED when its signal fires', async () => {
    const controller = new AbortController();
    const sink = probeSink();
    const { codec } = sharedKernel();
    const stream = new SinkStream(sink, codec, { signal: controller.signal });
    const running = pipeline(probeStream(1000, 1, { delayMs: 1 }), stream);
    setTimeout(() => controller.abort('why'), 10);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: 'why' });
    expect(sink.events).toEqual(['open', 'abort']);
  });

  it('does not finish what was given up between its end and its finish', async () => {
    const sink = probeSink({ delayMs: 5 });
    const error = new Error('changed my mind');
    for (const documents of [[], numbers(1)]) {
      const stream = sinkStream(sink);
      stream.on('error', () => {});
      for (const document of documents) stream.write(document);
      stream.end();
      await Promise.resolve();
      stream.destroy(error);
      await expect(stream.summary).rejects.toBe(error);
      await sleep(10);
      expect(sink.events.splice(0)).toEqual(['open', 'abort']);
    }
  });

  it('is a Web stream too', async () => {
    const sink = probeSink();
    await ReadableStream.from(numbers(1500)).pipeTo(sinkStream(sink).toWeb());
    expect(sink.documents).toEqual(numbers(1500));
    expect(sink.events).toEqual(['open', 'finish']);
    const error = new Error('web');
    const aborted = probeSink();
    const failing = new ReadableStream({
      pull(controller) {
        controller.error(error);
      },
    });
    await expect(failing.pipeTo(sinkStream(aborted).toWeb())).rejects.toBe(error);
    const full = new Error('full');
    const refusing = sinkStream(probeSink({ failAt: 0, error: full })).toWeb();
    await expect(ReadableStream.from(numbers(3000)).pipeTo(refusing)).rejects.toBe(full);
  });

  it('is disposed of by aborting', async () => {
    const sink = probeSink();
    const stream = sinkStream(sink);
    stream.write({ n: 0 });
    await sleep(2);
    await stream[Symbol.asyncDispose]();
    await stream[Symbol.asyncDispose]();
    expect(sink.events).toEqual(['open', 'abort']);
  });
});

describe('a sink that needs no more', () => {
  const enough = (count: number) => {
    const sink = probeSink();
    Object.defineProperty(sink, 'satisfied', { get: () => sink.batches.length >= count });
    return sink;
  };

  it.each([0, 1])('ends its source early, and finishes (delay %i)', async (delayMs) => {
    const source = probeSource(1e9, 2, { delayMs });
    const sink = enough(3);
    await pipeline(
      new SourceStream(source),
      map((d) => d),
      sinkStream(sink),
    );
    expect(sink.events).toEqual(['open', 'finish']);
    expect(source.closed).toBe(1);
    expect(source.pulled).toBeLessThan(12);
  });

  it('leaves a source alone that others read too', async () => {
    const source = new SourceStream(probeSource(10, 2));
    const [some, all] = [enough(1), probeSink()];
    source.pipe(sinkStream(some));
    await pipeline(source, sinkStream(all));
    expect(all.documents).toEqual(numbers(20));
  });
});
