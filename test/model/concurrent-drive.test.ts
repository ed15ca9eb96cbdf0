/**
 * Calls on one drive, on another that entries are copied to, and on readers beside, that are made at once:
 * changes take effect in the order they were asked for, what is read is a state between two of them that is not
 * behind what was acknowledged, whatever overlaps, fails or dies.
 */
import { expect, it } from 'vitest';
import { createNodeDisk, type Disk } from '../../src/io/index.ts';
import { DataStore } from '../../src/store/index.ts';
import { type Calls, forSeeds, SEEDS_MS } from '../support/calls.ts';
import { DrivePlay, DriveReader, pairsOf } from '../support/drive-at-once.ts';
import { FaultDisk } from '../support/fault-disk.ts';
import { expectLetGo, held } from '../support/held.ts';
import { LONG } from '../support/long.ts';
import { FAULTS, SlowDisk } from '../support/slow-disk.ts';
import { temporaryFolder } from '../support/stages.ts';

async function readingAt(path: string, disk: Disk): Promise<(readonly [string, number])[]> {
  const store = await DataStore.open(path, { disk });
  try {
    return pairsOf(store.iterEntries());
  } finally {
    await store.close();
  }
}

/** One life of two drives. */
async function play(
  calls: Calls,
  folder: string,
  disk: SlowDisk,
  begin: (of: DrivePlay[]) => void,
) {
  const open = async (name: string) =>
    new DrivePlay(calls, await DataStore.open(`${folder}/${name}`, { disk }), disk);
  const drives = [await open('one'), await open('two')] as const;
  drives[0].other = drives[1];
  drives[1].other = drives[0];
  const readers: DriveReader[] = [];
  const openReader = async () => {
    const drive = calls.pick(drives);
    const { acked } = drive;
    const store = await DataStore.open(drive.store.path, { disk, mode: 'read' });
    readers.push(new DriveReader(drive, store, acked));
  };
  await openReader();
  begin([...drives]);
  await calls.make({
    step: () => calls.pick(drives).step(),
    read: () => calls.pick(readers).step(),
    open: () => void calls.start('reader: open', openReader, { codes: drives[0].readerCodes }),
    end: () => calls.pick(drives).end(),
  });
  await calls.settle();
  const closing = [...drives, ...readers].map((each) =>
    each instanceof DrivePlay ? each.store.close() : each.close(),
  );
  const ended = await calls.within('closing', Promise.allSettled(closing));
  if (drives[0].troubles.length === 0) {
    for (const each of ended) expect(each.status).toBe('fulfilled');
  }
  return drives;
}

it(
  'of a drive that are made at once are true',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      await disk.mkdir('/d');
      const slow = new SlowDisk(disk, calls.random);
      const drives = await play(calls, '/d', slow, () => undefined);
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      for (const { store, history } of drives) {
        for (const image of [
          disk.current(),
          ...[...disk.images()].slice(0, 4).map((i) => i.image),
        ]) {
          expect(await readingAt(store.path, new FaultDisk(image))).toEqual(history.pairs);
        }
      }
    });
  },
  SEEDS_MS,
);

it(
  'of a drive are true on a disk that fails',
  async () => {
    await forSeeds(40, async (calls) => {
      const disk = new FaultDisk();
      await disk.mkdir('/d');
      const slow = new SlowDisk(disk, calls.random);
      const drives = await play(calls, '/d', slow, (all) => {
        disk.fault = calls.pick(FAULTS);
        disk.dieAt = disk.operations + calls.below(50);
        for (const drive of all) drive.troubles = ['IO_ERROR', 'POISONED'];
      });
      disk.dieAt = Number.POSITIVE_INFINITY;
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      for (const { store, history, acked } of drives) {
        history.find(await readingAt(store.path, slow), acked);
      }
    });
  },
  SEEDS_MS,
);

it(
  'of a drive are true until the machine stops',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      await disk.mkdir('/d');
      const slow = new SlowDisk(disk, calls.random);
      const drives = await play(calls, '/d', slow, (all) => {
        disk.dieAt = disk.operations + calls.below(60);
        for (const drive of all) drive.troubles = ['PowerCut', 'POISONED'];
      });
      let images = 0;
      for (const { what, image } of disk.images()) {
        if (!LONG && images++ % 3 > 0) continue;
        calls.note(what);
        for (const { store, history, acked, synced } of drives) {
          const found = await readingAt(store.path, new FaultDisk(image));
          history.find(found, what === 'all written' ? acked : synced);
        }
      }
    });
  },
  SEEDS_MS,
);

it(
  "of a drive are true on this machine's disk, and let go of it",
  async () => {
    const before = held();
    await forSeeds(6, async (calls) => {
      const path = temporaryFolder();
      const way = calls.pick(['auto', 'read'] as const);
      const inner = createNodeDisk({ map: { use: way, windowBytes: 128 << 10 } });
      const slow = new SlowDisk(inner, calls.random);
      const drives = await play(calls, path, slow, () => undefined);
      expect([...slow.held].map((each) => each.path)).toEqual([]);
      for (const { store, history } of drives) {
        expect(await readingAt(store.path, inner)).toEqual(history.pairs);
      }
    });
    await expectLetGo(before);
  },
  SEEDS_MS,
);
