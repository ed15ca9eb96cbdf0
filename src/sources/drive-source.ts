/** Entries of a drive as a stream of objects. */
import { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import { iterateUntil } from '../core/iterate.ts';
import type { DriveKey } from '../kernels/index.ts';
import type { DataStoreOptions } from '../store/drive/contracts.ts';
import { DataStore } from '../store/drive/data-store.ts';

/** What `driveSource` gives, and `driveSink` takes. */
export interface DriveItem {
  /** Where it was asked for by key: files hold only hashes. */
  readonly key?: DriveKey;
  readonly keyHash: bigint;
  /** A view of the mapped file, which stays readable; not to be written to. */
  readonly payload: Uint8Array;
}

export interface DriveSourceOptions extends Pick<DataStoreOptions, 'disk'> {
  /** The entries to give, in this order. Default: all live ones, newest first. */
  readonly keys?: Iterable<DriveKey> | AsyncIterable<DriveKey> | undefined;
  /** Ends the stream with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A stream of `DriveItem`s, read from what was whole in the drive when it opened; nothing is copied.
 * Errors: those of `DataStore.openExisting`; KEY_NOT_FOUND for a key without an entry; UNSUPPORTED for
 * a payload of 4 GiB and more.
 */
export function driveSource(path: string, options: DriveSourceOptions = {}): Readable {
  const { signal } = options;
  const controller = new AbortController();
  const iterator = items(path, options, controller.signal);
  // What the stream uses of an iterator. A key that is waited for when it is destroyed may never come.
  const ending: AsyncIterableIterator<DriveItem, void> = {
    [Symbol.asyncIterator]: () => ending,
    next: () => iterator.next(),
    return() {
      controller.abort();
      return iterator.return();
    },
  };
  return Readable.from(ending, signal ? { signal } : {});
}

async function* items(
  path: string,
  { keys, disk }: DriveSourceOptions,
  signal: AbortSignal,
): AsyncGenerator<DriveItem, void, void> {
  const store = await DataStore.openExisting(path, { mode: 'read', ...(disk ? { disk } : {}) });
  try {
    if (keys === undefined) {
      for (const { keyHash, payload } of store.iterEntries()) yield { keyHash, payload };
      return;
    }
    for await (const key of iterateUntil(keys, signal)) {
      const entry = store.read(key);
      if (entry === undefined) {
        const text = `there is no entry ${JSON.stringify(String(key))}`;
        throw new EtlError('KEY_NOT_FOUND', text, { place: { path } });
      }
      yield { key, keyHash: entry.keyHash, payload: entry.payload };
    }
  } finally {
    await store.close();
  }
}
