/**
 * What the user gives to `httpSource` may never answer: aborts and time-outs end it all the same, and nothing
 * is waited for behind its end.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import {
  type HttpRequestInput,
  type HttpSourceOptions,
  httpSource,
} from '../../../src/sources/http-source.ts';
import { serve } from '../../support/http-server.ts';

type Requests = HttpRequestInput | AsyncIterable<HttpRequestInput>;

const never = new Promise<never>(() => {});
const silentBody = () => new Response(new ReadableStream({ start() {} }));
async function* silent(): AsyncGenerator<string> {
  yield await never;
}
async function* hanging(url: string) {
  yield url;
  await never;
}

const ways: [string, (url: string) => Requests, HttpSourceOptions][] = [
  ['headers', (url) => url, { headers: () => never }],
  ['an iterable of requests', silent, {}],
  ['a stream of requests', () => Readable.from(silent()), {}],
  ['requests several at once', hanging, { concurrency: 2 }],
  ['a function for pages', (url) => url, { pages: () => never }],
  ['a fetch', (url) => url, { fetch: () => never }],
  ['the body of a fetch', (url) => url, { fetch: async () => silentBody() }],
];

it.each(ways)('an abort ends %s', async (_, requests, options) => {
  const { base } = await serve((_, response) => response.end('{"n":1}\n'));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  const reading = httpSource(requests(base), { ...options, signal: stop.signal }).toArray();
  await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
});

it.each<[string, HttpSourceOptions]>([
  ['headers', { headers: () => never, connectTimeoutMs: 20 }],
  ['a fetch', { fetch: () => never, connectTimeoutMs: 20 }],
  ['the body of a fetch', { fetch: async () => silentBody(), idleTimeoutMs: 20 }],
])('a time-out ends %s', async (_, options) => {
  const reading = httpSource('http://host/', { ...options, retry: { retries: 0 } }).toArray();
  await expect(reading).rejects.toMatchObject({
    code: 'HTTP_ERROR',
    cause: { name: 'TimeoutError' },
  });
});

it.each<[string, HttpSourceOptions]>([
  ['one after the other', {}],
  ['with pages', { pages: { type: 'link' } }],
  ['several at once', { concurrency: 2 }],
])('whoever leaves leaves no timer behind: %s', async (_, options) => {
  const { base } = await serve((request, response) => {
    const page = Number(request.url!.slice(1));
    response.setHeader('link', `</${page + 1}>; rel="next"`);
    const line = `{"pad":"${'x'.repeat(1000)}"}\n`;
    response.end(page === 0 ? line : line.repeat(5000));
  });
  const totalTimeoutMs = 61_234;
  const begun = vi.spyOn(globalThis, 'setTimeout');
  const ended = vi.spyOn(globalThis, 'clearTimeout');
  const urls = [0, 1, 2].map((page) => `${base}/${page}`);
  for await (const _ of httpSource(urls, { ...options, totalTimeoutMs })) {
    // What is asked for ahead has been answered, and is not read on.
    await sleep(200);
    break;
  }
  const timers = begun.mock.results.filter((_, i) => begun.mock.calls[i]![1] === totalTimeoutMs);
  const left = timers.filter(({ value }) => !ended.mock.calls.some(([timer]) => timer === value));
  vi.restoreAllMocks();
  expect(timers.length).toBeGreaterThan(0);
  expect(left).toHaveLength(0);
});
