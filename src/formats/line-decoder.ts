/**
 * Blocks of whole lines to batches: keeps count of lines and documents, and refuses bad lines. What
 * cuts the blocks out of a stream is the format's business.
 */
import { Batch, type Origin, sourcePlace } from '../core/batch.ts';
import { checkCount, checkLimits } from '../core/check-option.ts';
import { type ErrorCode, EtlError, type Place } from '../core/errors.ts';
import { type OnError, readOnError } from '../core/reject.ts';
import { sharedKernel } from '../kernels/index.ts';
import {
  type BadLine,
  type Kernel,
  type LinesOptions,
  MAX_DEPTH,
  type Selector,
} from '../kernels/types.ts';
import type { LineBlock } from './cut-lines.ts';
import { OBJECT_PIECE_BYTES, piecesOfLines } from './pieces-of-lines.ts';

/** A place between two lines of one source: decompressed bytes and lines before it. */
export interface LineCursor {
  /** Path, URL or name, where known. */
  readonly source?: string;
  readonly offset: number;
  readonly line: number;
}

/** How blocks become batches, whatever they were cut from. */
export interface DecoderOptions {
  /** Path, URL or name, for messages. */
  readonly source?: string;
  /** Size of a batch, roughly. Default 1 MiB. */
  readonly batchBytes?: number;
  /** Longest line, its end excluded. Default 16 MiB. Error: LINE_TOO_LONG. */
  readonly maxLineBytes?: number;
  /** Deepest nesting, the document itself being 1, up to 8192. Default 512. Error: NESTING_TOO_DEEP. */
  readonly maxDepth?: number;
  /** Default 'stop'. */
  readonly onError?: OnError;
  /** The key to find and hash in every document. Default `_id`. */
  readonly key?: readonly string[];
  /** Make batches of objects, without lines and their places. Default false. */
  readonly documents?: boolean;
  /** Ordinal of the first document. Default 0. */
  readonly ordinal?: number;
  /**
   * Makes `batch.cursor` of the place behind the batch, `ordinal` being that of the next document.
   * Default the LineCursor alone.
   */
  readonly cursorAt?: (place: LineCursor, ordinal: number) => unknown;
  /** Default the shared one of this thread. */
  readonly kernel?: Kernel;
}

/** Longest line accepted by default. */
export const DEFAULT_MAX_LINE_BYTES: number = 16 << 20;

/** Where a decoder begins; without `line`, lines are not counted and places do not name them. */
export interface DecoderStart {
  readonly offset: number;
  readonly line?: number;
}

export class LineDecoder {
  /** Set when the reading must stop. */
  failure: EtlError | undefined;
  readonly #kernel: Kernel;
  readonly #source: string | undefined;
  readonly #onError: OnError;
  readonly #maxLineBytes: number;
  readonly #cursorAt: (place: LineCursor, ordinal: number) => unknown;
  readonly #linesOptions: LinesOptions;
  /** Set where objects are wanted at once. */
  readonly #selector: Selector | undefined;
  readonly #countsLines: boolean;
  #line: number;
  #ordinal: number;

