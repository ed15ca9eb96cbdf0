/** Pages and several requests: bodies flow, and what is read ahead of its turn is bounded. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createHttpSource,
  type HttpSourceOptions,
  httpSource,
} from '../../../src/sources/http-source.ts';
import { heldBuffers } from '../../support/garbage.ts';
import { lines, read, upTo } from '../../support/http-documents.ts';
import { sendFile, serve } from '../../support/http-server.ts';

const MIB = 1 << 20;
const pad = 'x'.repeat(4000);

/** Writes documents from `from` on as fast as they are taken. */
async function flow(response: ServerResponse, from: number, count: number): Promise<void> {
  response.on('close', () => response.emit('drain'));
  for (let n = from; n < from + count && !response.destroyed; n++) {
    if (!response.write(`{"n":${n},"pad":"${pad}"}\n`)) await once(response, 'drain');
  }
  response.end();
}

describe('httpSource with requests that come one by one', () => {
  const served = () =>
    serve((request, response) => response.end(`{"n":${request.url!.slice(1)}}\n`));

  it('gives what it has while the next is waited for', async () => {
    const { base } = await served();
    const seen: number[] = [];
    let told: () => void = () => {};
    // Each request comes of the document before.
    async function* crawl() {
      for (let n = 0; n < 5; n++) {
        yield `${base}/${n}`;
        while (seen.length <= n) await new Promise<void>((resolve) => (told = resolve));
      }
    }
    for await (const { n } of httpSource<{ n: number }>(crawl(), { concurrency: 3 })) {
      seen.push(n);
      told();
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it('goes on behind its last request, and not where there are fewer than before', async () => {
    const { base } = await served();
    const urls = (count: number) => [0, 1, 2].slice(0, count).map((n) => `${base}/${n}`);
    const { signal } = new AbortController();
    let cursor: unknown;
    for await (const batch of createHttpSource(urls(3).values()).batches(signal, {})) {
      cursor = batch.cursor;
    }
    const again = (count: number) =>
      createHttpSource(urls(count).values()).batches(signal, {}, cursor).next();
    expect(await again(3)).toMatchObject({ done: true });
    await expect(again(2)).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });

  it('ends when it is left, also while the next never comes', async () => {
    const { base } = await served();
    async function* stuck() {
      yield `${base}/0`;
      await new Promise(() => {});
    }
    const seen: number[] = [];
    for await (const { n } of httpSource<{ n: number }>(stuck(), { concurrency: 2 })) {
      seen.push(n);
      break;
    }
    expect(seen).toEqual([0]);
  });

  it('gives what was asked for before the requests fail', async () => {
    const { base } = await served();
    async function* failing() {
      yield* [0, 1, 2].map((n) => `${base}/${n}`);
      throw new Error('no more of them');
    }
    const seen: number[] = [];
    const reading = async () => {
      const options = { concurrency: 2 };
      for await (const { n } of httpSource<{ n: number }>(failing(), options)) seen.push(n);
    };
    await expect(reading()).rejects.toThrow('no more of them');
    expect(seen).toEqual([0, 1, 2]);
  });

  it.each<[string, HttpSourceOptions]>([
    ['several at once', { concurrency: 2 }],
    ['with pages', { pages: { type: 'link' } }],
  ])('goes on with the same requests only: %s', async (_, options) => {
    const { base } = await served();
    async function* requests(list: number[]) {
      yield* list.map((n) => `${base}/${n}`);
    }
    const readFrom = async (list: number[], from?: unknown) => {
      const seen: unknown[] = [];
      const cursors: { source?: string; request: number }[] = [];
      const { source } = httpSource(requests(list), options);
      for await (const batch of source.batches(new AbortController().signal, {}, from)) {
        seen.push(...batch.documents().map(({ n }) => n));
        cursors.push(JSON.parse(JSON.stringify(batch.cursor)));
      }
      return { seen, cursors };
    };
    const { cursors } = await readFrom([1, 2, 3]);
    const [behindFirst, behindSecond] = cursors.filter(({ request }) => request > 0);
    expect((await readFrom([1, 2, 3, 4], behindFirst)).seen).toEqual([2, 3, 4]);
    expect((await readFrom([1, 2], behindSecond)).seen).toEqual([]);
    for (const list of [[0, 1, 2, 3], [2, 3], [], [9]]) {
      const reading = readFrom(list, behindFirst);
      const place = { url: `${base}/1` };
      await expect(reading).rejects.toMatchObject({ code: 'CURSOR_MISMATCH', place });
    }
    // As they were before they named the request.
    const { source: _source, ...old } = behindSecond!;
    expect((await readFrom([1, 2, 3, 4], old)).seen).toEqual([3, 4]);
    await expect(readFrom([1], old)).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });

  it('goes on in the middle of a page of the same request only', async () => {
    const { base } = await served();
    const cursor = { request: 1, page: 0, url: `${base}/1`, same: [], ordinal: 1 };
    const from = { ...cursor, source: `${base}/1` };
    const readFrom = async (...list: string[]) => {
      const seen: unknown[] = [];
      const { source } = httpSource(list, { pages: { type: 'link' } });
      for await (const batch of source.batches(new AbortController().signal, {}, from)) {
        seen.push(...batch.documents().map(({ n }) => n));
      }
      return seen;
    };
    expect(await readFrom(`${base}/0`, `${base}/1`)).toEqual([1]);
    const other = readFrom(`${base}/1`, `${base}/0`);
    await expect(other).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });
});

describe('httpSource with pages', () => {
  it('gives documents before the page has ended', async () => {
    let finish: () => void = () => {};
    const { base } = await serve((_, response, ordinal) => {
      if (ordinal > 0) return response.end('{"n":2}\n');
      response.setHeader('link', '</b>; rel=next');
      response.write(lines(0, 2), () => {});
      finish = () => response.end();
    });
    const options = { pages: { type: 'link' as const }, batchBytes: 50 };
    const seen: unknown[] = [];
    for await (const { n } of httpSource(base, options)) {
      seen.push(n);
      finish();
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  it('has a cursor for every batch, also in the middle of a page', async () => {
    const { base } = await serve((request, response) => {
      const second = request.url!.startsWith('/b');
      if (!second) response.setHeader('link', '</b>; rel=next');
      const [from, to] = second ? [4, 6] : [0, 4];
      // The rest comes so late that what is there is given before.
      response.write(lines(from, from + 1));
      setTimeout(() => response.end(lines(from + 1, to)), 100);
    });
    const options = { pages: { type: 'link' as const } };
    const readFrom = async (from?: unknown) => {
      const { source } = httpSource(base, options);
      const seen: { n: unknown[]; cursor: unknown; ordinal: unknown }[] = [];
      for await (const batch of source.batches(new AbortController().signal, {}, from)) {
        const n = batch.documents().map((document) => document.n);
        seen.push({ n, cursor: batch.cursor, ordinal: batch.length && batch.place(0).ordinal });
      }
      return seen;
    };
    const whole = await readFrom();
    expect(whole.flatMap(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(whole[0]).toMatchObject({ n: [0], cursor: { page: 0, passed: 1 } });
    let taken = 0;
    for (const { n, cursor } of whole) {
      taken += n.length;
      const rest = (await readFrom(JSON.parse(JSON.stringify(cursor)))).filter(
        (each) => each.n.length > 0,
      );
      const all = [0, 1, 2, 3, 4, 5].slice(taken);
      expect(rest.flatMap((each) => each.n)).toEqual(all);
      if (all.length > 0) expect(rest[0]!.ordinal).toBe(taken);
    }
  });

  it('tells of a bad record in front of a cursor only once', async () => {
    const { base } = await serve(async (_, response) => {
      const parts = [lines(0, 1), 'bad 1\n', lines(1, 2), 'bad 2\nbad 3\n', lines(2, 4), 'bad 4\n'];
      // Each so late that what is there is given before.
      for (const part of parts) {
        response.write(part);
        await sleep(60);
      }
      response.end();
    });
    const readFrom = async (from?: unknown) => {
      const told: string[] = [];
      const cursors: { passed: number; rejected: number }[] = [];
      const { source } = httpSource(base, {
        pages: { type: 'body', next: 'next' },
        format: 'jsonl',
        onError: ({ bytes }) => told.push(String(Buffer.from(bytes))),
      });
      const reading = (async () => {
        for await (const { cursor } of source.batches(new AbortController().signal, {}, from)) {
          cursors.push(JSON.parse(JSON.stringify(cursor)));
        }
      })();
      return { told, cursors, error: await reading.catch((error) => error) };
    };
    const whole = await readFrom();
    expect(whole.told).toEqual(['bad 1', 'bad 2', 'bad 3', 'bad 4']);
    expect(whole.error).toMatchObject({ code: 'JSON_ERROR' });
    expect(whole.cursors.at(-1)).toMatchObject({ passed: 4, rejected: 4 });
    for (const cursor of whole.cursors) {
      // What came right behind the batch may have been read with it.
      expect(cursor.rejected).toBeGreaterThanOrEqual([0, 0, 1, 3, 3][cursor.passed]!);
      expect(cursor.rejected).toBeLessThanOrEqual([0, 1, 3, 3, 4][cursor.passed]!);
      expect((await readFrom(cursor)).told).toEqual(whole.told.slice(cursor.rejected));
    }
  });

  it('says when a page is shorter than what was read of it', async () => {
    const { base } = await serve((_, response) => void response.end(''));
    const cursor = { request: 0, page: 0, url: `${base}/`, same: [], ordinal: 3, passed: 3 };
    const { source } = httpSource(base, { pages: { type: 'link' } });
    const reading = source.batches(new AbortController().signal, {}, cursor);
    await expect(reading.next()).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
  });

  it('is left at once, though more of the page is waited for', async () => {
    const { base, connections } = await serve((_, response) => void response.write(lines(0, 2)));
    const begun = performance.now();
    for await (const _ of httpSource(base, { pages: { type: 'page' } })) break;
    expect(performance.now() - begun).toBeLessThan(2000);
    await expect.poll(connections).toBe(0);
  });

  it.each([
    ['a link', { type: 'body', next: 'links.next' }],
    ['a cursor', { type: 'cursor', cursor: 'links.cursor', parameter: 'page' }],
  ] as const)('finds %s behind more documents than may be kept', async (_, pages) => {
    const { base } = await serve((request, response) => {
      const page = Number(new URL(request.url!, 'http://host').searchParams.get('page'));
      const documents = lines(page * 40_000, (page + 1) * 40_000)
        .toString()
        .trimEnd();
      const links = page < 1 ? { next: `/?page=${page + 1}`, cursor: page + 1 } : {};
      const text = documents.replaceAll('\n', ',\n');
      response.end(`{"about":[[{}]],"data":{"items":[${text}]},"links":${JSON.stringify(links)}}`);
    });
    for (const documents of [true, false]) {
      const seen: unknown[] = [];
      const settings = { pages, path: 'data.items', maxPageBytes: 3 * MIB } as const;
      const source = httpSource(base, settings);
      if (documents) for await (const { n } of source) seen.push(n);
      else for await (const batch of source.batches()) seen.push(...batch.documents().map(nOf));
      expect(seen.length).toBe(80_000);
      expect(seen.find((n, i) => n !== i)).toBeUndefined();
    }
    const whole = read(base, { pages: () => undefined, path: 'data.items', maxPageBytes: 3 * MIB });
    expect((await whole).error).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      place: { url: `${base}/` },
    });
  });
});

const nOf = ({ n }: { n?: unknown }): unknown => n;

describe('httpSource with several requests at once', () => {
  it.each([
    ['requests', {}],
    ['requests with pages', { pages: { type: 'link' as const } }],
  ])('reads little of a body before its turn: %s', async (_, options) => {
    const each = 4_500;
    const answers: ServerResponse[] = [];
    let go: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { base } = await serve(async (request, response) => {
      const [, at, page] = request.url!.split('/').map(Number);
      answers.push(response);
      if ('pages' in options && !page) response.setHeader('link', `</${at}/1>; rel=next`);
      if (at === 0 && !page) await started;
      await flow(response, at! * each + (page ? each - 1 : 0), page ? 1 : each - 1);
    });
    const urls = upTo(4).map((n) => `${base}/${n}`);
    const reading = async () => {
      const seen: unknown[] = [];
      for await (const { n } of httpSource(urls, { concurrency: 4, ...options })) seen.push(n);
      return seen;
    };
    const before = heldBuffers();
    const all = reading();
    for (let i = 0; i < 100 && answers.length < 3; i++) await sleep(10);
    await sleep(200);
    expect(heldBuffers() - before).toBeLessThan(3 * 3 * MIB);
    for (const { socket } of answers) expect(socket!.bytesWritten).toBeLessThan(16 * MIB);
    go();
    const seen = await all;
    const expected =
      'pages' in options ? upTo(4 * each) : upTo(4 * each).filter((n) => (n + 1) % each);
    expect(seen.length).toBe(expected.length);
    expect(seen.find((n, i) => n !== expected[i])).toBeUndefined();
  });

  it.each([
    ['a strong ETag', { etag: '"v1"' }],
    ['no ETag', {}],
    ['gzip', { gzip: true }],
  ])('goes on where a body broke before its turn: %s', async (_, { gzip, ...options }: Body) => {
    const { base, requests } = await serve(async (request, response) => {
      const at = Number(request.url!.slice(1));
      const text = lines(at * 3000, (at + 1) * 3000);
      const first = requests.filter(({ url }) => url === request.url).length === 1;
      if (at === 0) await sleep(60);
      const cut = first ? { cut: 5000 } : {};
      sendFile(request, response, gzip ? gzipSync(text) : text, { ...options, ...cut });
    });
    const urls = upTo(5).map((n) => `${base}/${n}`);
    expect(await read(urls, { concurrency: 3 })).toEqual({ seen: upTo(15_000), error: undefined });
    expect(requests).toHaveLength(10);
  });

  it('tells of what failed before its turn behind what came before it', async () => {
    const { base } = await serve(async (request, response) => {
      const at = Number(request.url!.slice(1));
      if (at === 0) await sleep(60);
      sendFile(request, response, lines(at * 10, at * 10 + 10), at === 2 ? { cut: 300 } : {});
    });
    const urls = upTo(4).map((n) => `${base}/${n}`);
    const { seen, error } = await read(urls, { concurrency: 4, batchBytes: 100 });
    expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: `${base}/2` } });
    expect(seen).toEqual(upTo(seen.length));
    expect(seen.length).toBeGreaterThan(20);
  });
});

interface Body {
  readonly etag?: string;
  readonly gzip?: boolean;
}
