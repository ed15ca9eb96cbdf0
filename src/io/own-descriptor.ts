/** Paths of what this process has open already, such as `/dev/stdin` and `/dev/fd/4`. */
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isatty } from 'node:tty';

/** As many as an operating system follows. */
const MOST_LINKS = 40;
const OWN = new RegExp(`^/(?:dev|proc/${process.pid}(?:/task/\\d+)?)/fd/(\\d+)$`);

/** The number of what this process has open and the path stands for; undefined for any other path. */
export function ownDescriptor(path: string): number | undefined {
  let at = resolve(path);
  try {
    for (let links = 0; links < MOST_LINKS; links++) {
      at = join(realpathSync.native(dirname(at)), basename(at));
      const found = OWN.exec(at);
      if (found) return Number(found[1]);
      at = resolve(dirname(at), readlinkSync(at));
    }
  } catch {
    // No link, or nothing is there.
  }
  return undefined;
}

/** Whether it is `-`, or the path of this process's standard output. */
export function isStandardOutput(path: string): boolean {
  return path === '-' || ownDescriptor(path) === 1;
}

/**
 * Whether it is the path of this process's standard input, and that a terminal: reading it as a file would wait for
 * keys where nothing can end the waiting.
 */
export function isTerminalInput(path: string): boolean {
  return isatty(0) && ownDescriptor(path) === 0;
}
