/**
 * Calls on one writer of files, and on readers beside it, that are made at once: each document that is read is
 * one that was flushed and not behind what was acknowledged, whatever overlaps, fails or dies.
 */
import { expect, it } from 'vitest';
import { createNodeDisk, type Disk } from '../../src/io/index.ts';
import { Engine, EngineWriter, SyncWriter } from '../../src/store/index.ts';
import { type Calls, forSeeds, SEEDS_MS } from '../support/calls.ts';
import { type Doc, EnginePlay, EngineReader, IDS, make } from '../support/engine-at-once.ts';
import { FaultDisk } from '../support/fault-disk.ts';
import { expectLetGo, held } from '../support/held.ts';
import { LONG } from '../support/long.ts';
import { FAULTS, SlowDisk } from '../support/slow-disk.ts';
import { temporaryFolder } from '../support/stages.ts';

/** What is there, as a writer that mends and then a reader find it. */
async function readingAt(path: string, disk: Disk): Promise<Map<string, number>> {
  const writer = await EngineWriter.open(path, 'c', { disk });
  const { count } = writer;
  await writer.close();
  const engine = await Engine.open<Doc>(path, 'c', { disk });
  const found = engine.scan().collect();
  expect(found.map(({ n }) => make(n))).toEqual(found.map(({ _id, ...rest }) => rest));
  expect([engine.len(), engine.stats().docCount]).toEqual([count, found.length]);
  await engine.close();
  return new Map(found.map(({ _id, n }) => [_id!, n]));
}

/** Each document is one that it may be, not behind what was acknowledged. */
function agree(play: EnginePlay, found: ReadonlyMap<string, number>) {
  for (const id of found.keys()) expect(IDS).toContain(id);
  for (const [id, { acked }] of play.lives) play.expectAlive(id, found.get(id), acked);
}

async function play(calls: Calls, path: string, disk: SlowDisk, begin: (of: EnginePlay) => void) {
  const own = new EnginePlay(calls, await EngineWriter.open<Doc>(path, 'c', { disk }));
  const readers: EngineReader[] = [];
  const open = async () => {
    const known = EngineReader.known(own);
    readers.push(new EngineReader(own, await Engine.open<Doc>(path, 'c', { disk }), known));
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
  await calls.within('closing', Promise.all(readers.map((each) => each.close())));
  return own;
}

it(
  'of a collection of files that are made at once are true',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const { now } = await play(calls, '/s', slow, () => undefined);
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      for (const image of [disk.current(), ...[...disk.images()].slice(0, 4).map((i) => i.image)]) {
        expect(await readingAt('/s', new FaultDisk(image))).toEqual(now);
      }
    });
  },
  SEEDS_MS,
);

it(
  'of a collection of files are true on a disk that fails',
  async () => {
    await forSeeds(40, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const own = await play(calls, '/s', slow, (begun) => {
        disk.fault = calls.pick(FAULTS);
        disk.dieAt = disk.operations + calls.below(80);
        begun.troubles = ['IO_ERROR', 'POISONED'];
      });
      disk.dieAt = Number.POSITIVE_INFINITY;
      expect([...slow.held].map(({ path }) => path)).toEqual([]);
      agree(own, await readingAt('/s', slow));
    });
  },
  SEEDS_MS,
);

it(
  'of a collection of files are true until the machine stops',
  async () => {
    await forSeeds(25, async (calls) => {
      const disk = new FaultDisk();
      const slow = new SlowDisk(disk, calls.random);
      const own = await play(calls, '/s', slow, (begun) => {
        disk.dieAt = disk.operations + calls.below(100);
        begun.troubles = ['PowerCut', 'POISONED'];
      });
      let images = 0;
      for (const { what, image } of disk.images()) {
        if (!LONG && images++ % 3 > 0) continue;
        calls.note(what);
        agree(own, await readingAt('/s', new FaultDisk(image)));
      }
    });
  },
  SEEDS_MS,
);

it(
  'of a writer that flushes each time are durable when they resolve',
  async () => {
    const before = held();
    await forSeeds(4, async (calls) => {
      const path = temporaryFolder();
      const slow = new SlowDisk(createNodeDisk(), calls.random);
      const writer = await SyncWriter.open<Doc>(path, 'c', { disk: slow });
      const now = new Map<string, number>();
      const reader = await Engine.open<Doc>(path, 'c', { disk: slow });
      for (let n = 0; n < 25; n++) {
        const id = calls.pick(IDS);
        if (calls.random() < 0.7) {
          const answered = () => expect(reader.getDocument(id).n).toBeGreaterThanOrEqual(n);
          const isLast = () => now.get(id) === n;
          calls.start(`put ${id} ${n}`, () => writer.put(id, make(n)), {
            answered: () => isLast() && answered(),
          });
          now.set(id, n);
        } else {
          const there = now.delete(id);
          const answered = (found: boolean) => expect(found).toBe(there);
          calls.start(`delete ${id}`, () => writer.delete(id), { answered });
        }
        expect(writer.count).toBe(now.size);
        if (calls.random() < 0.2) calls.start('refresh', () => reader.refresh());
        if (calls.random() < 0.1) await calls.settle();
      }
      calls.start('close', () => writer.close());
      await calls.settle();
      await reader.close();
      expect([...slow.held].map((each) => each.path)).toEqual([]);
      expect(await readingAt(path, createNodeDisk())).toEqual(now);
    });
    await expectLetGo(before);
  },
  SEEDS_MS,
);
