/**
 * Reading a collection from end to end: file order, the newest version of each document only.
 *
 * A scan is a snapshot taken at its first pull: what the same handle puts or deletes afterwards
 * neither hides nor adds documents. While every line is alive nothing is checked; otherwise the
 * index says which lines are, and lines that died since the snapshot are told by their offsets,
 * which the store collects for as long as the scan runs.
 *
 * Two pieces of about 1 MiB are in memory: one being worked on, one being read ahead. `for of` and
 * `collect` read on the calling thread, one piece at a time and no promise per document.
 */
import { setImmediate } from 'node:timers/promises';
import { checkSignal } from '../core/abort.ts';
import { Batch, type Document, type EncodedLines, RECORD_WORDS } from '../core/batch.ts';
import { checkCount, checkList } from '../core/check-option.ts';
import { DocumentIterator } from '../core/document-iterator.ts';
import { type Path, type PathInput, parsePath } from '../core/path.ts';
import type { Predicate } from '../core/predicate.ts';
import type { Wants } from '../core/stage.ts';
import { OBJECT_PIECE_BYTES } from '../formats/pieces-of-lines.ts';
import {
  buildSelection,
  type FieldStats,
  isTransparent,
  type Kernel,
  type Query,
  type Selector,
  selectFields,
} from '../kernels/index.ts';
import { type PieceOptions, readPieces, readPiecesSync } from './pieces.ts';
import { Passed } from './scan-passed.ts';
import { gatherPieces, linesAt, livingPiece, type ScanPiece, smallPieces } from './scan-pieces.ts';
import type { Snapshots } from './scan-snapshot.ts';
import { soundLines, Tally } from './scan-tally.ts';
import { cutLines, Window } from './scan-window.ts';

export interface ScanOptions {
  /** Documents to keep. Default: all. */
  readonly where?: Predicate | undefined;
  /** Fields to return. Default: whole documents. */
  readonly select?: readonly PathInput[] | undefined;
  /** Most documents to return, after `where`. Default: no limit. */
  readonly limit?: number | undefined;
  /** Documents to pass over first, after `where`. Default 0. */
  readonly offset?: number | undefined;
  /** Only documents with these ids; those that do not exist are left out. */
  readonly ids?: Iterable<string> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes read at a time. Default 1 MiB, with `where` 2 MiB, for all documents at once 8 MiB. */
  readonly pieceBytes?: number | undefined;
}

/** What a reader of batches asks for. */
export interface ScanWants extends Wants {
  /**
   * Leave `select` out: the reader takes the fields it needs from whole documents. Looked at for
   * every batch, as it may come to be known only on the way.
   */
  readonly whole?: boolean;
  /** The documents will all be kept. */
  readonly keeps?: boolean;
}

/** The fields of what a scan gives. */
export interface OfferedFields {
  readonly fields: readonly FieldStats[];
  /** Reading these fields from whole documents gives the same as from projected ones. */
  readonly wholeWillDo: boolean;
}

const OBJECTS: ScanWants = { documents: true };
const KEPT_OBJECTS: ScanWants = { documents: true, keeps: true };

/** Where a scan reads. */
export interface ScanHost {
  readonly kernel: Kernel;
  /** For messages. */
  readonly path: string;
  /** The files as they are now. */
  snapshots(): Snapshots;
}

/** The same where every document stands in a file of its own. */
export interface LooseHost extends Omit<ScanHost, 'snapshots'> {
  /** The documents with these ids, default all, a line without its end for each, that is read when asked for. */
  lines(ids?: ReadonlySet<string>): Iterable<Uint8Array>;
}

/** Files of their own take long to read: others shall not wait for a whole piece. */
const LOOSE_BYTES = 64 << 10;

/**
 * Documents of a collection; each way of reading takes its own snapshot. `for of` and `collect` keep
 * the thread to themselves while they read: for jobs of their own, not for servers.
 */
export class Scan<T extends object = Document> implements Iterable<T>, AsyncIterable<T> {
  readonly #host: ScanHost | LooseHost;
  readonly #options: ScanOptions;
  readonly #select: readonly Path[] | undefined;
  readonly #query: Query;
  readonly #selector: Selector | undefined;

