/**
 * Kernel columns as Arrow IPC bytes, file or stream format, straight from the buffers: what is
 * returned are views of the columns' memory between small pieces of framing, to be written in
 * order; the columns must not change until then.
 *
 * Layout: messages begin and bodies and buffers lie at multiples of 64 bytes from the start, so a
 * mapped file can be used as it is; nothing is compressed. Version 5 metadata, little endian. One
 * buffer holds at most 2^31 - 1 bytes of text (32-bit offsets); whoever fills the columns sees to it.
 * Source of the format: Arrow Columnar Format 1.5, "Serialization and Interprocess Communication".
 */
import {
  type Data,
  Message,
  MetadataVersion,
  type RecordBatch as Rows,
  type Schema,
} from 'apache-arrow';
import { FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import {
  BufferRegion,
  DictionaryBatch,
  FieldNode,
  RecordBatch,
} from 'apache-arrow/ipc/metadata/message';
import { VectorAssembler } from 'apache-arrow/visitor/vectorassembler';
import type { ColumnData } from '../kernels/types.ts';

export type IpcFormat = 'file' | 'stream';

const ALIGNMENT = 64;
const MAGIC: Uint8Array = new TextEncoder().encode('ARROW1');
const zeros = new Uint8Array(ALIGNMENT);

/** Encodes one file or stream: `start` once, `batch` any number of times, `end` once. */
export class IpcEncoder {
  readonly #schema: Schema;
  readonly #format: IpcFormat;
  readonly #blocks: FileBlock[] = [];
  #position = 0;

  constructor(schema: Schema, format: IpcFormat) {
    this.#schema = schema;
    this.#format = format;
  }

  /** Bytes encoded so far. */
  get byteLength(): number {
    return this.#position;
  }

  /** Magic (file only) and schema. */
  start(): Uint8Array[] {
    const out: Uint8Array[] = [];
    if (this.#format === 'file') this.#push(out, MAGIC, zeros.subarray(0, 2));
    this.#pushMessage(out, Message.from(this.#schema));
    return out;
  }

  /** A record batch of `rows` rows. */
  batch(columns: readonly ColumnData[], rows: number): Uint8Array[] {
    const nodes: FieldNode[] = [];
    const buffers: Uint8Array[] = [];
    for (const column of columns) flatten(column, nodes, buffers);

    const header = (regions: BufferRegion[]) => new RecordBatch(rows, nodes, regions, null);
    return this.#body(header, buffers, this.#blocks);
  }

  /**
   * A record batch of apache-arrow, with its dictionaries in front: for streams, as files have theirs
   * once only.
   */
  rows(batch: Rows): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (const [id, vector] of batch.dictionaries) {
      for (const [i, chunk] of vector.data.entries()) {
        const parts = Parts.of([chunk]);
        const data = (regions: BufferRegion[]) =>
          new DictionaryBatch(recordBatch(chunk.length, parts, regions), id, i > 0);
        out.push(...this.#body(data, parts.buffers.map(asBytes)));
      }
    }
    const parts = Parts.of(batch.data.children);
    const header = (regions: BufferRegion[]) => recordBatch(batch.numRows, parts, regions);
    out.push(...this.#body(header, parts.buffers.map(asBytes), this.#blocks));
    return out;
  }

  /** End of stream, and the footer (file only). */
  end(): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.#push(out, words(0xffff_ffff, 0));
    if (this.#format === 'file') {
      const footer = new Footer(this.#schema, MetadataVersion.V5, this.#blocks, []);
      const bytes = Footer.encode(footer);
      this.#push(out, bytes, words(bytes.byteLength), MAGIC);
    }
    return out;
  }

  /** A message with these buffers as its body, noted in `blocks`. */
  #body(
    header: (regions: BufferRegion[]) => RecordBatch | DictionaryBatch,
    buffers: readonly Uint8Array[],
    blocks?: FileBlock[],
  ): Uint8Array[] {
    let bodyLength = 0;
    const regions = buffers.map((buffer) => {
      const region = new BufferRegion(bodyLength, buffer.byteLength);
      bodyLength += align(buffer.byteLength);
      return region;
    });
    const out: Uint8Array[] = [];
    const from = this.#position;
    this.#pushMessage(out, Message.from(header(regions), bodyLength));
    blocks?.push(new FileBlock(this.#position - from, bodyLength, from));
    for (const buffer of buffers) {
      if (buffer.byteLength === 0) continue;
      this.#push(out, buffer, zeros.subarray(0, align(buffer.byteLength) - buffer.byteLength));
    }
    return out;
  }

  /** Continuation mark, length, flatbuffer, and padding so that what follows is aligned. */
  #pushMessage(out: Uint8Array[], message: Message): void {
    const bytes = Message.encode(message);
    const end = align(this.#position + 8 + bytes.byteLength);
    const padding = end - this.#position - 8 - bytes.byteLength;
    const length = bytes.byteLength + padding;
    this.#push(out, words(0xffff_ffff, length), bytes, zeros.subarray(0, padding));
  }

  #push(out: Uint8Array[], ...pieces: Uint8Array[]): void {
    for (const piece of pieces) {
      if (piece.byteLength === 0) continue;
      out.push(piece);
      this.#position += piece.byteLength;
    }
  }
}

/** Bytes of a text or of bytes in a column of views. */
const VIEW_BYTES = 16;

/** Nodes and buffers of columns. Where values are views, apache-arrow takes the offset of a slice twice. */
class Parts extends (VectorAssembler as unknown as new () => VectorAssembler) {
  static of(columns: readonly Data[]): Parts {
    const parts = new Parts();
    parts.visitMany(columns);
    return parts;
  }

  override visitUtf8View({ values, length, variadicBuffers }: Data): this {
    this._buffers.push(values.subarray(0, length * VIEW_BYTES), ...variadicBuffers);
    this._variadicBufferCounts.push(variadicBuffers.length);
    return this;
  }

  override visitBinaryView(data: Data): this {
    return this.visitUtf8View(data);
  }
}

function recordBatch(length: number, parts: Parts, regions: BufferRegion[]): RecordBatch {
  return new RecordBatch(length, parts.nodes, regions, null, parts.variadicBufferCounts);
}

/** Nodes and buffers in the order the format wants: a field, then its children, depth first. */
function flatten(column: ColumnData, nodes: FieldNode[], buffers: Uint8Array[]): void {
  const { length, nullCount, validity, offsets, values, children } = column;
  nodes.push(new FieldNode(length, nullCount));
  buffers.push(nullCount === 0 || !validity ? zeros.subarray(0, 0) : validity);
  if (offsets) buffers.push(asBytes(offsets));
  if (values) buffers.push(asBytes(values));
  if (children) for (const child of children) flatten(child, nodes, buffers);
}

function asBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Rounds up without going through 32 bits: files are larger than 2 GiB. */
function align(byteLength: number): number {
  return Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value, true);
  return bytes;
}
