/**
 * Repair under a disk that dies or fails at every one of its operations: what a repair that went
 * through would have kept is there after the next one, and nothing that was put aside is lost.
 *
 * Deliberate breakages that make this file fail, each tried: no sync of the new data, of the new log,
 * of the lines put aside; these removed when the rename of the log fails; `next-G` not looked for.
 *
 * Every operation is tried, with a quarter of the images and one of the errors; with ZDS_FUZZ=long all.
 */
import { describe, expect } from 'vitest';
import { FastStore, repair } from '../../src/store/index.ts';
import { testDyingRepair } from '../support/dying-repair.ts';
import { FaultDisk, fingerprint, type Image } from '../support/fault-disk.ts';

const META = '/s/collections/c/meta';

/** Two broken lines, a delete, a damaged line of the log. */
async function damagedImage(): Promise<Image> {
  const disk = new FaultDisk();
  const store = await FastStore.open('/s', 'c', { disk });
  for (let i = 0; i < 10; i++) store.put(`d${i}`, { n: i, pad: 'x'.repeat(60) });
  await store.flush({ cursor: 10 });
  store.delete('d1');
  store.put('d2', { newer: true });
  await store.flush({ cursor: 12 });
  const image = new Map(disk.current());
  const data = Buffer.from(image.get(`${META}/data.jsonl`)!);
  data[data.indexOf('"newer"')] = 0x2c;
  data[data.indexOf('"n":7')] = 0x2c;
  image.set(`${META}/data.jsonl`, new Uint8Array(data));
  const log = Buffer.from(image.get(`${META}/commits.log`)!);
  log[log.indexOf('"cursor":10') + 9]! ^= 1;
  image.set(`${META}/commits.log`, new Uint8Array(log));
  return image;
}

async function state(disk: FaultDisk): Promise<unknown[]> {
  const store = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  const all = (await store.scanAll()).map(({ _id, n }) => [_id, n]);
  expect(await store.cursor()).toBe(12);
  await store.close();
  return all;
}

/** Every line put aside, once for each file that has it. */
async function putAside(disk: FaultDisk): Promise<Set<string>> {
  const lines = new Set<string>();
  for (const [path, bytes] of disk.current()) {
    if (!path.includes('/dropped-')) continue;
    for (const line of Buffer.from(bytes).toString().split('\n')) {
      try {
        lines.add((JSON.parse(line) as { raw: string }).raw);
      } catch {
        // A repair that did not come to its end may have begun such a file.
      }
    }
  }
  return lines;
}

const expected = [0, 2, 3, 4, 5, 6, 8, 9].map((n) => [`d${n}`, n]);
const checked = new Set<string>();

async function check(image: Image, what: string): Promise<void> {
  const key = fingerprint(image);
  if (checked.has(key)) return;
  const disk = new FaultDisk(image);
  await repair('/s', 'c', { disk });
  expect(await state(disk), what).toEqual(expected);
  const lines = await putAside(disk);
  expect(lines.size, what).toBe(2);
  expect([...lines].join('\n'), what).toContain(',newer"');
  const store = await FastStore.open('/s', 'c', { disk });
  expect(store.recovery, what).toMatchObject({ badLines: 0, cutBytes: 0 });
  await store.close();
  checked.add(key);
}

describe('repair whose machine dies', () => {
  testDyingRepair(damagedImage, check, { images: 80, unsynced: ['dropped-', 'data.jsonl.next'] });
});
