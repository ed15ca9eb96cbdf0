/**
 * Documents to a Parquet file, a row group at a time. Held at a time: what the schema is inferred from
 * (until it is), and one row group: its columns, its values and its bytes. The file appears under its
 * name only when it is whole and synced.
 */

import zlib from 'node:zlib';
import type { DecodedArray } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { Assembler, type RowGroup, withinMemory } from '../arrow/assembler.ts';
import type { RecordBatchOptions } from '../arrow/table.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import type { Sink } from '../core/stage.ts';
import { refuseCompression } from '../io/compress.ts';
import { createFileWriter, type WriteTarget } from '../io/file-writer.ts';
import { isInPlace } from '../io/in-place.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { refuseFolder } from './folder-options.ts';
import { columnValues, parquetSchema } from './parquet-columns.ts';

export interface ParquetSinkOptions extends RecordBatchOptions {
  /** How pages are compressed. Default 'snappy'. */
  readonly compression?: 'none' | 'snappy' | 'gzip' | 'brotli';
  /** Stops the writing with ABORTED; a file under way is removed. */
  readonly signal?: AbortSignal;
}

export interface ParquetSinkSummary {
  /** Rows written: the documents that `where` kept. */
  readonly documents: number;
  readonly rowGroups: number;
  readonly bytesWritten: number;
}

/** Of a row group: its columns, its values, its bytes, and those being written. */
const COPIES = 4;
const CODECS = { none: 'UNCOMPRESSED', snappy: 'SNAPPY', gzip: 'GZIP', brotli: 'BROTLI' } as const;

/**
 * Writes one Parquet file; `batchRows` and `batchBytes` bound its row groups. Lists and structs become
 * those of Parquet, mixed kinds JSON text.
 *
 * Errors: SCHEMA_CHANGED with the place of the first document that does not fit the schema,
 * UNSUPPORTED for documents of which none has a field; INVALID_ARGUMENT at once for options that cannot
 * be, IO_ERROR naming the path, ABORTED.
 */
export function parquetSink(
  path: string,
  options: ParquetSinkOptions = {},
): SinkStream<ParquetSinkSummary> {
  refuseFolder('parquetSink', options);
  const { signal, kernel = sharedKernel(), ...rest } = options;
  const sink = createParquetSink(path, { kernel, ...rest });
  return new SinkStream(sink, kernel.codec, signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createParquetSink(
  path: string,
  options: Omit<ParquetSinkOptions, 'signal'> = {},
): Sink<ParquetSinkSummary> {
  const { compression = 'snappy', kernel = sharedKernel() } = options;
  checkChoice('compression', compression, ['none', 'snappy', 'gzip', 'brotli']);
  refuseCompression('Parquet', path);
  let assembler = new Assembler(kernel, options);
  let bytes = new ByteWriter();
  let target: WriteTarget | undefined;
  let writer: ParquetWriter | undefined;
  let documents = 0;
  let rowGroups = 0;

  /** The schema goes with the first row group, and is known only then. */
  const startedWriter = (): ParquetWriter => {
    writer ??= new ParquetWriter({
      writer: bytes,
      schema: parquetSchema(assembler.plan!.columns),
      codec: CODECS[compression],
      compressors: {
        GZIP: (page) => zlib.gzipSync(page),
        BROTLI: (page) => zlib.brotliCompressSync(page, { params: BROTLI_FAST }),
      },
      createdBy: 'zds-stream',
    });
    return writer;
  };
  const writeOut = async (): Promise<void> => {
    await target!.write(bytes.getBytes().slice());
    bytes.index = 0;
  };
  const writeGroups = async (groups: Iterable<RowGroup>): Promise<void> => {
    for (const { columns, rows } of groups) {
      if (columns.length === 0) {
        const why = 'Parquet has no rows without columns, and no document has a field';
        throw new EtlError('UNSUPPORTED', why, { place: { path } });
      }
      const plan = assembler.plan!.columns;
      const columnData = columns.map((column, i) => ({
        name: plan[i]!.name,
        data: columnValues(column, plan[i]!.type) as DecodedArray,
      }));
      await startedWriter().write({ columnData, rowGroupSize: rows });
      await writeOut();
      documents += rows;
      rowGroups++;
    }
  };

  return {
    name: 'parquetSink',
    get atomic() {
      return !isInPlace(path);
    },
    wants: { unread: true, releases: true },
    get satisfied() {
      return target?.closed === true;
    },
    async open(_signal, run) {
      bytes = new ByteWriter();
      writer = undefined;
      documents = 0;
      rowGroups = 0;
      assembler = new Assembler(kernel, withinMemory(options, COPIES, run?.maxMemory));
      target = await createFileWriter(path, run?.maxMemory, run?.stopping);
    },
    write: (batch) => writeGroups(assembler.add(batch)),
    async finish() {
      await writeGroups(assembler.finish());
      await startedWriter().finish();
      await writeOut();
      const bytesWritten = await target!.finish();
      return { documents, rowGroups, bytesWritten };
    },
    async abort() {
      await target?.abort();
    },
  };
}

const BROTLI_FAST = { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 };
