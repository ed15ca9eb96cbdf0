/** What is written to as it is: pipes, and what the process has open. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  arrowSink,
  csvSink,
  fromIterable,
  jsonlSink,
  jsonSink,
  parquetSink,
  run,
} from '../../../src/index.ts';
import { createFileWriter } from '../../../src/io/file-writer.ts';
import { FastStore, pack } from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const codeOf = (error: unknown) => (error as { code?: string }).code;
beforeEach(() => {
  folder = temporaryFolder();
});

describe.skipIf(process.platform === 'win32')('a pipe', () => {
  beforeEach(() => {
    spawnSync('mkfifo', [at('pipe')]);
    symlinkSync('pipe', at('link'));
  });
  afterEach(() => expect(lstatSync(at('pipe')).isFIFO()).toBe(true));

  it.each([
    ['JSON Lines', (path: string) => jsonlSink(path)],
    ['JSON', (path: string) => jsonSink(path)],
    ['CSV', (path: string) => csvSink(path)],
    ['Arrow', (path: string) => arrowSink(path)],
    ['Parquet', (path: string) => parquetSink(path)],
  ])('is given what a file would hold: %s', async (_name, sink) => {
    const write = (path: string) => pipeline([{ a: 1 }], sink(path));
    await write(at('file'));
    const [bytes] = await Promise.all([readFile(at('pipe')), write(at('link'))]);
    expect(bytes.equals(readFileSync(at('file')))).toBe(true);
  });

  it('is given no beginning of an Arrow file that does not go on', async () => {
    const store = await FastStore.open(at('store'), 'c');
    for (let n = 0; n < 20_000; n++)
      store.put(`d${n}`, n < 19_999 ? { text: 'a'.repeat(99) } : { late: n });
    await store.close();
    const [bytes, { summary }] = await Promise.all([
      readFile(at('pipe')),
      (async () => {
        const reader = await FastStore.open(at('store'), 'c', { mode: 'read' });
        const sink = arrowSink(at('pipe'));
        await pipeline(reader.scan(), sink);
        await reader.close();
        return sink;
      })(),
    ]);
    expect((await summary).bytesWritten).toBe(bytes.length);
    expect((await summary).schema.fields.map(({ name }) => name)).toContain('late');
  });

  it('takes more than there is memory for, and fails when its reader goes away', async () => {
    spawn('head', ['-c', '5000000', at('pipe')], { stdio: 'ignore' });
    const writer = await createFileWriter(at('pipe'), 1 << 20);
    const writing = (async () => {
      for (let n = 0; n < 400; n++) await writer.write(Buffer.alloc(1 << 16));
    })();
    await expect(writing).rejects.toMatchObject({ code: 'IO_ERROR', place: { path: at('pipe') } });
    await writer.abort();
  });

  it('does not become an archive', async () => {
    await (await FastStore.open(at('store'), 'c')).close();
    await expect(pack(at('store'), at('pipe'))).rejects.toMatchObject({ code: 'INVALID_PATH' });
  });

  it.each(['none', 'gzip'] as const)(
    'that has no reader, or one that takes nothing, ends at once with its run, compression: %s',
    async (compression) => {
      const write = (signal: AbortSignal) =>
        run({
          name: 'r',
          source: fromIterable([{ text: randomBytes(2 << 20).toString('hex') }]),
          sink: jsonlSink(at('pipe'), { compression }),
          signal,
        });
      // As many as there are threads.
      const reader = openSync(at('pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
      for (const state of ['silent', 'none']) {
        if (state === 'none') closeSync(reader);
        const controller = new AbortController();
        const runs = Array.from({ length: 4 }, () => write(controller.signal).catch(codeOf));
        await sleep(200);
        await jsonlSink(at(state)).end().summary;
        controller.abort();
        const since = performance.now();
        expect(await Promise.all(runs)).toEqual(Array(4).fill('ABORTED'));
        expect(performance.now() - since).toBeLessThan(1000);
      }
    },
  );
});

describe.skipIf(process.platform === 'win32')('an open file', () => {
  it.each(['/dev/fd/N', '/proc/self/fd/N', 'link'])(
    'is written to where it stands, and stays open: %s',
    async (name) => {
      if (name.startsWith('/proc') && process.platform !== 'linux') return;
      const file = openSync(at('out'), 'w+');
      symlinkSync('/dev/fd', at('folder'));
      symlinkSync(`folder/${file}`, at('link'));
      const path = name === 'link' ? at(name) : name.replace('N', `${file}`);
      writeSync(file, 'head\n');
      const sink = jsonlSink(path);
      expect(sink.sink.atomic).toBe(false);
      await pipeline([{ a: 1 }], sink);
      const given = jsonlSink(path);
      given.write({ b: 2 });
      await sleep(50);
      await given[Symbol.asyncDispose]();
      unlinkSync(at('out'));
      await pipeline([{ c: 3 }], csvSink(path));
      writeSync(file, 'tail\n');
      const text = Buffer.alloc(100);
      const length = readSync(file, text, 0, 100, 0);
      expect(text.toString('utf8', 0, length)).toBe('head\n{"a":1}\n{"b":2}\nc\n3\ntail\n');
      closeSync(file);
      expect(readdirSync(folder).sort()).toEqual(['folder', 'link']);
    },
  );
});
