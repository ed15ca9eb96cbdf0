/**
 * JSON Lines to batches: a pure async generator over bytes that runs anywhere.
 *
 * Bytes are decompressed UTF-8. A byte order mark at the very start is dropped. Blank lines are
 * skipped. Every byte of a batch lies in memory that nobody else writes to; chunks given in are
 * given away. Memory is bounded by a few pieces of `batchBytes` and one line of `maxLineBytes`.
 *
 * A bad line stops the reading by default, after all good documents before it have been yielded.
 */
import { Batch, type Origin, sourcePlace } from '../core/batch.ts';
import { type ErrorCode, EtlError, type Place } from '../core/errors.ts';
import type { OnError } from '../core/reject.ts';
import type { ByteReader } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { BadLine, Kernel, LinesOptions, Selector } from '../kernels/types.ts';
import { readChunks } from './chunk-reader.ts';
import { cutLines, type LineBlock } from './cut-lines.ts';
import { OBJECT_PIECE_BYTES, piecesOfLines } from './pieces-of-lines.ts';

/** A place between two lines of one source: decompressed bytes and lines before it. */
export interface LineCursor {
  /** Path, URL or name, where known. */
  readonly source?: string;
  readonly offset: number;
  readonly line: number;
}

export interface JsonlOptions {
  /** Path, URL or name, for messages. */
  readonly source?: string;
  /** Size of a batch, roughly. Default 1 MiB. */
  readonly batchBytes?: number;
  /** Longest line, its end excluded. Default 16 MiB. Error: LINE_TOO_LONG. */
  readonly maxLineBytes?: number;
  /** Deepest nesting, the document itself being 1. Default 512. Error: NESTING_TOO_DEEP. */
  readonly maxDepth?: number;
  /** Default 'stop'. */
  readonly onError?: OnError;
  /** The key to find and hash in every document. Default `_id`. */
  readonly key?: readonly string[];
  /** Make batches of objects, without lines and their places. Default false. */
  readonly documents?: boolean;
  /** Where the first byte stands in its source. Default its very start. */
  readonly from?: LineCursor;
  /** Ordinal of the first document. Default 0. */
  readonly ordinal?: number;
  /** Default the shared one of this thread. */
  readonly kernel?: Kernel;
}

/** Longest line accepted by default. */
export const DEFAULT_MAX_LINE_BYTES: number = 16 << 20;
/** Size of a batch by default, roughly. */
export const DEFAULT_BATCH_BYTES: number = 1 << 20;

/**
 * Batches of the documents in `chunks`, which may be cut anywhere. `batch.cursor` is a LineCursor.
 * Errors: JSON_ERROR, INVALID_UTF8, NESTING_TOO_DEEP, NOT_AN_OBJECT and LINE_TOO_LONG with the
 * place of the first bad byte, and whatever the iterable throws, unchanged.
 */
export async function* decodeJsonl(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: JsonlOptions = {},
): AsyncGenerator<Batch, void, void> {
  const { batchBytes = DEFAULT_BATCH_BYTES } = options;
  yield* decodeLines(readChunks(chunks, { chunkBytes: batchBytes }), options);
}

/** As `decodeJsonl`, over a reader, which it closes. */
export async function* decodeLines(
  reader: ByteReader,
  options: JsonlOptions = {},
): AsyncGenerator<Batch, void, void> {
  const { maxLineBytes = DEFAULT_MAX_LINE_BYTES, from = { offset: 0, line: 0 } } = options;
  const decoder = new LineDecoder(options, from);
  try {
    for await (const block of cutLines(reader, { maxLineBytes, offset: from.offset })) {
      if (block.tooLong) decoder.refuse(block, maxLineBytes);
      else {
        for (const part of options.documents ? smallBlocks(block) : [block]) {
          const batch = decoder.decode(part);
          if (batch) yield batch;
          if (decoder.failure) break;
        }
      }
      if (decoder.failure) throw decoder.failure;
    }
  } finally {
    await reader.close();
  }
}

