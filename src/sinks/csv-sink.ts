/** Documents to CSV: a file, standard output or a stream; compressed or not. */
import type { Writable } from 'node:stream';
import { type Batch, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { OnReject } from '../core/reject.ts';
import type { Sink } from '../core/stage.ts';
import { type CsvEncodeOptions, CsvEncoder } from '../formats/csv-encode.ts';
import { compressionByName, endingOf } from '../io/compress.ts';
import type { Compression } from '../io/decompress.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { asksForFolder, folderOf } from './folder-options.ts';
import {
  type FolderOptions,
  type OneFile,
  type PartitionedSummary,
  type PartitionOptions,
  partitioned,
} from './partitioned.ts';
import { isFile, openTextTarget, type TextTarget } from './text-target.ts';

export interface CsvSinkOptions extends CsvEncodeOptions {
  /** By the ending of the path (`.gz`, `.br`, `.zst`) if absent. */
  readonly compression?: Compression;
  /** Stops the writing with ABORTED; a file under way is removed. */
  readonly signal?: AbortSignal;
}

export interface CsvSinkSummary {
  /** Rows written, the header not counted. */
  readonly documents: number;
  /** Fields left out because they are no column (`extra: 'drop'`). */
  readonly dropped: number;
  /** CSV bytes, before compression. */
  readonly bytes: number;
  /** Bytes written, after compression. */
  readonly bytesWritten: number;
}

/**
 * Writes CSV, bytes to bytes, so numbers keep all their digits. Columns are those given, or the fields
 * of the first batch; a document with another field later is refused, or the field is left out and
 * counted (`extra`). Null and missing fields are empty, an empty text is `""`; objects and arrays are
 * written as their JSON text. Files appear whole or not at all, as those of `jsonlSink` do.
 *
 * Errors: SCHEMA_CHANGED naming record and field, INVALID_ARGUMENT, and those of `jsonlSink`.
 */
export function csvSink(
  target: string | Writable,
  options?: CsvSinkOptions & OneFile,
): SinkStream<CsvSinkSummary>;
/**
 * Writes a folder of files, with `partitionBy` or `rotate`; see `partitioned`. Without `columns` each file
 * has those of its own first batch, and needs its header.
 */
export function csvSink(
  folder: string,
  options: CsvSinkOptions & FolderOptions,
): SinkStream<PartitionedSummary>;
export function csvSink(
  target: string | Writable,
  options: CsvSinkOptions & PartitionOptions = {},
): SinkStream<CsvSinkSummary> | SinkStream<PartitionedSummary> {
  const { signal, ...rest } = options;
  if (asksForFolder('csvSink', options)) {
    const { compression = 'none', header = true, columns } = options;
    if (!header && !columns) {
      throw new EtlError('INVALID_ARGUMENT', 'csvSink: files without header need columns');
    }
    const make = (path: string) => createCsvSink(path, { ...rest, compression });
    const extension = `.csv${endingOf(compression)}`;
    return partitioned(folderOf('csvSink', target), make, { ...options, extension });
  }
  const sink = createCsvSink(target, rest);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. Errors: INVALID_ARGUMENT. */
export function createCsvSink(
  target: string | Writable,
  options: Omit<CsvSinkOptions, 'signal'> = {},
): Sink<CsvSinkSummary> {
  const { compression = typeof target === 'string' ? compressionByName(target) : 'none' } = options;
  let encoder = new CsvEncoder(options);
  let text: TextTarget | undefined;
  let documents = 0;
  let bytes = 0;
  const write = async (rows: Uint8Array): Promise<void> => {
    bytes += rows.length;
    await text!.write(rows);
  };
  return {
    name: 'csvSink',
    get atomic() {
      return isFile(target);
    },
    get satisfied() {
      return text?.closed === true;
    },
    async open(_signal, run) {
      encoder = new CsvEncoder(options);
      documents = 0;
      bytes = 0;
      text = await openTextTarget(target, compression, run);
    },
    async write(batch, onReject) {
      let refused = 0;
      const rows = encoder.encode(batch.lines(), (ordinal, reason) => {
        refused++;
        refuse(batch, ordinal, reason, onReject);
      });
      await write(rows);
      documents += batch.length - refused;
    },
    async finish() {
      await write(encoder.finish());
      const { dropped } = encoder;
      return { documents, dropped, bytes, bytesWritten: await text!.finish() };
    },
    async abort() {
      await text?.abort();
    },
  };
}

function refuse(batch: Batch, ordinal: number, reason: string, onReject?: OnReject): void {
  const place = batch.place(ordinal);
  if (!onReject) throw new EtlError('SCHEMA_CHANGED', reason, { place });
  const { bytes, records } = batch.lines();
  const at = ordinal * RECORD_WORDS;
  const line = bytes.slice(records[at], records[at + LineRecord.end]);
  onReject({ code: 'SCHEMA_CHANGED', reason, place, bytes: line });
}
