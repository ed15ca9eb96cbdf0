/** Standard input, where it is one. */
import { fstatSync } from 'node:fs';
import { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';

/**
 * The process's standard input. Of a folder Node makes an empty stream, and what is written of that takes the place
 * of something; here reading it is an IO_ERROR. One that was closed Node opens as `/dev/null`: nobody can tell.
 */
export function standardInput(): Readable {
  if (!isFolder()) return process.stdin;
  const error = new EtlError('IO_ERROR', 'is a folder', { place: { path: 'stdin' } });
  return new Readable({
    read() {
      this.destroy(error);
    },
  });
}

function isFolder(): boolean {
  try {
    return fstatSync(0).isDirectory();
  } catch {
    // On Windows a process may have none.
    return false;
  }
}
