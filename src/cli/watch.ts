/**
 * Waiting until files change. Looked at by size and time twice a second: that also notices editors
 * that put a new file in the place of the old one, new matches of a pattern, and network drives.
 */
import { stat } from 'node:fs/promises';
import { inputFiles } from './inputs.ts';
import type { Interrupt } from './interrupt.ts';

const LOOK_MS = 500;

/** How the files among inputs look now, but for the dead-letter file; compares with `===`. */
export async function snapshot(inputs: readonly string[], rejects?: string): Promise<string> {
  const files = await inputFiles(inputs, rejects).catch(() => inputs);
  const looks = files.map(async (file) => {
    const { size, mtimeMs, ino } = await stat(file).catch(() => ({ size: -1, mtimeMs: 0, ino: 0 }));
    return `${file} ${size} ${mtimeMs} ${ino}`;
  });
  return (await Promise.all(looks)).join('\n');
}

/** Resolves with true when they look different, with false when the work is to end. */
export async function untilChanged(
  look: () => Promise<string>,
  before: string,
  interrupt: Interrupt,
): Promise<boolean> {
  while (!interrupt.requested) {
    if ((await look()) !== before) return true;
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise((resolve) => {
      timer = setTimeout(resolve, LOOK_MS, true);
    });
    await interrupt.orWish(pause);
    clearTimeout(timer);
  }
  return false;
}
