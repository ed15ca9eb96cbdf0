/** Bad records in a run: what becomes of them, how many there may be, and who hears of it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { EtlError } from '../../../src/core/errors.ts';
import { eq } from '../../../src/core/predicate.ts';
import type { Reject } from '../../../src/core/reject.ts';
import type { Source, Transform } from '../../../src/core/stage.ts';
import { type MaxErrors, type RunOnError, run } from '../../../src/pipeline/index.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { csvSink } from '../../../src/sinks/csv-sink.ts';
import { jsonSink } from '../../../src/sinks/json-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { parquetSink } from '../../../src/sinks/parquet-sink.ts';
import { route } from '../../../src/sinks/route.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { arrowSource } from '../../../src/sources/arrow-source.ts';
import { csvSource } from '../../../src/sources/csv-source.ts';
import { jsonSource } from '../../../src/sources/json-source.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { parquetSource } from '../../../src/sources/parquet-source.ts';
import { tailSource } from '../../../src/sources/tail-source.ts';
import type { SinkStream } from '../../../src/streams/sink-stream.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { linesBatch, probeSink, temporaryFolder } from '../../support/stages.ts';

/** Refuses every document whose `n` ends in 7. */
const picky: Transform = {
  name: 'picky',
  apply(batch, _signal, onReject) {
    const kept = batch.documents().flatMap(({ n }, i) => (Number(n) % 10 === 7 ? [] : [i]));
    for (let i = 0; i < batch.length; i++) {
      if (kept.includes(i)) continue;
      const reject = { place: batch.place(i), bytes: batch.pick([i]).bytes() };
      if (!onReject) throw new EtlError('INVALID_DOCUMENT', 'seven', reject);
      onReject({ ...reject, code: 'INVALID_DOCUMENT', reason: 'seven' });
    }
    return [
      batch.deriveDocuments(
        kept.map((i) => batch.documents()[i]!),
        kept,
      ),
    ];
  },
};

/** Every tenth line is no JSON, every tenth has no usable id, every tenth is refused by `picky`. */
const text = Array.from({ length: 100 }, (_, n) => {
  if (n % 10 === 3) return '{"n":\n';
  return n % 10 === 5 ? `{"_id":${n},"n":${n}}\n` : `{"_id":"d${n}","n":${n}}\n`;
}).join('');

const load = (root: string, onError?: RunOnError, maxErrors?: MaxErrors) =>
  run({
    name: 'load',
    source: jsonlSource([Buffer.from(text)]),
    transforms: [picky],
    sink: zdsSink(root, 'c'),
    ...(onError === undefined ? {} : { onError }),
    ...(maxErrors === undefined ? {} : { maxErrors }),
  });

