/**
 * Calls on one store, and on readers beside it, that are made at once: what each answers is a state that the
 * store was in between the call and the answer, what was acknowledged is there afterwards, whatever overlaps,
 * fails or dies.
 */
import { expect, it } from 'vitest';
import { createNodeDisk, type Disk } from '../../src/io/index.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { type Calls, forSeeds, SEEDS_MS } from '../support/calls.ts';
import { FaultDisk } from '../support/fault-disk.ts';
import { expectLetGo, held } from '../support/held.ts';
import { LONG } from '../support/long.ts';
import { FAULTS, SlowDisk } from '../support/slow-disk.ts';
import { temporaryFolder } from '../support/stages.ts';
import { type Doc, pairOf, StorePlay, StoreReader } from '../support/store-at-once.ts';

type Pair = readonly [string, number];

const readingAt = async (path: string, disk: Disk): Promise<Pair[]> => {
  const store = await FastStore.open<Doc>(path, 'c', { disk });
  try {
    return (await store.scanAll()).map(pairOf);
  } finally {
    await store.close();
  }
};

/** One life of a store; answers it, with what a fresh opening must find. */
async function play(calls: Calls, path: string, disk: SlowDisk, begin: (play: StorePlay) => void) {
  const root = await ZdsRoot.open(path, { disk });
  const own = new StorePlay(calls, root, await root.collection<Doc>('c'));
  const readers: StoreReader[] = [];
  const open = async () => {
    const { acked } = own;
    readers.push(
      new StoreReader(own, await FastStore.open(path, 'c', { disk, mode: 'read' }), acked),
    );
  };
  await open();
  begin(own);
  await calls.make({
    step: () => own.step(),
    read: () => calls.pick(readers).step(),
    open: () => void calls.start('reader: open', open, { codes: own.codes }),
    end: () => own.end(),
  });
  if (!own.closing) own.end();
  await calls.settle();
  const closing = [own.buffer, own.root, ...readers].map((each) => each.close());
  const ended = await calls.within('closing', Promise.allSettled(closing));
  if (own.troubles.length === 0) {
    for (const each of ended.slice(1)) expect(each.status).toBe('fulfilled');
  }
  return own;
}

it(
  'of a store that are made at once are true',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const { history, acked } = await play(calls, '/s', slow, () => undefined);
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      expect(acked).toBe(history.version);
      expect(await readingAt('/s', new FaultDisk(disk.current()))).toEqual([...history.now]);
      for (const { what, image } of disk.images()) {
        const found = await readingAt('/s', new FaultDisk(image));
        expect(found, what).toEqual([...history.now]);
      }
    });
  },
  SEEDS_MS,
);

it(
  'of a store are true on a disk that fails, and what was acknowledged stays',
  async () => {
    await forSeeds(40, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const { history, acked, isPoint } = await play(calls, '/s', slow, (own) => {
        disk.fault = calls.pick(FAULTS);
        disk.dieAt = disk.operations + calls.below(50);
        own.troubles = ['IO_ERROR', 'POISONED'];
      });
      disk.dieAt = Number.POSITIVE_INFINITY;
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      const found = await readingAt('/s', new SlowDisk(disk, calls.random));
      history.find(found, acked, history.version, isPoint);
    });
  },
  SEEDS_MS,
);

it(
  'of a store are true until the machine stops, and what was acknowledged stays',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const { history, acked, isPoint } = await play(calls, '/s', slow, (own) => {
        disk.dieAt = disk.operations + calls.below(60);
        own.troubles = ['PowerCut', 'POISONED'];
      });
      let images = 0;
      for (const { what, image } of disk.images()) {
        if (!LONG && images++ % 3 > 0) continue;
        const found = await readingAt('/s', new FaultDisk(image));
        calls.note(what);
        history.find(found, acked, history.version, isPoint);
      }
    });
  },
  SEEDS_MS,
);

it(
  "of a store are true on this machine's disk, and let go of it",
  async () => {
    const before = held();
    await forSeeds(6, async (calls) => {
      const path = temporaryFolder();
      const slow = new SlowDisk(createNodeDisk(), calls.random);
      const { history } = await play(calls, path, slow, () => undefined);
      expect([...slow.held].map((each) => each.path)).toEqual([]);
      expect(await readingAt(path, createNodeDisk())).toEqual([...history.now]);
    });
    await expectLetGo(before);
  },
  SEEDS_MS,
);
