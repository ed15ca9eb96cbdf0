/**
 * Documents to Arrow IPC: a file, standard output or a stream.
 *
 * Held at a time: what the schema is inferred from (until it is), one record batch being filled and
 * one being written. A file appears under its name only when it is whole and synced.
 */
import { extname } from 'node:path';
import type { Writable } from 'node:stream';
import type { Schema } from 'apache-arrow';
import { Assembler, type RowGroup, withinMemory } from '../arrow/assembler.ts';
import {
  type FieldsOffer,
  gaveBatch,
  type KnownFields,
  offerFields,
  type Rereading,
  readAgain,
} from '../arrow/fields-offer.ts';
import { holdsJson } from '../arrow/infer.ts';
import { IpcEncoder, type IpcFormat } from '../arrow/ipc.ts';
import type { RecordBatchOptions } from '../arrow/table.ts';
import type { Batch } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError, isEtlError } from '../core/errors.ts';
import type { Sink } from '../core/stage.ts';
import { refuseCompression } from '../io/compress.ts';
import type { WriteTarget } from '../io/file-writer.ts';
import { type FieldStats, sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { asksForFolder, folderOf } from './folder-options.ts';
import { Held } from './held.ts';
import {
  type FolderOptions,
  type OneFile,
  type PartitionedSummary,
  type PartitionOptions,
  partitioned,
} from './partitioned.ts';
import { isFile, openTarget } from './text-target.ts';

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
  /** Documents that `where` did not keep. */
  readonly filtered: number;
  readonly recordBatches: number;
  readonly bytesWritten: number;
  readonly schema: Schema;
}

/**
 * Writes one Arrow file or stream, which is valid even without a document. `-` is standard output,
 * which is not closed; when its reader goes away
 * the source is ended early, quietly. Another stream is ended.
 *
 * Errors: SCHEMA_CHANGED with the place of the first document that does not fit the schema,
 * INVALID_ARGUMENT at once for options that cannot be and names in `.gz`, `.br` or `.zst`, IO_ERROR naming the path, ABORTED.
 */
export function arrowSink(
  target: string | Writable,
  options?: ArrowSinkOptions & OneFile,
): SinkStream<ArrowSinkSummary>;
/**
 * Writes a folder of files, with `partitionBy` or `rotate`; see `partitioned`. Each file has the schema
 * of its own documents unless one is given. Open files share the 256 MiB that batches may take.
 */
export function arrowSink(
  folder: string,
  options: ArrowSinkOptions & FolderOptions,
): SinkStream<PartitionedSummary>;
export function arrowSink(
  target: string | Writable,
  options: ArrowSinkOptions & PartitionOptions = {},
): SinkStream<ArrowSinkSummary> | SinkStream<PartitionedSummary> {
  if (asksForFolder('arrowSink', options)) {
    return arrowFiles(folderOf('arrowSink', target), options);
  }
  const { signal, kernel = sharedKernel(), ...rest } = options;
  let known: KnownFields | undefined;
  const sink = createArrowSink(target, { kernel, ...rest }, () => known);
  const stream = new SinkStream(sink, kernel.codec, signal ? { signal } : {});
  const waiting = new AbortController();
  let senders = 0;
  stream.on('pipe', (sender) => {
    known = undefined;
    // Several senders: none of them knows the fields of all.
    if (++senders > 1) waiting.abort();
    else if (options.schema === undefined && offerFields in sender) {
      known = askSender(sender as unknown as FieldsOffer, target, options, waiting.signal);
    }
  });
  for (const event of ['unpipe', 'close']) stream.on(event, () => waiting.abort());
  return stream;
}

function askSender(
  sender: FieldsOffer,
  target: string | Writable,
  { where, onNewField }: ArrowSinkOptions,
  signal: AbortSignal,
): KnownFields {
  const again = sender[readAgain];
  const canStartOver = isFile(target) && onNewField !== 'ignore';
  const holds = (batch: Batch): boolean => sender[gaveBatch]?.(batch) ?? true;
  // Whole documents have fields for the predicate that selected ones lack.
  const differs = where !== undefined && again?.select !== undefined;
  if (again && canStartOver && !differs && again.begin(signal)) return { again, holds };
  const fields = sender[offerFields](signal, where);
  // Waited for on opening; the sink may not come to that.
  fields.catch(() => undefined);
  return { fields, holds };
}

/** Of a record batch: the one being filled, and the one being written. */
const COPIES = 2;
/** Bytes of documents to begin with where starting over is possible. */
const FIRST_LOOK_BYTES = 4 << 20;

/**
 * The same without the stream around it. `askKnown` is called on opening where no schema is given:
 * what is known of all documents that will come, if anything is.
 *
 * Where the documents can be read again, the schema is made from the first of them. It is right
 * nearly always; if a document comes that does not fit it, all fields are asked for, and the file
 * begun anew from a second reading, which replaces the first.
 *
 * What is held, beyond options that say otherwise, is at most `maxMemory` or what the run has of it.
 */
