import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { type HttpSinkOptions, httpSink } from '../../../src/sinks/http-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { testSinkContract } from '../../contract/sink-contract.ts';
import { certificate, key } from '../../support/certificate.ts';
import { serve as serveBy, switchProtocols } from '../../support/http-server.ts';
import { numbers, sleep } from '../../support/stages.ts';
import { batchesOf } from '../../support/transforms.ts';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly method: string | undefined;
}

type Answer = (response: ServerResponse, received: Received, count: number) => void | Promise<void>;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server that keeps what it is sent; `answer` gets the number of the request, from 0. */
async function serve(answer: Answer = (response) => void response.writeHead(204).end()) {
  const received: Received[] = [];
  /** Those that a request has come over and that are still open. */
  const sockets = new Set<Socket>();
  const server = createServer(async (request, response) => {
    const { socket } = request;
    if (!sockets.has(socket)) socket.once('close', () => sockets.delete(socket));
    sockets.add(socket);
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part as Uint8Array);
    const body = Buffer.concat(parts);
    const text = (request.headers['content-encoding'] ? gunzipSync(body) : body).toString();
    const one = { headers: request.headers, text, method: request.method };
    received.push(one);
    await answer(response, one, received.length - 1);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { received, sockets, host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}/in` };
}

const quick: HttpSinkOptions = { retry: { baseDelayMs: 1 } };
const texts = ['{"n":12345678901234567890}', '{"a" : 1.0}', '{"s":"\\n,é"}'];

{
  // Without connections that stay, descriptors can be counted.
  const { url, received } = await serve((response) => {
    response.writeHead(204, { connection: 'close' }).end();
  });
  servers.length = 0;
  testSinkContract('httpSink', () => {
    received.length = 0;
    return {
      open: (options) => httpSink(url, { ...options, maxDocuments: 900 }),
      async readBack() {
        const lines = received.flatMap(({ text }) => text.trimEnd().split('\n'));
        return lines.map((line) => JSON.parse(line) as Document);
      },
    };
  });
}

describe('httpSink', () => {
  it.each([
    ['jsonl', 'application/x-ndjson', [`${texts[0]}\n${texts[1]}\n`, `${texts[2]}\n`]],
    ['json', 'application/json', [`[${texts[0]},${texts[1]}]`, `[${texts[2]}]`]],
  ] as const)('sends %s as it is written', async (format, contentType, bodies) => {
    for (const compression of ['none', 'gzip'] as const) {
      const { url, received } = await serve();
      const sink = httpSink(url, { format, compression, maxDocuments: 2, headers: { 'x-a': 'b' } });
      await pipeline(fromIterable(batchesOf(texts, 3)), sink);
      expect(received.map(({ text }) => text)).toEqual(bodies);
      for (const { headers, method } of received) {
        expect(method).toBe('POST');
        expect(headers).toMatchObject({ 'content-type': contentType, 'x-a': 'b' });
      }
      expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
      expect(await sink.summary).toMatchObject({ documents: 3, requests: 2, retries: 0 });
    }
  });

  it('tries again what fails for now, with the same key, each document once', async () => {
    const taken = new Map<unknown, string>();
    const { url, received } = await serve((response, { headers, text }, count) => {
      if (count % 4 === 0) response.writeHead(503, { 'retry-after': '0' }).end('busy');
      else if (count % 4 === 1) response.destroy();
      else {
        taken.set(headers['idempotency-key'], text);
        // The answer is lost, the documents are not.
        if (count % 4 === 2) response.destroy();
        else response.end('ok');
      }
    });
    const all = numbers(30).map((document) => JSON.stringify(document));
    const sink = httpSink(url, { ...quick, maxDocuments: 10 });
    await pipeline(fromIterable(batchesOf(all, 30)), sink);
    expect([...taken.values()].join('')).toBe(`${all.join('\n')}\n`);
    expect(received).toHaveLength(12);
    expect(await sink.summary).toMatchObject({ documents: 30, requests: 3, retries: 9 });
  });

  it('keys repeat when a run is repeated under the same prefix, and differ between bodies', async () => {
    const { url, received } = await serve();
    const run = (lines: string[]) =>
      pipeline(fromIterable(batchesOf(lines, 9)), httpSink(url, { idempotencyPrefix: 'load-7' }));
    await run(texts);
    await run(texts);
    await run(texts.slice(1));
    const [first, second, third] = received.map(({ headers }) => headers['idempotency-key']);
    expect(first).toMatch(/^load-7-0-[0-9a-f]{16}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  it('keys of single documents repeat however these come in batches', async () => {
    const { url, received } = await serve();
    const options = { idempotencyPrefix: 'load-7', maxDocuments: 1 };
    for (const size of [1, 2, 3]) {
      await pipeline(fromIterable(batchesOf(texts, size)), httpSink(url, options));
    }
    expect(received).toHaveLength(9);
    expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(3);
  });

  it.each([[400], [413], [422], [404], [501]])('stops at %i, at once', async (status) => {
    const { url, received } = await serve((response) => void response.writeHead(status).end('no'));
    const running = pipeline(fromIterable(batchesOf(texts, 3)), httpSink(url, quick));
    await expect(running).rejects.toMatchObject({
      code: 'HTTP_ERROR',
      message: `${url}: the server answered ${status} for 3 documents from a.jsonl:1 on`,
    });
    expect(received).toHaveLength(1);
  });

  it('does not follow redirects, gives up after its retries, and honours no endless wait', async () => {
    const redirecting = await serve((response) => {
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    await expect(
      pipeline(fromIterable(numbers(1)), httpSink(redirecting.url, quick)),
    ).rejects.toMatchObject({ code: 'HTTP_ERROR', message: expect.stringMatching(/answered 302/) });
    const down = await serve((response) => void response.writeHead(500).end());
    const sink = httpSink(down.url, { retry: { baseDelayMs: 1, retries: 2 } });
    await expect(pipeline(fromIterable(numbers(1)), sink)).rejects.toThrow(/answered 500/);
    expect(down.received).toHaveLength(3);
    const late = await serve((response) => {
      response.writeHead(429, { 'retry-after': '86400' }).end();
    });
    const waiting = pipeline(fromIterable(numbers(1)), httpSink(late.url, quick));
    await expect(waiting).rejects.toThrow(/answered 429/);
  });

  it('asks for headers anew after a 401, once', async () => {
    let valid = 'second';
    const { url, received } = await serve((response, { headers }) => {
      response.writeHead(headers.authorization === valid ? 200 : 401).end();
    });
    const asked: boolean[] = [];
    const headers = async (refresh: boolean) => {
      asked.push(refresh);
      return { authorization: refresh ? 'second' : 'first' };
    };
    await pipeline(fromIterable(numbers(1)), httpSink(url, { ...quick, headers }));
    expect(asked).toEqual([false, true]);
    valid = 'third';
    const refused = pipeline(fromIterable(numbers(1)), httpSink(url, { ...quick, headers }));
    await expect(refused).rejects.toThrow(/answered 401/);
    expect(received).toHaveLength(4);
  });

  it('says no secret, whatever fails', async () => {
    const { host, received } = await serve(
      (response) => void response.writeHead(400).end('hunter2'),
    );
    const secrets = /hunter2|tok3n|letmein/;
    const url = `http://me:hunter2@${host}/in?key=tok3n&page=2`;
    const failures: unknown[] = [
      await pipeline(fromIterable(numbers(1)), httpSink(url, quick)).catch((error) => error),
      await pipeline(
        fromIterable(numbers(1)),
        httpSink('http://me:hunter2@127.0.0.1:1/?key=tok3n', { retry: { retries: 0 } }),
      ).catch((error) => error),
      await pipeline(
        fromIterable(numbers(1)),
        httpSink(url, { headers: () => ({ authorization: 'letmein\n1' }) }),
      ).catch((error) => error),
    ];
    for (const make of [
      () => httpSink(url, { headers: { authorization: 'letmein\n1' } }),
      () => httpSink('http://me:hunter2@'),
      () => httpSink('ftp://me:hunter2@h/'),
    ]) {
      try {
        make();
        failures.push('nothing');
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures.map((error) => (error as { code?: string }).code)).toEqual([
      ...['HTTP_ERROR', 'HTTP_ERROR', 'INVALID_ARGUMENT'],
      ...['INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'INVALID_ARGUMENT'],
    ]);
    for (let error of failures as (Error | undefined)[]) {
      for (; error; error = error.cause as Error | undefined) {
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(secrets);
      }
    }
    expect(received[0]!.headers.authorization).toBe(`Basic ${btoa('me:hunter2')}`);
  });

  it('keeps to TLS as told, and trusts no stranger', async () => {
    const accepted: boolean[] = [];
    const secure = { key, cert: certificate, ca: certificate, requestCert: true };
    const { base } = await serveBy(
      async (request, response) => {
        accepted.push((request.socket as TLSSocket).authorized);
        for await (const _ of request);
        response.end();
      },
      { secure: { ...secure, rejectUnauthorized: false }, keepAlive: true },
    );
    const send = (tls?: HttpSinkOptions['tls']) =>
      pipeline(
        fromIterable(numbers(3)),
        httpSink(`${base}/in?token=geheim`, { ...quick, maxDocuments: 1, ...(tls ? { tls } : {}) }),
      ).catch((error) => error);
    expect(await send({ ca: certificate, cert: certificate, key })).toBeUndefined();
    expect(await send({ ca: certificate })).toBeUndefined();
    expect(accepted).toEqual([true, true, true, false, false, false]);
    const refused = await send();
    expect(refused).toMatchObject({ code: 'HTTP_ERROR', place: { url: expect.any(String) } });
    expect(refused.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(String(refused)).not.toContain('geheim');
    expect(accepted).toHaveLength(6);
  });

  it('sends by a fetch that is given', async () => {
    const { url, received } = await serve();
    let calls = 0;
    const counted: typeof fetch = (...args) => {
      calls++;
      return fetch(...args);
    };
    // Never late.
    const timeoutMs = Number.POSITIVE_INFINITY;
    const options = { ...quick, maxDocuments: 2, fetch: counted, timeoutMs };
    await pipeline(fromIterable(numbers(5)), httpSink(url, options));
    expect([calls, received.length]).toEqual([3, 3]);
    expect(received[2]!.text).toBe('{"n":4}\n');
  });

  it('gives up an attempt that takes too long, and lets go of all when aborted', async () => {
    const { url, received } = await serve(async (response, _, count) => {
      if (count > 0) response.end();
    });
    await pipeline(fromIterable(numbers(1)), httpSink(url, { ...quick, timeoutMs: 100 }));
    // Two, unless the machine is so busy that an answer takes too long, too.
    expect(received.length).toBeGreaterThan(1);
    expect(received.every(({ text }) => text === '{"n":0}\n')).toBe(true);
    const stuck = await serve(() => {});
    const controller = new AbortController();
    const reason = new Error('enough');
    const sink = httpSink(stuck.url, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    const running = pipeline(fromIterable(numbers(1)), sink);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    await expect.poll(() => stuck.sockets.size).toBe(0);
  });

  it('lets go of a connection that the server wants for another protocol', async () => {
    const { base, connections } = await serveBy(switchProtocols, { keepAlive: true });
    const sending = pipeline(fromIterable(numbers(1)), httpSink(base, quick));
    await expect(sending).rejects.toThrow(/answered 101/);
    await expect.poll(connections).toBe(0);
  });

  it.each<[string, HttpSinkOptions]>([
    ['headers', { headers: () => new Promise<never>(() => {}) }],
    ['a fetch', { fetch: () => new Promise<never>(() => {}) }],
  ])('waits neither longer for %s', async (_, hanging) => {
    const late = httpSink('http://host/', { ...hanging, timeoutMs: 20, retry: { retries: 0 } });
    await expect(pipeline(fromIterable(numbers(1)), late)).rejects.toMatchObject({
      code: 'HTTP_ERROR',
      cause: { name: 'TimeoutError' },
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const stopped = httpSink('http://host/', { ...hanging, signal: controller.signal });
    await expect(pipeline(fromIterable(numbers(1)), stopped)).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  it('does not wait for the others when one has failed', async () => {
    const { url, received } = await serve((response, { text }) => {
      if (text.includes('"n":0')) response.writeHead(400).end();
      else response.writeHead(503, { 'retry-after': '3' }).end();
    });
    const begun = performance.now();
    const sink = httpSink(url, { maxDocuments: 1, concurrency: 4 });
    await expect(pipeline(fromIterable(numbers(4)), sink)).rejects.toThrow(/answered 400/);
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(received.length).toBeLessThanOrEqual(4);
  });

  it('has so many requests under way, and the first failure ends all', async () => {
    let under = 0;
    let most = 0;
    const { url, received } = await serve(async (response, { text }) => {
      most = Math.max(most, ++under);
      await sleep(5);
      under--;
      response.writeHead(text.includes('"n":25') ? 400 : 200).end();
    });
    const options = { ...quick, maxDocuments: 1, concurrency: 4 };
    await pipeline(fromIterable(numbers(20)), httpSink(url, options));
    expect([most, received.length]).toEqual([4, 20]);
    const failing = pipeline(fromIterable(numbers(1000)), httpSink(url, options));
    await expect(failing).rejects.toThrow(/answered 400 for 1 documents from record 25 on/);
    expect(received.length).toBeLessThan(20 + 40);
  });
});
