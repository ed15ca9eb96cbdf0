/**
 * What the pages of a column chunk say of themselves, held against each other before the library decodes them:
 * it believes sizes and counts, so that a run that claims 2^31 values keeps it busy for as many.
 *
 * A page is a header, then levels (how deep a value is there, and where lists begin) and values. Levels and
 * indices into a dictionary are runs: of one value many times, or of values packed into groups of eight.
 */
import type { ColumnMetaData, Compressors, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { EtlError, type Place } from '../core/errors.ts';
import { type LeafPath, nameOf } from './parquet-schema.ts';

/** A column chunk as the footer has it. */
export interface Chunk {
  /** The name of the column. */
  readonly column: string;
  readonly meta: ColumnMetaData;
  readonly start: number;
  readonly end: number;
  /** The level of a value that is there, and the deepest list's. */
  readonly definition: number;
  readonly repetition: number;
}

/** Groups that a packed run may have beyond what is left: some writers fill them up. */
const SPARE_VALUES = 504;

/** A chunk of a group of `rows`, with the levels of its leaf. Errors: RangeError where these do not fit. */
export function describeChunk(meta: ColumnMetaData, path: LeafPath, rows: number): Chunk {
  const kinds = path.map(({ element }) => element.repetition_type);
  const definition = kinds.filter((kind) => kind !== 'REQUIRED').length;
  const repetition = kinds.filter((kind) => kind === 'REPEATED').length;
  const column = nameOf(path);
  const values = Number(meta.num_values);
  if (repetition === 0 && values !== rows) {
    throw new RangeError(`column ${column} has ${values} values for ${rows} rows`);
  }
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  return { column, meta, start, end, definition, repetition };
}

/**
 * Checks the pages of a chunk; `bytes` are those of the chunk. What was decompressed for that is kept for
 * the decoder in `pages`. Errors: CORRUPTED_INPUT with the page's offset; the library's and the codec's.
 */
export function checkPages(bytes: Uint8Array, chunk: Chunk, pages: PlainPages, place: Place): void {
  const { column, meta, start, repetition } = chunk;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = { view, offset: 0 };
  let left = Number(meta.num_values);
  let at = 0;
  const fail = (problem: string): never => {
    const where = { ...place, offset: start + at };
    throw new EtlError('CORRUPTED_INPUT', `column ${column}: ${problem}`, { place: where });
  };
  // Lists may go on in pages without a first element, so that all pages are read; else as many as there are rows.
  while (reader.offset < bytes.length - 1 && (repetition > 0 || left > 0)) {
    at = reader.offset;
    const header = parquetHeader(reader);
    const { compressed_page_size: size, uncompressed_page_size: plainSize } = header;
    if (!(size >= 0 && size <= bytes.length - reader.offset && plainSize >= 0)) {
      fail(`a page of ${size} bytes, ${bytes.length - reader.offset} are left`);
    }
    const body = bytes.subarray(reader.offset, reader.offset + size);
    reader.offset += size;
    if (header.type === 'DICTIONARY_PAGE') {
      const entries = header.dictionary_page_header?.num_values ?? -1;
      if (!(entries >= 0 && entries <= plainSize)) fail(`a dictionary of ${entries} values`);
      continue;
    }
    const data = header.type === 'DATA_PAGE' ? header.data_page_header : header.data_page_header_v2;
    const count = data?.num_values ?? -1;
    if (!(count >= 0 && count <= left)) fail(`a page of ${count} values, ${left} are left`);
    left -= count;
    if (count > 0) checkPage(body, header, chunk, pages, fail);
  }
  // The decoder would leave the rows without a value null.
  if (left > 0) fail(`the last page, and ${left} of ${meta.num_values} values are missing`);
}

type Fail = (problem: string) => never;

function checkPage(
  body: Uint8Array,
  header: PageHeader,
  { meta, definition, repetition }: Chunk,
  pages: PlainPages,
  fail: Fail,
): void {
  const { codec } = meta;
  if (header.type === 'DATA_PAGE_V2') {
    const v2 = header.data_page_header_v2!;
    const { num_values: count, num_nulls: nulls } = v2;
    const { repetition_levels_byte_length: first, definition_levels_byte_length: second } = v2;
    const levels = first + second;
    if (!(first >= 0 && second >= 0 && levels <= body.length)) fail(`levels of ${levels} bytes`);
    if (!(nulls >= 0 && nulls <= count)) fail(`${nulls} nulls among ${count} values`);
    const size = header.uncompressed_page_size - levels;
    if (size < 0) fail(`levels of ${levels} bytes`);
    if (repetition > 0) countInRuns(body, 0, widthOf(repetition), count, -1, fail);
    if (definition > 0) {
      const there = countInRuns(body, first, widthOf(definition), count, definition, fail);
      if (there !== count - nulls) fail(`${nulls} nulls, and ${count - there} by the levels`);
    }
    const packed = body.subarray(levels);
    const plain = v2.is_compressed === false ? packed : pages.add(packed, size, codec);
    checkValues(plain, 0, v2.encoding, count - nulls, meta.type, fail);
    return;
  }
  const plain = pages.add(body, header.uncompressed_page_size, codec);
  const { num_values: count, encoding } = header.data_page_header!;
  let at = 0;
  let there = count;
  for (const level of [repetition, definition]) {
    if (level === 0) continue;
    const length = uint32(plain, at, fail);
    if (length > plain.length - at - 4) fail(`levels of ${length} bytes`);
    there = countInRuns(plain, at + 4, widthOf(level), count, level, fail);
    at += 4 + length;
  }
  checkValues(plain, at, encoding, definition > 0 ? there : count, meta.type, fail);
}

/**
 * The values from `at` on, where their encoding has counts of its own. The first of differences is put down as
 * the library understands it.
 */
function checkValues(
  plain: Uint8Array,
  at: number,
  encoding: string | undefined,
  count: number,
  type: string,
  fail: Fail,
): void {
  if (count === 0) return;
  if (encoding === undefined) fail('values in no known encoding');
  if (encoding?.startsWith('DELTA_')) {
    const [, from] = varint(plain, at, fail);
    const [blocks, behind] = varint(plain, from, fail);
    if (!(blocks > 0 && blocks <= plain.length)) fail(`blocks of ${blocks} parts`);
    if (encoding === 'DELTA_BINARY_PACKED' && type === 'INT32') {
      const [, first] = varint(plain, behind, fail);
      narrowFirst(plain, first, fail);
    }
  } else if (encoding === 'RLE' && type === 'BOOLEAN') {
    countInRuns(plain, at + 4, 1, count, -1, fail);
  } else if (encoding === 'RLE' || encoding?.endsWith('_DICTIONARY')) {
    const width = plain[at] ?? 0;
    if (width > 32) fail(`values of ${width} bits`);
    if (width > 0) countInRuns(plain, at + 1, width, count, -1, fail);
  }
}

/**
 * Some writers count unsigned numbers of 32 bits in 64, so that the first, doubled for its sign, has 33: the
 * library would lose the last of them. Differences are taken modulo 2^32, and so the first may be.
 */
function narrowFirst(bytes: Uint8Array, at: number, fail: Fail): void {
  const [low, end] = varint(bytes, at, fail);
  if (end < at + 5) return;
  const last = bytes[at + 4]!;
  if (last > 0x1f) fail('a first value of more than 33 bits');
  const value = ((low >>> 1) | ((last & 0x10) << 27)) ^ -(low & 1);
  const doubled = (value << 1) ^ (value >> 31);
  for (let i = 0; i < 4; i++) bytes[at + i] = ((doubled >>> (i * 7)) & 0x7f) | 0x80;
  bytes[at + 4] = doubled >>> 28;
}

/** Goes through the runs that hold `count` values, and tells how many of these are `wanted`; -1 for none. */
function countInRuns(
  bytes: Uint8Array,
  from: number,
  width: number,
  count: number,
  wanted: number,
  fail: Fail,
): number {
  let found = 0;
  let at = from;
  for (let seen = 0; seen < count; ) {
    const left = count - seen;
    const [header, next] = varint(bytes, at, fail);
    at = next;
    const isPacked = (header & 1) === 1;
    const values = isPacked ? (header >>> 1) * 8 : header >>> 1;
    if (values > left + (isPacked ? SPARE_VALUES : 0)) {
      fail(`a run of ${values} values, ${left} are left`);
    }
    if (isPacked) {
      if (wanted >= 0) found += countPacked(bytes, at, width, Math.min(values, left), wanted);
      at += Math.max(1, (values / 8) * width);
    } else {
      let value = 0;
      for (let shift = 0; shift < width; shift += 8) value |= (bytes[at++] ?? 0) << shift;
      if (value === wanted) found += values;
    }
    seen += values;
  }
  return found;
}

function countPacked(
  bytes: Uint8Array,
  from: number,
  width: number,
  count: number,
  wanted: number,
): number {
  let found = 0;
  let at = from;
  let bits = 0;
  let have = 0;
  const mask = (1 << width) - 1;
  for (let i = 0; i < count; i++) {
    for (; have < width; have += 8) bits |= (bytes[at++] ?? 0) << have;
    if ((bits & mask) === wanted) found++;
    bits >>>= width;
    have -= width;
  }
  return found;
}

/** An unsigned number of up to 32 bits as the library reads it, and where it ends. */
function varint(bytes: Uint8Array, from: number, fail: Fail): [value: number, end: number] {
  let value = 0;
  let at = from;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? fail('a page that ends too early');
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}

function uint32(bytes: Uint8Array, at: number, fail: Fail): number {
  if (at + 4 > bytes.length) fail('a page that ends too early');
  return new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
}

function widthOf(level: number): number {
  return 32 - Math.clz32(level);
}

/** Pages decompressed for the check, until the decoder asks for them. */
export class PlainPages {
  readonly #compressors: Compressors;
  readonly #kept: { readonly bytes: Uint8Array; readonly plain: Uint8Array }[] = [];
  /** For the decoder: each codec, with the pages kept in front. */
  readonly compressors: Compressors;

  constructor(compressors: Compressors) {
    this.#compressors = compressors;
    this.compressors = Object.fromEntries(
      Object.keys(compressors).map((codec) => [
        codec,
        (bytes: Uint8Array, size: number) =>
          this.#take(bytes, size) ?? decompressPage(bytes, size, codec as never, compressors),
      ]),
    );
  }

  /** The `size` bytes that `bytes` stand for. Errors: the codec's, for others. */
  add(bytes: Uint8Array, size: number, codec: ColumnMetaData['codec']): Uint8Array {
    const plain = decompressPage(bytes, size, codec, this.#compressors);
    if (codec !== 'UNCOMPRESSED') this.#kept.push({ bytes, plain });
    return plain;
  }

  /** Columns come in the order of the file, so that it is the first mostly. */
  #take(bytes: Uint8Array, size: number): Uint8Array | undefined {
    const at = this.#kept.findIndex(
      (page) => page.plain.length === size && Buffer.compare(page.bytes, bytes) === 0,
    );
    return at < 0 ? undefined : this.#kept.splice(at, 1)[0]!.plain;
  }
}
