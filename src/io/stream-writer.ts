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
 * Errors: those of the stream, unchanged; IO_ERROR for standard output; CLOSED for a stream that ends before it
 * was told to.
 */
export function createStreamWriter(stream: Writable): StreamTarget {
  return new StreamWriter(stream);
}

class StreamWriter implements StreamTarget {
  closed = false;
  readonly #stream: Writable;
  readonly #standard: boolean;
  #written = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.#standard = stream === process.stdout || stream === process.stderr;
    stream.on('error', this.#onError);
    stream.on('drain', this.#onDrain);
    stream.on('close', this.#onClose);
    // It may have gone away before anybody listened.
    if (stream.destroyed) this.#onClose();
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
    // An error listener stays, for what the destruction may still say.
    this.#stream.on('error', () => {});
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
    this.#stream.off('error', this.#onError);
    this.#stream.off('drain', this.#onDrain);
    this.#stream.off('close', this.#onClose);
  }

  readonly #onDrain = (): void => {
    this.#wake?.();
  };

  readonly #onClose = (): void => {
    if (!this.#standard && !this.#stream.writableFinished) {
      this.#failure ??= new EtlError('CLOSED', 'the stream was closed before its end');
    }
    this.#wake?.();
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (!this.#standard) this.#failure ??= error;
    else if (error.code === 'EPIPE') this.closed = true;
    else {
      const place = { path: this.#stream === process.stderr ? 'stderr' : 'stdout' };
      this.#failure ??= new EtlError('IO_ERROR', 'cannot be written', { place, cause: error });
    }
    this.#wake?.();
  };
}
