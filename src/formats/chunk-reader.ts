/**
 * A ByteReader over any iterable of chunks: gathers small ones into pieces of about `chunkBytes`,
 * copying each byte once. A chunk that comes alone and is large enough is handed on as it is, so
 * whoever gives chunks away must not write to them afterwards. When the input pauses for longer
 * than `lingerMs`, what has been gathered is given out, so a slow trickle flows.
 */
import { unlessAborted } from '../core/abort.ts';
import { iterate } from '../core/iterate.ts';
import type { ByteReader } from '../core/stage.ts';
import { timerMs } from '../core/timer.ts';

export interface ChunkReaderOptions {
  /** Bytes to gather before answering. Default 1 MiB. */
  readonly chunkBytes?: number;
  /** How long gathered bytes wait for more. Default 5 ms. */
  readonly lingerMs?: number;
  /** Makes a read that is waiting for the iterable fail with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
type Step = IteratorResult<Uint8Array, unknown>;

/** Errors: those of the iterable, unchanged, behind what it gave. */
export function readChunks(chunks: Chunks, options: ChunkReaderOptions = {}): ByteReader {
  const { chunkBytes = 1 << 20, lingerMs = 5, signal } = options;
  const iterator = iterate(chunks);
  let waiting: Promise<Step> | undefined;
  let ended = false;

  const step = (): Promise<Step> => {
    waiting ??= unlessAborted(iterator.next(), signal);
    return waiting;
  };

  return {
    async read(carry) {
      const parts: Uint8Array[] = [];
      let size = 0;
      const pause = new Pause(lingerMs);
      try {
        while (!ended && size < chunkBytes) {
          const next = size === 0 ? await step() : await Promise.race([step(), pause.promise()]);
          if (next === undefined) break;
          waiting = undefined;
          if (next.done) ended = true;
          else if (next.value.byteLength > 0) {
            parts.push(next.value);
            size += next.value.byteLength;
          }
        }
      } catch (error) {
        // The step stays failed: what has been gathered comes first.
        if (size === 0 || signal?.aborted) throw error;
      } finally {
        pause.end();
      }
      if (size === 0) return undefined;
      return carry.byteLength === 0 && parts.length === 1
        ? parts[0]
        : joinBytes([carry, ...parts], carry.byteLength + size);
    },
    async close() {
      if (ended) return;
      ended = true;
      // A step under way may never come back; a generator's return() would wait for it.
      const closing = Promise.resolve(iterator.return?.());
      if (waiting || signal?.aborted) closing.catch(() => {});
      else await closing;
    },
  };
}

/** Lays bytes one after the other in fresh memory of `size` bytes. */
export function joinBytes(parts: readonly Uint8Array[], size: number): Uint8Array {
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}

/** One timer for all the steps of one read; resolves to undefined. */
class Pause {
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #promise: Promise<undefined> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  promise(): Promise<undefined> {
    this.#promise ??= new Promise((resolve) => {
      this.#timer = setTimeout(() => resolve(undefined), timerMs(this.#ms));
    });
    return this.#promise;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
