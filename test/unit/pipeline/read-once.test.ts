/** Inputs that can be read only once, in runs that try again: the failure is told, nothing is lost. */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import type { AnySource } from '../../../src/pipeline/index.ts';
import { run } from '../../../src/pipeline/index.ts';
import { arrowSource } from '../../../src/sources/arrow-source.ts';
import { csvSource } from '../../../src/sources/csv-source.ts';
import { fromIterable, fromNode, fromWeb } from '../../../src/sources/from-iterable.ts';
import { type HttpSourceOptions, httpSource } from '../../../src/sources/http-source.ts';
import { jsonSource } from '../../../src/sources/json-source.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { afterTest } from '../../support/after-test.ts';
import { serve } from '../../support/http-server.ts';
import { probeSink, temporaryFolder } from '../../support/stages.ts';

const retry = { retries: 3, baseDelayMs: 1 };
const reset = () => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

async function* failing(...items: unknown[]): AsyncGenerator<never> {
  yield* items as never[];
  throw reset();
}

/** Steps without a way to begin anew, as of a database's cursor: an end follows the failure. */
function steps(): AsyncIterable<never> & AsyncIterator<never> {
  let calls = 0;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (calls++ === 0) throw reset();
      return { done: true, value: undefined };
    },
  };
}

const webStream = () => new ReadableStream<never>({ pull: (it) => it.error(reset()) });
const lines = (count: number) => Buffer.from('{"a":1}\n'.repeat(count));

const sources: [string, () => AnySource][] = [
  ['fromIterable of a generator', () => fromIterable(failing())],
  ['fromIterable of a generator behind documents', () => fromIterable(failing({ a: 1 }))],
  ['fromIterable of an iterator', () => fromIterable(steps())],
  ['fromNode', () => fromNode(Readable.from(failing()))],
  ['fromWeb', () => fromWeb(webStream())],
  ['jsonlSource of a generator', () => jsonlSource(failing())],
  ['jsonlSource of a generator behind lines', () => jsonlSource(failing(lines(500)))],
  ['jsonlSource of a Web stream', () => jsonlSource(webStream())],
  ['jsonlSource of a Node stream', () => jsonlSource(Readable.from(failing()))],
  ['jsonSource', () => jsonSource(failing())],
  ['csvSource', () => csvSource(failing())],
  ['arrowSource', () => arrowSource(failing())],
  ['httpSource of a generator', () => httpSource(failing())],
  ['httpSource of a generator, several at once', () => httpSource(failing(), { concurrency: 2 })],
];

describe('a run that tries again', () => {
  it.each(sources)('ends with the failure of %s', async (_, open) => {
    const tried: unknown[] = [];
    const handle = run({ name: 'x', source: open(), sink: probeSink(), retry });
    handle.on('retry', (each) => tried.push(each));
    await expect(handle.done).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(tried).toEqual([]);
  });

  it('reads again what can be read again', async () => {
    let fails = true;
    const source = fromIterable({
      async *[Symbol.asyncIterator]() {
        if (fails) {
          fails = false;
          throw reset();
        }
        yield { n: 1 };
      },
    });
    const sink = probeSink();
    await run({ name: 'x', source, sink, retry });
    expect(sink.documents).toEqual([{ n: 1 }]);
  });

  it.each<[string, HttpSourceOptions]>([
    ['pages', { pages: { type: 'link' } }],
    ['several requests at once', { concurrency: 2 }],
  ])('goes on in a body that broke off: %s', async (_, options) => {
    const text = (n: number) => `bad\n{"n":${n}}\nbad\n`;
    const whole = [text(1) + text(2), 'bad\n', text(3)];
    // What is new are documents, then nothing, then a document with bad ones alone behind it.
    const bodies = [[text(1)], [text(1)], whole.slice(0, 2), whole];
    let tries = 0;
    const fetch = async () => {
      const body = bodies[tries++]!.values();
      const pull = (it: ReadableStreamDefaultController) => {
        const { done, value } = body.next();
        if (!done) it.enqueue(Buffer.from(value));
        else if (tries === bodies.length) it.close();
        else it.error(reset());
      };
      return new Response(new globalThis.ReadableStream({ pull }, { highWaterMark: 0 }));
    };
    const own = {
      ...options,
      fetch,
      format: 'jsonl',
      batchBytes: 1,
      retry: { retries: 0 },
    } as const;
    const sink = probeSink();
    const source = httpSource('http://host/', own);
    const { rejected } = await run({ name: 'x', source, sink, retry, onError: 'skip' });
    expect(sink.documents).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect([rejected, tries]).toEqual([7, 4]);
  });

  it.each<[string, HttpSourceOptions, string]>([
    ['the page breaks off', { pages: { type: 'link' } }, 'HTTP_ERROR'],
    ['the next page is not found', { pages: () => Promise.reject(reset()) }, 'ECONNRESET'],
  ])('does not try for ever where nothing new comes: %s', async (_, options, code) => {
    const { base, requests } = await serve((_request, response) => {
      response.write('bad\n{"n":1}\n');
      if (code === 'ECONNRESET') response.end();
      else setTimeout(() => response.destroy(), 20);
    });
    const source = httpSource(base, { ...options, format: 'jsonl', retry: { retries: 0 } });
    const { done } = run({ name: 'x', source, sink: probeSink(), retry, onError: 'skip' });
    await expect(done).rejects.toMatchObject({ code });
    expect(requests).toHaveLength(4);
  });
});

/** Commits behind each batch, and fails once, at a batch or at the end. */
function failingOnce(at: number | 'finish') {
  const under = memorySink().sink;
  let batches = 0;
  let failed = false;
  const fail = (): void => {
    failed = true;
    throw Object.assign(new Error('busy'), { code: 'EBUSY' });
  };
  return {
    ...under,
    afterFailure: 'reopen' as const,
    async write(...given: Parameters<typeof under.write>) {
      if (batches++ === at && !failed) fail();
      await under.write(...given);
    },
    async finish() {
      if (at === 'finish' && !failed) fail();
      await under.finish();
      return {};
    },
  };
}

describe('a run that goes back to what its sink has', () => {
  it.each([
    ['a generator', () => jsonlSource([lines(5), lines(5)].values(), { batchBytes: 40 })],
    ['a stream', () => jsonlSource(Readable.from([lines(10)]), { batchBytes: 40 })],
    ['documents', () => fromIterable([{ a: 1 }, { a: 2 }].values())],
  ])('does not where the source is %s', async (_, open) => {
    const running = run({ name: 'x', source: open(), sink: failingOnce(0), retry });
    await expect(running.done).rejects.toMatchObject({ code: 'EBUSY' });
  });

  it.skipIf(process.platform === 'win32')('does not where it is a named pipe', async () => {
    const pipe = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const script = `echo '{"n":1}' > "$0"; echo '{"n":2}' > "$0"`;
    const writer = spawn('sh', ['-c', script, pipe], { stdio: 'ignore' });
    afterTest(() => void writer.kill());
    const running = run({ name: 'x', source: jsonlSource(pipe), sink: failingOnce(0), retry });
    await expect(running.done).rejects.toMatchObject({ code: 'EBUSY' });
  });

  it('does once all of it is committed', async () => {
    const source = jsonlSource([lines(10)].values());
    const { read } = await run({ name: 'x', source, sink: failingOnce('finish'), retry });
    expect(read).toBe(10);
  });
});
