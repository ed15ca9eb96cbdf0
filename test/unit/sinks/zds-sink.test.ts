/** When a collection's sink commits. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createZdsSink } from '../../../src/sinks/zds-sink.ts';
import { FastStore } from '../../../src/store/index.ts';
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
