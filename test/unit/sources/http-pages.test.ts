import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { HttpPage } from '../../../src/sources/http-next-page.ts';
import {
  createHttpSource,
  type HttpRequestInput,
  type HttpSourceOptions,
  httpSource,
} from '../../../src/sources/http-source.ts';
import { certificate, key } from '../../support/certificate.ts';
import { serve } from '../../support/http-server.ts';

const retry = { baseDelayMs: 1, retries: 2 };
const all = Array.from({ length: 25 }, (_, n) => ({ n }));
const numbers = all.map(({ n }) => n);
const body = { type: 'body', next: 'next' } as const;
interface Next {
  readonly next?: string;
}
const urlFrom = (next: string | undefined, url: URL) => (next ? new URL(next, url) : undefined);
const twoTexts = '/"}{"items":[],"next":"';

async function read(
  requests: HttpRequestInput | Iterable<HttpRequestInput> | AsyncIterable<HttpRequestInput>,
  options: HttpSourceOptions,
) {
  const found = await httpSource<{ n: number }>(requests, { retry, ...options }).toArray();
  return found.map(({ n }) => n);
}

/** 25 documents, `limit` or `per_page` at a time, found in every way that there is. */
function answerPage(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, 'http://host');
  const query = (name: string) => url.searchParams.get(name);
  if (query('key') !== 'geheim') {
    response.writeHead(403).end();
    return;
  }
  const size = Number(query('limit') ?? query('per_page') ?? 10);
  const page = query('page');
  const from = page ? (Number(page) - 1) * size : Number(query('offset') ?? query('cursor') ?? 0);
  const items = all.slice(from, from + size);
  const more = from + size < all.length;
  url.searchParams.set('cursor', String(from + size));
  const next = more ? `${url.pathname}${url.search}` : null;
  if (next)
    response.setHeader('link', `</x>; rel="prev", <${next}>; title="a, b"; rel="next last"`);
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({ data: { items }, links: { next }, cursor: more ? from + size : '' }),
  );
}

