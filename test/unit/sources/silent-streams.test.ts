/** A stream that gives some documents and then nothing more is closed by whoever leaves its source. */
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { constants, createGzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeJsonl } from '../../../src/formats/jsonl.ts';
import { run } from '../../../src/pipeline/index.ts';
import { fromIterable, fromNode, fromWeb } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import type { SourceStream } from '../../../src/streams/source-stream.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { tapTransform } from '../../../src/transforms/index.ts';

type Options = { signal?: AbortSignal };
interface Silent {
  read(options: Options): SourceStream;
  isClosed(): boolean;
}

const LINE = '{"n":1}\n';

function silentNode(): Readable {
  const stream = new Readable({ objectMode: true, read() {} });
  stream.push({ n: 1 });
  return stream;
}

function silentWeb(first: unknown) {
  let isClosed = false;
  const stream = new ReadableStream<never>({
    start: (controller) => controller.enqueue(first as never),
    cancel: () => {
      isClosed = true;
    },
  });
  return { stream, isClosed: () => isClosed };
}

function silentBytes(stream: NodeJS.ReadWriteStream = new PassThrough()) {
  stream.write(LINE);
  return stream as PassThrough;
}

const kinds: [string, () => Silent][] = [
  ['fromNode', () => overNode(silentNode(), (stream, options) => fromNode(stream, options))],
  [
    'fromIterable',
    () => overNode(silentNode(), (stream, options) => fromIterable(stream, options)),
  ],
  [
    'fromWeb',
    () => {
      const { stream, isClosed } = silentWeb({ n: 1 });
      return { read: (options) => fromWeb(stream, options), isClosed };
    },
  ],
  ['jsonlSource', () => overNode(silentBytes(), (stream, options) => jsonlSource(stream, options))],
  [
    'jsonlSource of a Web stream',
    () => {
      const { stream, isClosed } = silentWeb(Buffer.from(LINE));
      return { read: (options) => jsonlSource(stream, options), isClosed };
    },
  ],
  [
    'jsonlSource of gzip',
    () => {
      const zip = createGzip({ flush: constants.Z_SYNC_FLUSH });
      return overNode(silentBytes(zip), (stream, options) => jsonlSource(stream, options));
    },
  ],
];

function overNode(
  stream: Readable,
  source: (stream: Readable, options: Options) => SourceStream,
): Silent {
  return { read: (options) => source(stream, options), isClosed: () => stream.destroyed };
}

describe.each(kinds)('a silent stream under %s', (_, open) => {
  it('is closed when the loop is left', async () => {
    const { read, isClosed } = open();
    for await (const document of read({})) {
      expect(document).toEqual({ n: 1 });
      break;
    }
    expect(isClosed()).toBe(true);
  });

  it('is closed by an abort', async () => {
    const { read, isClosed } = open();
    const stop = new AbortController();
    const reading = async () => {
      for await (const _ of read({ signal: stop.signal })) setTimeout(() => stop.abort(), 20);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'ABORTED' });
    await expect.poll(isClosed).toBe(true);
  });

  it('is closed when a run is stopped', async () => {
    const { read, isClosed } = open();
    const look = tapTransform(() => setImmediate(() => running.stop()));
    const running = run({ name: 'r', source: read({}), transforms: [look], sink: memorySink() });
    expect(await running).toMatchObject({ outcome: 'stopped', written: 1 });
    await expect.poll(isClosed).toBe(true);
  });
});

it('closes a stream that has said nothing at all', async () => {
  const stream = new PassThrough();
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  const reading = jsonlSource(stream, { signal: stop.signal }).toArray();
  await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
  await expect.poll(() => stream.destroyed).toBe(true);
});

it('closes a silent stream under a decoder', async () => {
  const stream = silentBytes();
  for await (const _ of decodeJsonl(stream)) break;
  expect(stream.destroyed).toBe(true);
});
