/** Buffers of Arrow columns as typed arrays, and the checks that reading them needs. */
import { DataType } from 'apache-arrow';

export type Values =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** The class of a typed array. */
export interface ValuesClass<T extends Values = Values> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** Largest scale of a decimal, either way: that of 256 bits. */
const MAX_SCALE = 76;

/**
 * Bits of a value of fixed width. Errors: RangeError for a type that has none, or whose parameters
 * cannot be.
 */
export function fixedWidth(type: DataType): number {
  if (DataType.isBool(type)) return 1;
  if (DataType.isInt(type)) return oneOf(type.bitWidth, 8, 16, 32, 64);
  if (DataType.isDecimal(type)) {
    if (Math.abs(type.scale) > MAX_SCALE) throw new RangeError(`a scale of ${type.scale}`);
    return oneOf(type.bitWidth, 32, 64, 128, 256);
  }
  if (DataType.isFloat(type)) return [16, 32, 64][oneOf(type.precision, 0, 1, 2)]!;
  if (DataType.isDate(type)) return oneOf(type.unit, 0, 1) === 0 ? 32 : 64;
  if (DataType.isTime(type) || DataType.isTimestamp(type) || DataType.isDuration(type)) {
    oneOf(type.unit, 0, 1, 2, 3);
    return DataType.isTime(type) ? oneOf(type.bitWidth, 32, 64) : 64;
  }
  if (DataType.isInterval(type)) return [32, 64, 128][oneOf(type.unit, 0, 1, 2)]!;
  if (DataType.isFixedSizeBinary(type) && type.byteWidth >= 0) return type.byteWidth * 8;
  throw new RangeError(`${type} has no width`);
}

/** The value, one of those that there are. Errors: RangeError. */
function oneOf(value: number, ...known: readonly number[]): number {
  if (known.includes(value)) return value;
  throw new RangeError(`${value} is none of ${known.join(', ')}`);
}

/**
 * What the values of a type of fixed width are read as: 64-bit integers, and all that is no plain
 * number, as words of 32 bits, low ones first.
 */
export function valuesClass(type: DataType): ValuesClass {
  if (DataType.isBool(type) || DataType.isFixedSizeBinary(type)) return Uint8Array;
  const width = fixedWidth(type);
  if (DataType.isFloat(type)) {
    return width === 64 ? Float64Array : width === 32 ? Float32Array : Uint16Array;
  }
  if (DataType.isInt(type)) {
    if (width === 8) return type.isSigned ? Int8Array : Uint8Array;
    if (width === 16) return type.isSigned ? Int16Array : Uint16Array;
    if (width === 32 && !type.isSigned) return Uint32Array;
  }
  return Int32Array;
}

/** A view of the bytes, or a copy where they are not aligned. */
export function typedView<T extends Values>(bytes: Uint8Array, make: ValuesClass<T>): T {
  const size = make.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new make(aligned.buffer, aligned.byteOffset, Math.floor(bytes.length / size));
}

/** 64-bit offsets or keys as 32-bit ones; no body is large enough for more. Errors: RangeError. */
export function bigOffsets(bytes: Uint8Array): Int32Array {
  const words = typedView<Int32Array>(bytes, Int32Array);
  const offsets = new Int32Array(words.length >> 1);
  for (let i = 0; i < offsets.length; i++) {
    const low = words[i * 2]!;
    // What has a high word is no place in memory; -1 is what no check lets pass.
    offsets[i] = words[i * 2 + 1] === 0 && low >= 0 ? low : -1;
  }
  return offsets;
}

/** Errors: RangeError for offsets that go back or begin below zero. */
export function checkOffsets(offsets: Int32Array, length: number): void {
  let before = offsets[0]!;
  if (before < 0) throw new RangeError('an offset below zero');
  for (let i = 1; i <= length; i++) {
    const offset = offsets[i]!;
    if (offset < before) throw new RangeError('offsets go back');
    before = offset;
  }
}

/** Errors: RangeError for views that are not of these buffers. */
export function checkViews(
  views: Int32Array,
  length: number,
  validity: Uint8Array | undefined,
  buffers: readonly Uint8Array[],
): void {
  for (let i = 0; i < length; i++) {
    if (validity && ((validity[i >> 3]! >> (i & 7)) & 1) === 0) continue;
    const size = views[i * 4]!;
    if (size >= 0 && size <= 12) continue;
    const buffer = buffers[views[i * 4 + 2]!];
    const from = views[i * 4 + 3]!;
    if (size < 0 || !buffer || from < 0 || from + size > buffer.length) {
      throw new RangeError('a view goes past its buffer');
    }
  }
}
