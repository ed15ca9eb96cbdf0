/**
 * Collections with a file per document: whatever instant the machine dies, every change that was
 * acknowledged is there, every other document is as before or as it should become, and none is
 * invented or half. The order of documents lasts, and the next writer mends the other files.
 *
 * Deliberate breakages that make this file fail, each tried: no sync of the document before its
 * rename; no sync of docs/ after renames and removals; no sync of the journal, or of its name, before
 * the renames; documents touched by an interrupted session not read again on opening; journal not cut
 * at its torn end; order.ids or doc_index.jsonl not synced before the journal's CHECKPOINT; order.ids
 * replaced without sync of it or of its name; zeros in order.ids not noticed; temporary files not
 * removed; no poisoning after a failed write. (schemas.jsonl is made anew where
 * it is lost, so breaking its sync only costs time.)
 *
 * Every operation is tried, with a quarter of the images and one of the errors; with ZDS_FUZZ=long all.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readText } from '../../src/store/engine/meta-file.ts';
import { enginePaths, loadState } from '../../src/store/engine/state.ts';
import { BufferedWriter, Engine, EngineWriter, SyncWriter } from '../../src/store/index.ts';
import { type Fault, FaultDisk, fingerprint, type Image } from '../support/fault-disk.ts';
import { inSample } from '../support/long.ts';

type Contents = Map<string, object>;
/** What a change makes of documents; undefined: deleted. */
type Change = ReadonlyMap<string, object | undefined>;

const long = 'x'.repeat(700);
const paths = enginePaths('/s', 'c');

/** Keeps the acknowledged state, and what may or may not have happened since. */
class Witness {
  readonly done: Contents = new Map();
  maybe: Change = new Map();

  async during(change: Change, work: () => Promise<unknown>): Promise<void> {
    this.maybe = change;
    await work();
    for (const [id, document] of change) {
      if (document === undefined) this.done.delete(id);
      else this.done.set(id, document);
    }
    this.maybe = new Map();
  }
}

async function liveSync(disk: FaultDisk, witness: Witness): Promise<void> {
  let writer = await SyncWriter.open('/s', 'c', { disk });
  const put = (id: string, document: object) =>
    witness.during(new Map([[id, document]]), () => writer.put(id, { ...document }));
  const remove = (id: string) =>
    witness.during(new Map([[id, undefined]]), () => writer.delete(id));
  await put('m', { n: 1 });
  await put('z', { text: long });
  await put('b', { n: 1 });
  await put('m', { n: 'other' });
  await remove('z');
  await put('a', { n: 2 });
  await writer.close();
  writer = await SyncWriter.open('/s', 'c', { disk });
  await put('z', { n: 3 });
  await remove('b');
  await put('0', { n: 4 });
  await put('m', { n: 5 });
  await writer.close();
}

/** No list is ever replaced here, so all that is known of the order was appended. */
async function livePutting(disk: FaultDisk, witness: Witness): Promise<void> {
  const writer = await SyncWriter.open('/s', 'c', { disk });
  for (const id of ['q', 'd', 'x']) {
    await witness.during(new Map([[id, { id }]]), () => writer.put(id, { id }));
  }
  await writer.close();
}

async function liveBuffered(disk: FaultDisk, witness: Witness): Promise<void> {
  const options = { disk, flushIntervalMs: 1e9 };
  let writer = await BufferedWriter.open('/s', 'c', options);
  const batch = async (changes: [string, object | undefined][]) => {
    for (const [id, document] of changes) {
      if (document) await writer.put(id, { ...document });
      else await writer.delete(id);
    }
    await witness.during(new Map(changes), () => writer.flush());
  };
  await batch(['q', 'd', 'x', 'e', 'w'].map((id, n) => [id, { n }]));
  await batch([
    ['d', { text: long }],
    ['nobody', undefined],
    ['y', { n: 9 }],
    ['q', undefined],
  ]);
  await batch([
    ['q', { n: 10 }],
    ['a', { n: 11 }],
  ]);
  await writer.close();
  writer = await BufferedWriter.open('/s', 'c', options);
  await batch([['e', undefined]]);
  await batch([
    ['e', { n: 12 }],
    ['k', { n: 13 }],
  ]);
  await writer.close();
}

/** Few of many go, so that the lists are left as they are for a while. */
async function liveDeleting(disk: FaultDisk, witness: Witness): Promise<void> {
  const writer = await BufferedWriter.open('/s', 'c', { disk, flushIntervalMs: 1e9 });
  const batch = async (changes: [string, object | undefined][]) => {
    for (const [id, document] of changes) {
      if (document) await writer.put(id, { ...document });
      else await writer.delete(id);
    }
    await witness.during(new Map(changes), () => writer.flush());
  };
  await batch(Array.from('zyxwvutsr', (id) => [id, { id }]));
  await batch([['x', undefined]]);
  await batch([['x', { n: 2 }]]);
  await batch([['u', undefined]]);
  await writer.close();
}

const lives = {
  SyncWriter: liveSync,
  'SyncWriter, putting': livePutting,
  BufferedWriter: liveBuffered,
  'BufferedWriter, deleting': liveDeleting,
};

interface Run {
  readonly disk: FaultDisk;
  readonly witness: Witness;
  readonly error: unknown;
}

async function runUntil(live: typeof liveSync, dieAt: number, fault: Fault = 'die'): Promise<Run> {
  const disk = new FaultDisk();
  disk.dieAt = dieAt;
  disk.fault = fault;
  const witness = new Witness();
  let error: unknown;
  try {
    await live(disk, witness);
  } catch (cause) {
    error = cause;
  }
  return { disk, witness, error };
}

