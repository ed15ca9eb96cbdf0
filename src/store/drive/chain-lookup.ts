/**
 * Looking up entries of a drive without an index of all: the chain is followed from its end back, as far as
 * it takes. For who reads a few entries once: opening costs a few reads of the system and no kernel; an entry
 * costs one read for each record that is newer.
 *
 * Only for a drive in plain order, that nobody writes to and whose last record is sound: others are for
 * `DataStore.open`, which finds what of them holds. A chain that breaks off ends there.
 */
import { isEtlError } from '../../core/errors.ts';
import type { Disk, DiskFile, FileView } from '../../io/index.ts';
import { METADATA_BYTES } from '../../kernels/drive-types.ts';
import { hasher } from '../../kernels/hasher.ts';
import { RecordReader, viewOf } from './chain.ts';
import { EntryHandle } from './entry-handle.ts';
import { SessionMark } from './session-mark.ts';

/** What finds entries by their keys. */
export interface EntryLookup {
  /** The newest entry of a key; undefined where there is none. */
  read(key: string): EntryHandle | undefined;
  /** The entry of a key whose payload ends at `end`, newest or not; undefined where there is another or none. */
  at?(end: number, key: string): EntryHandle | undefined;
  /** How payloads come: from maps of the file, or by positioned reads. */
  readonly way: FileView['way'];
  close(): Promise<void>;
}

/** Opens a drive for lookups; undefined where it is not in plain order. Shorter ones than `mapFrom` are read. Errors: IO_ERROR. */
export async function openLookup(
  disk: Disk,
  path: string,
  mapFrom: number,
): Promise<EntryLookup | undefined> {
  const file = await disk.open(path, 'read');
  try {
    const mark = await disk.stat(SessionMark.path(path));
    const size = await file.size();
    // A session that has begun since may cut what is not whole: only what is may be mapped.
    const records = new RecordReader(viewOf(file, size, Number.POSITIVE_INFINITY));
    const last = records.at(size);
    if (mark === undefined && last && (await records.isWhole(last)))
      return new ChainLookup(file, viewOf(file, size, mapFrom), size);
  } catch (error) {
    await file.close();
    if (isEtlError(error, 'INPUT_CHANGED')) return undefined;
    throw error;
  }
  await file.close();
  return undefined;
}

class ChainLookup implements EntryLookup {
  readonly #file: DiskFile;
  readonly #view: FileView;
  readonly #records: RecordReader;
  readonly #size: number;
  /** The newest of each key that was passed, undefined for one deleted. */
  readonly #passed = new Map<bigint, EntryHandle | undefined>();
  /** Where the records end that were not passed. */
  #tail: number;

  constructor(file: DiskFile, view: FileView, tail: number) {
    this.#file = file;
    this.#view = view;
    this.#records = new RecordReader(view);
    this.#size = tail;
    this.#tail = tail;
  }

  get way(): FileView['way'] {
    return this.#view.way;
  }

  read(key: string): EntryHandle | undefined {
    const hash = hashOf(key);
    while (!this.#passed.has(hash) && this.#pass());
    return this.#passed.get(hash);
  }

  at(end: number, key: string): EntryHandle | undefined {
    const tail = end + METADATA_BYTES;
    const record = tail > this.#size ? undefined : this.#records.at(tail);
    if (record === undefined) return undefined;
    const entry = new EntryHandle(this.#view, record.end, record.start);
    return entry.keyHash === hashOf(key) ? entry : undefined;
  }

  async close(): Promise<void> {
    this.#view.close();
    await this.#file.close();
  }

  /** Goes on by a record; false at the beginning, and where the chain breaks off. */
  #pass(): boolean {
    const record = this.#records.at(this.#tail);
    if (record === undefined) return false;
    const entry = new EntryHandle(this.#view, record.end, record.start);
    const { keyHash } = entry;
    if (!this.#passed.has(keyHash)) {
      this.#passed.set(keyHash, record.tombstone ? undefined : entry);
    }
    this.#tail = record.before;
    return true;
  }
}

function hashOf(key: string): bigint {
  return hasher.hash(Buffer.from(key));
}
