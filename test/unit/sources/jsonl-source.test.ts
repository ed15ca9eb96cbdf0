import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import type { ByteInput } from '../../../src/sources/byte-input.ts';
import { type JsonlSourceOptions, jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { openDescriptors, sleep, temporaryFolder } from '../../support/stages.ts';

/** Frames of the documents { n: 0 } and { n: 1 }, and of { n: 2 }; made by the zstd tool. */
const ZSTD = [
  '28b52ffd04588100007b226e223a307d0a7b226e223a317d0a168d4fe2',
  '28b52ffd00584100007b226e223a327d0a',
];

const lines = (from: number, to: number): string => {
  let text = '';
  for (let n = from; n < to; n++) text += `{"n":${n},"pad":"${'x'.repeat(n % 50)}"}\n`;
  return text;
};

async function read(input: ByteInput, options: JsonlSourceOptions = {}) {
  const seen: unknown[] = [];
  let error: unknown;
  try {
    for await (const document of jsonlSource<{ n: number }>(input, options)) seen.push(document.n);
  } catch (thrown) {
    error = thrown;
  }
  return { seen, error };
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('jsonlSource', () => {
  it('reads files whose pieces end anywhere', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, lines(0, 150));
    for (const batchBytes of [1, 10, 63, 64, 65, 4096, 1 << 20]) {
      expect(await read(path, { batchBytes })).toEqual({ seen: upTo(150), error: undefined });
    }
  });

  it('stops at a line longer than what it keeps for its cursors', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, `${lines(0, 3)}{"n":"${'x'.repeat(3 << 20)}"}\n`);
    const { seen, error } = await read(path, { batchBytes: 4096, maxLineBytes: 1 << 20 });
    expect(seen).toEqual(upTo(3));
    expect(error).toMatchObject({ code: 'LINE_TOO_LONG', place: { path, line: 4 } });
  });

  it.each<[string, (folder: string) => ByteInput]>([
    ['a pattern, in name order', (folder) => join(folder, '*.jsonl')],
    [
      'several paths, in the order given',
      (folder) => [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')],
    ],
    [
      'file URLs',
      (folder) => [
        pathToFileURL(join(folder, 'a.jsonl')),
        String(pathToFileURL(join(folder, 'b.jsonl'))),
      ],
    ],
    ['a Readable', () => Readable.from([Buffer.from(lines(0, 9)), Buffer.from(lines(9, 20))])],
    [
      'a Readable of text',
      () => Readable.from([lines(0, 9), lines(9, 20)]) as unknown as ByteInput,
    ],
    ['a Web stream', () => ReadableStream.from([Buffer.from(lines(0, 20))])],
    ['an array of bytes', () => [Buffer.from(lines(0, 20))] as unknown as ByteInput],
    [
      'compressed bytes in a stream',
      () => Readable.from([...gzipSync(lines(0, 20))].map((b) => Buffer.of(b))),
    ],
  ])('reads %s', async (_, input) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'b.jsonl'), lines(10, 20));
    writeFileSync(join(folder, 'a.jsonl'), lines(0, 10));
    expect(await read(input(folder))).toEqual({ seen: upTo(20), error: undefined });
  });

  it('takes a path literally if it exists, though it looks like a pattern', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a[1].jsonl'), lines(0, 2));
    writeFileSync(join(folder, 'a1.jsonl'), lines(5, 6));
    expect((await read(join(folder, 'a[1].jsonl'))).seen).toEqual([0, 1]);
  });

  it('keeps places and cursors across files', async () => {
    const folder = temporaryFolder();
    for (const name of ['a.jsonl', 'b.jsonl']) writeFileSync(join(folder, name), lines(0, 3));
    const places: unknown[] = [];
    const cursors: unknown[] = [];
    for await (const batch of jsonlSource(join(folder, '*')).batches()) {
      places.push(batch.place(2));
      cursors.push(batch.cursor);
    }
    const size = lines(0, 3).length;
    const at = { offset: lines(0, 2).length, line: 3 };
    expect(places).toEqual([
      { path: join(folder, 'a.jsonl'), ...at, ordinal: 2 },
      { path: join(folder, 'b.jsonl'), ...at, ordinal: 5 },
    ]);
    const source = join(folder, 'b.jsonl');
    expect(cursors[1]).toMatchObject({ source, offset: size, line: 3, ordinal: 6 });
  });

  it('asks for the key that the receiver wants', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, '{"meta":{"id":"k"}}\n');
    for await (const batch of jsonlSource(path).batches({ key: ['meta', 'id'] })) {
      const { records, key } = batch.lines();
      expect([key, records[4]! - records[3]!]).toEqual(['meta.id', 1]);
    }
  });

  describe('inputs that are not there', () => {
    it.each([
      ['a path', 'no.jsonl', 'IO_ERROR'],
      ['a pattern without a match', '*.none', 'IO_ERROR'],
      ['a folder', '.', 'IO_ERROR'],
    ])('names %s', async (_, name, code) => {
      const path = join(temporaryFolder(), name);
      const { error } = await read(path);
      expect(error).toMatchObject({ code, place: { path } });
      expect((error as Error).message.startsWith(path)).toBe(true);
    });

    it('refuses an empty path and an empty list', async () => {
      expect((await read('')).error).toMatchObject({ code: 'INVALID_PATH' });
      expect((await read([])).error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    it('names a file that vanishes between listing and opening', async () => {
      const folder = temporaryFolder();
      for (const name of ['a', 'b']) writeFileSync(join(folder, name), lines(0, 2));
      let seen = 0;
      const reading = async () => {
        for await (const _ of jsonlSource(join(folder, '*'))) {
          if (seen++ === 0) rmSync(join(folder, 'b'));
        }
      };
      await expect(reading()).rejects.toMatchObject({
        code: 'IO_ERROR',
        place: { path: join(folder, 'b') },
      });
      expect(seen).toBe(2);
    });
  });

  describe('files that change while they are read', () => {
    const open = async (text: string) => {
      const path = join(temporaryFolder(), 'a.jsonl');
      writeFileSync(path, text);
      const batches = jsonlSource<{ n: number }>(path, { batchBytes: 64 }).batches();
      const first = await batches.next();
      const rest = async () => {
        const seen = (first.value?.documents() ?? []).map((d) => d.n);
        for await (const batch of batches) seen.push(...batch.documents().map((d) => d.n));
        return seen;
      };
      return { path, rest };
    };

    it('reads what was there at the start, and not what is appended', async () => {
      const { path, rest } = await open(lines(0, 100));
      appendFileSync(path, lines(100, 200));
      expect(await rest()).toEqual(upTo(100));
    });

    it('leaves a line that was being appended at the start', async () => {
      const { path, rest } = await open(`${lines(0, 100)}{"n":10`);
      appendFileSync(path, '0}\n');
      expect(await rest()).toEqual(upTo(100));
    });

    it('says INPUT_CHANGED when the file becomes shorter', async () => {
      const { path, rest } = await open(lines(0, 100));
      truncateSync(path, 500);
      await expect(rest()).rejects.toMatchObject({ code: 'INPUT_CHANGED', place: { path } });
    });
  });

  describe('compressed input', () => {
    const text = lines(0, 20_000);
    const cases: [string, string, Uint8Array][] = [
      ['gzip by content', 'a.jsonl', gzipSync(text)],
      [
        'several gzip members',
        'a.gz',
        Buffer.concat([0, 1, 2, 3].map((i) => gzipSync(lines(i * 5000, (i + 1) * 5000)))),
      ],
      ['brotli by name', 'a.jsonl.br', brotliCompressSync(text, { params: { 1: 4 } })],
    ];

    it.each(cases)('reads %s', async (_, name, bytes) => {
      const path = join(temporaryFolder(), name);
      writeFileSync(path, bytes);
      const before = openDescriptors();
      expect(await read(path)).toEqual({ seen: upTo(20_000), error: undefined });
      expect(openDescriptors()).toBeLessThanOrEqual(before);
    });

    const frames = ZSTD.map((hex) => Buffer.from(hex, 'hex'));

    it('reads zstd, several frames too', async () => {
      const whole = Buffer.concat(frames);
      expect(await read(Readable.from(frames))).toEqual({ seen: upTo(3), error: undefined });
      expect(await read(Readable.from([whole]))).toEqual({ seen: upTo(3), error: undefined });
      const bytes = Readable.from([...whole].map((byte) => Buffer.of(byte)));
      expect(await read(bytes)).toEqual({ seen: upTo(3), error: undefined });
    });

    it.each([
      ['gzip', gzipSync(lines(0, 3))],
      ['zstd', Buffer.concat(frames)],
      ['nothing', Buffer.from(lines(0, 3))],
    ])('is told from %s however slowly its first bytes come', async (_, bytes) => {
      for (const first of [1, 2, 3]) {
        const slowly = async function* () {
          yield bytes.subarray(0, first);
          await sleep(20);
          yield bytes.subarray(first);
        };
        expect(await read(slowly())).toEqual({ seen: upTo(3), error: undefined });
      }
    });

    it('does not keep a first document waiting that is shorter than a signature', async () => {
      const never = async function* () {
        yield Buffer.from('{}\n');
        await new Promise(() => {});
      };
      const documents = jsonlSource(never())[Symbol.asyncIterator]();
      expect(await documents.next()).toEqual({ done: false, value: {} });
    });

    it.each([4, 6, 12, 20])('says TRUNCATED_INPUT for %i bytes of a zstd frame', async (size) => {
      const { error } = await read(Readable.from([frames[0]!.subarray(0, size)]));
      expect(error).toMatchObject({ code: 'TRUNCATED_INPUT' });
    });

    it.each([
      ['gz', gzipSync(lines(0, 3))],
      ['br', brotliCompressSync(lines(0, 3))],
      ['zst', Buffer.from(ZSTD[0]!, 'hex')],
    ])('says TRUNCATED_INPUT for .%s cut anywhere', async (ending, bytes) => {
      const path = join(temporaryFolder(), `a.${ending}`);
      for (let size = 0; size < bytes.length; size++) {
        writeFileSync(path, bytes.subarray(0, size));
        expect(await read(path), `${size} bytes`).toMatchObject({
          error: { code: 'TRUNCATED_INPUT', place: { path } },
        });
      }
    });

    it('takes an empty file for an empty one where no name says more', async () => {
      const path = join(temporaryFolder(), 'a.jsonl');
      writeFileSync(path, '');
      expect(await read(path)).toEqual({ seen: [], error: undefined });
    });

    it('refuses even one byte behind gzip, but takes padding with zeros', async () => {
      const bytes = gzipSync(text);
      const one = await read(Readable.from([Buffer.concat([bytes, Buffer.from('x')])]));
      expect(one.error).toMatchObject({
        code: expect.stringMatching(/^(CORRUPT|TRUNCAT)ED_INPUT$/),
      });
      const padded = await read(Readable.from([Buffer.concat([bytes, Buffer.alloc(512)])]));
      expect(padded.error).toBeUndefined();
      const later = await read(Readable.from([bytes, Buffer.from('garbage, and more of it')]));
      expect(later.error).toMatchObject({ code: 'CORRUPTED_INPUT' });
    });

    it.each(cases)('says TRUNCATED_INPUT when it ends early: %s', async (_, name, bytes) => {
      const path = join(temporaryFolder(), name);
      for (const size of [bytes.length - 1, bytes.length - 9, bytes.length >> 1, 20]) {
        writeFileSync(path, bytes.subarray(0, size));
        const { seen, error } = await read(path);
        expect(error).toMatchObject({ code: 'TRUNCATED_INPUT', place: { path } });
        expect(seen).toEqual(upTo(seen.length));
      }
    });

    it.each([
      ['gzip with garbage inside', 'a.gz', spoil(gzipSync(text), 5000)],
      [
        'gzip with garbage behind it',
        'a.gz',
        Buffer.concat([gzipSync(text), Buffer.from('garbage, and quite some of it')]),
      ],
      ['a wrong checksum', 'a.gz', spoil(gzipSync(text), -6)],
      ['no brotli', 'a.br', Buffer.from('this is no brotli at all')],
      ['broken zstd', 'a.zst', Buffer.from('28b52ffd2005070000ffffffffffffffff', 'hex')],
    ])('says CORRUPTED_INPUT for %s', async (_, name, bytes) => {
      const path = join(temporaryFolder(), name);
      writeFileSync(path, bytes);
      const before = openDescriptors();
      expect((await read(path)).error).toMatchObject({ code: 'CORRUPTED_INPUT', place: { path } });
      expect(openDescriptors()).toBeLessThanOrEqual(before);
    });
  });

  it('closes every file, however the reading ends', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a'), lines(0, 5000));
    writeFileSync(join(folder, 'b'), gzipSync(lines(0, 50_000)));
    writeFileSync(join(folder, 'c'), `${lines(0, 10)}bad\n`);
    await read(join(folder, 'a'));
    const before = openDescriptors();
    for (const name of ['a', 'b', 'c']) {
      const path = join(folder, name);
      for await (const _ of jsonlSource(path, { batchBytes: 100 })) break;
      for await (const _ of jsonlSource(path, { batchBytes: 100 }).batches()) break;
      const reader = jsonlSource(path, { batchBytes: 100 }).toWeb().getReader();
      await reader.read();
      await reader.cancel();
      const stream = jsonlSource(path, { batchBytes: 100 });
      stream.on('data', () => {}).on('error', () => {});
      await sleep(3);
      await stream[Symbol.asyncDispose]();
      const signal = AbortSignal.timeout(2);
      await read(path, { signal, batchBytes: 1 });
    }
    await read(join(folder, 'c'));
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it('stops waiting for a silent stream when told to', async () => {
    const silent = new Readable({ read() {} });
    const controller = new AbortController();
    const reading = read(silent, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    expect((await reading).error).toMatchObject({ code: 'ABORTED' });
  });

  it('reads over HTTP, and names the URL of what cannot be had', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/none') response.writeHead(404).end();
      else if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 1000 });
        response.write(lines(0, 2), () => response.destroy());
      } else response.end(request.url === '/a.gz' ? gzipSync(lines(0, 20)) : lines(0, 20));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(await read(`${base}/a`)).toEqual({ seen: upTo(20), error: undefined });
      expect(await read(new URL(`${base}/a.gz`))).toEqual({ seen: upTo(20), error: undefined });
      // What is cut is asked for again five times, after waits that are drawn.
      vi.spyOn(Math, 'random').mockReturnValue(0);
      for (const path of ['/none', '/cut']) {
        const { error } = await read(base + path);
        expect(error).toMatchObject({ code: 'HTTP_ERROR', place: { url: base + path } });
      }
    } finally {
      vi.restoreAllMocks();
      server.closeAllConnections();
      server.close();
    }
  });

  it('passes the error of a stream on as it is', async () => {
    const broken = new Error('broken');
    const stream = new Readable({
      read() {
        this.destroy(broken);
      },
    });
    expect((await read(stream)).error).toBe(broken);
  });

  it('reads folders of many files one at a time', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'deep'));
    for (let i = 0; i < 30; i++) writeFileSync(join(folder, 'deep', `${10 + i}`), lines(i, i + 1));
    expect((await read(join(folder, '**/*'))).seen).toEqual(upTo(30));
  });
});

function spoil(bytes: Buffer, at: number): Buffer {
  const spoiled = Buffer.from(bytes);
  const index = at < 0 ? bytes.length + at : at;
  spoiled[index] = spoiled[index]! ^ 0xff;
  return spoiled;
}
