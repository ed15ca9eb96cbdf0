/** `httpSource` and what its connections are: TLS, IPv6, kept open, torn. */
import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { httpSink } from '../../../src/sinks/http-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import type { HttpSourceOptions } from '../../../src/sources/http-source.ts';
import { certificate, key } from '../../support/certificate.ts';
import { lines, read, retry, upTo } from '../../support/http-documents.ts';
import { sendFile, serve, switchProtocols } from '../../support/http-server.ts';

const text = lines(0, 3000);
const hasIpv6 = await new Promise<boolean>((resolve) => {
  const server = createServer()
    .once('error', () => resolve(false))
    .listen(0, '::1', () => server.close(() => resolve(true)));
});

describe('httpSource over TLS', () => {
  const secure = { key, cert: certificate };

  it('trusts the authorities that it is given, and no stranger', async () => {
    const { base } = await serve((request, response) => sendFile(request, response, text), {
      secure,
    });
    expect(await read(base, { tls: { ca: certificate } })).toEqual({
      seen: upTo(3000),
      error: undefined,
    });
    const { seen, error } = await read(`${base}/a?token=geheim`, { retry: { retries: 0 } });
    expect(seen).toEqual([]);
    expect(error).toMatchObject({
      code: 'HTTP_ERROR',
      place: { url: expect.stringMatching(base) },
    });
    expect(String(error)).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(String(error)).not.toContain('geheim');
  });

  it('goes on by Range when a body breaks', async () => {
    const { base, requests } = await serve(
      (request, response, ordinal) =>
        sendFile(request, response, text, { etag: '"1"', cut: ordinal === 0 ? 50_000 : 1e9 }),
      { secure },
    );
    expect((await read(base, { tls: { ca: certificate } })).seen).toEqual(upTo(3000));
    expect(requests[1]!.headers.range).toBe('bytes=50000-');
  });

  it('shows its certificate to the origin asked for, and to no other', async () => {
    const demanding = { ...secure, ca: certificate, requestCert: true, rejectUnauthorized: false };
    const shown: boolean[] = [];
    const note = (socket: unknown) => shown.push((socket as TLSSocket).authorized);
    const other = await serve(
      (request, response) => {
        note(request.socket);
        sendFile(request, response, text);
      },
      { secure: demanding },
    );
    const { base } = await serve(
      (request, response) => {
        note(request.socket);
        response.writeHead(302, { location: `${other.base}/a` }).end();
      },
      { secure: demanding },
    );
    const tls = { ca: certificate, cert: certificate, key };
    expect((await read(base, { tls })).seen).toEqual(upTo(3000));
    expect(shown).toEqual([true, false]);
  });
});

describe('httpSource', () => {
  it.skipIf(!hasIpv6)('reads from an IPv6 literal, and names it', async () => {
    const { base } = await serve(
      (request, response) =>
        request.url === '/no'
          ? response.writeHead(404).end()
          : sendFile(request, response, text, { etag: '"1"' }),
      { host: '::1' },
    );
    expect(base).toContain('http://[::1]:');
    expect((await read(`${base}/`)).seen).toEqual(upTo(3000));
    expect((await read(`${base}/no`)).error).toMatchObject({ place: { url: `${base}/no` } });
  });

  it.each<[string, number, HttpSourceOptions]>([
    ['one after the other', 1, {}],
    ['four at once', 8, { concurrency: 4 }],
  ])('uses connections again: fifty pages, %s', async (_, most, options) => {
    const server = await serve(
      (request, response) => {
        const page = Number(request.url!.slice(1));
        if (page % 50 !== 49) response.setHeader('link', `</${page + 1}>; rel="next"`);
        response.end(`{"n":${page}}\n`);
      },
      { keepAlive: true },
    );
    const starts = most === 1 ? [0] : [0, 50, 100, 150];
    const urls = starts.map((page) => `${server.base}/${page}`);
    const { seen } = await read(urls, { pages: { type: 'link' }, ...options });
    expect(seen).toEqual(upTo(50 * starts.length));
    expect(server.accepted()).toBeLessThanOrEqual(most);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['is reset', (socket) => socket.resetAndDestroy()],
    ['ends in order', (socket) => socket.end()],
  ])('does not take a body shorter than its Content-Length for whole that %s', async (_, stop) => {
    const { base } = await serve((_request, response, ordinal) => {
      response.writeHead(200, { 'content-length': text.length });
      if (ordinal > 0) return response.end(text);
      // Behind a whole line.
      const part = text.subarray(0, text.indexOf('\n', 5000) + 1);
      response.write(part, () => setTimeout(() => stop(response.socket!), 5));
    });
    expect(await read(base)).toEqual({ seen: upTo(3000), error: undefined });
    const never = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': text.length });
      response.write(text.subarray(0, 5000), () => setTimeout(() => stop(response.socket!), 5));
    });
    const { error } = await read(never.base, { retry: { ...retry, retries: 1 } });
    expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: `${never.base}/` } });
  });

  it('lets go of a connection that the server wants for another protocol', async () => {
    const { base, connections, requests } = await serve(switchProtocols, { keepAlive: true });
    const { error } = await read(`${base}/`);
    expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: `${base}/` } });
    expect(String(error)).toContain('answered 101');
    expect(requests).toHaveLength(1);
    await expect.poll(connections).toBe(0);
  });

  it.each<[string, HttpSourceOptions]>([
    ['by Node', {}],
    ['by a fetch', { fetch }],
    ['by a fetch, several at once', { fetch, concurrency: 2 }],
    ['by a fetch, with pages', { fetch, pages: { type: 'link' } }],
  ])('takes an answer without a body for an empty one: %s', async (_, options) => {
    const { base } = await serve((request, response) => {
      if (request.url === '/1') response.end(lines(0, 1));
      else response.writeHead(204).end();
    });
    const urls = [`${base}/0`, `${base}/1`, `${base}/2`];
    expect(await read(urls, options)).toEqual({ seen: [0], error: undefined });
  });

  it('warns of no leak where many requests are under way, nor does the sink', async () => {
    const { base } = await serve((_, response) => {
      setTimeout(() => response.end('{"n":0}\n'), 20);
    });
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const urls = upTo(30).map(() => base);
    expect((await read(urls, { concurrency: 12 })).seen).toHaveLength(30);
    const sink = httpSink(base, { concurrency: 12, maxDocuments: 1 });
    await pipeline(fromIterable(upTo(30).map((n) => ({ n }))), sink);
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
