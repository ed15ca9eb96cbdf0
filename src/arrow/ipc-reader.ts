/**
 * Reads the Arrow IPC file and stream formats message by message from bytes as they come. In memory:
 * one record batch, and the dictionaries in force. The file format is read like the stream that it
 * holds; that its footer is there says that nothing is missing. Only where the schema stands in the
 * footer alone is that read first.
 *
 * Bodies that lie in one chunk are used where they are, others are put together once.
 * Errors: CORRUPTED_INPUT, TRUNCATED_INPUT, UNSUPPORTED and LIMIT_EXCEEDED, all with the offset of
 * the message in question.
 */
import { Field, type Schema } from 'apache-arrow';
import { EtlError, type Place } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import { ByteQueue } from './byte-queue.ts';
import { type ColumnView, type Decompress, loadColumns } from './column-view.ts';
import {
  type BodyLayout,
  CONTINUATION,
  decodeFooter,
  decodeMessage,
  type IpcMessage,
} from './ipc-message.ts';

export interface IpcReaderOptions {
  /** Names the source in errors. */
  readonly place: Place;
  readonly decompress: Decompress;
  /** Most bytes of a record batch, compressed or not. */
  readonly maxBatchBytes: number;
  /** The last `count` bytes of the input, for who can get them before the rest. */
  readonly tail?: (count: number) => Promise<Uint8Array | undefined>;
}

/** A record batch: its metadata and body, and columns on demand. */
export interface IpcBatch {
  readonly rows: number;
  readonly metadata: Uint8Array;
  readonly body: Uint8Array;
  /** Where the message begins. */
  readonly offset: number;
  /** Columns, checked: all, or those of these names. Errors: CORRUPTED_INPUT. */
  columns(names?: readonly string[]): ColumnView[];
}

const MAGIC = 'ARROW1';
const MAX_MAGIC_BYTES = 64;
const MAX_METADATA_BYTES = 2 ** 28;
/** Length of the footer and the magic, behind the footer. */
const END_BYTES = 10;
const NO_ARROW = 'this is no Arrow file or stream: it does not begin with a schema';

interface FoundMessage {
  readonly message: IpcMessage;
  /** Where it begins. */
  readonly offset: number;
  readonly metadata: Uint8Array;
}

export class IpcReader {
  readonly #queue: ByteQueue;
  readonly #options: IpcReaderOptions;
  readonly #dictionaries = new Map<number, readonly ColumnView[]>();
  #schema: Schema | undefined;
  #isFile = false;
  /** What was read in search of the schema: a message, or the end. */
  #ahead: { readonly found: FoundMessage | undefined } | undefined;

  /** The reader stays the caller's to close. */
  constructor(reader: ByteReader, options: IpcReaderOptions) {
    this.#queue = new ByteQueue(reader);
    this.#options = options;
  }

