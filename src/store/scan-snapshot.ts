/** What a scan sees of a collection, and who says so: every reader keeps the moment it began at. */
import type { Predicate } from '../core/predicate.ts';
import type { DiskFile } from '../io/disk.ts';
import type { Liveness } from './liveness.ts';
import type { StoredLines } from './stored-lines.ts';

/** What of a file is read without leaving the current turn. */
export type SyncFile = Pick<DiskFile, 'path' | 'readSync'>;

/** Bytes of the data file. */
export type Part = readonly [from: number, to: number];

/** What all of the data is known to hold. */
export interface Whole {
  readonly end: number;
  /** Lines of documents, dead ones included. */
  readonly lines: number;
  readonly documents: number;
  /** Before this they were counted, so that bad lines among them are other programs'. */
  readonly sound: { until: number };
}

/** What a scan sees, frozen, to be read on the calling thread. */
export interface SyncSnapshot {
  readonly file: SyncFile;
  /** The bytes [from, end) of the file. */
  readonly from: number;
  readonly end: number;
  readonly whole: Whole;
  /** Undefined where every line before `end` is alive. */
  readonly alive: Liveness | undefined;
  /** Undefined only without `places`. */
  readonly stored: StoredLines | undefined;
  /** Places of the documents asked for by id, by offset. */
  readonly places: readonly (readonly [offset: number, length: number])[] | undefined;
  release(): void;
}

/** What a scan sees, frozen. */
export interface Snapshot extends SyncSnapshot {
  readonly file: DiskFile;
  /** The bytes to read for a predicate, by offset; all where absent. The rest holds nothing to keep. */
  readonly parts: ((where: Predicate | undefined) => Promise<readonly Part[]>) | undefined;
}

/** Takes snapshots of the files of a collection; they are to be released. */
export interface Snapshots {
  /** Resolves when all of it can be read from the file. */
  snapshot(ids: Iterable<string> | undefined): Promise<Snapshot>;
  /** The same at once: what is not in the file yet is read from memory. */
  snapshotSync(ids: Iterable<string> | undefined): SyncSnapshot;
}
