import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { createJsonlSink, jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { parquetSink } from '../../../src/sinks/parquet-sink.ts';
import { tee } from '../../../src/sinks/tee.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { tap } from '../../../src/stages.ts';
import type { SinkStream } from '../../../src/streams/sink-stream.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import {
  numbers,
  openDescriptors,
  probeSource,
  probeStream,
  sleep,
  temporaryFolder,
} from '../../support/stages.ts';

const text = (count: number) =>
  numbers(count)
    .map((d) => `${JSON.stringify(d)}\n`)
    .join('');

describe('jsonlSink', () => {
  it('writes a file as a whole, with nothing left beside it', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, 'old');
    const sink = jsonlSink(path);
    const before = openDescriptors();
    await pipeline(probeStream(30, 1000), sink);
    expect(readFileSync(path, 'utf8')).toBe(text(30_000));
    const bytes = text(30_000).length;
    expect(await sink.summary).toEqual({ documents: 30_000, bytes, bytesWritten: bytes });
    expect(readdirSync(folder)).toEqual(['a.jsonl']);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it('passes bytes through exactly, big integers included', async () => {
    const folder = temporaryFolder();
    const odd = '{ "n" : 12345678901234567890, "x":1.0e0 ,"s":"\\u00e9" }';
    writeFileSync(join(folder, 'a'), `\ufeff${odd}\r\n\n${odd}`);
    await pipeline(jsonlSource(join(folder, 'a')), jsonlSink(join(folder, 'b')));
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe(`${odd}\n${odd}\n`);
  });

  it.each([
    ['a.jsonl.gz', zlib.gunzipSync],
    ['a.jsonl.br', zlib.brotliDecompressSync],
  ])('compresses by name: %s', async (name, decompress) => {
    const path = join(temporaryFolder(), name);
    const sink = jsonlSink(path);
    await pipeline(fromIterable(numbers(20_000)), sink);
    const bytes = readFileSync(path);
    expect(decompress(bytes).toString()).toBe(text(20_000));
    expect((await sink.summary).bytesWritten).toBe(bytes.length);
  });

  it('compresses as told, whatever the name', async () => {
    const folder = temporaryFolder();
    await pipeline(probeStream(1, 2), jsonlSink(join(folder, 'a'), { compression: 'gzip' }));
    expect(zlib.gunzipSync(readFileSync(join(folder, 'a'))).toString()).toBe(text(2));
    await pipeline(probeStream(1, 2), jsonlSink(join(folder, 'b.gz'), { compression: 'none' }));
    expect(readFileSync(join(folder, 'b.gz'), 'utf8')).toBe(text(2));
  });

  it.skipIf('createZstdCompress' in zlib)('says what is missing for zstd', async () => {
    const folder = temporaryFolder();
    const running = pipeline(probeStream(1, 1), jsonlSink(join(folder, 'a.zst')));
    await expect(running).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['a.jsonl', 'a.jsonl.gz'])(
    'leaves the old file and nothing else after a failure: %s',
    async (name) => {
      const folder = temporaryFolder();
      const path = join(folder, name);
      writeFileSync(path, 'old');
      const before = openDescriptors();
      const error = new Error('source');
      await expect(pipeline(probeStream(40, 2000, { error }), jsonlSink(path))).rejects.toBe(error);
      const signal = AbortSignal.timeout(10);
      const stopped = pipeline(probeStream(1000, 50, { delayMs: 1 }), jsonlSink(path, { signal }));
      await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
      expect(readFileSync(path, 'utf8')).toBe('old');
      expect(readdirSync(folder)).toEqual([name]);
      expect(openDescriptors()).toBeLessThanOrEqual(before);
    },
  );

  it('leaves the old file when it is given up while it finishes', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, 'old');
    const sink = createJsonlSink(path);
    await sink.open(new AbortController().signal);
    const finishing = expect(sink.finish()).rejects.toMatchObject({ code: 'ABORTED' });
    await sink.abort(new Error('enough'));
    await finishing;
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a.jsonl']);
  });

  it('names what it cannot write', async () => {
    const folder = temporaryFolder();
    const missing = join(folder, 'none', 'a.jsonl');
    await expect(pipeline(probeStream(1, 1), jsonlSink(missing))).rejects.toMatchObject({
      code: 'IO_ERROR',
      place: { path: missing },
    });
    mkdirSync(join(folder, 'taken'));
    const taken = pipeline(probeStream(1, 1), jsonlSink(join(folder, 'taken')));
    await expect(taken).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it('names the record that JSON cannot hold', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    const items = Readable.from([...numbers(1500), { big: 1n }, { n: 1 }]);
    const error = await pipeline(items, jsonlSink(path)).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_DOCUMENT', place: { ordinal: 1500 } });
    expect(error.message).toMatch(/convert it to a string/);
  });

  describe('over a stream', () => {
    it('waits for it, and ends it', async () => {
      const seen: Buffer[] = [];
      const slow = new Writable({
        highWaterMark: 10,
        write(chunk, _, callback) {
          seen.push(chunk);
          setTimeout(callback, 1);
        },
      });
      const sink = jsonlSink(slow);
      await pipeline(probeStream(5, 3), sink);
      expect(Buffer.concat(seen).toString()).toBe(text(15));
      expect(slow.writableFinished).toBe(true);
      expect((await sink.summary).documents).toBe(15);
    });

    it.each(['none', 'gzip'] as const)('passes its error on as it is: %s', async (compression) => {
      const broken = new Error('broken');
      const failing = new Writable({ write: (_c, _e, callback) => callback(broken) });
      const running = pipeline(fromIterable(noise(200_000)), jsonlSink(failing, { compression }));
      await expect(running).rejects.toBe(broken);
    });

    it('says CLOSED when it goes away', async () => {
      const through = new PassThrough({ highWaterMark: 10 });
      setTimeout(() => through.destroy(), 5);
      const running = pipeline(probeStream(100, 10, { delayMs: 1 }), jsonlSink(through));
      await expect(running).rejects.toMatchObject({ code: 'CLOSED' });
      await sleep(1);
    });

    it.each(['is ended', 'has closed'])('says CLOSED when it %s already', async (state) => {
      const sunk = new PassThrough();
      const closed = once(sunk.resume(), 'close');
      sunk.end('x');
      if (state === 'has closed') await closed;
      const running = pipeline(probeStream(3, 10), jsonlSink(sunk));
      await expect(running).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });

  it.each([
    ['JSON Lines', () => jsonlSink('-')],
    ['Arrow', () => arrowSink('-', { batchRows: 1000 })],
    ['Parquet', () => parquetSink('/dev/stdout', { batchRows: 1000 })],
  ])('ends quietly when nobody reads standard output any longer: %s', async (_name, make) => {
    // The built package is not needed: a child's pipe that closes stands in for `| head`.
    const child = spawn('head', ['-n', '1'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const real = Object.getOwnPropertyDescriptor(process, 'stdout')!;
    Object.defineProperty(process, 'stdout', { value: child.stdin, configurable: true });
    try {
      const endless = probeSource(1e9, 1000);
      const sink: SinkStream<{ documents: number }> = make();
      await pipeline(
        new SourceStream(endless),
        tap(() => {}),
        sink,
      );
      expect(endless.closed).toBe(1);
      expect((await sink.summary).documents).toBeGreaterThan(0);
    } finally {
      Object.defineProperty(process, 'stdout', real);
      child.kill();
    }
  });
});

it('ends quietly when standard output was destroyed', async () => {
  const real = Object.getOwnPropertyDescriptor(process, 'stdout')!;
  const gone = new PassThrough();
  Object.defineProperty(process, 'stdout', { value: gone, configurable: true });
  try {
    const endless = probeSource(1e9, 1000);
    const sink = jsonlSink('-');
    const running = pipeline(new SourceStream(endless), sink);
    gone.resume().once('data', () => gone.destroy());
    await running;
    expect(endless.closed).toBe(1);
  } finally {
    Object.defineProperty(process, 'stdout', real);
  }
});

it('leaves no more listeners on standard output the more sinks write to it', async () => {
  const warned = vi.spyOn(process, 'emitWarning');
  const giveUp = async () => {
    const sink = jsonlSink('-');
    sink.write({});
    await sleep(5);
    await sink[Symbol.asyncDispose]();
  };
  const state = () => [
    ...['error', 'drain', 'close'].map((kind) => process.stdout.listenerCount(kind)),
    process.stdout.getMaxListeners(),
  ];
  // One stays behind what was given up.
  await giveUp();
  const before = state();
  await giveUp();
  await pipeline(fromIterable([]), tee(...Array.from({ length: 12 }, () => jsonlSink('-'))));
  expect(state()).toEqual(before);
  expect(warned).not.toHaveBeenCalled();
  warned.mockRestore();
});

function* noise(count: number) {
  for (let n = 0; n < count; n++) yield { n: Math.random() };
}
