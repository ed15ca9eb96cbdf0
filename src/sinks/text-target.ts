/** Where sinks of text write to: a file, standard output or a stream; compressed or not. */
import type { Transform, Writable } from 'node:stream';
import type { RunInfo } from '../core/run-info.ts';
import { createCompressor } from '../io/compress.ts';
import type { Compression } from '../io/decompress.ts';
import { createFileWriter, type WriteTarget } from '../io/file-writer.ts';
import { isInPlace } from '../io/in-place.ts';
import { createStreamWriter } from '../io/stream-writer.ts';

/** A target that knows whether anybody reads it. */
export interface TextTarget extends WriteTarget {
  /** True when nobody reads any longer, so that writing on is of no use. */
  readonly closed: boolean;
}

/**
 * Opens a path, `-` for standard output, or a stream; a file writer holds as much as the run allows.
 * Errors: IO_ERROR, UNSUPPORTED.
 */
export async function openTextTarget(
  target: string | Writable,
  compression: Compression,
  run?: RunInfo,
): Promise<TextTarget> {
  const compressor = compression === 'none' ? undefined : createCompressor(compression);
  const plain = await openTarget(target, run?.maxMemory, run?.stopping);
  const writer: WriteTarget = compressor ? new CompressedTarget(compressor, plain) : plain;
  return {
    get closed() {
      return plain.closed === true;
    },
    get released() {
      return writer.released;
    },
    write: (bytes) => writer.write(bytes),
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}

/** True for the path of a file, which appears when it is whole; false for that of a pipe or a device. */
export function isFile(target: string | Writable): target is string {
  return typeof target === 'string' && target !== '-' && !isInPlace(target);
}

/** Opens a path, `-` for standard output, or a stream. Errors: IO_ERROR. */
export async function openTarget(
  target: string | Writable,
  maxMemory?: number,
  stopping?: AbortSignal,
): Promise<WriteTarget> {
  if (typeof target !== 'string') return createStreamWriter(target);
  if (target === '-') return createStreamWriter(process.stdout);
  return createFileWriter(target, maxMemory, stopping);
}

/** A compressor in front of a target; one failure, of either, fails every later call. */
class CompressedTarget implements WriteTarget {
  readonly #compressor: Transform;
  readonly #target: WriteTarget;
  readonly #pumping: Promise<void>;

  constructor(compressor: Transform, target: WriteTarget) {
    this.#compressor = compressor;
    this.#target = target;
    this.#pumping = this.#pump();
    this.#pumping.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#compressor.destroyed) await this.#pumping;
    if (this.#compressor.write(bytes)) return;
    const drained = new Promise<void>((resolve) => {
      this.#compressor.once('drain', resolve);
    });
    await Promise.race([drained, this.#pumping]);
  }

  async finish(): Promise<number> {
    this.#compressor.end();
    await this.#pumping;
    return this.#target.finish();
  }

  async abort(): Promise<void> {
    this.#compressor.destroy();
    // First, as it may be waiting for a reader that takes nothing.
    await this.#target.abort();
    await this.#pumping.catch(() => {});
  }

  /** Leaving the loop by an error of the target destroys the compressor. */
  async #pump(): Promise<void> {
    for await (const chunk of this.#compressor) await this.#target.write(chunk as Uint8Array);
  }
}
