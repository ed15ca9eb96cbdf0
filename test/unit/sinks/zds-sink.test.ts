/** When a collection's sink commits. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../../../src/pipeline/index.ts';
import { createZdsSink, zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { FastStore } from '../../../src/store/index.ts';
import { castTransform } from '../../../src/transforms/index.ts';
import { linesBatch, sleep, temporaryFolder } from '../../support/stages.ts';

it('commits in time what came during a commit', async () => {
  const store = await FastStore.open<object>(join(temporaryFolder(), 'store'), 'c');
  const flush = store.flush.bind(store);
  const commits: number[] = [];
  store.flush = async (options) => {
    commits.push(options?.counts?.documents ?? 0);
    await sleep(60);
    return flush(options);
  };
  const sink = createZdsSink(store, 'c', { commitIntervalMs: 10, generateIds: true });
  await sink.open(new AbortController().signal);
  await sink.write(linesBatch([{ n: 1 }]));
  await expect.poll(() => commits).toEqual([1]);
  await sink.write(linesBatch([{ n: 2 }, { n: 3 }]));
  await expect.poll(() => commits).toEqual([1, 2]);
  await sink.finish();
  expect(commits).toEqual([1, 2]);
  await store.close();
});

it.each([
  ['_id', { _id: 5 }],
  ['sku', { sku: 5 }],
  ['at.key', { at: { key: 5 } }],
])('tells how a number in %s becomes an id, and that way works', async (idField, document) => {
  const root = join(temporaryFolder(), 'store');
  const options = () => ({
    name: 'x',
    source: fromIterable([document]),
    sink: zdsSink(root, 'c', { idField }),
  });
  const error = await run(options()).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'INVALID_ID' });
  const types = /ids are strings; cast\((.*)\) makes it one/.exec((error as Error).message)![1]!;
  const cast = castTransform(JSON.parse(types));
  const { written } = await run({ ...options(), transforms: [cast] });
  expect(written).toBe(1);
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  expect(await store.get('5')).toBeDefined();
  await store.close();
});