  /** Reads up to the first record batch. Call it once, before `batches`. */
  async open(): Promise<{ schema: Schema; metadata: Uint8Array }> {
    const head = await this.#queue.peek(MAGIC.length);
    this.#isFile = String.fromCharCode(...head) === MAGIC;
    if (this.#isFile) await this.#takeMagic();
    const found = await this.#message();
    if (found?.message.kind === 'schema') {
      this.#schema = found.message.schema;
      return { schema: this.#schema, metadata: found.metadata };
    }
    if (!this.#isFile) throw this.#error('CORRUPTED_INPUT', NO_ARROW, 0);
    this.#ahead = { found };
    const metadata = await this.#footer();
    this.#schema = decodeFooter(metadata, this.#options.place);
    return { schema: this.#schema, metadata };
  }

  /** The record batches in order; the body of one is let go when the next is asked for. */
  async *batches(): AsyncGenerator<IpcBatch, void, void> {
    for (;;) {
      const { found } = this.#ahead ?? { found: await this.#message() };
      this.#ahead = undefined;
      if (!found) break;
      const { message, offset, metadata } = found;
      if (message.bodyLength > this.#options.maxBatchBytes) {
        const limit = `the limit of ${this.#options.maxBatchBytes}; raise maxBatchBytes`;
        const what = `a record batch of ${message.bodyLength} bytes is over ${limit}`;
        throw this.#error('LIMIT_EXCEEDED', what, offset);
      }
      const body = await this.#take(message.bodyLength, 'a record batch', offset);
      if (message.kind === 'batch') {
        const { layout } = message;
        const { fields } = this.#schema!;
        const columns = (names?: readonly string[]): ColumnView[] =>
          this.#load(fields, layout, body, offset, names);
        yield { rows: layout.rows, metadata, body, offset, columns };
      } else if (message.kind === 'dictionary') this.#keepDictionary(message, body, offset);
      else if (message.kind === 'schema') {
        throw this.#error('CORRUPTED_INPUT', 'a second schema', offset);
      }
    }
    if (this.#isFile) await this.#checkFooter();
  }

  /** The magic, filled up with zeros to a multiple of 8; by arrow-rs to one of up to 64. */
  async #takeMagic(): Promise<void> {
    let isZero: boolean;
    do {
      await this.#take(8, 'the beginning');
      const next = await this.#queue.peek(8);
      isZero = next.length === 8 && next.every((byte) => byte === 0);
    } while (isZero && this.#queue.position < MAX_MAGIC_BYTES);
  }

  async #message(): Promise<FoundMessage | undefined> {
    const offset = this.#queue.position;
    const prefix = await this.#queue.peek(4);
    // A stream may end without saying so.
    if (prefix.length === 0 && !this.#isFile && this.#schema) return undefined;
    let length = readWord(await this.#take(4, 'a message'));
    if (length === CONTINUATION) length = readWord(await this.#take(4, 'a message'));
    if (length === 0) return undefined;
    if (length > MAX_METADATA_BYTES) {
      const what = this.#schema ? `a message of ${length} bytes` : NO_ARROW;
      throw this.#error('CORRUPTED_INPUT', what, offset);
    }
    const metadata = await this.#take(length, 'a message', offset);
    const place = { ...this.#options.place, offset };
    return { message: decodeMessage(metadata, place), offset, metadata };
  }

  #keepDictionary(
    { id, isDelta, layout }: IpcMessage & { kind: 'dictionary' },
    body: Uint8Array,
    offset: number,
  ): void {
    const type = this.#schema!.dictionaries.get(id);
    if (!type) throw this.#error('CORRUPTED_INPUT', `nobody asked for dictionary ${id}`, offset);
    const [chunk] = this.#load([new Field('dictionary', type, true)], layout, body, offset);
    const before = isDelta ? (this.#dictionaries.get(id) ?? []) : [];
    this.#dictionaries.set(id, [...before, chunk!]);
  }

  #load(
    fields: readonly Field[],
    layout: BodyLayout,
    body: Uint8Array,
    offset: number,
    names?: readonly string[],
  ): ColumnView[] {
    try {
      return loadColumns(fields, layout, body, {
        decompress: this.#options.decompress,
        dictionaries: this.#dictionaries,
        maxBytes: this.#options.maxBatchBytes,
        unionBitmaps: this.#schema!.metadataVersion < 4,
        ...(names ? { wants: ({ name }) => names.includes(name) } : {}),
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw this.#error('CORRUPTED_INPUT', `a record batch cannot be read: ${why}`, offset, cause);
    }
  }

  /**
   * The footer, before all that comes in front of it: apache-arrow's own writer leaves the schema out
   * at the beginning. Where the input cannot be read from the end, it is held in memory as a whole.
   */
  async #footer(): Promise<Uint8Array> {
    const { maxBatchBytes, tail = (count) => this.#queue.tail(count, maxBatchBytes) } =
      this.#options;
    const end = await tail(END_BYTES);
    const length = end && isEnd(end) ? readWord(end) : 0;
    const bytes = length > 0 && length < MAX_METADATA_BYTES && (await tail(length + END_BYTES));
    if (bytes) return bytes.subarray(0, length);
    const what = `no schema at the beginning, and no footer within ${maxBatchBytes} bytes`;
    const isLong = this.#queue.held >= maxBatchBytes;
    throw this.#error(isLong ? 'LIMIT_EXCEEDED' : 'TRUNCATED_INPUT', what, 0);
  }

  /** Behind the last message of a file: the footer, its length, and the magic once more. */
  async #checkFooter(): Promise<void> {
    const from = this.#queue.position;
    const { length, end } = await this.#queue.drain(END_BYTES);
    if (length < END_BYTES || !isEnd(end) || readWord(end) !== length - END_BYTES) {
      throw this.#error('TRUNCATED_INPUT', 'the footer of the file is missing or cut', from);
    }
  }

  async #take(count: number, what: string, offset = this.#queue.position): Promise<Uint8Array> {
    const bytes = await this.#queue.take(count);
    if (bytes) return bytes;
    throw this.#error('TRUNCATED_INPUT', `the input ends inside ${what}`, offset);
  }

  #error(
    code: 'CORRUPTED_INPUT' | 'TRUNCATED_INPUT' | 'LIMIT_EXCEEDED',
    what: string,
    offset: number,
    cause?: unknown,
  ): EtlError {
    const place = { ...this.#options.place, offset };
    return new EtlError(code, what, cause === undefined ? { place } : { place, cause });
  }
}

function isEnd(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(4)) === MAGIC;
}

function readWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
