/**
 * Documents to Arrow IPC: a file, standard output or a stream.
 *
 * Held at a time: what the schema is inferred from (until it is), one record batch being filled and
 * one being written. A file appears under its name only when it is whole and synced.
 */
import { extname } from 'node:path';
import type { Writable } from 'node:stream';
import type { Schema } from 'apache-arrow';
import { Assembler, type RowGroup } from '../arrow/assembler.ts';
import { type FieldsOffer, offerFields } from '../arrow/infer.ts';
import { IpcEncoder, type IpcFormat } from '../arrow/ipc.ts';
import type { RecordBatchOptions } from '../arrow/table.ts';
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Sink } from '../core/stage.ts';
import { createFileWriter, type WriteTarget } from '../io/file-writer.ts';
import { createStreamWriter } from '../io/stream-writer.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';

export interface ArrowSinkOptions extends RecordBatchOptions {
  /**
   * The random access format (also known as Feather) or the streaming one. If absent: 'stream' for
   * paths that end in `.arrows`, for standard output and for streams; else 'file'.
   */
  readonly format?: IpcFormat;
  /** Stops the writing with ABORTED; a file under way is removed. */
  readonly signal?: AbortSignal;
}

export interface ArrowSinkSummary {
  /** Rows written: the documents that `where` kept. */
  readonly documents: number;
  readonly recordBatches: number;
  readonly bytesWritten: number;
  readonly schema: Schema;
}

/**
 * Writes one Arrow file or stream, which is valid even without a document. `-` is standard output,
 * which is not closed. Another stream is ended.
 *
 * Errors: SCHEMA_CHANGED with the place of the first document that does not fit the schema,
 * INVALID_ARGUMENT at once for options that cannot be, IO_ERROR naming the path, ABORTED.
 */
export function arrowSink(
  target: string | Writable,
  options: ArrowSinkOptions = {},
): SinkStream<ArrowSinkSummary> {
  const { signal, kernel = sharedKernel(), ...rest } = options;
  let offer: FieldsOffer | undefined;
  const sink = createArrowSink(target, { kernel, ...rest }, (signal) =>
    offer?.[offerFields](signal),
  );
  const stream = new SinkStream(sink, kernel.codec, signal ? { signal } : {});
  let senders = 0;
  stream.on('pipe', (sender) => {
    // Several senders: none of them knows the fields of all.
    offer =
      ++senders === 1 && offerFields in sender ? (sender as unknown as FieldsOffer) : undefined;
  });
  return stream;
}

/**
 * The same without the stream around it. `askFields` is called on opening where no schema is given:
 * the fields of all documents that will come, if anybody knows them.
 */
export function createArrowSink(
  target: string | Writable,
  options: Omit<ArrowSinkOptions, 'signal'> = {},
  askFields?: (signal: AbortSignal) => ReturnType<FieldsOffer[typeof offerFields]> | undefined,
): Sink<ArrowSinkSummary> {
  const { format = formatByTarget(target), kernel = sharedKernel() } = options;
  if (format !== 'file' && format !== 'stream') {
    throw new EtlError('INVALID_ARGUMENT', `format must be 'file' or 'stream', not ${format}`);
  }
  const assembler = new Assembler(kernel, options);
  let writer: WriteTarget | undefined;
  let encoder: IpcEncoder | undefined;
  let documents = 0;
  let recordBatches = 0;

  const writeAll = async (pieces: readonly Uint8Array[]): Promise<void> => {
    for (const piece of pieces) await writer!.write(piece);
  };
  /** The schema goes first, and is known only once the assembler gives something. */
  const startedEncoder = async (): Promise<IpcEncoder> => {
    if (!encoder) {
      encoder = new IpcEncoder(assembler.plan!.schema, format);
      await writeAll(encoder.start());
    }
    return encoder;
  };
  const writeGroups = async (groups: Iterable<RowGroup>): Promise<void> => {
    for (const { columns, rows } of groups) {
      await writeAll((await startedEncoder()).batch(columns, rows));
      documents += rows;
      recordBatches++;
    }
  };

  return {
    name: 'arrowSink',
    wants: { unread: true },
    async open(signal) {
      writer = await openTarget(target);
      const fields = options.schema === undefined ? await askFields?.(signal) : undefined;
      if (fields) assembler.expectFields(fields);
    },
    write: (batch: Batch) => writeGroups(assembler.add(batch)),
    async finish() {
      await writeGroups(assembler.finish());
      await writeAll((await startedEncoder()).end());
      const bytesWritten = await writer!.finish();
      return { documents, recordBatches, bytesWritten, schema: assembler.plan!.schema };
    },
    async abort() {
      await writer?.abort();
    },
  };
}

function formatByTarget(target: string | Writable): IpcFormat {
  if (typeof target !== 'string' || target === '-') return 'stream';
  return extname(target) === '.arrows' ? 'stream' : 'file';
}

async function openTarget(target: string | Writable): Promise<WriteTarget> {
  if (typeof target !== 'string') return createStreamWriter(target);
  return target === '-' ? createStreamWriter(process.stdout) : createFileWriter(target);
}
