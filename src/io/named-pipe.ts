/**
 * Named pipes for reading. Opening one and reading from it as from a file would wait in the operating
 * system, for a writer and for its bytes, where nothing can end the waiting: not even the end of the process.
 */
import { constants, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { ioStep } from './file-reader.ts';

/** False on Windows, whose pipes have no place among the files, and where nothing is at the path. */
export async function isNamedPipe(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const found = await stat(path).catch(() => undefined);
  return found?.isFIFO() === true;
}

/**
 * Its bytes up to where the last writer has closed it; waits for the first one. Destroying the stream
 * closes it at once. Errors: IO_ERROR naming it.
 */
export async function openNamedPipe(path: string): Promise<Readable> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = await ioStep(path, 'cannot be opened', () => promisify(open)(path, flags));
  return new Socket({ fd, readable: true, writable: false });
}
