/**
 * Messages of Arrow IPC: what the metadata in front of a body says. Schemas are decoded by
 * apache-arrow, after their structure has been walked here, as its decoder trusts what it reads.
 * Source: Arrow Columnar Format 1.5, Message.fbs and Schema.fbs.
 */
import { Message as ArrowMessage, type Schema } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { EtlError, type Place } from '../core/errors.ts';
import { FlatTable } from './flatbuffer.ts';

/** How the buffers of a body are compressed. */
export type BodyCodec = 'lz4' | 'zstd';

/** Where the columns of a body are: two numbers per node and per buffer. */
export interface BodyLayout {
  readonly rows: number;
  /** Length and null count (-1 where not counted) of every field, depth first. */
  readonly nodes: Float64Array;
  /** Offset in the body and bytes of every buffer. */
  readonly regions: Float64Array;
  readonly codec: BodyCodec | undefined;
  /** Data buffers of each column of views. */
  readonly viewBuffers: Float64Array;
}

/** The bytes of messages: all of them, or what gets them as they are asked for. */
export interface Body {
  readonly length: number;
  subarray(begin: number, end: number): Uint8Array;
}

export type IpcMessage =
  | { readonly kind: 'schema'; readonly schema: Schema; readonly bodyLength: number }
  | { readonly kind: 'batch'; readonly layout: BodyLayout; readonly bodyLength: number }
  | {
      readonly kind: 'dictionary';
      readonly id: number;
      readonly isDelta: boolean;
      readonly layout: BodyLayout;
      readonly bodyLength: number;
    }
  | { readonly kind: 'other'; readonly bodyLength: number };

/** What a message begins with, in front of its length. */
export const CONTINUATION: number = 0xffff_ffff;
const PREFIX_BYTES = 8;
/** Values of `MessageHeader`. */
const Header = { schema: 1, dictionary: 2, batch: 3 } as const;
const OLDEST_VERSION = 3;
const CODECS: readonly BodyCodec[] = ['lz4', 'zstd'];
/** Types that apache-arrow does not know: run ends, and lists by offset and size. */
const UNKNOWN_TYPES = new Map([
  [22, 'run-end encoded'],
  [25, 'list view'],
  [26, 'large list view'],
]);
const MOST_TYPE = 26;
const MAX_NESTING = 64;

/** Errors: CORRUPTED_INPUT, UNSUPPORTED, both with the place given. */
export function decodeMessage(bytes: Uint8Array, place: Place): IpcMessage {
  try {
    const message = FlatTable.root(bytes);
    if (message.i16(0) < OLDEST_VERSION) {
      throw new EtlError('UNSUPPORTED', 'metadata older than version 4 (Arrow 0.8)', { place });
    }
    const bodyLength = message.count(3);
    const header = message.table(2);
    if (!header || bodyLength < 0) throw new RangeError('no header');
    switch (message.u8(1)) {
      case Header.schema:
        checkSchema(header, bytes.length, place);
        return {
          kind: 'schema',
          schema: ArrowMessage.decode(bytes).header() as Schema,
          bodyLength,
        };
      case Header.batch:
        return { kind: 'batch', layout: decodeLayout(header, place), bodyLength };
      case Header.dictionary: {
        const data = header.table(1);
        if (!data) throw new RangeError('a dictionary without data');
        const layout = decodeLayout(data, place);
        const id = Number(header.i64(0));
        return { kind: 'dictionary', id, isDelta: header.u8(2) !== 0, layout, bodyLength };
      }
      default:
        return { kind: 'other', bodyLength };
    }
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('CORRUPTED_INPUT', 'a message cannot be read', { place, cause });
  }
}

/** The metadata of a message that begins at `at`, and where that ends. Errors: RangeError. */
export function messageAt(
  bytes: Body,
  at: number,
): { readonly metadata: Uint8Array; readonly end: number } {
  const start = at + PREFIX_BYTES;
  if (start > bytes.length) throw new RangeError('no message');
  const { buffer, byteOffset } = bytes.subarray(at, start);
  const prefix = new DataView(buffer, byteOffset, PREFIX_BYTES);
  const end = start + prefix.getUint32(4, true);
  if (prefix.getUint32(0, true) !== CONTINUATION || end > bytes.length) {
    throw new RangeError('no message');
  }
  return { metadata: bytes.subarray(start, end), end };
}

/** The schema in a file's footer. Errors: CORRUPTED_INPUT, UNSUPPORTED, with the place given. */
export function decodeFooter(bytes: Uint8Array, place: Place): Schema {
  try {
    const schema = FlatTable.root(bytes).table(1);
    if (!schema) throw new RangeError('no schema');
    checkSchema(schema, bytes.length, place);
    return Footer.decode(bytes).schema;
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('CORRUPTED_INPUT', 'the footer cannot be read', { place, cause });
  }
}

function decodeLayout(header: FlatTable, place: Place): BodyLayout {
  const compression = header.table(3);
  const codec = compression && CODECS[compression.u8(0)];
  if (compression && (!codec || compression.u8(1) !== 0)) {
    throw new EtlError('UNSUPPORTED', 'an unknown compression of buffers', { place });
  }
  const rows = header.count(0);
  const nodes = header.counts(1, 2);
  const regions = header.counts(2, 2);
  if (rows < 0 || regions.some((each) => each < 0)) throw new RangeError('a negative count');
  return { rows, nodes, regions, codec, viewBuffers: header.counts(4) };
}

/** Walks over everything in a schema that apache-arrow's decoder would loop over. */
function checkSchema(schema: FlatTable, byteLength: number, place: Place): void {
  if (schema.i16(0) !== 0) throw new EtlError('UNSUPPORTED', 'big-endian data', { place });
  // A field takes more than 8 bytes: more of them than that are the same ones over and over.
  let left = byteLength / 8;
  const walk = (fields: Iterable<FlatTable>, depth: number): void => {
    if (depth > MAX_NESTING) throw new RangeError(`fields nest deeper than ${MAX_NESTING}`);
    for (const field of fields) {
      if (--left < 0) throw new RangeError('more fields than there is room for');
      checkType(field.u8(2), place);
      walkAll(field.tables(6));
      walk(field.tables(5), depth + 1);
    }
  };
  const walkAll = (pairs: Iterable<FlatTable>): void => {
    for (const _ of pairs) if (--left < 0) throw new RangeError('more metadata than there is room');
  };
  walkAll(schema.tables(2));
  walk(schema.tables(1), 1);
}

function checkType(type: number, place: Place): void {
  const unknown = UNKNOWN_TYPES.get(type);
  if (unknown) throw new EtlError('UNSUPPORTED', `columns of type ${unknown}`, { place });
  if (type === 0 || type > MOST_TYPE) throw new RangeError(`there is no type ${type}`);
}
