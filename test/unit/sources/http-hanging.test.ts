/** What the user gives to `httpSource` may never answer: aborts and time-outs end it all the same. */
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
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