export function createArrowSink(
  target: string | Writable,
  options: Omit<ArrowSinkOptions, 'signal'> = {},
  askKnown?: () => KnownFields | undefined,
  maxMemory: number = Number.POSITIVE_INFINITY,
): Sink<ArrowSinkSummary> {
  const { format = formatByTarget(target), kernel = sharedKernel() } = options;
  checkChoice('format', format, ['file', 'stream']);
  refuseCompression('Arrow', target);
  let limited = withinMemory(options, COPIES, maxMemory);
  let assembler = new Assembler(kernel, limited);
  const wants = { unread: true, releases: true };
  let most = maxMemory;
  let stopping: AbortSignal | undefined;
  let again: Rereading | undefined;
  let known: KnownFields | undefined;
  /** All that is known of comes from the second reading. */
  let startedOver = false;
  let satisfied = false;
  let abortSignal: AbortSignal;
  let writer: WriteTarget | undefined;
  let encoder: IpcEncoder | undefined;
  let held = new Held<RowGroup>();
  let received = 0;
  let documents = 0;
  let recordBatches = 0;

  const begin = async (select?: Rereading['select']): Promise<void> => {
    encoder = undefined;
    held = new Held();
    received = 0;
    documents = 0;
    recordBatches = 0;
    assembler = new Assembler(kernel, limited, select);
    writer = await openTarget(target, most, stopping);
  };
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
    for (const group of groups) {
      const { columns, rows } = group;
      const ipc = await startedEncoder();
      await writeAll(ipc.batch(columns, rows));
      held.add(group, ipc.byteLength, writer!);
      documents += rows;
      recordBatches++;
    }
  };
  const take = async (batch: Batch, isOther = false): Promise<void> => {
    received += batch.length;
    // What is in the file is filled again.
    for (const group of held.released(writer!)) assembler.recycle(group);
    await writeGroups(assembler.add(batch, isOther));
  };
  /** Builds on the fields of all. */
  const expect = (
    fields: readonly FieldStats[] | undefined,
    select?: Rereading['select'],
  ): void => {
    if (!fields) return;
    assembler = new Assembler(kernel, limited, select);
    assembler.expectFields(fields);
  };
  const startOver = async ({ select, batches }: Rereading): Promise<void> => {
    again = undefined;
    startedOver = true;
    satisfied = true;
    await writer!.abort();
    await begin(select);
    const tell = (fields: readonly FieldStats[] | undefined): void => expect(fields, select);
    const reading = batches(abortSignal, wants, tell, options.where);
    for await (const batch of reading) await take(batch);
  };

  return {
    name: 'arrowSink',
    get atomic() {
      return isFile(target);
    },
    wants,
    get satisfied() {
      return satisfied || writer?.closed === true;
    },
    async open(signal, run) {
      abortSignal = signal;
      stopping = run?.stopping;
      most = Math.min(maxMemory, run?.maxMemory ?? maxMemory);
      limited = withinMemory(options, COPIES, most);
      again = undefined;
      startedOver = false;
      satisfied = false;
      await begin();
      known = options.schema === undefined ? askKnown?.() : undefined;
      if (known === undefined) return;
      if ('fields' in known) return expect(await known.fields);
      // What has been seen cannot be begun anew.
      if (writer!.hidden) again = known.again;
      const look = again ? Math.min(limited.inferBytes, FIRST_LOOK_BYTES) : limited.inferBytes;
      assembler = new Assembler(kernel, { ...limited, inferBytes: look }, known.again.select);
    },
    async write(batch: Batch) {
      // Of another stream, or written by hand: nobody can read it again.
      const isOther = known?.holds(batch) === false;
      if (isOther) {
        if (known && 'again' in known && known.again.select) throw ofTwo(batch);
        again = undefined;
        satisfied = false;
      } else if (startedOver) return;
      try {
        await take(batch, isOther);
        // More documents might tell what a column of raw text should have been.
        if (!again || !assembler.plan?.columns.some(({ type }) => holdsJson(type))) return;
      } catch (error) {
        if (!again || !isEtlError(error, 'SCHEMA_CHANGED')) throw error;
      }
      await startOver(again);
    },
    async finish() {
      await writeGroups(assembler.finish());
      await writeAll((await startedEncoder()).end());
      const bytesWritten = await writer!.finish();
      const filtered = received - documents;
      const { schema } = assembler.plan!;
      return { documents, filtered, recordBatches, bytesWritten, schema };
    },
    async abort() {
      await writer?.abort();
    },
  };
}

function ofTwo(batch: Batch): EtlError {
  const reason =
    'documents come from two streams, of which the first has chosen fields: give a schema';
  return new EtlError('INVALID_ARGUMENT', reason, { place: batch.place(0) });
}

function arrowFiles(
  folder: string,
  options: ArrowSinkOptions & FolderOptions,
): SinkStream<PartitionedSummary> {
  const { maxOpenFiles = 32, format = 'file', signal: _signal, ...rest } = options;
  const share = Math.max(1 << 20, Math.floor((256 << 20) / maxOpenFiles));
  const make = (path: string) => createArrowSink(path, { ...rest, format }, undefined, share);
  const extension = format === 'stream' ? '.arrows' : '.arrow';
  return partitioned(folder, make, { ...options, extension });
}

function formatByTarget(target: string | Writable): IpcFormat {
  if (typeof target !== 'string' || target === '-') return 'stream';
  return extname(target) === '.arrows' ? 'stream' : 'file';
}
