/** Ties a stream's life to an AbortSignal: the caller's reason becomes the cause of ABORTED. */
import type { Duplex, Readable, Writable } from 'node:stream';
import { EtlError } from '../core/errors.ts';

/** Destroys the stream with ABORTED when the signal fires; lets go of the signal on 'close'. */
export function watchAbort(
  stream: Readable | Writable | Duplex,
  signal: AbortSignal | undefined,
): void {
  if (!signal) return;
  const abort = (): void => {
    stream.destroy(new EtlError('ABORTED', 'the work was stopped', { cause: signal.reason }));
  };
  if (signal.aborted) {
    abort();
    return;
  }
  signal.addEventListener('abort', abort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', abort));
}