describe('bad records in a run', () => {
  it('are never passed over by a policy that is none', async () => {
    for (const wrong of ['dead-letter', 'stopp', {}, { deadLetter: 1 }, 3]) {
      const onError = wrong as unknown as 'skip';
      const stopped = async () => load(join(temporaryFolder(), 'lake'), onError);
      await expect(stopped(), String(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      const options = { onError };
      const bytes = Buffer.from('{"n":1}\n');
      for (const source of [jsonlSource([bytes], options), csvSource([bytes], options)]) {
        const read = source.toArray();
        await expect(read, String(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }
  });

  it('stop it by default, with their place', async () => {
    const running = load(join(temporaryFolder(), 'store')).done;
    await expect(running).rejects.toMatchObject({ code: 'JSON_ERROR', place: { line: 4 } });
  });

  it('are passed over and counted, wherever they come up', async () => {
    const summary = await load(join(temporaryFolder(), 'store'), 'skip');
    expect(summary).toMatchObject({ read: 100, rejected: 30, written: 70, filtered: 0 });
    expect(summary.stages.map(({ rejected }) => rejected)).toEqual([10, 10, 10]);
  });

  it('go to a function, or with all that is known to a file', async () => {
    const folder = temporaryFolder();
    const heard: Reject[] = [];
    await load(join(folder, 'one'), (reject) => heard.push(reject));
    expect(heard).toHaveLength(30);
    const path = join(folder, 'dead.jsonl');
    const summary = await load(join(folder, 'two'), { deadLetter: path });
    expect(summary.deadLetter).toBe(path);
    const lines = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(30);
    expect(lines[0]).toMatchObject({
      stage: 'jsonlSource',
      code: 'JSON_ERROR',
      line: 4,
      raw: '{"n":',
    });
    expect(lines.find(({ stage }) => stage === 'zdsSink')).toMatchObject({
      code: 'INVALID_ID',
      raw: '{"_id":5,"n":5}',
      line: 6,
    });
    const clean = join(folder, 'clean.jsonl');
    const source = jsonlSource([Buffer.from('{"_id":"a"}\n')]);
    const sink = probeSink();
    const good = await run({ name: 'x', source, sink, onError: { deadLetter: clean } });
    expect(good.deadLetter).toBeUndefined();
    expect(existsSync(clean)).toBe(false);
  });

  it('are set aside behind a line that was torn', async () => {
    const path = join(temporaryFolder(), 'torn.jsonl');
    const bad = () =>
      run({
        name: 'x',
        source: jsonlSource([Buffer.from('{"a":1}\nbad\n')]),
        sink: probeSink(),
        onError: { deadLetter: path },
      });
    await bad();
    const whole = readFileSync(path, 'utf8');
    for (const torn of [whole.slice(0, -20), whole.slice(0, -1)]) {
      writeFileSync(path, torn);
      await bad();
      await bad();
      expect(readFileSync(path, 'utf8')).toBe(`${torn}\n${whole}${whole}`);
    }
  });

  it.skipIf(process.platform === 'win32')(
    'go into a device, or a pipe of a slow reader',
    async () => {
      const bad = Buffer.from(`{"a":1}\n${`bad ${'x'.repeat(100)}\n`.repeat(3000)}{"a":2}\n`);
      const into = (deadLetter: string) =>
        run({
          name: 'x',
          source: jsonlSource([bad]),
          sink: zdsSink(join(temporaryFolder(), 'lake'), 'c', { generateIds: true }),
          onError: { deadLetter },
        });
      expect(await into('/dev/null')).toMatchObject({ written: 2, rejected: 3000 });
      const pipe = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const reader = spawn('sh', ['-c', 'sleep 0.3; exec < "$0"; sleep 0.3; wc -l', pipe]);
      const counted = reader.stdout.setEncoding('utf8').toArray();
      expect(await into(pipe)).toMatchObject({ written: 2, rejected: 3000, deadLetter: pipe });
      expect((await counted).join('').trim()).toBe('3000');
    },
  );

  it.skipIf(process.platform === 'win32')('wait for no reader of a socket', async () => {
    const deadLetter = join(temporaryFolder(), 'socket');
    const server = createServer().listen(deadLetter);
    await once(server, 'listening');
    const since = performance.now();
    const running = load(join(temporaryFolder(), 'lake'), { deadLetter }).done;
    await expect(running).rejects.toMatchObject({ code: 'IO_ERROR', place: { path: deadLetter } });
    expect(performance.now() - since).toBeLessThan(3000);
    server.close();
  });

  it.skipIf(process.platform === 'win32')(
    'go where an open file stands, which stays open',
    async () => {
      const out = join(temporaryFolder(), 'out');
      const file = openSync(out, 'w');
      const bad = (bytes: string) =>
        run({
          name: 'x',
          source: jsonlSource([Buffer.from(bytes)]),
          sink: jsonlSink(`/dev/fd/${file}`),
          onError: { deadLetter: `/dev/fd/${file}` },
        });
      writeSync(file, 'head\n');
      await bad('bad 1\nbad 2\n');
      await bad('{"a":1}\n');
      await bad('bad 3\n');
      writeSync(file, 'tail\n');
      closeSync(file);
      const told = readFileSync(out, 'utf8').replace(/.*"raw":"(.*)".*/g, '$1');
      expect(told).toBe('head\nbad 1\nbad 2\n{"a":1}\nbad 3\ntail\n');
    },
  );

  it.each([
    ['JSON Lines', (path: string) => jsonlSource(path), jsonlSink],
    ['JSON', (path: string) => jsonSource(path), jsonSink],
    ['CSV', (path: string) => csvSource(path), csvSink],
    ['Arrow', (path: string) => arrowSource(path), arrowSink],
    ['Parquet', (path: string) => parquetSource(path), parquetSink],
    ['a tail', (path: string) => tailSource(path, { idleMs: 1 }), jsonlSink],
  ])('are not read again by a pattern that matches their file: %s', async (_, from, to) => {
    const folder = temporaryFolder();
    await pipeline(
      [{ _id: 'a' }],
      (to as (path: string) => SinkStream<unknown>)(join(folder, 'in')),
    );
    const deadLetter = join(folder, 'dead');
    writeFileSync(deadLetter, '"bad"\n');
    symlinkSync('dead', join(folder, 'link'));
    const load = (path: string) =>
      run({ name: 'x', source: from(path), sink: probeSink(), onError: { deadLetter } });
    expect(await load(join(folder, '*'))).toMatchObject({ read: 1, rejected: 0 });
    expect(readFileSync(deadLetter, 'utf8')).toBe('"bad"\n');
    for (const name of ['dead', 'link']) {
      const place = { path: join(folder, name) };
      await expect(load(place.path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', place });
    }
    // A tail waits for what may come.
    const alone = load(join(folder, 'l*')).done.then(
      ({ read }) => read,
      ({ code }) => code,
    );
    expect([0, 'IO_ERROR']).toContain(await alone);
  });

  it.each([
    ['count', 29],
    ['share', '29%'],
    ['both', { count: 100, share: 0.1 }],
  ] as const)('end it beyond a limit: %s', async (_, limit) => {
    const root = join(temporaryFolder(), 'store');
    const running = load(root, 'skip', limit as MaxErrors).done;
    await expect(running).rejects.toMatchObject({ code: 'TOO_MANY_REJECTS' });
    for (const most of [30, '30%', { share: 0.3 }] as const) {
      expect(await load(root, 'skip', most)).toMatchObject({ rejected: 30 });
    }
  });

  it('look at a share only when it means something', async () => {
    // The first record is bad: all of what was read, but one of two thousand in the end.
    const lines = `{\n${'{"_id":"a"}\n'.repeat(1999)}`;
    const source = () => jsonlSource([Buffer.from(lines)]);
    const one = run({
      name: 'x',
      source: source(),
      sink: probeSink(),
      onError: 'skip',
      maxErrors: '1%',
    });
    expect(await one).toMatchObject({ rejected: 1, read: 2000 });
  });

  it('are told to events', async () => {
    const stages: string[] = [];
    const handle = load(join(temporaryFolder(), 'store'), 'skip');
    handle.on('reject', (_, stage) => stages.push(stage));
    await handle;
    expect(new Set(stages)).toEqual(new Set(['jsonlSource', 'picky', 'zdsSink']));
  });
});

describe('what a sink under another rejects in a run', () => {
  const lines = ['{"t":"a","x":1}', '{"t":"a","y":2}', '{"t":"b","x":3}', '{"t":{},"x":4}'];
  const read = () => jsonlSource([Buffer.from(lines.join('\n'))]);
  const csv = (path: string) => csvSink(path, { columns: ['t', 'x'] });

  it.each<[string, (out: string) => SinkStream, string]>([
    [
      'route',
      (out: string) => route({ by: 't', to: { a: csv(out), b: csv(`${out}.b`) } }),
      '{"t":"a","y":2}{"t":{},"x":4}',
    ],
    [
      'route in route',
      (out: string) =>
        route({ by: () => 'all', to: { all: route({ by: 't', to: { a: csv(out) } }) } }),
      '{"t":"a","y":2}{"t":"b","x":3}{"t":{},"x":4}',
    ],
    [
      'route to a store',
      (out: string) => route({ by: () => 'all', to: { all: zdsSink(out, 'c') } }),
      lines.join(''),
    ],
    [
      'files by value',
      (out: string) => csvSink(out, { columns: ['t', 'x'], partitionBy: 't' }),
      '{"t":"a","y":2}{"t":{},"x":4}',
    ],
    [
      'files by count',
      (out: string) => csvSink(out, { columns: ['t', 'x'], rotate: { documents: 2 } }),
      '{"t":"a","y":2}',
    ],
  ])('is set aside, and counted once: %s', async (_, makeSink, rejected) => {
    const bad: Reject[] = [];
    const sink = makeSink(join(temporaryFolder(), 'out'));
    const onError = (reject: Reject) => void bad.push(reject);
    const summary = await run({ name: 'x', source: read(), sink, onError });
    const sorted = bad.sort((a, b) => a.place.line! - b.place.line!);
    expect(sorted.map(({ bytes }) => Buffer.from(bytes).toString().trimEnd()).join('')).toBe(
      rejected,
    );
    expect(
      sorted.map(
        ({ bytes, place }) => lines[place.line! - 1] === `${Buffer.from(bytes)}`.trimEnd(),
      ),
    ).not.toContain(false);
    expect(summary).toMatchObject({ read: 4, rejected: bad.length, written: 4 - bad.length });
  });

  it('is not what it passes over', async () => {
    const sink = arrowSink(join(temporaryFolder(), 'out'), {
      where: eq('x', 1),
      rotate: { documents: 2 },
    });
    const summary = await run({ name: 'x', source: read(), sink });
    expect(summary).toMatchObject({ read: 4, filtered: 3, written: 1 });
    expect(summary.sink).toMatchObject({ documents: 1, filtered: 3 });
  });
});

it('bad records that a source tells of again are counted once', async () => {
  let tries = 0;
  const source: Source = {
    name: 'own',
    async *batches(_signal, { onReject }, from = 0) {
      const bad = {
        code: 'JSON_ERROR',
        reason: 'bad',
        place: {},
        bytes: new Uint8Array(1),
      } as const;
      onReject!(bad);
      if (from === 0) yield linesBatch([{ n: 1 }]).withCursor(1);
      onReject!(bad);
      onReject!(bad);
      if (tries++ < 2) throw Object.assign(new Error('gone'), { code: 'ECONNRESET' });
      yield linesBatch([{ n: 2 }]).withCursor(2);
    },
  };
  const retry = { baseDelayMs: 1 };
  const summary = await run({ name: 'x', source, sink: probeSink(), onError: 'skip', retry });
  expect(summary).toMatchObject({ read: 6, written: 2, rejected: 4 });
});

it.each([csvSource, jsonlSource])(
  'bad records at the end are covered by the cursor',
  async (make) => {
    const path = join(temporaryFolder(), 'input');
    const good = make === csvSource ? 'n,m\n1,2\n' : '{"n":1}\n';
    writeFileSync(path, good + 'a,b,c\n'.repeat(2000));
    const sink = memorySink();
    const load = () =>
      run({
        name: 'x',
        source: make(path, { batchBytes: 512 }),
        sink,
        resume: true,
        onError: 'skip',
      });
    expect(await load()).toMatchObject({ read: 2001, rejected: 2000 });
    expect(await load()).toMatchObject({ resumed: true, read: 0, rejected: 0 });
  },
);
