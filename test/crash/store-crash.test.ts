/**
 * Whatever instant the machine dies, reopening shows exactly what a commit acknowledged (or, when it
 * died inside a commit, that commit or the one before), and the store works on from there.
 *
 * Deliberate breakages that make this file fail, each tried: no sync of data.jsonl before the log
 * line; no sync of the log; no checksum in the log; no cut of uncommitted bytes on open; no `open`
 * line before the first write; deletes left out of the commit; no poisoning after a failed write.
 * (A damaged index.bin is noticed and made anew, so breaking its syncs only costs time.)
 *
 * Every operation is tried, with a quarter of the images and one of the errors; with ZDS_FUZZ=long all.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Batch } from '../../src/core/batch.ts';
import { sharedKernel } from '../../src/kernels/index.ts';
import { FastStore } from '../../src/store/index.ts';
import { type Fault, FaultDisk, fingerprint, type Image, PowerCut } from '../support/fault-disk.ts';
import { inSample } from '../support/long.ts';

const kernel = sharedKernel();
type Contents = Map<string, unknown>;

const batchOf = (from: number, to: number, tag: string) => {
  const lines: string[] = [];
  for (let i = from; i < to; i++)
    lines.push(`{"_id":"d${i}","tag":"${tag}","pad":"${'x'.repeat(60)}"}\n`);
  return Batch.fromLines(kernel.lines(Buffer.from(lines.join(''))), kernel.codec);
};

async function contentsOf(store: FastStore): Promise<Contents> {
  const contents: Contents = new Map();
  for await (const { _id, ...rest } of store.scan()) {
    if (contents.has(_id as string)) throw new Error(`scan gave ${String(_id)} twice`);
    contents.set(_id as string, rest);
  }
  if (contents.size !== store.count) throw new Error(`count ${store.count}, scan ${contents.size}`);
  for (const id of contents.keys()) store.get(id);
  return contents;
}

/** Ingest, update, delete, close, come back: the life of a store in short. `onCommit` hears of acknowledged states. */
async function live(
  disk: FaultDisk,
  onState: (state: Contents, acknowledged: boolean) => void,
): Promise<void> {
  const model: Contents = new Map();
  const put = (i: number, tag: string) => model.set(`d${i}`, { tag, pad: 'x'.repeat(60) });
  const commit = async (store: FastStore) => {
    onState(new Map(model), false);
    await store.flush();
    onState(new Map(model), true);
  };
  let store = await FastStore.open('/s', 'c', { disk });
  await store.append(batchOf(0, 12, 'one'));
  for (let i = 0; i < 12; i++) put(i, 'one');
  await commit(store);
  store.put('d3', { tag: 'two' });
  model.set('d3', { tag: 'two' });
  store.delete('d5');
  model.delete('d5');
  store.put('d6', { tag: 'two' });
  store.delete('d6');
  model.delete('d6');
  await commit(store);
  store.delete('d7');
  model.delete('d7');
  // A line of several sectors, so that one of them can be lost.
  onState(new Map(model), false);
  await store.flush({ cursor: 'c'.repeat(1500) });
  onState(new Map(model), true);
  await store.close();
  store = await FastStore.open('/s', 'c', { disk });
  await store.append(batchOf(10, 24, 'three'));
  for (let i = 10; i < 24; i++) put(i, 'three');
  await commit(store);
  store.put('d5', { tag: 'back' });
  model.set('d5', { tag: 'back' });
  onState(new Map(model), false);
  await store.close();
  onState(new Map(model), true);
  store = await FastStore.open('/s', 'c', { disk });
  // One is written over in index.bin; its entry of before is another one's by now.
  store.delete('d12');
  model.delete('d12');
  onState(new Map(model), false);
  await store.close();
  onState(new Map(model), true);
  store = await FastStore.open('/s', 'c', { disk });
  // As many as this: index.bin is written anew.
  for (let i = 4; i < 24; i++) {
    store.delete(`d${i}`);
    model.delete(`d${i}`);
  }
  onState(new Map(model), false);
  await store.close();
  onState(new Map(model), true);
  store = await FastStore.open('/s', 'c', { disk });
  store.put('never', {});
  await store.abandon();
}

interface Run {
  readonly disk: FaultDisk;
  readonly acknowledged: Contents;
  /** A commit that was under way. */
  readonly maybe: Contents | undefined;
  readonly error: unknown;
}

async function runUntil(
  dieAt: number,
  fault: Fault = 'die',
  prepare?: (disk: FaultDisk) => void,
): Promise<Run> {
  const disk = new FaultDisk();
  disk.dieAt = dieAt;
  disk.fault = fault;
  prepare?.(disk);
  let acknowledged: Contents = new Map();
  let maybe: Contents | undefined;
  let error: unknown;
  try {
    await live(disk, (state, done) => {
      if (done) {
        acknowledged = state;
        maybe = undefined;
      } else maybe = state;
    });
  } catch (cause) {
    error = cause;
  }
  return { disk, acknowledged, maybe, error };
}

/** Most crashes leave one of few images; each is looked at once per state that it must show. */
const checked = new Set<string>();

