/**
 * The live entries of a drive as they were when the walk began, newest first: the index tells which record
 * of the chain is the newest of its key. Before the index changes, what is left of the walk is found and
 * kept (16 bytes an entry), so a walk sees one state however long it takes.
 */
import { EtlError } from '../../core/errors.ts';
import type { DiskFile, FileView } from '../../io/index.ts';
import type { DriveTable } from '../../kernels/index.ts';
import { ChainReader } from './chain.ts';
import { EntryHandle } from './entry-handle.ts';

const NONE = new Float64Array(0);

export class LiveWalk {
  readonly #chain: ChainReader;
  readonly #table: DriveTable;
  readonly #onEnd: (walk: LiveWalk) => void;
  readonly #kept: Float64Array[] = [];
  readonly #path: string;
  #cursor: number;
  /** Why what was to come does not. */
  #failure: unknown;

  constructor(file: DiskFile, table: DriveTable, tail: number, onEnd: (walk: LiveWalk) => void) {
    this.#path = file.path;
    this.#chain = new ChainReader(file);
    this.#table = table;
    this.#cursor = tail;
    this.#onEnd = onEnd;
  }

  /**
   * Where the payloads of the next entries begin and end, two numbers each; undefined at the end. Errors:
   * CORRUPTED_DATA, INPUT_CHANGED, IO_ERROR, and what `end` was told.
   */
  next(): Float64Array | undefined {
    const kept = this.#kept.shift();
    if (kept !== undefined) return kept;
    while (this.#cursor > 0) {
      const found = this.#step();
      if (found.length > 0) return found;
    }
    this.#onEnd(this);
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  /** Finds everything that is left; the index may change afterwards. What fails is the walk's affair, not the change's. */
  freeze(): void {
    try {
      while (this.#cursor > 0) this.#kept.push(this.#step());
    } catch (error) {
      this.#cursor = 0;
      this.#failure = error;
    }
    this.#onEnd(this);
  }

  /** Gives up; whoever goes on is told why, if there is a reason. */
  end(failure?: EtlError): void {
    this.#cursor = 0;
    this.#failure = failure;
    this.#kept.length = 0;
    this.#onEnd(this);
  }

  #step(): Float64Array {
    const step = this.#chain.reportSync(this.#table, this.#cursor);
    this.#cursor = step.cursor;
    if (step.broken) {
      // The chain was whole when the drive was opened, so this is another program's doing.
      const place = { path: this.#path, offset: step.cursor };
      this.#failure = new EtlError('CORRUPTED_DATA', 'no record ends here', { place });
      this.#cursor = 0;
    }
    return step.found.slice();
  }
}

/** Handles of what a walk finds. */
export class EntryIterator implements IterableIterator<EntryHandle> {
  readonly #walk: LiveWalk;
  readonly #view: FileView;
  #places: Float64Array = NONE;
  #at = 0;

  constructor(walk: LiveWalk, view: FileView) {
    this.#walk = walk;
    this.#view = view;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<EntryHandle, undefined> {
    while (this.#at === this.#places.length) {
      const places = this.#walk.next();
      if (places === undefined) return { done: true, value: undefined };
      this.#places = places;
      this.#at = 0;
    }
    const at = this.#at;
    this.#at = at + 2;
    const handle = new EntryHandle(this.#view, this.#places[at + 1]!, this.#places[at]!);
    return { done: false, value: handle };
  }

  return(): IteratorResult<EntryHandle, undefined> {
    this.#walk.end();
    this.#at = this.#places.length;
    return { done: true, value: undefined };
  }
}