describe('httpSource with pages', () => {
  const ways: [string, HttpSourceOptions][] = [
    ['a Link header', { pages: { type: 'link' } }],
    ['a link in the body', { pages: { type: 'body', next: 'links.next' } }],
    ['a cursor', { pages: { type: 'cursor', cursor: 'cursor' } }],
    ['an offset', { pages: { type: 'offset', size: 10 } }],
    ['an offset that divides the whole', { pages: { type: 'offset', size: 5 } }],
    ['a page number', { pages: { type: 'page', size: 7 } }],
    ['a page number without size', { pages: { type: 'page' } }],
    [
      'a function',
      {
        pages: ({ url, json }) =>
          (json() as { links: { next: string } }).links.next &&
          new URL((json() as { links: { next: string } }).links.next, url),
      },
    ],
  ];

  it.each(ways)('follows %s, and goes on behind every page', async (_, options) => {
    const { base, requests } = await serve(answerPage);
    const url = `${base}/list?key=geheim`;
    const source = () =>
      createHttpSource([url, `${url}&x=1`], { path: 'data.items', retry, ...options });
    const readFrom = async (from?: unknown) => {
      const seen: unknown[] = [];
      const ordinals: number[] = [];
      const cursors: { cursor: string; after: number }[] = [];
      for await (const batch of source().batches(new AbortController().signal, {}, from)) {
        if (batch.length > 0) ordinals.push(batch.place(0).ordinal! - seen.length);
        seen.push(...batch.documents().map((document) => document.n));
        if (batch.cursor)
          cursors.push({ cursor: JSON.stringify(batch.cursor), after: seen.length });
      }
      return { seen, cursors, ordinals: [...new Set(ordinals)] };
    };
    const whole = await readFrom();
    expect(whole).toMatchObject({ seen: [...numbers, ...numbers], ordinals: [0] });
    expect(whole.cursors.length).toBeGreaterThanOrEqual(6);
    for (const { cursor, after } of whole.cursors) {
      expect(cursor).not.toContain('geheim');
      const before = requests.length;
      const rest = await readFrom(JSON.parse(cursor));
      expect(rest.seen).toEqual(whole.seen.slice(after));
      if (rest.seen.length > 0) expect(rest.ordinals).toEqual([after]);
      expect(requests.length - before).toBeLessThan(whole.cursors.length + 2);
    }
  });

  it('goes on with all values of a parameter that stands in the URL several times', async () => {
    const { base, requests } = await serve((request, response) => {
      const { searchParams } = new URL(request.url!, 'http://host');
      const from = Number(searchParams.get('offset'));
      response.end(
        [0, 1, 2]
          .slice(from, from + 2)
          .map((n) => `{"n":${n}}\n`)
          .join(''),
      );
    });
    const source = createHttpSource(`${base}/?id=1&id=2&id=1`, {
      pages: { type: 'offset', size: 2 },
    });
    const { signal } = new AbortController();
    const { value: first } = await source.batches(signal, {}).next();
    for await (const _ of source.batches(signal, {}, first!.cursor));
    const last = new URL(requests.at(-1)!.url!, base).searchParams;
    expect([...last].sort().join(' ')).toBe('id,1 id,1 id,2 limit,2 offset,2');
  });

  it.each([
    [`{"items":[{"n":1}],"next":1374004777531007833}`, 'next'],
    [`{"next":1,"items":[{"n":1}],"ne\\u0078t":1374004777531007833}`, 'next'],
    [`{"items":[{"n":1}],"a":[0,{"b":{"c": 1374004777531007833 }}]}`, 'a.1.b.c'],
  ])('takes the number of a cursor as it is written: %s', async (body, cursor) => {
    const { base, requests } = await serve((request, response) => {
      response.end(request.url === '/' ? body : '{"items":[]}');
    });
    const options = { path: 'items', pages: { type: 'cursor', cursor } } as const;
    expect(await read(base, options)).toEqual([1]);
    expect(requests[1]!.url).toBe('/?cursor=1374004777531007833');
  });

  it.each<[string, HttpSourceOptions['pages'], unknown]>([
    ['offset=20', { type: 'offset', size: 10 }, [20, 21, 22, 23, 24]],
    ['cursor=1&offset=', { type: 'offset', size: 10 }, numbers],
    ['page=3', { type: 'page', size: 10 }, [20, 21, 22, 23, 24]],
    ['page=3', { type: 'page', size: 10, first: 2 }, numbers.slice(10)],
    ['page=b', { type: 'page', size: 10 }, 'INVALID_ARGUMENT'],
  ])('begins at %s of the URL', async (query, pages, expected) => {
    const { base } = await serve(answerPage);
    const url = `${base}/list?key=geheim&${query}`;
    const reading = read(url, { path: 'data.items', pages: pages! });
    expect(await reading.catch(({ code }) => code)).toEqual(expected);
  });

  it('keeps documents before a bad one, and stops there with a cursor before it', async () => {
    const { base } = await serve((_, response) => {
      response.setHeader('content-type', 'application/x-ndjson');
      response.end('{"n":1}\n{"n":2}\nbad\n{"n":3}\n');
    });
    const seen: unknown[] = [];
    let cursor: unknown;
    const reading = async (onError: 'stop' | 'skip') => {
      seen.length = 0;
      const source = httpSource(base, { pages: { type: 'link' }, onError });
      for await (const batch of source.batches()) {
        seen.push(...batch.documents().map(({ n }) => n));
        cursor = batch.cursor;
      }
    };
    await expect(reading('stop')).rejects.toMatchObject({
      code: 'JSON_ERROR',
      place: { url: `${base}/`, line: 3 },
    });
    expect(seen).toEqual([1, 2]);
    expect(cursor).toMatchObject({ request: 0, page: 0, passed: 2 });
    await reading('skip');
    expect(seen).toEqual([1, 2, 3]);
  });

  it.each<[string, RegExp, HttpSourceOptions, string?]>([
    ['a page that names itself', /names itself/, { pages: body }, '/a'],
    ['another server', /on another server/, { pages: body }, 'http://other.example/x'],
    ['what is no URL', /no usable URL/, { pages: body }, 'http://['],
    ['too many pages', /more than 1 pages/, { pages: { type: 'page' }, maxPages: 1 }],
    ['more than one JSON text', /not one JSON text/, { pages: body }, twoTexts],
    [
      'what is no JSON for a function',
      /not one JSON text/,
      { pages: ({ json }) => String(json()) },
      twoTexts,
    ],
    [
      'the failure of a function',
      /no idea/,
      {
        pages() {
          throw new Error('no idea');
        },
      },
    ],
  ])('gives all of the page before it refuses %s', async (_, message, options, next = '') => {
    let isMended = false;
    const { base } = await serve((request, response) => {
      const text = `{"items":[{"n":1},{"n":2}],"next":"${isMended ? '' : next}"}`;
      response.end(request.url!.startsWith('/a') ? text : '{"items":[]}');
    });
    const settings = { format: 'json', path: 'items', retry, ...options } as const;
    const readFrom = async (from?: unknown) => {
      const seen: unknown[] = [];
      let cursor: unknown;
      let error: unknown;
      const source = createHttpSource(`${base}/a`, settings);
      try {
        for await (const batch of source.batches(new AbortController().signal, {}, from)) {
          seen.push(...batch.documents().map(({ n }) => n));
          cursor = JSON.parse(JSON.stringify(batch.cursor));
        }
      } catch (thrown) {
        error = thrown;
      }
      return { seen, cursor, error };
    };
    const first = await readFrom();
    expect(first.seen).toEqual([1, 2]);
    expect(String(first.error)).toMatch(message);
    if (!String(first.error).includes('no idea')) {
      expect(first.error).toMatchObject({ place: { url: expect.stringContaining(base) } });
    }
    const again = await readFrom(first.cursor);
    expect(again.seen).toEqual([]);
    expect(String(again.error)).toMatch(message);
    isMended = true;
    if (settings.pages !== body) return;
    expect(await readFrom(first.cursor)).toMatchObject({ seen: [], error: undefined });
  });

  it.each<[string, HttpSourceOptions['pages']]>([
    ['a Link header', { type: 'link' }],
    ['a link in the body', body],
    ['a function', ({ json }) => (json() as Next).next],
    ['a function that makes a URL', ({ json, url }) => urlFrom((json() as Next).next, url)],
  ])('finds the next from where a redirect leads: %s', async (_, pages) => {
    const { base, requests } = await serve((request, response) => {
      if (request.url === '/old/items') {
        return response.writeHead(301, { location: '/new/items/' }).end();
      }
      const next = request.url === '/new/items/' ? 'page2' : undefined;
      if (next) response.setHeader('link', `<${next}>; rel="next"`);
      response.end(JSON.stringify({ items: [{ n: next ? 1 : 2 }], next }));
    });
    expect(await read(`${base}/old/items`, { path: 'items', pages: pages! })).toEqual([1, 2]);
    expect(requests.map(({ url }) => url)).toEqual([
      '/old/items',
      '/new/items/',
      '/new/items/page2',
    ]);
  });

  it('does not go on where a redirect leads to another server, or the page names itself', async () => {
    const link = { pages: { type: 'link' } } as const;
    const other = await serve((_, response) => {
      response.setHeader('link', '</b>; rel="next"');
      response.end('{"n":1}\n');
    });
    const { base, requests } = await serve((request, response) => {
      const location = request.url === '/own' ? '/b' : `${other.base}/a`;
      if (request.url !== '/b') return response.writeHead(302, { location }).end();
      response.setHeader('link', '</b>; rel="next"');
      response.end('{"n":1}\n');
    });
    await expect(read(`${base}/a`, link)).rejects.toThrow(/on another server/);
    expect([other.requests.length, requests.length]).toEqual([1, 1]);
    await expect(read(`${base}/own`, link)).rejects.toThrow(/names itself/);
  });

  it('goes on behind a redirect from http to https', async () => {
    const secure = await serve(
      (request, response) => {
        if (request.url === '/a') response.setHeader('link', '</b>; rel="next"');
        response.end(`{"n":${request.url === '/a' ? 1 : 2}}\n`);
      },
      { secure: { key, cert: certificate } },
    );
    const { base } = await serve((request, response) => {
      response.writeHead(301, { location: secure.base + request.url }).end();
    });
    const options = { pages: { type: 'link' }, tls: { ca: certificate } } as const;
    expect(await read(`${base}/a`, options)).toEqual([1, 2]);
  });

  it('has limits: pages, and bytes of a page', async () => {
    const { base, requests } = await serve((request, response) => {
      const page = Number(new URL(request.url!, 'http://host').searchParams.get('page'));
      response.end(page === 9 ? gzipSync('{"n":1}\n'.repeat(1e5)) : '{"n":1}\n');
    });
    await expect(read(base, { pages: { type: 'page' }, maxPages: 5 })).rejects.toThrow(/5 pages/);
    expect(requests).toHaveLength(5);
    const pages = ({ url, index }: HttpPage) => new URL(`?page=${index + 8}`, url);
    await expect(read(base, { pages, maxPageBytes: 10_000 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      place: { url: expect.stringContaining(base) },
    });
  });
});

describe('httpSource with several requests at once', () => {
  it('keeps their order and its limit', async () => {
    let now = 0;
    let most = 0;
    const { base } = await serve(async (request, response) => {
      most = Math.max(most, ++now);
      const n = Number(request.url!.slice(1));
      await sleep((n * 7) % 20);
      now--;
      response.end(`{"n":${n}}\n`);
    });
    async function* urls() {
      for (let n = 0; n < 40; n++) yield `${base}/${n}`;
    }
    const expected = Array.from({ length: 40 }, (_, n) => n);
    expect(await read(urls(), { concurrency: 4 })).toEqual(expected);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('passes nothing over for an onError that is none', async () => {
    const { base } = await serve((_, response) => response.end('{"n":0}\n{"n":\n'));
    const onError = 'skipp' as 'skip';
    const reading = httpSource(base, { pages: { type: 'link' }, onError }).toArray();
    await expect(reading).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('reads ahead no more than twice as many, and stops all when left', async () => {
    let asked = 0;
    const { base, connections } = await serve((_, response) => {
      asked++;
      if (asked > 1) return;
      response.end('{"n":0}\n{"n":1}\n');
    });
    const urls = Array.from({ length: 100 }, (_, n) => `${base}/${n}`);
    for await (const _ of httpSource(urls, { concurrency: 3 })) {
      await sleep(20);
      break;
    }
    expect(asked).toBeLessThanOrEqual(6);
    await expect.poll(connections).toBe(0);
  });

  it('fails with the first failure in order', async () => {
    const { base } = await serve((request, response) => {
      if (request.url === '/3') response.writeHead(404).end();
      else response.end('{"n":1}\n');
    });
    const urls = Array.from({ length: 10 }, (_, n) => `${base}/${n}`);
    let seen = 0;
    const reading = async () => {
      for await (const _ of httpSource(urls, { concurrency: 5 })) seen++;
    };
    await expect(reading()).rejects.toMatchObject({ place: { url: `${base}/3` } });
    expect(seen).toBe(3);
  });

  it('keeps to a rate', async () => {
    const times: number[] = [];
    const { base } = await serve((_, response) => {
      times.push(performance.now());
      response.end('{"n":1}\n');
    });
    const urls = Array.from({ length: 6 }, (_, n) => `${base}/${n}`);
    const start = performance.now();
    await read(urls, { concurrency: 6, requestsPerSecond: 50 });
    expect(times.at(-1)! - start).toBeGreaterThan(70);
  });

  it('sends by a fetch of the user', async () => {
    const { base } = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync('{"n":1}\n'));
    });
    const asked: string[] = [];
    const mine: typeof fetch = (input, init) => {
      asked.push(String(input));
      return fetch(input, init);
    };
    expect(await read(base, { fetch: mine })).toEqual([1]);
    expect(await read([base, base], { fetch: mine, concurrency: 2 })).toEqual([1, 1]);
    expect(asked).toHaveLength(3);
  });
});
