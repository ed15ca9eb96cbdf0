/**
 * Writing into what is there: a device, a pipe, and what this process has open already, by a path such as
 * `/dev/stdout` or `/dev/fd/4`, be it a file. Nothing is replaced or synced, and what was written stays when the rest
 * is given up. A file that is open is written to where it stands, behind what others have written to it, and stays open.
 *
 * Opening a pipe and writing to it as to a file would wait in the operating system, for a reader and for its
 * taking bytes, where nothing can end the waiting, and with a thread that all files share. So a pipe is opened
 * again and again until it has a reader, and then written to as a socket is.
 */
import fs, { createWriteStream, open as openDescriptor, statSync } from 'node:fs';
import { constants, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { EtlError } from '../core/errors.ts';
import { waitMs } from '../core/retry.ts';
import { ioStep } from './file-reader.ts';
import type { WriteTarget } from './file-writer.ts';
import { isNamedPipe } from './named-pipe.ts';
import { ownDescriptor } from './own-descriptor.ts';
import { createStreamWriter, type StreamTarget } from './stream-writer.ts';

/** Between two looks for a reader. */
const LOOK_MS = 20;

/** Whether the path leads to what a file must not take the place of: a device, a pipe, a folder, an open file. */
export function isInPlace(path: string): boolean {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() !== false;
  return !isFile || ownDescriptor(path) !== undefined;
}

/**
 * Opens what `isInPlace` tells of. The first write to a pipe waits for its reader; `abort` ends the waiting, and so
 * does `stopping`. Errors: IO_ERROR naming the path, from here and from every call; ABORTED then.
 */
export async function openInPlace(path: string, stopping?: AbortSignal): Promise<WriteTarget> {
  const own = ownDescriptor(path);
  if (own === 1) return createStreamWriter(process.stdout);
  if (own === 2) return createStreamWriter(process.stderr);
  if (await isNamedPipe(path)) return openPipe(path, stopping);
  if (own !== undefined) {
    const stream = createWriteStream(path, { fd: own, fs: { ...fs, close: leaveOpen } });
    return createStreamWriter(stream, path);
  }
  const handle = await ioStep(path, 'cannot be written', () => open(path, 'w'));
  return createStreamWriter(handle.createWriteStream(), path);
}

function leaveOpen(_descriptor: number, done: (error: null) => void): void {
  done(null);
}

async function openPipe(path: string, stopping?: AbortSignal): Promise<WriteTarget> {
  const first = await openWithReader(path);
  const givingUp = new AbortController();
  const opening = first ? Promise.resolve(first) : waitForReader(path, givingUp.signal, stopping);
  // Whoever writes learns of a failure.
  opening.catch(() => {});
  return {
    write: async (bytes) => (await opening).write(bytes),
    finish: async () => (await opening).finish(),
    async abort() {
      givingUp.abort(new EtlError('ABORTED', 'the pipe was given up', { place: { path } }));
      await opening.then(
        (writer) => writer.abort(),
        () => {},
      );
    },
  };
}

async function waitForReader(
  path: string,
  signal: AbortSignal,
  stopping?: AbortSignal,
): Promise<StreamTarget> {
  for (;;) {
    if (stopping?.aborted) {
      throw new EtlError('ABORTED', 'was given up before anybody read it', { place: { path } });
    }
    await waitMs(LOOK_MS, signal);
    const writer = await openWithReader(path);
    if (writer) return writer;
  }
}

/** Undefined where nobody reads yet. Errors: IO_ERROR. */
async function openWithReader(path: string): Promise<StreamTarget | undefined> {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const fd = await ioStep(path, 'cannot be written', () =>
    promisify(openDescriptor)(path, flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENXIO') return undefined;
      throw error;
    }),
  );
  if (fd === undefined) return undefined;
  return createStreamWriter(new Socket({ fd, readable: false, writable: true }), path);
}
