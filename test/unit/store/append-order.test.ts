/** What is called on a handle takes effect in that order, also with a schema. */
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Document } from '../../../src/core/batch.ts';
import type { StandardSchema } from '../../../src/core/standard-schema.ts';
import { FastStore } from '../../../src/store/index.ts';
import { linesBatch, sleep, temporaryFolder } from '../../support/stages.ts';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});

const open = (schema?: StandardSchema<object>) => FastStore.open<object>(root, 'c', { schema });
const committed = async () => {
  await using reader = await FastStore.open(root, 'c', { mode: 'read' });
  return reader.scan().toArray();
};
const codeOf = (settled: PromiseSettledResult<unknown>) =>
  settled.status === 'rejected' ? settled.reason.code : 'done';
const one = (document: Document) => linesBatch([document]);

describe.each([
  ['no schema', undefined],
  ['a schema', z.object({ n: z.number() })],
])('an append with %s', (_name, schema) => {
  it('is visible at once, and to what is called next', async () => {
    await using store = await open(schema);
    const appended = store.append(one({ _id: 'a', n: 1 }));
    expect([store.count, store.exists('a')]).toEqual([1, true]);
    store.put('a', { n: 2 });
    await appended;
    expect(store.get('a')).toEqual({ _id: 'a', n: 2 });
    const again = store.append(one({ _id: 'b', n: 1 }));
    expect(store.delete('b')).toBe(true);
    await again;
    expect(store.exists('b')).toBe(false);
  });

  it('is in the commit that is asked for behind it', async () => {
    await using store = await open(schema);
    const appended = store.append(one({ _id: 'a', n: 1 }));
    await store.flush();
    expect(await committed()).toEqual([{ _id: 'a', n: 1 }]);
    await appended;
  });
});

it('takes whatever can be awaited for an answer that comes later', async () => {
  // No Promise of this realm.
  const validate = () => runInNewContext('Promise.resolve({ value: { n: 1 } })');
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as unknown;
  await using store = await open(schema as StandardSchema<object>);
  await store.append(one({ _id: 'a', n: 0 }));
  expect(store.get('a')).toEqual({ _id: 'a', n: 1 });
  expect(() => store.put('b', { n: 0 })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});

describe('an append with a schema that answers later', () => {
  const slow = z
    .object({ n: z.number(), ms: z.number() })
    .refine(({ ms }) => sleep(ms).then(() => ms !== 7), 'is 7');

  it('comes before appends and commits that are called later', async () => {
    await using store = await open(slow);
    const all = Promise.allSettled([
      store.append(one({ _id: 'a', n: 1, ms: 20 })),
      store.append(one({ _id: 'bad', n: 1, ms: 7 })),
      store.append(one({ _id: 'a', n: 2, ms: 1 })),
      store.append(one({ _id: 'a', n: 3, ms: 1 }), { refuseExisting: true }),
      store.flush(),
      store.append(one({ _id: 'b', n: 4, ms: 1 })),
    ]);
    const codes = (await all).map(codeOf);
    expect(codes).toEqual(['done', 'INVALID_DOCUMENT', 'done', 'DUPLICATE_ID', 'done', 'done']);
    expect(await committed()).toEqual([{ _id: 'a', n: 2, ms: 1 }]);
    expect(store.count).toBe(2);
  });

  it('is waited for by close, and left out by abandon', async () => {
    for (const end of ['close', 'abandon'] as const) {
      const store = await open(slow);
      const all = [store.append(one({ _id: end, n: 1, ms: 20 })), store[end]()];
      const [appended] = await Promise.allSettled(all);
      expect(codeOf(appended!)).toBe(end === 'close' ? 'done' : 'CLOSED');
      const late = store.append(one({ _id: 'late', n: 1, ms: 1 }));
      await expect(late).rejects.toMatchObject({ code: 'CLOSED' });
    }
    expect(await committed()).toEqual([{ _id: 'close', n: 1, ms: 20 }]);
  });
});
