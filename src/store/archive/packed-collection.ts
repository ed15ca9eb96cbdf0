/**
 * A collection's three files as an archive holds them: the state of the last commit, as if its writer
 * had closed. data.jsonl up to the committed end; an index.bin of exactly the living documents, which
 * programs that trust the index without looking (the Rust crate) need; the log's commits, and then the
 * checkpoint and the close that fit these files.
 *
 * Works on the files as they were opened, whatever a writer does to them meanwhile. Cost: two passes
 * over the data.
 */
import { EtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import type { Kernel } from '../../kernels/index.ts';
import { CollectionFiles } from '../collection-files.ts';
import {
  type CommitRecord,
  encodeRecord,
  formatSum,
  type LogRecord,
  withoutDeletes,
} from '../commit-log.ts';
import { appendLiving, type EntryRoom } from '../index-file.ts';
import { indexHeader } from '../index-header.ts';
import { keyText } from '../indexer.ts';
import type { CollectionPaths } from '../layout.ts';
import { readPieces } from '../pieces.ts';

export class PackedCollection {
  readonly #files: CollectionFiles;
  readonly #kernel: Kernel;
  readonly #path: string;
  #indexBytes = 0;
  /** Dead lines' ids that no commit of the log tells of. */
  #deletes: string[] = [];

  private constructor(files: CollectionFiles, kernel: Kernel, path: string) {
    this.#files = files;
    this.#kernel = kernel;
    this.#path = path;
  }

  /** Errors: CORRUPTED_DATA, IO_ERROR. */
  static async open(disk: Disk, paths: CollectionPaths, kernel: Kernel): Promise<PackedCollection> {
    const files = await CollectionFiles.open({ disk, paths, kernel, writable: false });
    return new PackedCollection(files, kernel, paths.data);
  }

  /** Bytes of data.jsonl in the archive. */
  get dataBytes(): number {
    return this.#files.end;
  }

  get documents(): number {
    return this.#files.documents;
  }

  /** data.jsonl. */
  async *data(): AsyncGenerator<Uint8Array, void, void> {
    for await (const { bytes } of readPieces(this.#files.data, 0, this.#files.end)) yield bytes;
  }

  /** index.bin. Errors: CORRUPTED_INDEX when the data does not hold what the index says. */
  async *index(): AsyncGenerator<Uint8Array, void, void> {
    const { data, end, indexer, recovery } = this.#files;
    const { index } = indexer;
    const header = indexHeader(index.size);
    this.#indexBytes = header.length;
    this.#deletes = [];
    yield header;
    let entries = 0;
    for await (const { bytes, base } of readPieces(data, 0, end, { reuse: true })) {
      const { records, count } = this.#kernel.lines(bytes);
      const dead = index.live(records, count, base);
      const room = new MemoryRoom();
      entries += appendLiving(this.#kernel, room, bytes, records, count, base, dead);
      if (recovery.foreignDeletes > 0) this.#noteDeleted(bytes, records, count, dead);
      this.#indexBytes += room.used;
      yield room.take();
    }
    if (entries !== index.size) {
      throw new EtlError('CORRUPTED_INDEX', `${index.size} documents, but ${entries} found`, {
        place: { path: this.#path },
      });
    }
  }

  /** commits.log, which speaks of the index.bin that was read before. */
  async *log(): AsyncGenerator<Uint8Array, void, void> {
    const { log, end, lines, commit, indexer } = this.#files;
    const { index } = indexer;
    const seq = commit?.seq ?? 0;
    for await (const record of log?.past() ?? []) yield this.#line(record);
    const state = { end, count: index.size, lines };
    let last = commit;
    if (last === undefined || last.end !== end || this.#deletes.length > 0) {
      const at = new Date().toISOString();
      last = { op: 'commit', seq: seq + 1, ...state, ...this.#told(end), at };
      yield this.#line(last);
    }
    const { at } = last;
    const ends = { indexSum: formatSum(index.sum), indexBytes: this.#indexBytes };
    const bare = withoutDeletes(last);
    yield this.#line({ op: 'checkpoint', ...state, ...ends, commit: bare, at });
    yield this.#line({ op: 'close', end, seq: last.seq, at });
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  #told(end: number): Pick<CommitRecord, 'deletes'> {
    if (this.#deletes.length === 0) return {};
    return { deletes: [...new Set(this.#deletes)].map((id) => [id, end] as const) };
  }

  #line(record: LogRecord): Uint8Array {
    // What was read carries its old sum, which is not part of what is summed.
    const { sum: _, ...rest } = record as LogRecord & { sum?: string };
    return encodeRecord(rest as LogRecord, this.#kernel);
  }

  #noteDeleted(bytes: Uint8Array, records: Uint32Array, count: number, dead: Uint8Array): void {
    for (let i = 0; i < count; i++) {
      if (dead[i] === 0) continue;
      const id = keyText(bytes, records, i);
      if (id !== undefined && this.#files.indexer.find(id) < 0) this.#deletes.push(id);
    }
  }
}

/** Index entries gathered in memory. */
class MemoryRoom implements EntryRoom {
  used = 0;
  #bytes: Buffer = Buffer.alloc(0);

  reserve(size: number): { bytes: Buffer; at: number } {
    if (this.#bytes.length - this.used < size) {
      const larger = Buffer.allocUnsafeSlow((this.used + size) * 2);
      this.#bytes.copy(larger, 0, 0, this.used);
      this.#bytes = larger;
    }
    return { bytes: this.#bytes, at: this.used };
  }

  claim(size: number): void {
    this.used += size;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.used);
  }
}