  /** Errors: INVALID_ARGUMENT for a bad limit, offset, pieceBytes or path. */
  constructor(host: ScanHost | LooseHost, options: ScanOptions) {
    this.#host = host;
    this.#options = options;
    const { where, select, limit, offset, pieceBytes } = options;
    for (const [name, value] of Object.entries({ limit, offset })) {
      if (value !== undefined && value !== Number.POSITIVE_INFINITY) checkCount(name, value, 0);
    }
    if (pieceBytes !== undefined) checkCount('pieceBytes', pieceBytes);
    this.#select = select && checkList('select', select).map(parsePath);
    this.#query = {
      ...(where === undefined ? {} : { where }),
      ...(this.#select === undefined ? {} : { select: this.#select }),
      // Of lines that are passed over unread it is enough to know their number.
      trusted: true,
    };
    if (where !== undefined || select !== undefined) {
      this.#selector = host.kernel.selector(this.#query);
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void, void> & AsyncIterable<T> {
    return new DocumentIterator<T>(this.batches(OBJECTS));
  }

  *[Symbol.iterator](): Generator<T, void, void> {
    for (const documents of this.#documentsSync(OBJECTS)) {
      for (const document of documents) yield document as T;
    }
  }

  /** All documents at once, read before this returns. */
  collect(): T[] {
    const all: T[] = [];
    for (const documents of this.#documentsSync(KEPT_OBJECTS)) {
      for (const document of documents) all.push(document as T);
    }
    return all;
  }

  /** All documents at once. */
  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for await (const batch of this.batches(KEPT_OBJECTS)) {
      for (const document of batch.documents()) all.push(document as T);
    }
    return all;
  }

  /** The same documents as batches of JSONL bytes, no object made; of objects where those are wanted. */
  async *batches(wants: ScanWants = {}): AsyncGenerator<Batch, void, void> {
    const { kernel, path } = this.#host;
    const { where, limit, offset } = this.#options;
    const passed = new Passed(wants.where?.passed);
    const through = (documents: number): void => passed.finish(documents);
    // Other programs' bad lines would count among unread ones.
    const unread = wants.unread && limit === undefined && offset === undefined;
    if (wants.documents) {
      const selector = this.#selectorOfObjects(wants);
      const window = this.#window();
      const pieceBytes = this.#pieceBytes(wants.keeps);
      for await (const piece of this.#pieces({ reuse: true, pieceBytes }, through)) {
        for (const documents of this.#objects(piece, selector, window, passed)) {
          yield Batch.fromDocuments(documents, kernel.codec, { source: path });
        }
        if (window.full) return;
      }
      return;
    }
    const selector = this.#selector;
    const window = this.#window();
    const spare: Uint8Array[] = [];
    const pieces = this.#pieces({ spare }, through);
    for await (const { bytes, base, skip, table, tally, memory } of pieces) {
      const select = wants.whole ? undefined : this.#select;
      let lines: EncodedLines;
      if (selector === undefined || (wants.whole && where === undefined)) {
        const all = table ?? (unread ? kernel.split(bytes) : kernel.lines(bytes));
        if (!table) tally.take(all, all.count);
        if (skip) lines = keepLiving(all, skip);
        else lines = unread ? { ...all, unread: () => tally.mayPass() } : all;
      } else {
        const kept = select ? selector.project(bytes, skip) : selector.filter(bytes, skip);
        if (!table) tally.take(kept, where ? undefined : kept.count);
        passed.take(kept, kept.count, skip);
        lines = kept;
      }
      const { from, to } = window.take(lines.count);
      if (to > from) {
        const part = from === 0 && to === lines.count ? lines : cutLines(lines, from, to);
        // Projected or gathered lines stand nowhere in the file.
        const stands = select === undefined && memory !== undefined;
        const origin = stands ? { source: path, offset: base } : { source: path };
        const batch = Batch.fromLines(part, kernel.codec, origin);
        const isLent = wants.releases && memory && lines.bytes === bytes;
        yield isLent ? batch.lend(() => spare.push(memory)) : batch;
      }
      // What was projected stands in memory of its own.
      if (memory && (to === from || lines.bytes !== bytes)) spare.push(memory);
      if (window.full) return;
    }
  }

  /**
   * What a schema can be made from: the fields of every document that `batches` gives. Undefined
   * with `limit` or `offset`, where finding out which documents those are would be the whole work.
   */
  async fields(): Promise<OfferedFields | undefined> {
    const { where, limit, offset } = this.#options;
    if (limit !== undefined || offset !== undefined) return undefined;
    const query = where === undefined ? {} : { where, trusted: true };
    const observer = this.#host.kernel.observer(query);
    for await (const { bytes, skip, table, tally } of this.#pieces({ reuse: true })) {
      const seen = observer.observe(bytes, skip);
      if (!table) tally.take(seen, where ? undefined : seen.count);
    }
    const fields = observer.fields();
    if (this.#select === undefined) return { fields, wholeWillDo: true };
    const selection = buildSelection(this.#select);
    return {
      fields: selectFields(fields, selection),
      wholeWillDo: isTransparent(fields, selection),
    };
  }

  #selectorOfObjects({ keeps }: ScanWants): Selector {
    const { kernel } = this.#host;
    if (keeps) return kernel.selector({ ...this.#query, keeps });
    return this.#selector ?? kernel.selector(this.#query);
  }

  *#documentsSync(wants: ScanWants): Generator<readonly Document[], void, void> {
    const selector = this.#selectorOfObjects(wants);
    const window = this.#window();
    for (const piece of this.#piecesSync()) {
      yield* this.#objects(piece, selector, window);
      if (window.full) return;
    }
  }

  *#objects(
    piece: ScanPiece,
    selector: Selector,
    window: Window,
    passed?: Passed,
  ): Generator<readonly Document[], void, void> {
    const { where } = this.#options;
    // What a predicate leaves of a piece is mostly little.
    const size = where ? 4 * OBJECT_PIECE_BYTES : OBJECT_PIECE_BYTES;
    for (const { bytes, skip } of smallPieces(piece, size)) {
      const { documents, ...seen } = selector.documents(bytes, skip);
      if (!piece.table) piece.tally.take(seen, where ? undefined : documents.length);
      passed?.take(seen, documents.length, skip);
      const { from, to } = window.take(documents.length);
      if (to > from) yield to - from === documents.length ? documents : documents.slice(from, to);
      if (window.full) return;
    }
  }

  /**
   * A piece of which little is kept is soon done with. All documents at once come from larger ones: with
   * every turn of the event loop V8 may copy what is young, before its memory is full.
   */
  #pieceBytes(keeps = false): number {
    const { pieceBytes, where, limit } = this.#options;
    if (pieceBytes !== undefined) return pieceBytes;
    if (keeps && limit === undefined) return 8 << 20;
    return where ? 2 << 20 : 1 << 20;
  }

  #window(): Window {
    return new Window(this.#options.offset ?? 0, this.#options.limit ?? Number.POSITIVE_INFINITY);
  }

  /** `through` is told, when all was gone through, of how many documents. */
  async *#pieces(
    reading: PieceOptions,
    through?: (documents: number) => void,
  ): AsyncGenerator<ScanPiece, void, void> {
    const { ids, limit, where } = this.#options;
    const { pieceBytes = this.#pieceBytes() } = reading;
    const host = this.#host;
    this.#checkSignal();
    if (limit === 0) return;
    if ('lines' in host) {
      for (const piece of this.#loosePieces(host)) {
        yield piece;
        await setImmediate();
        this.#checkSignal();
      }
      return;
    }
    const { kernel, path } = host;
    const snapshot = await host.snapshots().snapshot(ids);
    const tally = new Tally(kernel, path, snapshot);
    let read = 0;
    try {
      if (snapshot.places) {
        const lines = linesAt(snapshot.stored!, snapshot.places);
        yield* gatherPieces(lines, tally, pieceBytes);
      } else {
        const parts = (await snapshot.parts?.(where)) ?? [[snapshot.from, snapshot.end]];
        for (const [from, to] of parts) {
          const options = { ...reading, pieceBytes };
          for await (const piece of readPieces(snapshot.file, from, to, options)) {
            this.#checkSignal();
            read += piece.bytes.length;
            yield livingPiece(kernel, piece, snapshot.alive, tally);
          }
        }
        if (read === snapshot.whole.end) tally.finish();
        through?.(snapshot.whole.documents);
      }
      this.#checkSignal();
    } finally {
      snapshot.release();
    }
  }

  *#piecesSync(): Generator<ScanPiece, void, void> {
    const { ids, limit } = this.#options;
    const pieceBytes = this.#pieceBytes();
    const host = this.#host;
    this.#checkSignal();
    if (limit === 0) return;
    if ('lines' in host) return yield* this.#loosePieces(host);
    const { kernel, path } = host;
    const snapshot = host.snapshots().snapshotSync(ids);
    const tally = new Tally(kernel, path, snapshot);
    try {
      if (snapshot.places) {
        const lines = linesAt(snapshot.stored!, snapshot.places);
        yield* gatherPieces(lines, tally, pieceBytes);
      } else {
        const { file, from, end } = snapshot;
        for (const piece of readPiecesSync(file, from, end, pieceBytes)) {
          this.#checkSignal();
          yield livingPiece(kernel, piece, snapshot.alive, tally);
        }
        if (from === 0 && end === snapshot.whole.end) tally.finish();
      }
      this.#checkSignal();
    } finally {
      snapshot.release();
    }
  }

  #loosePieces(host: LooseHost): Generator<ScanPiece, void, void> {
    const { ids, pieceBytes = LOOSE_BYTES } = this.#options;
    return gatherPieces(host.lines(ids && new Set(ids)), soundLines, pieceBytes);
  }

  #checkSignal(): void {
    checkSignal(this.#options.signal, 'the scan was stopped');
  }
}

/** Drops the records whose byte is not 0; the bytes stay. */
function keepLiving(lines: EncodedLines, skip: Uint8Array): EncodedLines {
  const records = new Uint32Array(lines.count * RECORD_WORDS);
  let count = 0;
  for (let i = 0; i < lines.count; i++) {
    if (skip[i] !== 0) continue;
    records.set(
      lines.records.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS),
      count * RECORD_WORDS,
    );
    count++;
  }
  if (count === lines.count) return lines;
  const { bytes, key } = lines;
  return { bytes, records, count, dense: false, ...(key === undefined ? {} : { key }) };
}
