/** Bodies of `httpSource` that survive their connections. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { lines, read, retry, upTo } from '../../support/http-documents.ts';
import { sendFile, serve } from '../../support/http-server.ts';

const text = lines(0, 3000);

describe('a body that breaks', () => {
  it('goes on by Range where there is a strong ETag', async () => {
    const { base, requests } = await serve((request, response, ordinal) =>
      sendFile(request, response, text, { etag: '"v1"', cut: ordinal < 3 ? 50_000 : 1e9 }),
    );
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
    expect(requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=50000-',
      'bytes=100000-',
      'bytes=150000-',
    ]);
    expect(requests[1]!.headers).toMatchObject({
      'if-range': '"v1"',
      'accept-encoding': 'identity',
    });
  });

  it('counts as one against maxBodyBytes', async () => {
    const { base } = await serve((request, response, ordinal) =>
      sendFile(request, response, text, { etag: '"v1"', cut: ordinal < 3 ? 50_000 : 1e9 }),
    );
    const whole = await read(base, { maxBodyBytes: text.length });
    expect(whole.error).toBe(undefined);
    const again = await serve((request, response, ordinal) =>
      sendFile(request, response, text, { etag: '"v1"', cut: ordinal < 3 ? 50_000 : 1e9 }),
    );
    const { error } = await read(again.base, { maxBodyBytes: 120_000 });
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(again.requests.length).toBeLessThan(4);
  });

  it('asks on where a Range gives less than was asked for', async () => {
    const { base, requests } = await serve((request, response, ordinal) => {
      const options = { etag: '"v1"', most: 70_000 };
      sendFile(request, response, text, { ...options, ...(ordinal === 0 ? { cut: 9000 } : {}) });
    });
    expect(await read(base, { retry: { ...retry, retries: 1 } })).toEqual({
      seen: upTo(3000),
      error: undefined,
    });
    expect(requests.map(({ headers }) => headers.range).slice(1)).toEqual(
      [9000, 79_000, 149_000, 219_000, 289_000].map((from) => `bytes=${from}-`),
    );
  });

  it.each([
    ['a total that is not known', 'bytes 9000-', '/*'],
    ['no total', 'bytes 9000-', ''],
    ['another unit', 'lines 9000-', `/${text.length}`],
  ])('does not take a Range for the rest that has %s', async (_, start, total) => {
    const { base } = await serve((request, response, ordinal) => {
      if (ordinal !== 1) {
        return sendFile(request, response, text, {
          etag: '"v1"',
          ...(ordinal === 0 ? { cut: 9000 } : {}),
        });
      }
      const part = text.subarray(9000, 20_000);
      response.writeHead(206, { 'content-range': `${start}19999${total}`, etag: '"v1"' });
      response.end(part);
    });
    const { seen, error } = await read(base);
    if (total === '/*') expect({ seen, error }).toEqual({ seen: upTo(3000), error: undefined });
    else expect(error).toMatchObject({ code: 'INPUT_CHANGED' });
  });

  it('does not ask for ever for a Range of which nothing comes', async () => {
    const { base, requests } = await serve((request, response, ordinal) => {
      if (ordinal === 0) return sendFile(request, response, text, { etag: '"v1"', cut: 9000 });
      const range = `bytes 9000-8999/${text.length}`;
      response.writeHead(206, { 'content-range': range, etag: '"v1"' }).end();
    });
    expect((await read(base)).error).toMatchObject({ code: 'TRUNCATED_INPUT' });
    expect(requests).toHaveLength(1 + 3);
  });

  it.each([
    ['no ETag', {}],
    ['a weak ETag', { etag: 'W/"v1"' }],
  ])('begins anew and passes over what it has given: %s', async (_, options) => {
    const { base, requests } = await serve((request, response, ordinal) =>
      sendFile(request, response, text, { ...options, cut: ordinal < 2 ? 90_000 : 1e9 }),
    );
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
    expect(requests.map(({ headers }) => headers.range)).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ['by Range', '"v1"', 'bytes=9000-'],
    ['anew', undefined, undefined],
  ])('goes on in the encoded bytes: %s', async (_, etag, range) => {
    const encoded = gzipSync(text, { level: 0 });
    const { base, requests } = await serve((request, response, ordinal) => {
      response.setHeader('content-encoding', 'gzip');
      sendFile(request, response, encoded, {
        ...(etag ? { etag } : {}),
        ...(ordinal === 0 ? { cut: 9000 } : {}),
      });
    });
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
    expect(requests[1]!.headers.range).toBe(range);
    expect(requests[1]!.headers['accept-encoding']).toMatch(/gzip/);
  });

  it('without any length is not taken for whole', async () => {
    const { base } = await serve((_, response, ordinal) => {
      if (ordinal > 0) return response.end(text);
      // Behind a whole line, with an orderly end of the connection.
      const part = text.subarray(0, text.indexOf('\n', 5000) + 1);
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.write(part, () => setTimeout(() => response.socket?.end(), 5));
    });
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
  });

  it('goes on when it stalls', async () => {
    const { base, requests } = await serve((request, response, ordinal) => {
      if (ordinal > 0) return sendFile(request, response, text, { etag: '"v1"' });
      response.writeHead(200, { 'content-length': text.length, etag: '"v1"' });
      response.write(text.subarray(0, 5000));
    });
    const { seen, error } = await read(base, { idleTimeoutMs: 50 });
    expect({ seen, error }).toEqual({ seen: upTo(3000), error: undefined });
    expect(requests[1]!.headers.range).toBe('bytes=5000-');
  });

  it('gives up when it never gets further', async () => {
    const { base, requests } = await serve((request, response) =>
      sendFile(request, response, text, { cut: 90_000 }),
    );
    const { seen, error } = await read(base, { batchBytes: 1000 });
    expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: `${base}/` } });
    expect(seen).toEqual(upTo(seen.length));
    expect(seen.length).toBeGreaterThan(800);
    expect(requests).toHaveLength(4);
  });

  it('gives up on a server that does not answer any more, as it would at first', async () => {
    let after = {};
    const { base, requests } = await serve((request, response, ordinal) => {
      if (ordinal === 0) sendFile(request, response, text, { cut: 9000 });
      else response.writeHead(503, after).end();
    });
    const { error } = await read(base);
    expect(error).toMatchObject({
      code: 'HTTP_ERROR',
      message: expect.stringMatching(/answered 503/),
    });
    expect(requests).toHaveLength(1 + 4);
    requests.length = 0;
    after = { 'retry-after': '2' };
    const begun = performance.now();
    const impatient = await read(base, { retry: { ...retry, maxRetryAfterMs: 1000 } });
    expect(impatient.error).toMatchObject({
      code: 'HTTP_ERROR',
      message: expect.stringMatching(/answered 503/),
    });
    expect(requests).toHaveLength(2);
    expect(performance.now() - begun).toBeLessThan(1500);
  });

  it.each([
    ['a changed ETag', '"v2"', text],
    ['the same ETag gone', undefined, lines(1, 3000)],
  ])('says INPUT_CHANGED: %s', async (_, etag, now) => {
    const { base } = await serve((request, response, ordinal) =>
      ordinal === 0
        ? sendFile(request, response, text, { ...(etag ? { etag: '"v1"' } : {}), cut: 90_000 })
        : sendFile(request, response, now, etag ? { etag } : {}),
    );
    const { seen, error } = await read(base, { batchBytes: 1000 });
    expect(error).toMatchObject({ code: 'INPUT_CHANGED', place: { url: `${base}/` } });
    expect(seen).toEqual(upTo(seen.length));
  });

  it('takes an end that is none, and a Range that begins elsewhere, for what they are', async () => {
    const { base } = await serve((request, response, ordinal) => {
      if (ordinal === 0) return sendFile(request, response, text, { etag: '"v1"', cut: 9000 });
      const range = `bytes 7-${text.length - 1}/${text.length}`;
      response.writeHead(206, { 'content-range': range, etag: '"v1"' }).end(text.subarray(7));
    });
    expect((await read(base)).error).toMatchObject({ code: 'INPUT_CHANGED' });
  });
});
