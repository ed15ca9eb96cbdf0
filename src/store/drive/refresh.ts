/**
 * Following a writer: what has come behind the tail that a reader knows. The file is looked up by name, so
 * that one put in its place (a compaction) is noticed, and read anew. What lies behind the tail is read, and mapped
 * only when it is known to be whole: a writer whose stream fails cuts what it has written of it.
 *
 * What is unfinished is looked through once. Only a writer that cut it and wrote more than that since goes unnoticed;
 * so all is looked at again when there is twice as much, and at once when the file ends with a whole record.
 */
import type { DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, METADATA_BYTES } from '../../kernels/index.ts';
import type { ChangeHooks } from './appender.ts';
import { RecordReader, viewOf } from './chain.ts';
import { readU32 } from './entry-metadata.ts';
import { type DriveFile, type OpenedDrive, openDrive, upToEnd } from './open-drive.ts';
import { RecordSearch } from './record-search.ts';
import { findFirst } from './recovery.ts';

/** What a reader knows. */
export interface Known {
  readonly file: DiskFile;
  readonly view: FileView;
  readonly table: DriveTable;
  readonly tail: number;
}

/** Up to where a file of `all` bytes or more was looked through behind a tail. */
interface Looked {
  readonly tail: number;
  readonly all: number;
  readonly upTo: number;
}

/** Follows one drive. One call at a time. */
export class Follower {
  readonly #where: DriveFile;
  readonly #hooks: ChangeHooks;
  #looked: Looked = { tail: -1, all: 0, upTo: 0 };

  constructor(where: DriveFile, hooks: ChangeHooks) {
    this.#where = where;
    this.#hooks = hooks;
  }

  /** Goes on; true when something has come, and the file that is in the place of the known one where one is. */
  async follow(known: Known): Promise<boolean | OpenedDrive> {
    const { file, tail } = known;
    const latest = await this.#where.disk.open(this.#where.path, 'read');
    const replaced = (await latest.id()) !== (await file.id());
    await latest.close();
    if (replaced) return openDrive(this.#where, 'read');
    const tails = await upToEnd(file, (size) => (size > tail ? this.#find(file, tail, size) : []));
    if (tails.length > 0) this.#take(known, tails);
    return tails.length > 0;
  }

  /** The tails of the whole records behind `tail`, ascending. */
  async #find(file: DiskFile, tail: number, size: number): Promise<number[]> {
    const view = viewOf(file, size, Number.POSITIVE_INFINITY);
    const records = new RecordReader(view);
    const last = records.at(size);
    if (last !== undefined && last.before >= tail && (await records.isWhole(last))) {
      const tails = records.tails(size, tail);
      if (tails !== undefined) return tails;
    }
    const { all, from } = this.#whereToLook(tail, size);
    const tails: number[] = [];
    const search = new RecordSearch(view, size);
    let end = tail;
    let next = tail > 0 ? await search.next(tail, from) : await findFirst(view, size, from);
    while (next !== undefined && next > 0) {
      tails.push(next);
      end = next;
      next = await search.next(end, end + 1);
    }
    this.#looked = { tail: end, all: end === tail ? all : size, upTo: size };
    return tails;
  }

  #whereToLook(tail: number, size: number): { readonly all: number; readonly from: number } {
    const { tail: known, all, upTo } = this.#looked;
    const isKnown = known === tail && size >= upTo && size - tail < 2 * (all - tail);
    return isKnown ? { all, from: upTo - METADATA_BYTES + 1 } : { all: size, from: tail + 1 };
  }

  /** All at once, so that nobody sees half of it. */
  #take({ view, table }: Known, tails: readonly number[]): void {
    const end = tails.at(-1)!;
    view.extend(end);
    this.#hooks.before();
    const records = new RecordReader(view);
    for (const at of tails) {
      const { tombstone } = records.at(at)!;
      const place = at - METADATA_BYTES;
      const word = view.seek(place, 8);
      const [low, high] = [readU32(view.memory, word), readU32(view.memory, word + 4)];
      if (tombstone) table.remove(low, high);
      else table.set(low, high, place);
    }
    this.#hooks.after(end);
  }
}
