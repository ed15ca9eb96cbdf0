/** Options that cannot be are refused wherever one could pass for another. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { retry } from '../../../src/core/retry.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { httpSink } from '../../../src/sinks/http-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { httpSource } from '../../../src/sources/http-source.ts';
import { batch, contract, lookup, map, sample, throttle } from '../../../src/stages.ts';
import { BufferedWriter, DataStore, FastStore, pack, ZdsRoot } from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const wrong = (word: string) => word as never;
const at = (name: string) => join(temporaryFolder(), name);
const URL = 'http://127.0.0.1:1/';
const packed = async (options: object) => {
  await (await FastStore.open(at('lake'), 'c')).close();
  await pack(at('lake'), at('lake.zds'), options);
};
const write = async (sink: NodeJS.WritableStream) => {
  await new Promise<void>((resolve, reject) => {
    sink.on('error', reject);
    sink.on('finish', resolve);
    sink.end({ _id: 'a' } as never);
  });
};

describe('options that are one of some words', () => {
  it.each([
    ['write', async () => write(zdsSink(at('lake'), 'c', { write: wrong('mergee') }))],
    ['mode', async () => void (await ZdsRoot.open(at('lake'), { mode: wrong('reed') }))],
    ['mode', async () => void (await DataStore.open(at('x.drive'), { mode: wrong('reed') }))],
    ['compression', async () => write(jsonlSink(at('x'), { compression: wrong('gzp') }))],
    ['publish', async () => write(jsonlSink(at('x'), { partitionBy: 'n', publish: wrong('no') }))],
    ['existing', async () => write(jsonlSink(at('x'), { partitionBy: 'n', existing: wrong('') }))],
    ['format', async () => write(arrowSink(at('x.arrow'), { format: wrong('strem') }))],
    ['onNewField', async () => write(arrowSink(at('x.arrow'), { onNewField: wrong('ignor') }))],
    ['format', async () => void httpSource(URL, { format: wrong('jsn') })],
    ['pages.type', async () => void httpSource(URL, { pages: { type: wrong('lnk') } })],
    ['compression', async () => packed({ compression: wrong('defalte') })],
    ['columns', async () => void contract({ columns: wrong('freze') })],
  ])('are refused when they are none: %s', async (name, work) => {
    await expect(work()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`${name} must be one of `),
    });
  });
});

describe('numbers that no option can be', () => {
  it.each([
    ['concurrency', () => map((document) => document, { concurrency: -3 })],
    ['concurrency', () => map((document) => document, { concurrency: 1.5 })],
    ['concurrency', () => lookup({ from: new Map(), on: 'a', as: 'b', concurrency: 0 } as never)],
    ['concurrency', () => httpSource(URL, { concurrency: Number.NaN })],
    ['requestsPerSecond', () => httpSource(URL, { requestsPerSecond: 0 })],
    ['share', () => sample({ share: 1.1 })],
    ['every', () => sample({ every: 0 })],
    ['count', () => sample({ count: -1 })],
    ['count', () => batch({ count: 0 })],
    ['waitMs', () => batch({ waitMs: 0 })],
    ['documentsPerSecond', () => throttle({ documentsPerSecond: 0 })],
    ['documents', () => generateSource({ documents: 1.5 })],
    ['commitIntervalMs', () => zdsSink(at('lake'), 'c', { commitIntervalMs: 0 })],
    ['maxDocuments', () => httpSink(URL, { maxDocuments: 0 })],
    ['retries', () => retry(async () => 1, { retries: -1 })],
  ])('are refused: %s', async (name, work) => {
    await expect((async () => work())()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^${name}.* must be `)),
    });
  });
});

describe('a time of Infinity', () => {
  it('is never, and not at once as the timers of the system have it', async () => {
    await using store = await FastStore.open(at('lake'), 'c');
    const writer = new BufferedWriter(store, { flushIntervalMs: Number.POSITIVE_INFINITY });
    await writer.put('a', {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([writer.pendingOps, writer.stats.interval]).toEqual([1, 0]);
    await writer.close();
  });
});
