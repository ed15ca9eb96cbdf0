/**
 * Whatever instant the machine dies, a drive opens with a prefix of its changes: at least all that was
 * synced, and after the end of a process (all that was written is there) all that was acknowledged. It works
 * on from there.
 *
 * Every operation is tried, with a quarter of the images and of the errors; with ZDS_FUZZ=long all.
 */
import { describe, expect, it } from 'vitest';
import { DataStore } from '../../src/store/index.ts';
import { type Entries, entriesOf, same } from '../support/drive.ts';
import { type Fault, FaultDisk, fingerprint, type Image } from '../support/fault-disk.ts';
import { inSample } from '../support/long.ts';

const PATH = '/d/x';

interface Run {
  readonly disk: FaultDisk;
  /** States in the order they were asked for; those up to `acknowledged` were reported done. */
  readonly states: readonly Entries[];
  acknowledged: number;
  synced: number;
  store: DataStore | undefined;
  error: unknown;
}

/** The life of a drive in short: every kind of change, three sessions, a compaction. */
async function live(run: Run): Promise<void> {
  const states = run.states as Entries[];
  const { disk } = run;
  await disk.mkdir('/d');
  const open = async () => {
    run.store = await DataStore.open(PATH, { disk });
    return run.store;
  };
  const hashes = new Map<string, string>();
  let store = await open();
  const change = async (changes: Record<string, string | null>, work: () => Promise<unknown>) => {
    for (const [key, value] of Object.entries(changes)) {
      const next = new Map(states.at(-1)!);
      store.keyIndexer.table.hashKey(key);
      const [low, high] = store.keyIndexer.table.keyHash;
      const hash = ((BigInt(high!) << 32n) | BigInt(low!)).toString(16).padStart(16, '0');
      hashes.set(key, hash);
      next.delete(hash);
      if (value !== null) next.set(hash, value);
      states.push(next);
    }
    await work();
    run.acknowledged = states.length - 1;
  };
  const synced = async (work: () => Promise<unknown>) => {
    await work();
    run.synced = run.acknowledged;
  };
  const put = (key: string, value: string) =>
    change({ [key]: value }, () => store.write(key, Buffer.from(value, 'latin1')));
  await put('a', 'A'.repeat(600));
  await put('b', 'B');
  await synced(() => store.sync());
  const [c, d] = ['C'.repeat(700), 'D'.repeat(1200)];
  await change({ c, d, e: 'E' }, () =>
    store.batchWrite([
      ['c', Buffer.from(c)],
      ['d', Buffer.from(d)],
      ['e', Buffer.from('E')],
    ]),
  );
  await change({ b: null }, () => store.delete('b'));
  await put('a', 'again');
  await synced(() => store.sync());
  await change({ s: 'S'.repeat(900) }, () => store.writeStream('s', [Buffer.alloc(900, 'S')]));
  await synced(() => store.close());
  store = await open();
  await change({ f: c, c: null }, () => store.rename('c', 'f'));
  await put('g', '\0'.repeat(520));
  await synced(() => store.compact());
  await put('h', 'H'.repeat(30));
  await change({ a: null, d: null }, () => store.batchDelete(['a', 'd']));
  await synced(() => store.close());
  store = await open();
  await put('last', 'L'.repeat(513));
  await store.abandon();
}

async function runUntil(
  dieAt: number,
  fault: Fault,
  failAfter: readonly number[] = [],
): Promise<Run> {
  const disk = new FaultDisk();
  Object.assign(disk, { dieAt, fault, failAfter });
  const states = [new Map()];
  const run: Run = {
    disk,
    states,
    acknowledged: 0,
    synced: 0,
    store: undefined,
    error: undefined,
  };
  await live(run).catch((error: unknown) => {
    run.error = error;
  });
  return run;
}

const checked = new Set<string>();

