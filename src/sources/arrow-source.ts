/** Documents from Arrow IPC files and streams: paths, patterns, URLs, standard input, streams. */
import { type CellWriter, objectWriter } from '../arrow/cell-writers.ts';
import type { ColumnView } from '../arrow/column-view.ts';
import { IpcReader } from '../arrow/ipc-reader.ts';
import type { JsonOut } from '../arrow/json-out.ts';
import { type Batch, type Document, sourcePlace } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError, isEtlError, type Place } from '../core/errors.ts';
import type { Source, Wants } from '../core/stage.ts';
import { joinBytes } from '../formats/chunk-reader.ts';
import { decompressBlock } from '../io/decompress-block.ts';
import { openFileReader } from '../io/file-reader.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { type ByteInput, Inputs } from './byte-input.ts';
import { type InputPlace, type InputReader, parsePlace } from './input-place.ts';
import { checkColumns, type RowsOptions, RowsToBatches } from './rows-to-batches.ts';

export interface ArrowSourceOptions extends RowsOptions {
  /**
   * Most bytes of one record batch, which is in memory as a whole. Default 1 GiB.
   * Error: LIMIT_EXCEEDED.
   */
  readonly maxBatchBytes?: number;
}

/**
 * Reads Arrow IPC, the file and the stream format, told apart by their first bytes; buffers may be
 * compressed (LZ4, zstd), and so may the whole file. A record batch is in memory at a time. The text of
 * documents is written straight from the columns; docs/guide/arrow.md has how each type looks. Each
 * batch's cursor is its record batch and row.
 *
 * Errors: those of `jsonlSource` for inputs; CORRUPTED_INPUT and TRUNCATED_INPUT for what is no Arrow
 * or is damaged, UNSUPPORTED for types that cannot be read, INVALID_ARGUMENT for a column that is not
 * there or a size that cannot be, INVALID_UTF8 with the row's ordinal, CURSOR_MISMATCH, ABORTED.
 */
export function arrowSource<T extends object = Document>(
  input: ByteInput,
  options: ArrowSourceOptions = {},
): SourceStream<T> {
  const { signal } = options;
  return new SourceStream<T>(createArrowSource(input, options), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createArrowSource(input: ByteInput, options: ArrowSourceOptions = {}): Source {
  const inputs = new Inputs(input);
  return {
    name: 'arrowSource',
    get spent() {
      return inputs.spent;
    },
    batches: (signal, wants, from) =>
      readAll(inputs, options, signal, wants, parsePlace<ArrowPlace>(from, COUNTS)),
  };
}

/** A cursor's parts beside the place, which is always an input's beginning. */
interface ArrowPlace {
  /** The record batch, and the row in it to go on with. */
  readonly batch: number;
  readonly row: number;
  /** Rows before it in all inputs. */
  readonly ordinal: number;
  /** What the record batch is known by. */
  readonly check: string;
}

const COUNTS = ['batch', 'row', 'ordinal'] as const;
const CHUNK_BYTES = 1 << 20;
const DEFAULT_MAX_BATCH_BYTES = 2 ** 30;
/** Bytes at the end of a body that it is known by, beside its metadata. */
const TAIL_BYTES = 512;

type Cursor = InputPlace & ArrowPlace;

async function* readAll(
  inputs: Inputs,
  options: ArrowSourceOptions,
  signal: AbortSignal,
  wants: Wants,
  cursor: Cursor | undefined,
): AsyncGenerator<Batch, void, void> {
  checkLimits({ maxBatchBytes: options.maxBatchBytes ?? DEFAULT_MAX_BATCH_BYTES });
  const toBatches = new RowsToBatches(options, wants);
  const how = { signal, chunkBytes: CHUNK_BYTES, rejects: wants.rejects };
  let ordinal = cursor ? cursor.ordinal - cursor.row : 0;
  for await (const { name, path, reader, from } of inputs.open(how, cursor)) {
    try {
      const rows = readInput(name, reader, { options, toBatches, ordinal, from, path });
      for (;;) {
        const step = await rows.next();
        signal.throwIfAborted();
        if (step.done) {
          ordinal = step.value;
          break;
        }
        yield step.value;
      }
    } finally {
      await reader.close();
    }
  }
}

interface Reading {
  readonly options: ArrowSourceOptions;
  readonly toBatches: RowsToBatches;
  /** Rows before the record batch to begin with. */
  readonly ordinal: number;
  readonly from: Cursor | undefined;
  readonly path: string | undefined;
}

/** The batches of one input; answers the ordinal behind its last row. */
async function* readInput(
  source: string,
  reader: InputReader,
  { options, toBatches, ordinal: begin, from, path }: Reading,
): AsyncGenerator<Batch, number, void> {
  const place = sourcePlace(source);
  const start = reader.placeAt(0);
  const { maxBatchBytes = DEFAULT_MAX_BATCH_BYTES } = options;
  const ipc = new IpcReader(reader, {
    place,
    decompress: decompressBlock,
    maxBatchBytes,
    ...(path && (await isPlainArrow(path))
      ? { tail: (count: number) => readTail(path, count) }
      : {}),
  });
  const { schema, metadata } = await ipc.open();
  const names = schema.fields.map((field) => field.name);
  checkColumns(names, options.columns, place);
  let ordinal = begin;
  let index = -1;
  for await (const batch of ipc.batches()) {
    index++;
    if (from && index < from.batch) continue;
    const check = hashOf(metadata, batch.metadata, batch.body.subarray(-TAIL_BYTES));
    const resumed = from?.batch === index ? from : undefined;
    if (resumed && (resumed.check !== check || resumed.row > batch.rows)) throw changed(place);
    const columns = batch.columns(toBatches.needed);
    const writer = (out: JsonOut, wanted?: readonly string[]): CellWriter =>
      rowWriter(columns, out, options, place, wanted);
    const before = ordinal;
    yield* toBatches.batches({ rows: batch.rows, writer }, resumed?.row ?? 0, {
      source,
      ordinal: before,
      cursorAt: (row): Cursor => ({ ...start, batch: index, row, ordinal: before + row, check }),
    });
    ordinal += batch.rows;
  }
  if (from && index < from.batch) throw changed(place);
  return ordinal;
}

/** False where the file is compressed as a whole. */
async function isPlainArrow(path: string): Promise<boolean> {
  return String.fromCharCode(...(await readTail(path, 6))) === 'ARROW1';
}

async function readTail(path: string, count: number): Promise<Uint8Array> {
  const file = await openFileReader(path);
  try {
    return await file.peek(count, Math.max(0, (file.size ?? 0) - count));
  } finally {
    await file.close();
  }
}

/** Errors: UNSUPPORTED. */
function rowWriter(
  columns: readonly ColumnView[],
  out: JsonOut,
  options: ArrowSourceOptions,
  place: Place,
  wanted: readonly string[] | undefined,
): CellWriter {
  const { nulls = 'null', decimals = 'number' } = options;
  const chosen = wanted?.flatMap((name) => columns.filter((column) => column.name === name));
  try {
    return objectWriter(chosen ?? columns, out, { nulls, decimals });
  } catch (cause) {
    if (!isEtlError(cause)) throw cause;
    throw new EtlError(cause.code, cause.message, { place, cause });
  }
}

function hashOf(...parts: readonly Uint8Array[]): string {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const hash = sharedKernel().hash(joinBytes(parts, size));
  return hash.toString(16).padStart(16, '0');
}

function changed(place: Place): EtlError {
  return new EtlError('CURSOR_MISMATCH', 'is not what it was when the cursor was made', { place });
}
