/**
 * A WriteTarget over a Writable: standard output, a socket, a response. What was written to it
 * cannot be taken back. Waits for 'drain', so what is in flight is what the stream itself holds.
 *
 * Standard output is not ended, and when its reader goes away (`| head`) the rest is dropped
 * quietly: `closed` says so. Another stream is ended, and its error is the caller's.
 */
import type { Writable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import type { WriteTarget } from './file-writer.ts';

export interface StreamTarget extends WriteTarget {
  /** True when nobody reads any longer, so that writing on is of no use. */
  readonly closed: boolean;
}

/**
 * Errors: those of the stream, unchanged; IO_ERROR for standard output and where the path is given that the stream
 * leads to; CLOSED for a stream that ends before it was told to; ABORTED after `abort`.
 */
export function createStreamWriter(stream: Writable, path?: string): StreamTarget {
  return new StreamWriter(stream, path);
}

class StreamWriter implements StreamTarget {
  closed = false;
  readonly #stream: Writable;
  readonly #standard: boolean;
  readonly #path: string | undefined;
  #written = 0;
  #ending = false;
  #released = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Writable, path: string | undefined) {
    this.#stream = stream;
    this.#standard = stream === process.stdout || stream === process.stderr;
    this.#path = path ?? (this.#standard ? nameOf(stream) : undefined);
    // Several may be over standard output, with one listener of a kind each.
    allowMore(stream, 1);
    stream.on('error', this.#onError);
    stream.on('drain', this.#onDrain);
    stream.on('close', this.#onClose);
    // It may have gone away, or been ended, before anybody listened.
    if (stream.destroyed || stream.writableEnded) this.#onClose();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    if (this.closed || bytes.byteLength === 0) return;
    this.#written += bytes.byteLength;
    if (!this.#stream.write(bytes)) await this.#drained();
    this.#check();
  }

  async finish(): Promise<number> {
    this.#check();
    this.#ending = true;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.closed) resolve();
      else if (this.#standard) this.#stream.write('', () => resolve());
      else this.#stream.end(() => resolve());
    });
    this.#check();
    this.#release();
    return this.#written;
  }

  async abort(): Promise<void> {
    this.#release();
    // A write may be waiting for a reader that takes nothing.
    this.#failure ??= new EtlError('ABORTED', 'the stream was given up');
    this.#wake?.();
    // One error listener stays, for what the destruction, or a write under way, may still say.
    if (!this.#stream.listeners('error').includes(ignore)) this.#stream.on('error', ignore);
    if (!this.#standard) this.#stream.destroy();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#failure || this.closed) resolve();
    });
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    allowMore(this.#stream, -1);
    this.#stream.off('error', this.#onError);
    this.#stream.off('drain', this.#onDrain);
    this.#stream.off('close', this.#onClose);
  }

  readonly #onDrain = (): void => {
    this.#wake?.();
  };

  readonly #onClose = (): void => {
    if (this.#standard) this.closed = true;
    else if (!(this.#ending && this.#stream.writableFinished)) {
      this.#failure ??= new EtlError('CLOSED', 'the stream was closed before its end');
    }
    this.#wake?.();
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    const path = this.#path;
    if (path === undefined) this.#failure ??= error;
    else if (this.#standard && error.code === 'EPIPE') this.closed = true;
    else {
      this.#failure ??= new EtlError('IO_ERROR', 'cannot be written', {
        place: { path },
        cause: error,
      });
    }
    this.#wake?.();
  };
}

function ignore(): void {}

/** Listeners of a kind before Node warns of a leak; 0 is any number. */
function allowMore(stream: Writable, count: number): void {
  const allowed = stream.getMaxListeners();
  if (allowed > 0) stream.setMaxListeners(allowed + count);
}

function nameOf(stream: Writable): string {
  return stream === process.stderr ? 'stderr' : 'stdout';
}
