/** Repairs of the collection `c` in `/s` on a disk that dies or fails at each of its operations. */
import { expect } from 'vitest';
import { repair } from '../../src/store/index.ts';
import { type Fault, FaultDisk, type Image } from './fault-disk.ts';
import { inSample } from './long.ts';

/** Looks at what a repair left; `what` says where it ended. */
export type Check = (image: Image, what: string) => Promise<void>;

/** A repair of what is there, until operation `dieAt`; syncs of `broken` are left out. */
export async function repairUntil(
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

/** Checks a sample of the images of every death; answers how many there are. */
export async function checkDeaths(start: Image, check: Check): Promise<number> {
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
export async function checkFailures(
  start: Image,
  fault: Fault,
  n: number,
  check: Check,
): Promise<void> {
  const { operations } = await repairWholly(start);
  for (let k = 0; k < operations; k++) {
    if (!inSample(k, n)) continue;
    const { disk, error } = await repairUntil(start, k, fault);
    if (error !== undefined) expect(error).toMatchObject({ code: 'IO_ERROR' });
    await check(disk.current(), `${fault} at ${k}`);
  }
}

/** Whether `check` fails for a sample of the images where syncs of such paths do nothing. */
export async function noticesUnsynced(start: Image, path: string, check: Check): Promise<boolean> {
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
