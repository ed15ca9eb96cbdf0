/** What transforms remember, as it is kept when the chain changes. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Source, Transform } from '../../../src/core/stage.ts';
import {
  type Checkpoint,
  makeCheckpoint,
  nameStates,
  restoreStates,
} from '../../../src/pipeline/checkpoint.ts';
import { run } from '../../../src/pipeline/index.ts';
import { createZdsSink, zdsSink } from '../../../src/sinks/zds-sink.ts';
import { FastStore } from '../../../src/store/index.ts';
import {
  batchTransform,
  dedupeTransform,
  incrementalTransform,
  sampleTransform,
} from '../../../src/transforms/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { linesBatch, probeSink, probeSource, temporaryFolder } from '../../support/stages.ts';

/** A transform that remembers what it is given. */
function memory(name: string, state?: unknown): Transform & { state: unknown } {
  return {
    name,
    state,
    apply: (batch) => [batch],
    save() {
      return this.state;
    },
    restore(given) {
      this.state = given;
    },
  };
}

const source: Source = probeSource(1, 1);
const save = (...chain: readonly { id?: string; transform: Transform }[]): Checkpoint => {
  const memories = chain.map(({ transform }) => ({
    state: transform.save?.(),
    journal: undefined,
  }));
  return JSON.parse(JSON.stringify(makeCheckpoint(source, nameStates(chain), 1, memories)));
};
async function numbersIn(root: string): Promise<unknown[]> {
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  const documents = await store.scanAll();
  await store.close();
  return documents.map(({ n }) => n);
}
const unnamed = (...transforms: readonly Transform[]) =>
  transforms.map((transform) => ({ transform }));

describe('the states of transforms', () => {
  it('are found again whatever stands around them', () => {
    const saved = save(
      { transform: memory('a', 1) },
      { transform: memory('a', 2) },
      { id: 'mine', transform: memory('a', 3) },
    );
    const mine = memory('a');
    const [first, other, second] = [memory('a', 'old'), memory('b', 'old'), memory('a')];
    const chain = [
      { id: 'mine', transform: mine },
      ...unnamed({ name: 'map', apply: (batch) => [batch] }, first, other, second),
    ];
    expect(restoreStates(saved, nameStates(chain))).toEqual([]);
    expect([mine, first, second, other].map(({ state }) => state)).toEqual([3, 1, 2, undefined]);
  });

  it('of transforms that are gone are dropped and told', () => {
    const saved = save(...unnamed(memory('a', 1), memory('a', 2), memory('b', 3)));
    expect(restoreStates(saved, nameStates(unnamed(memory('a'))))).toEqual(['a#2', 'b']);
  });

  it('are read as they were kept before, by place', () => {
    const states = { '10:a': 3, '0:b': 1, '2:a': 2 };
    const chain = [memory('a'), memory('b'), memory('a')];
    expect(restoreStates({ source: 'x', states }, nameStates(unnamed(...chain)))).toEqual([]);
    expect(chain.map(({ state }) => state)).toEqual([2, 1, 3]);
  });

  it('are kept whatever their ids look like', () => {
    const ids = ['2024:orders', '__proto__', '7:x', 'plain'];
    const made = (state?: unknown) =>
      ids.map((id) => ({ id, transform: memory('a', state && `${state} ${id}`) }));
    for (const count of [1, 2, 3, 4]) {
      const chain = made().slice(0, count);
      expect(restoreStates(save(...made('of').slice(0, count)), nameStates(chain))).toEqual([]);
      expect(chain.map(({ transform }) => transform.state)).toEqual(
        ids.slice(0, count).map((id) => `of ${id}`),
      );
    }
  });

  it.each(['__proto__', 'constructor'])('are in a journal under the id %s, too', async (id) => {
    const root = join(temporaryFolder(), 's');
    const load = async (end: number): Promise<number> => {
      const growing: Source = {
        name: 'growing',
        async *batches(_signal, _wants, from = 0) {
          for (let n = from as number; n < end; n++) {
            yield linesBatch([{ _id: `d${n}`, key: n % 2 }], n).withCursor(n + 1);
          }
        },
      };
      const transforms = [{ id, transform: dedupeTransform({ by: 'key' }) }];
      const sink = zdsSink(root, 'c');
      return (await run({ name: 'x', source: growing, transforms, sink, resume: true })).written;
    };
    expect([await load(3), await load(5), await load(7)]).toEqual([2, 0, 0]);
  });

  it('are those of the documents committed, not of what waits behind the transform', async () => {
    let failAt = 3;
    const five: Source = {
      name: 'five',
      async *batches(_signal, _wants, from = 0) {
        for (let n = from as number; n < 5; n++) {
          if (n === failAt) throw new Error('broken off');
          yield linesBatch([{ _id: `d${n}`, n }], n).withCursor(n + 1);
        }
      },
    };
    const makers: readonly (() => Transform)[] = [
      () => dedupeTransform({ by: 'n' }),
      () => incrementalTransform({ field: 'n', sorted: true }),
      () => sampleTransform({ share: 0.5, seed: 3 }),
    ];
    for (const make of makers) {
      const folder = temporaryFolder();
      const load = async (into: string) => {
        // Two documents fit, so that the third is taken before they are committed.
        const transforms = [make(), batchTransform({ bytes: 45 })];
        const sink = zdsSink(join(folder, into), 'c', { commitDocuments: 1 });
        await run({ name: 'x', source: five, transforms, sink, resume: true });
      };
      failAt = 3;
      await expect(load('cut')).rejects.toThrow('broken off');
      failAt = 5;
      await load('cut');
      await load('whole');
      const [cut, whole] = [
        await numbersIn(join(folder, 'cut')),
        await numbersIn(join(folder, 'whole')),
      ];
      expect(cut, make().name).toEqual(whole);
    }
  });

  it('need ids that differ', () => {
    const transform = memory('a');
    const transforms = [transform, { id: 'a', transform }];
    expect(() => run({ name: 'x', source, transforms, sink: probeSink() })).toThrow(/the id a$/);
  });
});

it('commits the cursor that a batch came with, whatever its source makes of the object', async () => {
  const store = await FastStore.open('/s', 'c', { disk: new FaultDisk() });
  const cursor = { n: 0 };
  const source: Source = {
    name: 'counting',
    async *batches() {
      for (cursor.n = 1; cursor.n <= 3; cursor.n++) {
        yield linesBatch([{ _id: `d${cursor.n}` }]).withCursor(cursor);
      }
    },
  };
  await run({ name: 'x', source, sink: createZdsSink(store, 'c', { commitDocuments: 1 }) });
  const committed = new Map<number, unknown>();
  for await (const { count, cursor } of store.commits()) {
    committed.set(count, (cursor as Checkpoint).at);
  }
  expect([...committed]).toEqual([1, 2, 3].map((n) => [n, { n }]));
  await store.close();
});

it('a run that is to go on cannot forget', () => {
  const both = { resume: true, reset: true };
  const start = () => run({ name: 'x', source: probeSource(1, 1), sink: probeSink(), ...both });
  expect(start).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
