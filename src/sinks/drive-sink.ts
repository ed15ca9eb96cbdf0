/** A stream of entries into a drive. */
import { Writable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import type { DriveKey } from '../kernels/index.ts';
import type { ByteSource } from '../store/drive/appender.ts';
import type { DataStoreOptions } from '../store/drive/contracts.ts';
import { DataStore } from '../store/drive/data-store.ts';
import { hashKey } from '../store/drive/key-indexer.ts';

/** An entry to be written: under a key, or under the hash of one; the payload at once or in pieces. */
export interface DriveSinkItem {
  readonly key?: DriveKey | undefined;
  readonly keyHash?: bigint | undefined;
  readonly payload: Uint8Array | ByteSource;
}

/** Entries that wait at most; they are written together. */
const WAITING = 64;

/**
 * A stream that takes `DriveSinkItem`s, so that `pipeline(driveSource(a), driveSink(b))` copies a drive.
 * What waits is written in one call; a payload in pieces as it comes, in bounded memory. `finish` means
 * durable. When the stream is destroyed the entries written before stay, whole, as in any drive.
 * Errors: those of `DataStore.open` and `batchWrite`; INVALID_ARGUMENT for an item without key or payload.
 */
export function driveSink(path: string, options: Pick<DataStoreOptions, 'disk'> = {}): DriveSink {
  return new DriveSink(path, options);
}

/** As `driveSink`; counts what it wrote. */
export class DriveSink extends Writable {
  /** Entries written. */
  entries = 0;
  readonly #path: string;
  readonly #options: Pick<DataStoreOptions, 'disk'>;
  readonly #controller = new AbortController();
  #store: DataStore | undefined;

  constructor(path: string, options: Pick<DataStoreOptions, 'disk'> = {}) {
    super({ objectMode: true, highWaterMark: WAITING });
    this.#path = path;
    this.#options = options;
  }

  override _construct(done: (error?: Error | null) => void): void {
    DataStore.open(this.#path, this.#options).then((store) => {
      this.#store = store;
      done();
    }, done);
  }

  override _write(item: DriveSinkItem, _: string, done: (error?: Error | null) => void): void {
    this.#put([item]).then(() => done(), done);
  }

  override _writev(
    waiting: { chunk: DriveSinkItem }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#put(waiting.map(({ chunk }) => chunk)).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#store!.close().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A payload that is being written may never end.
    this.#controller.abort();
    const end = this.#store?.close() ?? Promise.resolve();
    end.then(
      () => done(error),
      (cause: Error) => done(error ?? cause),
    );
  }

  async #put(items: readonly DriveSinkItem[]): Promise<void> {
    let batch: [bigint, Uint8Array][] = [];
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await this.#store!.batchWriteWithKeyHashes(batch);
      this.entries += batch.length;
      batch = [];
    };
    for (const item of items) {
      const keyHash = hashOf(item);
      const { payload } = item;
      if (!isInPieces(payload)) batch.push([keyHash, payload]);
      else {
        await flush();
        await this.#store!.writeStreamWithKeyHash(keyHash, payload, this.#controller);
        this.entries++;
      }
    }
    await flush();
  }
}

function isInPieces(payload: DriveSinkItem['payload']): payload is ByteSource {
  if (ArrayBuffer.isView(payload)) return false;
  return Symbol.asyncIterator in payload || Symbol.iterator in payload;
}

function hashOf({ key, keyHash, payload }: DriveSinkItem): bigint {
  if (payload == null || typeof payload !== 'object') {
    throw new EtlError(
      'INVALID_ARGUMENT',
      'an entry has a payload of bytes, or of pieces of bytes',
    );
  }
  if (keyHash !== undefined) return keyHash;
  if (key === undefined) throw new EtlError('INVALID_ARGUMENT', 'an entry has a key or a keyHash');
  return hashKey(key);
}
