/** Documents from Parquet files, a row group at a time. */
import { type Compressors, parquetMetadataAsync, parquetRead, snappyUncompress } from 'hyparquet';
import { type CellWriter, closeObject } from '../arrow/cell-writers.ts';
import type { JsonOut } from '../arrow/json-out.ts';
import { type Batch, type Document, sourcePlace } from '../core/batch.ts';
import { EtlError, formatPlace, isEtlError, type Place } from '../core/errors.ts';
import { isHttpUrl, redactUrl } from '../core/redact.ts';
import type { Source, Wants } from '../core/stage.ts';
import { detectCompression, SNIFF_BYTES } from '../io/decompress.ts';
import { type BlockCodec, decompressBlock } from '../io/decompress-block.ts';
import { type FileReader, openFileReader } from '../io/file-reader.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { Inputs } from './byte-input.ts';
import { type InputPlace, parsePlace } from './input-place.ts';
import { type Chunk, checkPages, describeChunk, PlainPages } from './parquet-pages.ts';
import { type ParquetSchema, readSchema } from './parquet-schema.ts';
import { type FieldWriter, fieldWriters } from './parquet-values.ts';
import { checkColumns, type RowSet, type RowsOptions, RowsToBatches } from './rows-to-batches.ts';

export type ParquetSourceOptions = RowsOptions;

/**
 * Reads Parquet files: paths and patterns, as the format is read from its end. A row group of the
 * columns needed is in memory at a time. Snappy, gzip, zstd, LZ4 and brotli are understood. Documents look
 * as those of `arrowSource`. Each batch's cursor is its row group and row.
 *
 * Errors: those of `arrowSource`; UNSUPPORTED for what is no file, or compressed as a whole.
 */
