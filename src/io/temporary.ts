/**
 * Names and folders for work that is not done yet: it gets its place by one rename, or is removed.
 * What a killed process leaves behind has a name that begins with a dot and ends in `.tmp`. Whoever asks for
 * one calls `forgetTemporary` when it is done.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { EtlError, isEtlError } from '../core/errors.ts';
import type { Disk } from './disk.ts';
import { ioStep } from './file-reader.ts';
import { registerTemporary } from './temporary-registry.ts';

/** Bytes of a name that its temporary one begins with, so that this fits wherever a long one does. */
const SHOWN_BYTES = 120;

/** A fresh name in the folder of `path`. */
export function temporaryBeside(path: string): string {
  const whole = resolve(path);
  const begin = Buffer.from(basename(whole)).subarray(0, SHOWN_BYTES);
  // A stream may go on: no part of a character is decoded.
  const shown = new TextDecoder().decode(begin, { stream: true });
  const name = `.${shown}.${randomBytes(6).toString('hex')}.tmp`;
  return registerTemporary(join(dirname(whole), name));
}

/** An error about a temporary path, or one in it, as one about the path that it stands for. */
export function asOfTarget(error: unknown, temporary: string, path: string): unknown {
  if (!isEtlError(error) || !error.place.path?.startsWith(temporary)) return error;
  const named = (text: string): string => text.split(temporary).join(path);
  const place = { ...error.place, path: named(error.place.path) };
  return new EtlError(error.code, named(error.reason), { place, cause: error.cause });
}

/** Makes a folder among the system's temporary ones. Errors: IO_ERROR. */
export function makeTemporaryFolder(): Promise<string> {
  return ioStep(tmpdir(), 'cannot be written', async () =>
    registerTemporary(await mkdtemp(join(tmpdir(), 'zds-'))),
  );
}

/** Removes a folder with all in it; no error when it is missing. Errors: IO_ERROR. */
export async function removeTree(disk: Disk, folder: string): Promise<void> {
  if ((await disk.stat(folder)) === undefined) return;
  for (const { name, kind } of await disk.list(folder)) {
    const path = join(folder, name);
    await (kind === 'folder' ? removeTree(disk, path) : disk.remove(path));
  }
  await disk.removeFolder(folder);
}
