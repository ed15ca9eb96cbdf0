/**
 * Standard output with backpressure. A reader that goes away (`| head`) is no error: `closed` turns
 * true, later writes do nothing, and whoever produces output stops.
 */
import type { Writable } from 'node:stream';
import { EtlError } from '../core/errors.ts';

export class Output {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly #stream: Writable;
  #closed = false;
  #failure: Error | undefined;

  constructor(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#stream = stream;
    this.isTTY = stream.isTTY === true;
    this.columns = stream.columns ?? 80;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#closed = true;
      if (error.code === 'EPIPE') return;
      const place = { path: 'stdout' };
      this.#failure = new EtlError('IO_ERROR', 'cannot be written', { place, cause: error });
    });
  }

  /** True once nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The stream itself, for sinks that write to it. */
  get stream(): Writable {
    return this.#stream;
  }

  /** Resolves when the next piece may come. Errors: IO_ERROR; none where nobody reads. */
  async write(piece: string | Uint8Array): Promise<void> {
    if (this.#closed) return this.#check();
    if (!this.#stream.write(piece)) await this.#drained();
    this.#check();
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    if (!this.#closed) await new Promise((resolve) => this.#stream.write('', resolve));
    this.#check();
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        this.#stream.off('drain', settle);
        this.#stream.off('error', settle);
        this.#stream.off('close', settle);
        resolve();
      };
      this.#stream.on('drain', settle);
      this.#stream.on('error', settle);
      this.#stream.on('close', settle);
    });
  }
}
