/**
 * The writer's lock: an exclusive flock(2) on a file that says who holds it in three lines,
 * `pid=`, `hostname=` and `timestamp=`, as the Rust programs write and read them. The kernel frees it when the process ends, however it ends, so a file left
 * behind blocks nobody; the same lock excludes the Rust programs that write this format.
 *
 * Without koffi there is no flock, nor on some file systems: then a lock file that names a living process of this host
 * refuses, which is weaker (two starting at the same instant may both pass, other hosts are not
 * seen, and programs that lock without writing their name are not either). One that names this process
 * counts if it was written since that began: a container that starts again has the process id it had.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { DiskLock } from './disk.ts';
import { makeFolder } from './make-folder.ts';
import { LOCK_EXCLUSIVE_NOW, native } from './native.ts';

export interface LockOptions {
  /** `auto` uses flock where possible; `file` only looks at the file. Default `auto`. */
  readonly use?: 'auto' | 'file';
}

/** When this process began, its threads too. */
const STARTED_MS = Date.now() - process.uptime() * 1000;
/** What this thread holds, whatever becomes of the clock. */
const heldHere = new Set<string>();

/**
 * Takes the lock or fails at once. Two calls in one process exclude each other with flock only.
 * Errors: LOCKED naming the holder; IO_ERROR.
 */
export function takeLock(path: string, options: LockOptions = {}): DiskLock {
  const calls = options.use === 'file' ? undefined : native();
  let fd: number | undefined;
  let isMine = false;
  try {
    makeFolder(dirname(path));
    fd = openSync(path, 'a+');
    while (true) {
      const state = calls?.flock(fd, LOCK_EXCLUSIVE_NOW) ?? 'unknown';
      if (state === 'unknown' ? namesLivingProcess(path) : state === 'held') throw locked(path);
      // A holder that lets go removes the file. Whoever opened it before must not believe in a lock
      // on a file that nobody else will find, so it looks again until name and file agree.
      if (state === 'unknown' || sameFile(fd, path)) break;
      closeSync(fd);
      fd = undefined;
      fd = openSync(path, 'a+');
    }
    isMine = true;
    ftruncateSync(fd, 0);
    writeSync(fd, formatHolder());
    heldHere.add(resolve(path));
  } catch (cause) {
    if (fd !== undefined) letGo(fd, isMine ? path : undefined);
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('IO_ERROR', `cannot lock: ${String(cause)}`, { place: { path }, cause });
  }
  let held: number | undefined = fd;
  return {
    async release() {
      if (held === undefined) return;
      const mine = held;
      held = undefined;
      heldHere.delete(resolve(path));
      letGo(mine, path);
    },
  };
}

/** Closes the file, which frees the lock; `path`: where it is removed, if it is ours. */
function letGo(fd: number, path: string | undefined): void {
  try {
    if (path !== undefined && sameFile(fd, path)) unlinkSync(path);
  } finally {
    closeSync(fd);
  }
}

function formatHolder(): string {
  const time = new Date().toISOString();
  return `pid=${process.pid}\nhostname=${hostname()}\ntimestamp=${time}\n`;
}

/** Process id, host name and time, with or without their names in front. */
function readHolder(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.map((line) => line.replace(/^(pid|hostname|timestamp)=/, ''));
}

function sameFile(fd: number, path: string): boolean {
  try {
    return fstatSync(fd).ino === statSync(path).ino;
  } catch {
    return false;
  }
}

function namesLivingProcess(path: string): boolean {
  const [pid, host, since] = readHolder(path);
  if (!/^\d+$/.test(pid ?? '') || host !== hostname()) return false;
  if (Number(pid) === process.pid) {
    return heldHere.has(resolve(path)) || Date.parse(since ?? '') >= STARTED_MS;
  }
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function locked(path: string): EtlError {
  let holder = 'an unnamed process';
  try {
    const [pid, host, since] = readHolder(path);
    if (pid) holder = `process ${pid} on ${host || 'an unnamed host'} since ${since || 'unknown'}`;
  } catch {
    // The holder may be letting go right now: the lock was refused all the same.
  }
  return new EtlError('LOCKED', `held by ${holder}`, { place: { path } });
}
