/** What packing and unpacking take and tell. */
import { checkSignal } from '../../core/abort.ts';
import type { Disk } from '../../io/disk.ts';
import type { Kernel } from '../../kernels/index.ts';
import type { Compression } from './zip-writer.ts';

/** How far the work is. */
export interface ArchiveProgress {
  /** Files and folders done. */
  readonly entries: number;
  readonly totalEntries: number;
  /** Bytes of file contents done. */
  readonly bytes: number;
  /** As known at the start; indexes and logs that packing makes anew come on top. */
  readonly totalBytes: number;
  /** The entry in hand. */
  readonly name: string;
}

export interface ArchiveOptions {
  /** Called after every piece of at most about 1 MiB, and after every entry. */
  readonly onProgress?: ((progress: ArchiveProgress) => void) | undefined;
  /** Stops the work with ABORTED; nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
  /** Where the files are. Default: this machine's disk. */
  readonly disk?: Disk | undefined;
}

export interface PackOptions extends ArchiveOptions {
  /** `store` keeps contents as they are: larger, faster, and readable in place. Default `deflate`. */
  readonly compression?: Compression | undefined;
  /** Default: the thread's shared kernel. */
  readonly kernel?: Kernel | undefined;
}

/** What an archive may hold at most. */
export interface ArchiveLimits {
  /** Bytes of all contents. Default 64 GiB. */
  readonly maxBytes?: number | undefined;
  /** Files and folders. Default 1,000,000. */
  readonly maxEntries?: number | undefined;
  /** Bytes that one byte of the archive may become, of files over 16 MiB. Default 200. */
  readonly maxRatio?: number | undefined;
}

/** For `unpack`. */
export interface UnpackOptions extends ArchiveOptions, ArchiveLimits {}

export interface PackSummary {
  readonly path: string;
  readonly collections: number;
  /** Documents of the collections that keep them in data.jsonl. */
  readonly documents: number;
  readonly entries: number;
  /** Bytes of all contents. */
  readonly bytes: number;
  /** Bytes of the archive. */
  readonly archiveBytes: number;
}

/** What was unpacked. */
export interface UnpackSummary {
  readonly path: string;
  readonly entries: number;
  readonly bytes: number;
}

/** Errors: ABORTED once the signal has fired. */
export function checkWork(signal: AbortSignal | undefined): void {
  checkSignal(signal, 'the work on the archive was stopped');
}
