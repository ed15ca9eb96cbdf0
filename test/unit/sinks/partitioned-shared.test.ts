import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { createJsonlSink, jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { createPartitionedSink } from '../../../src/sinks/partitioned.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { filesBelow, textOf } from '../../support/files-below.ts';
import { temporaryFolder } from '../../support/stages.ts';
import { batchOf } from '../../support/transforms.ts';

const texts = Array.from({ length: 10 }, (_, n) => `{"n":${n}}`);
const rotate = { documents: 2 };

describe('a folder that others write to', () => {
  it('keeps what was finished when the sink is given up behind it', async () => {
    const folder = temporaryFolder();
    const options = { extension: '.jsonl', rotate };
    const sink = createPartitionedSink(folder, (path) => createJsonlSink(path), options);
    await sink.open(new AbortController().signal);
    await sink.write(batchOf(texts));
    const { files } = await sink.finish();
    await expect(sink.open(new AbortController().signal)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await sink.abort(new Error('the next run failed'));
    expect(filesBelow(folder)).toEqual(files.map(({ path }) => path));
  });

  it.each([
    ['end', 'part-0001.jsonl'],
    ['each', 'part-0002.jsonl'],
  ] as const)('keeps a file that has appeared meanwhile: %s', async (publish, name) => {
    const folder = temporaryFolder();
    const make = (path: string) => createJsonlSink(path);
    const options = { extension: '.jsonl', rotate, publish };
    const sink = createPartitionedSink(folder, make, options);
    await sink.open(new AbortController().signal);
    await sink.write(batchOf(texts.slice(0, 5)));
    writeFileSync(join(folder, name), 'mine');
    await expect(sink.finish()).rejects.toMatchObject({ code: 'IO_ERROR' });
    await sink.abort(new Error('failed'));
    expect(filesBelow(folder).slice(publish === 'each' ? 2 : 0)).toEqual([name]);
    expect(textOf(folder, name)).toBe('mine');
  });

  it.each(['end', 'each'] as const)('takes one sink at a time: %s', async (publish) => {
    const folder = join(temporaryFolder(), 'out');
    const run = () => {
      const sink = jsonlSink(folder, { rotate, publish });
      return pipeline(fromIterable([batchOf(texts)]), sink);
    };
    const ends = await Promise.allSettled([run(), run(), run()]);
    const failed = ends.filter((end) => end.status === 'rejected');
    expect(failed.map(({ reason }) => reason.code)).toEqual(['LOCKED', 'LOCKED']);
    const left = filesBelow(folder);
    expect(left.map((file) => textOf(folder, file)).join('')).toBe(`${texts.join('\n')}\n`);
    await expect(run()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(filesBelow(folder)).toEqual(left);
  });
});