export function parquetSource<T extends object = Document>(
  input: string | URL | readonly (string | URL)[],
  options: ParquetSourceOptions = {},
): SourceStream<T> {
  const { signal } = options;
  return new SourceStream<T>(createParquetSource(input, options), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createParquetSource(
  input: string | URL | readonly (string | URL)[],
  options: ParquetSourceOptions = {},
): Source {
  return {
    name: 'parquetSource',
    batches: (signal, wants, from) =>
      readAll(input, options, signal, wants, parsePlace<ParquetPlace>(from, COUNTS)),
  };
}

/** A cursor's parts beside the place, which is always a file's beginning. */
interface ParquetPlace {
  /** The row group, and the row in it to go on with. */
  readonly group: number;
  readonly row: number;
  /** Rows before it in all files. */
  readonly ordinal: number;
  /** What the file is known by: its footer. */
  readonly check: string;
}

type Cursor = InputPlace & ParquetPlace;

const FILES_ONLY = 'Parquet is read from files only';
const COUNTS = ['group', 'row', 'ordinal'] as const;
/** Length of the footer, and the magic, behind the footer. */
const END_BYTES = 8;
const MAX_FOOTER_BYTES = 2 ** 28;

async function* readAll(
  input: string | URL | readonly (string | URL)[],
  options: ParquetSourceOptions,
  signal: AbortSignal,
  wants: Wants,
  cursor: Cursor | undefined,
): AsyncGenerator<Batch, void, void> {
  for (const each of [input].flat()) {
    if (!isHttpUrl(String(each))) continue;
    throw new EtlError('UNSUPPORTED', FILES_ONLY, { place: { url: redactUrl(each) } });
  }
  const toBatches = new RowsToBatches(options, wants);
  let ordinal = cursor ? cursor.ordinal - cursor.row : 0;
  const how = { signal, chunkBytes: 4096, rejects: wants.rejects };
  for await (const opened of new Inputs(input).open(how, cursor)) {
    const { name, path, reader, from } = opened;
    const start = reader.placeAt(0);
    await reader.close();
    const place = sourcePlace(name);
    if (path === undefined) {
      throw new EtlError('UNSUPPORTED', FILES_ONLY, { place });
    }
    const file = await openFileReader(path);
    try {
      const { schema, check } = await readFooter(file, place);
      const groups = schema.metadata.row_groups.length;
      if (from && (from.check !== check || from.group >= groups)) {
        throw new EtlError('CURSOR_MISMATCH', 'is another file than that of the cursor', { place });
      }
      checkColumns(
        schema.columns.map(({ element }) => element.name),
        options.columns,
        place,
      );
      const first = from?.group ?? 0;
      for (let group = first; group < groups; group++) {
        const set = await readGroup(file, schema, { group, options, toBatches, place });
        signal.throwIfAborted();
        const before = ordinal;
        const where = {
          source: name,
          ordinal: before,
          cursorAt: (row: number): Cursor => ({
            ...start,
            group,
            row,
            ordinal: before + row,
            check,
          }),
        };
        for (const batch of toBatches.batches(set, group === from?.group ? from.row : 0, where)) {
          yield batch;
          signal.throwIfAborted();
        }
        ordinal += set.rows;
      }
    } finally {
      await file.close();
    }
  }
}

/** The schema of a file, and what the file is known by. */
async function readFooter(
  file: FileReader,
  place: Place,
): Promise<{ schema: ParquetSchema; check: string }> {
  const compression = detectCompression(await file.peek(SNIFF_BYTES));
  if (compression !== 'none') {
    const problem = `Parquet is not read where it is compressed as a whole (${compression})`;
    throw new EtlError('UNSUPPORTED', problem, { place });
  }
  const size = file.size ?? 0;
  const end = await file.peek(END_BYTES, Math.max(0, size - END_BYTES));
  const magic = String.fromCharCode(...end.subarray(4));
  if (magic === 'PARE') throw new EtlError('UNSUPPORTED', 'an encrypted file', { place });
  if (size < END_BYTES + 4 || magic !== 'PAR1') {
    throw new EtlError('CORRUPTED_INPUT', 'this is no whole Parquet file', { place });
  }
  const length = new DataView(end.buffer, end.byteOffset).getUint32(0, true);
  if (length > Math.min(size - END_BYTES - 4, MAX_FOOTER_BYTES)) {
    throw new EtlError('CORRUPTED_INPUT', `a footer of ${length} bytes`, { place });
  }
  const footer = await file.peek(length, size - END_BYTES - length);
  const check = sharedKernel().hash(footer).toString(16).padStart(16, '0');
  const schema = await guard(place, async () =>
    readSchema(await parquetMetadataAsync(asyncBuffer(file), { geoparquet: false })),
  );
  return { schema, check };
}

interface GroupReading {
  readonly group: number;
  readonly options: ParquetSourceOptions;
  readonly toBatches: RowsToBatches;
  readonly place: Place;
}

async function readGroup(
  file: FileReader,
  { columns: all, leaves, metadata }: ParquetSchema,
  { group, options, toBatches, place }: GroupReading,
): Promise<RowSet> {
  const rowsOf = (index: number): number => Number(metadata.row_groups[index]!.num_rows);
  let rowStart = 0;
  for (let i = 0; i < group; i++) rowStart += rowsOf(i);
  const rows = rowsOf(group);
  const { needed } = toBatches;
  const nodes = all.filter(({ element }) => needed?.includes(element.name) ?? true);
  const columns = nodes.map(({ key }) => key);
  const values = new Map<string, unknown[] | ArrayLike<unknown>>();
  const pages = new PlainPages(compressors);
  await guard(place, async () => {
    const chunks = metadata.row_groups[group]!.columns.flatMap(({ meta_data: meta }, i) =>
      meta && columns.includes(meta.path_in_schema[0]!)
        ? [describeChunk(meta, leaves[i]!, rows)]
        : [],
    );
    await parquetRead({
      file: checkedBuffer(file, chunks, pages, place),
      metadata,
      columns,
      rowStart,
      rowEnd: rowStart + rows,
      utf8: false,
      geoparquet: false,
      compressors: pages.compressors,
      parsers: { timestampFromNanoseconds: (nanos) => nanos },
      onChunk: ({ columnName, columnData, rowStart: at }) => {
        if (at === rowStart && columnData.length === rows) values.set(columnName, columnData);
        else {
          const whole = (values.get(columnName) as unknown[]) ?? new Array(rows);
          for (let i = 0; i < columnData.length; i++) whole[at - rowStart + i] = columnData[i];
          values.set(columnName, whole);
        }
      },
    });
    const lost = nodes.find(({ key }) => rows > 0 && values.get(key)?.length !== rows);
    if (lost) {
      const found = values.get(lost.key)?.length ?? 'none';
      throw new RangeError(
        `column ${lost.element.name} of ${found} of the ${rows} rows of group ${group}`,
      );
    }
  });
  const { nulls = 'null', decimals = 'number' } = options;
  return {
    rows,
    writer: (out, wanted) => {
      const chosen = wanted?.flatMap((name) => nodes.filter((node) => node.element.name === name));
      try {
        const fields = fieldWriters(chosen ?? nodes, out, { nulls, decimals });
        return rowWriter(fields, values, out, place);
      } catch (cause) {
        throw describeFault(cause, place);
      }
    },
  };
}

function rowWriter(
  fields: readonly FieldWriter[],
  values: ReadonlyMap<string, ArrayLike<unknown>>,
  out: JsonOut,
  place: Place,
): CellWriter {
  const columns = fields.map(({ key, write }) => ({ write, values: values.get(key) ?? [] }));
  return (row) => {
    const begin = out.at;
    try {
      for (const { values, write } of columns) write(values[row]);
    } catch (cause) {
      throw describeFault(cause, place);
    }
    closeObject(out, begin);
  };
}

const codecs = {
  GZIP: 'gzip',
  ZSTD: 'zstd',
  BROTLI: 'brotli',
  LZ4_RAW: 'lz4-block',
} as const satisfies { readonly [name: string]: BlockCodec };

const compressors: Compressors = {
  SNAPPY(bytes, size) {
    const plain = new Uint8Array(size);
    snappyUncompress(bytes, plain);
    return plain;
  },
  ...Object.fromEntries(
    Object.entries(codecs).map(([name, codec]) => [
      name,
      (bytes: Uint8Array, size: number) => decompressBlock(codec, bytes, size),
    ]),
  ),
};

interface AsyncBuffer {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

function asyncBuffer(file: FileReader): AsyncBuffer {
  const byteLength = file.size ?? 0;
  return {
    byteLength,
    async slice(start, end = byteLength) {
      if (!(start >= 0 && start <= end && end <= byteLength)) {
        throw new RangeError(`bytes ${start} to ${end} of ${byteLength}`);
      }
      const bytes = await file.peek(end - start, start);
      if (bytes.length < end - start) throw new RangeError('the file ends too early');
      return bytes.buffer as ArrayBuffer;
    },
  };
}

/** The same, with the column chunks in what is read checked. */
function checkedBuffer(
  file: FileReader,
  chunks: readonly Chunk[],
  pages: PlainPages,
  place: Place,
): AsyncBuffer {
  const { byteLength, slice } = asyncBuffer(file);
  const read = async (from: number, to: number): Promise<ArrayBuffer> => {
    const bytes = await slice(from, to);
    for (const chunk of chunks) {
      const { start, end } = chunk;
      if (start < from || end > to) continue;
      checkPages(new Uint8Array(bytes, start - from, end - start), chunk, pages, place);
    }
    return bytes;
  };
  return {
    byteLength,
    slice(from, to = byteLength) {
      const reading = read(from, to);
      // Several are asked for at once, and none is waited for behind one that failed.
      reading.catch(() => {});
      return reading;
    },
  };
}

async function guard<T>(place: Place, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw describeFault(cause, place);
  }
}

/** Whatever the library says of a file, and what cannot be done with what it gives, is the file's fault. */
function describeFault(cause: unknown, place: Place): EtlError {
  if (isEtlError(cause)) {
    return formatPlace(cause.place)
      ? cause
      : new EtlError(cause.code, cause.message, { place, cause });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = /not supported|unsupported/i.test(why) ? 'UNSUPPORTED' : 'CORRUPTED_INPUT';
  return new EtlError(code, `cannot be read: ${why}`, { place, cause });
}