function* smallBlocks(block: LineBlock): Generator<LineBlock, void, void> {
  let { offset } = block;
  for (const bytes of piecesOfLines(block.bytes, OBJECT_PIECE_BYTES)) {
    const end = offset + bytes.length;
    yield { bytes, offset, end };
    offset = end;
  }
}

/** Keeps count of lines and documents, and makes batches and rejects of blocks. */
class LineDecoder {
  /** Set when the reading must stop. */
  failure: EtlError | undefined;
  readonly #kernel: Kernel;
  readonly #source: string | undefined;
  readonly #onError: OnError;
  readonly #linesOptions: LinesOptions;
  /** Set where objects are wanted at once. */
  readonly #selector: Selector | undefined;
  #line: number;
  #ordinal: number;

  constructor(options: JsonlOptions, from: LineCursor) {
    this.#kernel = options.kernel ?? sharedKernel();
    this.#source = options.source;
    this.#onError = options.onError ?? 'stop';
    this.#line = from.line;
    this.#ordinal = options.ordinal ?? 0;
    this.#linesOptions = {
      ...(options.key ? { key: options.key } : {}),
      ...(options.maxDepth === undefined ? {} : { maxDepth: options.maxDepth }),
    };
    const { documents, maxDepth } = options;
    this.#selector = documents ? this.#kernel.selector({ maxDepth }) : undefined;
  }

  decode(block: LineBlock): Batch | undefined {
    let { bytes, offset } = block;
    if (offset === 0 && startsWithMark(bytes)) {
      bytes = bytes.subarray(3);
      offset = 3;
    }
    const read = this.#selector?.documents(bytes) ?? this.#kernel.lines(bytes, this.#linesOptions);
    const stop = this.#report(read.bad, bytes, offset);
    const source = this.#source === undefined ? {} : { source: this.#source };
    const cursor: LineCursor = {
      ...source,
      offset: stop ? offset + stop.start : block.end,
      line: this.#line + (stop ? stop.line : read.lineCount),
    };
    const at: Origin = { ...source, ordinal: this.#ordinal };
    const origin: Origin = { ...at, offset, line: this.#line };
    const { codec } = this.#kernel;
    let batch: Batch;
    if ('documents' in read) {
      const documents = stop ? read.documents.slice(0, stop.before) : read.documents;
      batch = Batch.fromDocuments(documents, codec, at, cursor);
    } else {
      const good = stop ? { ...read, count: stop.before, dense: false } : read;
      batch = Batch.fromLines(good, codec, origin, cursor);
    }
    this.#line += read.lineCount;
    this.#ordinal += batch.length;
    return batch.length === 0 ? undefined : batch;
  }

  refuse(block: LineBlock, maxLineBytes: number): void {
    this.#reject(
      'LINE_TOO_LONG',
      `the line is longer than ${maxLineBytes} bytes`,
      { ...sourcePlace(this.#source), offset: block.offset, line: this.#line + 1 },
      () => block.bytes,
    );
    this.#line++;
  }

  /** Reports the bad lines; answers the one to stop at. */
  #report(all: readonly BadLine[], bytes: Uint8Array, offset: number): BadLine | undefined {
    for (const bad of all) {
      const place = this.#placeOf(bad, offset);
      this.#reject(bad.code, bad.reason, place, () => bytes.slice(bad.start, bad.end));
      if (this.failure) return bad;
    }
    return undefined;
  }

  #placeOf(bad: BadLine, offset: number): Place {
    return {
      ...sourcePlace(this.#source),
      offset: offset + bad.offset,
      line: this.#line + bad.line + 1,
      column: bad.offset - bad.start + 1,
    };
  }

  #reject(code: ErrorCode, reason: string, place: Place, bytes: () => Uint8Array): void {
    if (this.#onError === 'stop') this.failure = new EtlError(code, reason, { place });
    else if (this.#onError !== 'skip') this.#onError({ code, reason, place, bytes: bytes() });
  }
}

function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