async function check(image: Image, { acknowledged, maybe }: Run, what: string): Promise<void> {
  const key = JSON.stringify([[...acknowledged], maybe && [...maybe]]) + fingerprint(image);
  if (checked.has(key)) return;
  // A reader first: it must see the same without writing.
  const disk = new FaultDisk(image);
  const states = maybe ? [acknowledged, maybe] : [acknowledged];
  let reader: FastStore | undefined;
  try {
    reader = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  } catch (error) {
    if (acknowledged.size > 0) throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
  if (reader) {
    const seen = await contentsOf(reader);
    if (!states.some((state) => same(state, seen))) {
      expect(seen, `${what}, reader`).toEqual(acknowledged);
    }
    await reader.close();
    expect(disk.operations, `${what}: a reader wrote`).toBe(0);
  }
  for (let round = 0; round < 2; round++) {
    const store = await FastStore.open('/s', 'c', { disk });
    const seen = await contentsOf(store);
    if (!states.some((state) => same(state, seen))) {
      expect(seen, `${what}, round ${round}`).toEqual(acknowledged);
    }
    if (round === 0) store.put('after', { ok: true });
    await store.close();
    for (const state of states) state.set('after', { ok: true });
  }
  for (const state of states) state.delete('after');
  checked.add(key);
}

function same(a: Contents, b: Contents): boolean {
  if (a.size !== b.size) return false;
  for (const [id, value] of a)
    if (JSON.stringify(value) !== JSON.stringify(b.get(id))) return false;
  return true;
}

async function operationsOf(): Promise<number> {
  const { disk, error } = await runUntil(Number.POSITIVE_INFINITY);
  expect(error).toBeUndefined();
  return disk.operations;
}

// Equal times make equal images equal.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a store whose machine dies', () => {
  it('keeps the committed prefix at every operation and in every image', async () => {
    const operations = await operationsOf();
    expect(operations).toBeGreaterThan(40);
    let images = 0;
    for (let k = 0; k < operations; k++) {
      const run = await runUntil(k);
      expect(run.disk.dead).toBe(true);
      for (const { what, image } of run.disk.images()) {
        if (inSample(k, images++)) await check(image, run, `operation ${k}, ${what}`);
      }
    }
    expect(images).toBeGreaterThan(300);
  }, 60_000);

  it('keeps it when recovery itself is interrupted', async () => {
    const operations = await operationsOf();
    for (let k = 5; k < operations; k += 7) {
      const run = await runUntil(k);
      const image = run.disk.current();
      for (let second = 0; second < 12; second++) {
        if (!inSample(k, second)) continue;
        const disk = new FaultDisk(image);
        disk.dieAt = second;
        try {
          const store = await FastStore.open('/s', 'c', { disk });
          await store.close();
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
        }
        for (const { what, image: again } of disk.images()) {
          await check(again, run, `operation ${k}, then ${second}, ${what}`);
        }
      }
    }
  }, 60_000);

  it.each([
    ['EIO', 0],
    ['ENOSPC', 1],
    ['short', 2],
  ] as const)(
    'refuses further work after %s, and reopens',
    async (fault, n) => {
      const operations = await operationsOf();
      for (let k = 0; k < operations; k++) {
        if (!inSample(k, n)) continue;
        const run = await runUntil(k, fault);
        if (run.error === undefined) continue;
        expect(run.error, `operation ${k}`).toMatchObject({ code: 'IO_ERROR' });
        await check(run.disk.current(), run, `${fault} at ${k}`);
      }
    },
    60_000,
  );

  it('is poisoned by the first failure and keeps its cause', async () => {
    const disk = new FaultDisk();
    const store = await FastStore.open('/s', 'c', { disk });
    store.put('a', { n: 1 });
    await store.flush();
    store.put('b', { n: 2 });
    disk.fault = 'ENOSPC';
    disk.dieAt = disk.operations + 1;
    await expect(store.flush()).rejects.toMatchObject({
      code: 'IO_ERROR',
      cause: { code: 'ENOSPC' },
    });
    const poisoned = expect.objectContaining({
      code: 'POISONED',
      cause: expect.objectContaining({ code: 'IO_ERROR' }),
    });
    expect(() => store.put('c', {})).toThrow(poisoned);
    expect(() => store.get('a')).toThrow(poisoned);
    await expect(store.flush()).rejects.toEqual(poisoned);
    await expect(store.close()).rejects.toEqual(poisoned);
    const again = await FastStore.open('/s', 'c', { disk: new FaultDisk(disk.current()) });
    expect(await again.scanAll()).toEqual([{ _id: 'a', n: 1 }]);
    await again.close();
  });

  it.each(['data.jsonl', 'commits.log'])(
    'would notice syncs of %s being left out',
    async (name) => {
      const operations = await operationsOf();
      let noticed = 0;
      for (let k = 0; k < operations && noticed === 0; k++) {
        const run = await runUntil(k, 'die', (disk) => {
          disk.broken.ignoreSync = new RegExp(name);
        });
        for (const { what, image } of run.disk.images()) {
          await check(image, run, what).catch(() => noticed++);
        }
      }
      // index.bin only speeds up opening: without its syncs it is found damaged and made anew.
      if (name === 'index.bin') expect(noticed).toBe(0);
      else expect(noticed).toBeGreaterThan(0);
    },
    60_000,
  );
});
