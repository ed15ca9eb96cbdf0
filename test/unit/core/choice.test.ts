/** Words that are no option are refused wherever a misspelt one could pass for the default. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { contract } from '../../../src/stages.ts';
import { DataStore, ZdsRoot } from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const wrong = (word: string) => word as never;
const at = (name: string) => join(temporaryFolder(), name);
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
    ['columns', async () => void contract({ columns: wrong('freze') })],
  ])('are refused when they are none: %s', async (name, work) => {
    await expect(work()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`${name} must be one of `),
    });
  });
});