/** The number of the state that an image shows. */
async function check(image: Image, run: Run, least: number, what: string): Promise<void> {
  const key = `${least} ${run.states.length} ${fingerprint(image)}`;
  if (checked.has(key)) return;
  checked.add(key);
  const disk = new FaultDisk(image);
  await disk.mkdir('/d');
  const shows = (entries: Entries) => {
    const found = run.states.findIndex((state, i) => i >= least && same(state, entries));
    expect(found, `${what}: shows ${[...entries.values()].map((v) => v.slice(0, 5))}`).not.toBe(-1);
    return found;
  };
  let seen: number | undefined;
  if (image.has(PATH) && image.get(PATH)!.length > 0) {
    const reader = await DataStore.open(PATH, { disk, mode: 'read' });
    seen = shows(entriesOf(reader));
    await reader.close();
    expect(disk.operations, `${what}: a reader wrote`).toBe(0);
  } else expect(least, what).toBe(0);
  const store = await DataStore.open(PATH, { disk });
  expect(shows(entriesOf(store)), what).toBe(seen ?? 0);
  await store.write('after', Buffer.from('works on'));
  expect((await store.verify()).ok, what).toBe(true);
  await store.close();
  const again = await DataStore.open(PATH, { disk });
  expect(again.recovery, what).toEqual({ cutBytes: 0 });
  expect(again.len(), what).toBe(run.states[seen ?? 0]!.size + 1);
  await again.close();
}

describe('a drive on a disk that dies', () => {
  it('at every operation: holds what was synced, and a prefix of the rest', async () => {
    const whole = await runUntil(Number.POSITIVE_INFINITY, 'die');
    expect(whole.error).toBeUndefined();
    const { operations } = whole.disk;
    expect(operations).toBeGreaterThan(40);
    for (let at = 0; at < operations; at++) {
      const run = await runUntil(at, 'die');
      expect(run.error).toBeDefined();
      await check(run.disk.current(), run, run.acknowledged, `killed at ${at}`);
      let n = at;
      for (const { what, image } of run.disk.images()) {
        if (inSample(n++)) await check(image, run, run.synced, `died at ${at}, ${what}`);
      }
    }
  }, 60_000);

  it.each([
    ['EIO', 0],
    ['ENOSPC', 1],
    ['short', 2],
  ] as const)(
    '%s: refuses further writes, loses nothing',
    async (fault, nth) => {
      const { operations } = (await runUntil(Number.POSITIVE_INFINITY, 'die')).disk;
      for (let at = 0; at < operations; at++) {
        if (!inSample(at, nth)) continue;
        const run = await runUntil(at, fault);
        const { store, error } = run;
        if (error === undefined) continue;
        expect(error).toMatchObject({ code: 'IO_ERROR' });
        const refused = store?.write('no', Buffer.from('x')).then(
          () => 'written',
          ({ code }: { code: string }) => code,
        );
        // What fails before the file itself is touched may be tried again.
        const answer = await refused;
        if (answer === 'written') {
          const next = new Map(run.states.at(-1)!);
          next.set(store!.readLastEntry()!.keyHash.toString(16).padStart(16, '0'), 'x');
          (run.states as Entries[]).push(next);
        } else if (answer !== undefined) expect(['POISONED', 'CLOSED']).toContain(answer);
        await store?.abandon();
        if (answer !== 'written')
          await check(run.disk.current(), run, run.acknowledged, `${fault} at ${at}`);
      }
    },
    60_000,
  );

  const later = Array.from({ length: 12 }, (_, i) => i + 1);
  it.each([
    ['once', []],
    ['and at the cut', [1]],
    ['and at the sync after the cut', [2]],
    ['and when the mark is removed', [3]],
    ['and then always', later],
  ])(
    'a write fails in half, %s: closing leaves whole entries',
    async (_, failAfter) => {
      const { operations } = (await runUntil(Number.POSITIVE_INFINITY, 'die')).disk;
      let whole = 0;
      for (let at = 0; at < operations; at++) {
        if (failAfter.length > 0 && !inSample(at, failAfter[0]!, failAfter.length)) continue;
        const run = await runUntil(at, 'short', failAfter);
        const { disk, store } = run;
        const before = disk.current().get(PATH)?.length ?? 0;
        const closed = await store?.close().then(
          () => true,
          () => false,
        );
        const now = disk.current();
        const what = `failed at ${at}`;
        const isMarked = now.has(`${PATH}.open`);
        await check(now, run, run.acknowledged, what);
        if (closed && !isMarked) {
          if (now.get(PATH)!.length < before) whole++;
          run.synced = run.acknowledged;
          const again = await DataStore.open(PATH, { disk: new FaultDisk(now) });
          expect(again.recovery, what).toEqual({ cutBytes: 0 });
        }
        let n = at;
        for (const { what: image, image: kept } of disk.images()) {
          if (inSample(n++)) await check(kept, run, run.synced, `${what}, closed, ${image}`);
        }
      }
      if (failAfter.length === 0) expect(whole).toBeGreaterThan(5);
      else expect(whole).toBeLessThan(5);
    },
    60_000,
  );
});
