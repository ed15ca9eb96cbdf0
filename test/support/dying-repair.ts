/** Repairs of the collection `c` in `/s` on a disk that dies or fails at each of its operations. */
import { expect, it } from 'vitest';
import { repair } from '../../src/store/index.ts';
import { type Fault, FaultDisk, type Image } from './fault-disk.ts';
import { inSample } from './long.ts';

/** Looks at what a repair left; `what` says where it ended. */
type Check = (image: Image, what: string) => Promise<void>;

/** A repair of what is there, until operation `dieAt`; syncs of `broken` are left out. */
async function repairUntil(
  image: Image,
  dieAt: number,
  fault: Fault,
  broken?: RegExp,
): Promise<{ readonly disk: FaultDisk; readonly error: unknown }> {
  const disk = new FaultDisk(image);
  disk.dieAt = dieAt;
  disk.fault = fault;
  if (broken) disk.broken.ignoreSync = broken;
  const error = await repair('/s', 'c', { disk }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { disk, error };
}

/** The disk of a repair that went through. */
export async function repairWholly(image: Image): Promise<FaultDisk> {
  const { disk, error } = await repairUntil(image, Number.POSITIVE_INFINITY, 'die');
  expect(error).toBeUndefined();
  return disk;
}

/** Images that there are more of, and paths of which `check` has to notice that they were not synced. */
interface DyingRepair {
  readonly images: number;
  readonly unsynced: readonly string[];
}

/** The tests of a repair of what `start` makes. */
export function testDyingRepair(
  start: () => Promise<Image>,
  check: Check,
  { images, unsynced }: DyingRepair,
): void {
  it('can be done again at every operation and in every image', async () => {
    expect(await checkDeaths(await start(), check)).toBeGreaterThan(images);
  });

  it.each([
    ['EIO', 0],
    ['ENOSPC', 1],
    ['short', 2],
  ] as const)('tells %s and can be done again', async (fault, n) => {
    await checkFailures(await start(), fault, n, check);
  });

  it.each(unsynced)('would notice syncs of %s being left out', async (name) => {
    expect(await noticesUnsynced(await start(), name, check)).toBe(true);
  });
}

/** Checks a sample of the images of every death; answers how many there are. */
async function checkDeaths(start: Image, check: Check): Promise<number> {
  const { operations } = await repairWholly(start);
  let images = 0;
  for (let k = 0; k < operations; k++) {
    const { disk } = await repairUntil(start, k, 'die');
    for (const { what, image } of disk.images()) {
      if (inSample(k, images++)) await check(image, `operation ${k}, ${what}`);
    }
  }
  return images;
}

/** Checks what a sample of failures leaves, and that each was told; `n` tells the samples apart. */
async function checkFailures(start: Image, fault: Fault, n: number, check: Check): Promise<void> {
  const { operations } = await repairWholly(start);
  for (let k = 0; k < operations; k++) {
    if (!inSample(k, n)) continue;
    const { disk, error } = await repairUntil(start, k, fault);
    if (error !== undefined) expect(error).toMatchObject({ code: 'IO_ERROR' });
    await check(disk.current(), `${fault} at ${k}`);
  }
}

/** Whether `check` fails for a sample of the images where syncs of such paths do nothing. */
async function noticesUnsynced(start: Image, path: string, check: Check): Promise<boolean> {
  const { operations } = await repairWholly(start);
  for (let k = 0; k < operations; k++) {
    const { disk } = await repairUntil(start, k, 'die', new RegExp(path));
    let images = 0;
    for (const { what, image } of disk.images()) {
      if (!inSample(k, images++)) continue;
      const fine = await check(image, what).then(
        () => true,
        () => false,
      );
      if (!fine) return true;
    }
  }
  return false;
}