/** The documents that a reader finds, in its order. */
async function contentsOf(disk: FaultDisk): Promise<Contents> {
  const engine = await Engine.open('/s', 'c', { disk, withId: false });
  const contents: Contents = new Map();
  for (const id of engine.docIds()) contents.set(id, engine.getDocument(id));
  expect(engine.scan().collect()).toEqual([...contents.values()]);
  return contents;
}

const checked = new Set<string>();

async function check(image: Image, { witness }: Run, what: string): Promise<void> {
  const { done, maybe } = witness;
  const key = JSON.stringify([[...done], [...maybe]]) + fingerprint(image);
  if (checked.has(key)) return;
  checked.add(key);
  const disk = new FaultDisk(image);
  const seen = await contentsOf(disk).catch((error: unknown) => {
    if (done.size > 0) throw new Error(`${what}: ${String(error)}`, { cause: error });
    return new Map<string, object>();
  });
  for (const id of new Set([...done.keys(), ...maybe.keys(), ...seen.keys()])) {
    const found = JSON.stringify(seen.get(id));
    const states = [JSON.stringify(done.get(id))];
    if (maybe.has(id)) states.push(JSON.stringify(maybe.get(id)));
    if (!states.includes(found)) expect(states, `${what}: ${id}`).toContain(found);
  }
  const settled = [...done.keys()].filter((id) => !maybe.has(id));
  const order = [...seen.keys()].filter((id) => settled.includes(id));
  expect(order, `${what}: order`).toEqual(settled);
  expect(disk.operations, `${what}: a reader wrote`).toBe(0);
  await work(disk, seen, what);
}

/** The store works on, and what lies beside the documents is right again. */
async function work(disk: FaultDisk, seen: Contents, what: string): Promise<void> {
  const writer = await SyncWriter.open('/s', 'c', { disk });
  expect(writer.count, what).toBe(seen.size);
  await writer.put('after', { n: 0 });
  await writer.close();
  const after = await contentsOf(disk);
  expect([...after], what).toEqual([...seen, ['after', { n: 0 }]]);
  expect(await readText(disk, paths.order), what).toBe([...after.keys(), ''].join('\n'));
  const names = (await disk.list('/s/collections/c/docs')).map(({ name }) => name);
  expect(names.sort(), what).toEqual([...after.keys()].map((id) => `${id}.json`).sort());
  const told = await loadState(disk, paths);
  const real = await loadState(disk, paths, { as: 'rebuild' });
  expect(told.stale, what).toBe(false);
  expect(told.journal.clean, what).toBe(true);
  const facts = ({ entries }: typeof told) =>
    [...entries].map(([id, { schemaId, size }]) => `${id} ${schemaId} ${size}`);
  expect(facts(told), what).toEqual(expect.arrayContaining(facts(real)));
  for (const line of (await readText(disk, paths.journal))!.trimEnd().split('\n')) JSON.parse(line);
}

// Equal times make equal images equal.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each(Object.entries(lives))('%s on a machine that dies', (_, live) => {
  it('keeps what was acknowledged at every operation and in every image', async () => {
    const whole = await runUntil(live, Number.POSITIVE_INFINITY);
    expect(whole.error).toBeUndefined();
    const { operations } = whole.disk;
    expect(operations).toBeGreaterThan(30);
    let images = 0;
    for (let k = 0; k < operations; k++) {
      const run = await runUntil(live, k);
      expect(run.disk.dead, `operation ${k}`).toBe(true);
      for (const { what, image } of run.disk.images()) {
        if (inSample(k, images++)) await check(image, run, `operation ${k}, ${what}`);
      }
    }
    for (const { what, image } of whole.disk.images()) await check(image, whole, `end, ${what}`);
  }, 60_000);

  it('keeps it when mending is interrupted', async () => {
    const { operations } = (await runUntil(live, Number.POSITIVE_INFINITY)).disk;
    for (let k = 10, n = 0; k < operations; k += 9, n++) {
      const run = await runUntil(live, k);
      for (let second = 0; second < 14; second += 2) {
        if (!inSample(n, second)) continue;
        const disk = new FaultDisk(run.disk.current());
        disk.dieAt = second;
        const opened = await EngineWriter.open('/s', 'c', { disk }).catch(() => undefined);
        await opened?.close().catch(() => undefined);
        for (const { what, image } of disk.images()) {
          await check(image, run, `operation ${k}, then ${second}, ${what}`);
        }
      }
    }
  }, 60_000);

  it.each([
    ['EIO', 0],
    ['ENOSPC', 1],
    ['short', 2],
  ] as const)(
    'stops after %s and reopens',
    async (fault, n) => {
      const { operations } = (await runUntil(live, Number.POSITIVE_INFINITY)).disk;
      for (let k = 0; k < operations; k++) {
        if (!inSample(k, n)) continue;
        const run = await runUntil(live, k, fault);
        expect(run.error, `operation ${k}`).toMatchObject({ code: 'IO_ERROR' });
        await check(run.disk.current(), run, `${fault} at ${k}`);
      }
    },
    60_000,
  );
});

it('a writer that failed refuses further work', async () => {
  const disk = new FaultDisk();
  const writer = await EngineWriter.open<object>('/s', 'c', { disk });
  disk.dieAt = disk.operations + 3;
  disk.fault = 'EIO';
  writer.put('a', {});
  await expect(writer.flush()).rejects.toMatchObject({ code: 'IO_ERROR' });
  expect(() => writer.put('b', {})).toThrow(expect.objectContaining({ code: 'POISONED' }));
  await expect(writer.close()).rejects.toMatchObject({ code: 'POISONED' });
  await (await EngineWriter.open('/s', 'c', { disk })).close();
});
