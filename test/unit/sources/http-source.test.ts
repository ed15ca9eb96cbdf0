import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createHttpSource,
  type HttpRequestInput,
  type HttpSourceOptions,
  httpSource,
} from '../../../src/sources/http-source.ts';
import { lines, read, retry, upTo } from '../../support/http-documents.ts';
import { sendFile, serve } from '../../support/http-server.ts';

async function readFrom(
  requests: HttpRequestInput | HttpRequestInput[],
  options: HttpSourceOptions,
  from?: unknown,
) {
  const seen: unknown[] = [];
  const cursors: { cursor: string; after: number }[] = [];
  const source = createHttpSource(requests, { retry, ...options });
  for await (const batch of source.batches(new AbortController().signal, {}, from)) {
    seen.push(...batch.documents().map((document) => document.n));
    if (batch.cursor !== undefined) {
      cursors.push({ cursor: JSON.stringify(batch.cursor), after: seen.length });
    }
  }
  return { seen, cursors };
}

describe('httpSource', () => {
  it.each([1, 2])('keeps the types of CSV columns over bodies, %i at once', async (concurrency) => {
    const { base } = await serve((request, response) => {
      response.setHeader('content-type', 'text/csv');
      response.end(`n\n${['abc', '123', '1.50'][Number(request.url!.slice(1))]}\n`);
    });
    const urls = [0, 1, 2].map((n) => `${base}/${n}`);
    const whole = await readFrom(urls, { concurrency });
    expect(whole.seen).toEqual(['abc', '123', '1.50']);
    for (const { cursor, after } of whole.cursors) {
      const { seen } = await readFrom(urls, { concurrency }, JSON.parse(cursor));
      expect(seen).toEqual(whole.seen.slice(after));
    }
  });

  it.each<[string, () => Iterable<string>, HttpSourceOptions]>([
    ['list', () => [], {}],
    ['list, several at once', () => [], { concurrency: 2 }],
    ['list, with pages', () => [], { pages: { type: 'link' } }],
    ['iterable', () => new Set<string>(), {}],
  ])('reads nothing of an empty %s', async (_, requests, options) => {
    expect(await httpSource(requests(), options).toArray()).toEqual([]);
  });

  const text = lines(0, 3000);

  it.each([
    ['by content type', '/a', 'application/x-ndjson', text],
    [
      'by the type json',
      '/a',
      'application/json; charset=utf-8',
      `[${lines(0, 3000).toString().trim().replaceAll('\n', ',')}]`,
    ],
    [
      'by the ending .json',
      '/a.json?x=1',
      '',
      `[${lines(0, 3000).toString().trim().replaceAll('\n', ',')}]`,
    ],
    [
      'CSV',
      '/a.csv',
      'text/csv; header=present',
      `n,s\n${upTo(3000)
        .map((n) => `${n},x\n`)
        .join('')}`,
    ],
    ['gzip as content', '/a.jsonl.gz', 'application/gzip', gzipSync(text)],
    ['brotli as content', '/a.jsonl.br', '', brotliCompressSync(text)],
  ])('reads a body: %s', async (_, path, type, body) => {
    const { base } = await serve((request, response) =>
      sendFile(request, response, Buffer.from(body), { type }),
    );
    expect(await read(base + path)).toEqual({ seen: upTo(3000), error: undefined });
  });

  it('reads encoded bodies', async () => {
    const { base } = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toMatch(/gzip/);
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text));
    });
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
    const never = Number.POSITIVE_INFINITY;
    const times = { connectTimeoutMs: never, idleTimeoutMs: never, totalTimeoutMs: never };
    expect(await read(base, times)).toEqual({ seen: upTo(3000), error: undefined });
  });

  it('holds rows of CSV to maxLineBytes, unless told otherwise for CSV', async () => {
    const { base } = await serve((_, response) => {
      response.setHeader('content-type', 'text/csv');
      response.end(`n,s\n0,${'x'.repeat(200)}\n1,x\n`);
    });
    for (const pages of [undefined, () => undefined]) {
      const options = { maxLineBytes: 100, onError: 'skip', ...(pages ? { pages } : {}) } as const;
      expect(await read(base, options)).toEqual({ seen: [1], error: undefined });
      const more = { ...options, csv: { maxRowBytes: 1000 } };
      expect(await read(base, more)).toEqual({ seen: [0, 1], error: undefined });
    }
  });

  it('refuses JSON text sequences, unless the format is named', async () => {
    const { base } = await serve((_, response) => {
      response.setHeader('content-type', 'application/geo+json-seq; charset=utf-8');
      response.end('{"n":0}\n');
    });
    for (const options of [{}, { path: 'a' }, { pages: () => undefined }]) {
      const { error } = await read(base, options);
      expect(error).toMatchObject({ code: 'UNSUPPORTED', place: { url: `${base}/` } });
    }
    expect(await read(base, { format: 'jsonl' })).toEqual({ seen: [0], error: undefined });
  });

  it.each(['csv', 'jsonl'] as const)('refuses a path in %s', (format) => {
    expect(() => createHttpSource('http://a', { format, path: 'a.b' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  it.each([
    ['/a.jsonl.br', 'br', brotliCompressSync(text)],
    ['/a.jsonl.gz', 'gzip', gzipSync(text)],
    ['/a.jsonl.gz', 'gzip', gzipSync('')],
    ['/a.jsonl.gz', 'gzip', gzipSync(gzipSync(text))],
    ['/a.jsonl.br', 'gzip', gzipSync(brotliCompressSync(text))],
  ])('undoes what name and encoding both say once: %s as %s', async (path, encoding, body) => {
    const { base } = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(body);
    });
    const seen = body.equals(gzipSync('')) ? [] : upTo(3000);
    for (const options of [{}, { pages: () => undefined }, { fetch }]) {
      expect(await read(base + path, options)).toEqual({ seen, error: undefined });
    }
  });

  describe('an answer that is none', () => {
    it.each([500, 503, 408, 429])('is asked for again: %i', async (status) => {
      const { base, requests } = await serve((request, response, ordinal) =>
        ordinal < 2 ? response.writeHead(status).end('no') : sendFile(request, response, text),
      );
      expect((await read(base)).seen).toEqual(upTo(3000));
      expect(requests).toHaveLength(3);
    });

    it.each([206, 400, 403, 404, 501])('is an error at once: %i', async (status) => {
      const { base, requests } = await serve((_, response) => response.writeHead(status).end('no'));
      const { error } = await read(`${base}/x`);
      expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: `${base}/x` } });
      expect(String(error)).toContain(String(status));
      expect(requests).toHaveLength(1);
    });

    it('waits as long as Retry-After says, and not for too long', async () => {
      const { base } = await serve((request, response, ordinal) =>
        ordinal === 0
          ? response.writeHead(429, { 'retry-after': '1' }).end()
          : sendFile(request, response, text),
      );
      const start = performance.now();
      expect((await read(base)).seen).toHaveLength(3000);
      expect(performance.now() - start).toBeGreaterThan(990);
      const later = await serve((_, response) =>
        response.writeHead(503, { 'retry-after': '100000' }).end(),
      );
      expect((await read(later.base)).error).toMatchObject({ code: 'HTTP_ERROR' });
      expect(later.requests).toHaveLength(1);
    });

    it('follows redirects, so many and no more', async () => {
      const { base, requests } = await serve((request, response) => {
        if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
        else if (request.url === '/a') response.writeHead(307, { location: './b' }).end();
        else sendFile(request, response, text);
      });
      expect((await read(`${base}/a`)).seen).toEqual(upTo(3000));
      const { error } = await read(`${base}/loop`, { maxRedirects: 4 });
      expect(String(error)).toMatch(/redirected more than 4 times/);
      expect(requests).toHaveLength(2 + 5);
    });

    it('is not waited for longer than told', async () => {
      const { base } = await serve(() => {});
      const { error } = await read(base, { connectTimeoutMs: 30, retry: { retries: 0 } });
      expect(String(error)).toMatch(/no answer came in time/);
      const slow = await serve((_, response) => {
        response.writeHead(200);
        setInterval(() => response.write('{}\n'), 5).unref();
      });
      const total = await read(slow.base, { totalTimeoutMs: 60, retry: { retries: 0 } });
      expect(String(total.error)).toMatch(/took too long/);
      await expect.poll(slow.connections).toBe(0);
    });

    it('refuses bodies that are too long', async () => {
      const { base } = await serve((request, response) => sendFile(request, response, text));
      const { error } = await read(base, { maxBodyBytes: 10_000 });
      expect(error).toMatchObject({
        code: 'LIMIT_EXCEEDED',
        message: expect.stringMatching(/longer than 10000 bytes/),
      });
    });
  });

  it('reads a slow body, and closes the connection when it is left', async () => {
    const { base, connections } = await serve(async (_, response) => {
      for (let n = 0; n < 20 && !response.destroyed; n++) {
        for (const byte of `{"n":${n}}\n`) response.write(byte);
        await sleep(2);
      }
      response.end();
    });
    expect(await read(base)).toEqual({ seen: upTo(20), error: undefined });
    for await (const _ of httpSource(base)) break;
    const controller = new AbortController();
    const reading = read(base, { signal: controller.signal });
    await sleep(10);
    controller.abort(new Error('enough'));
    expect((await reading).error).toMatchObject({ code: 'ABORTED' });
    await expect.poll(connections).toBe(0);
  });

  describe('from a cursor', () => {
    it('goes on in CSV', async () => {
      const body = Buffer.from(
        `n,s\n${upTo(3000)
          .map((n) => `${n},x\n`)
          .join('')}`,
      );
      const { base, requests } = await serve((request, response) =>
        sendFile(request, response, body, { etag: '"v1"' }),
      );
      const urls = [`${base}/a.csv`, `${base}/b.csv`];
      const whole = await readFrom(urls, { batchBytes: 5000 });
      expect(whole.seen).toEqual([...upTo(3000), ...upTo(3000)]);
      for (const { cursor, after } of whole.cursors) {
        const rest = await readFrom(urls, { batchBytes: 5000 }, JSON.parse(cursor));
        expect(rest.seen).toEqual(whole.seen.slice(after));
      }
      expect(requests.some(({ headers }) => headers.range !== undefined)).toBe(true);
      const other = readFrom(urls, { format: 'json' }, JSON.parse(whole.cursors[1]!.cursor));
      await expect(other).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
    });

    it.each([
      ['plain, with a strong ETag', text, { etag: '"v1"' }],
      ['plain, without', text, {}],
      ['gzip', gzipSync(text), { etag: '"v1"' }],
    ])('goes on: %s', async (_, body, options) => {
      const { base, requests } = await serve((request, response) =>
        sendFile(request, response, body, options),
      );
      const urls = [`${base}/a?token=x`, `${base}/b`];
      const whole = await readFrom(urls, { batchBytes: 20_000 });
      expect(whole.seen).toEqual([...upTo(3000), ...upTo(3000)]);
      for (const { cursor, after } of whole.cursors) {
        const rest = await readFrom(urls, { batchBytes: 20_000 }, JSON.parse(cursor));
        expect(rest.seen).toEqual(whole.seen.slice(after));
      }
      const ranged = requests.filter(({ headers }) => headers.range !== undefined);
      expect(ranged.length > 3).toBe(body === text && 'etag' in options);
    });

    it('goes on where a Range gives less than was asked for', async () => {
      const { base } = await serve((request, response) =>
        sendFile(request, response, text, { etag: '"v1"', most: 50_000 }),
      );
      const { cursors } = await readFrom(base, { batchBytes: 20_000 });
      const { cursor, after } = cursors[2]!;
      const { seen } = await readFrom(base, {}, JSON.parse(cursor));
      expect(seen).toEqual(upTo(3000).slice(after));
    });

    it.each([
      ['another ETag', '"v2"', 0],
      ['another start', '"v1"', 7],
    ])('asks for the whole where a Range has %s, and reads no other body', async (_, etag, off) => {
      let now = text;
      const { base, requests, connections } = await serve((request, response) => {
        const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
        if (!range) return sendFile(request, response, now, { etag: '"v1"' });
        const from = Number(range[1]) + off;
        response.setHeader('content-range', `bytes ${from}-${now.length - 1}/${now.length}`);
        response.writeHead(206, { etag });
        // Left alone, this connection would stay.
        response.write(now.subarray(from, -1));
      });
      const { cursors } = await readFrom(base, { batchBytes: 20_000 });
      const { cursor, after } = cursors[2]!;
      const { seen } = await readFrom(base, {}, JSON.parse(cursor));
      expect(seen).toEqual(upTo(3000).slice(after));
      expect(requests).toHaveLength(3);
      now = lines(1, 3001);
      await expect(readFrom(base, {}, JSON.parse(cursor))).rejects.toMatchObject({
        code: 'CURSOR_MISMATCH',
        place: { url: `${base}/` },
      });
      await expect.poll(connections).toBe(0);
    });

    it.each([
      ['with the ETag', '"v2"'],
      ['without it', undefined],
    ])('notices that the body is another: %s', async (_, etag) => {
      let now = text;
      const { base } = await serve((request, response) =>
        sendFile(request, response, now, etag ? { etag: now === text ? '"v1"' : etag } : {}),
      );
      const { cursors } = await readFrom(base, { batchBytes: 20_000 });
      now = lines(1, 3001);
      const { cursor } = cursors.at(-2)!;
      await expect(readFrom(base, {}, JSON.parse(cursor))).rejects.toMatchObject({
        code: 'CURSOR_MISMATCH',
        place: { url: `${base}/` },
      });
    });
  });
});