  /** Errors: INVALID_ARGUMENT. */
  constructor(options: DecoderOptions, start: DecoderStart) {
    const { batchBytes = 1, maxLineBytes = DEFAULT_MAX_LINE_BYTES, maxDepth } = options;
    checkCount('batchBytes', batchBytes);
    checkLimits({ maxLineBytes });
    checkCount('maxDepth', maxDepth ?? 1, 1, MAX_DEPTH);
    this.#kernel = options.kernel ?? sharedKernel();
    this.#source = options.source;
    this.#onError = readOnError(options.onError);
    this.#maxLineBytes = maxLineBytes;
    this.#cursorAt = options.cursorAt ?? ((place) => place);
    this.#countsLines = start.line !== undefined;
    this.#line = start.line ?? 0;
    this.#ordinal = options.ordinal ?? 0;
    this.#linesOptions = {
      ...(options.key ? { key: options.key } : {}),
      ...(maxDepth === undefined ? {} : { maxDepth }),
    };
    this.#selector = options.documents ? this.#kernel.selector({ maxDepth }) : undefined;
  }

  /**
   * The batches of a block, up to the line to stop at if there is one: then `failure` is set. A
   * block without good documents gives a batch without any, for its cursor, unless it is a line too long to
   * stop at.
   */
  *batches(block: LineBlock): Generator<Batch, void, void> {
    if (block.tooLong) {
      this.#refuse(block);
      // To stop, the cursor of the block before is as good; this line's beginning may be long gone.
      if (!this.failure) yield this.#passed(block.end);
      return;
    }
    for (const part of this.#selector ? smallBlocks(block) : [block]) {
      yield this.#decode(part);
      if (this.failure) return;
    }
  }

  #decode(block: LineBlock): Batch {
    let { bytes, offset } = block;
    if (offset === 0 && startsWithMark(bytes)) {
      bytes = bytes.subarray(3);
      offset = 3;
    }
    const read = this.#selector?.documents(bytes) ?? this.#kernel.lines(bytes, this.#linesOptions);
    const stop = this.#report(read.bad, bytes, offset);
    const end = stop ? offset + stop.start : block.end;
    const count = stop ? stop.before : 'documents' in read ? read.documents.length : read.count;
    const cursor = this.#cursor(end, stop ? stop.line : read.lineCount, count);
    const at: Origin = { ...this.#named(), ordinal: this.#ordinal };
    const line = this.#countsLines ? { line: this.#line } : {};
    const { codec } = this.#kernel;
    let batch: Batch;
    if ('documents' in read) {
      const documents = stop ? read.documents.slice(0, stop.before) : read.documents;
      batch = Batch.fromDocuments(documents, codec, at, cursor);
    } else {
      const good = stop ? { ...read, count: stop.before, dense: false } : read;
      batch = Batch.fromLines(good, codec, { ...at, ...line, offset }, cursor);
    }
    this.#line += read.lineCount;
    this.#ordinal += batch.length;
    return batch;
  }

  #refuse(block: LineBlock): void {
    const line = this.#countsLines ? { line: this.#line + 1 } : {};
    this.#reject(
      'LINE_TOO_LONG',
      `longer than ${this.#maxLineBytes} bytes`,
      { ...sourcePlace(this.#source), offset: block.offset, ...line },
      () => block.bytes,
    );
    this.#line++;
  }

  /** A batch of no documents, for the cursor behind a line that was passed over. */
  #passed(end: number): Batch {
    const cursor = this.#cursor(end, 0, 0);
    return Batch.fromDocuments([], this.#kernel.codec, this.#named(), cursor);
  }

  #named(): { readonly source?: string } {
    return this.#source === undefined ? {} : { source: this.#source };
  }

  #cursor(offset: number, lines: number, documents: number): unknown {
    const place = { ...this.#named(), offset, line: this.#line + lines };
    return this.#cursorAt(place, this.#ordinal + documents);
  }

  /** Reports the bad lines; answers the one to stop at. */
  #report(all: readonly BadLine[], bytes: Uint8Array, offset: number): BadLine | undefined {
    for (const bad of all) {
      const place = this.#placeOf(bad, offset);
      this.#reject(bad.code, bad.reason, place, () => this.#bytesOf(bad, bytes));
      if (this.failure) return bad;
    }
    return undefined;
  }

  /** Where lines are made of elements, spaces around them are not theirs. */
  #bytesOf({ start, end }: BadLine, bytes: Uint8Array): Uint8Array {
    let from = start;
    let to = end;
    while (!this.#countsLines && bytes[from] === 32) from++;
    while (!this.#countsLines && bytes[to - 1] === 32) to--;
    return bytes.slice(from, to);
  }

  #placeOf(bad: BadLine, offset: number): Place {
    const place = { ...sourcePlace(this.#source), offset: offset + bad.offset };
    if (!this.#countsLines) return place;
    return { ...place, line: this.#line + bad.line + 1, column: bad.offset - bad.start + 1 };
  }

  #reject(code: ErrorCode, reason: string, place: Place, bytes: () => Uint8Array): void {
    if (this.#onError === 'stop') this.failure = new EtlError(code, reason, { place });
    else if (this.#onError !== 'skip') this.#onError({ code, reason, place, bytes: bytes() });
  }
}

/** True for bytes that begin with a byte order mark. */
export function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function* smallBlocks(block: LineBlock): Generator<LineBlock, void, void> {
  let { offset } = block;
  for (const bytes of piecesOfLines(block.bytes, OBJECT_PIECE_BYTES)) {
    const end = offset + bytes.length;
    const isLast = end === block.offset + block.bytes.length;
    yield { bytes, offset, end: isLast ? block.end : end };
    offset = end;
  }
}
