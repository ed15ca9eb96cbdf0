/**
 * Vectors of 32-bit floats (embeddings) in JSON documents, in two forms.
 *
 * An array of numbers is read by everyone. `vectorNumbers` gives one whose numbers have only the digits
 * that a 32-bit float needs (0.1, not 0.10000000149011612): half the bytes, and exact on the way back.
 * A string is compact: base64 (RFC 4648) of the floats, 4 bytes each, little-endian. Again less than half
 * of the bytes, written 20 times and read 9 times as fast (384 floats), but opaque to other programs.
 * `decodeVector` reads either.
 */
import { EtlError } from './errors.ts';

const FLOAT_BYTES = 4;
/** Digits behind the point that are tried, as powers of ten: embeddings lie between -1 and 1. */
const SCALES = [1e7, 1e8, 1e9, 1e10, 1e11];
/** Significant digits that tell any two 32-bit floats apart. */
const MAX_DIGITS = 9;

/**
 * The numbers of a vector with no more digits than are needed to get the same 32-bit floats back.
 * Errors: INVALID_ARGUMENT for a value that JSON has no number for (NaN, infinities).
 */
export function vectorNumbers(vector: Float32Array): number[] {
  const numbers = new Array<number>(vector.length);
  for (let i = 0; i < vector.length; i++) numbers[i] = shorten(vector[i]!, i);
  return numbers;
}

/** The compact form of a vector: base64 of little-endian 32-bit floats. Any value is kept. */
export function encodeVector(vector: Float32Array | readonly number[]): string {
  const floats = vector instanceof Float32Array ? vector : Float32Array.from(vector);
  const bytes = littleEndian(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  const { Buffer } = globalThis;
  if (Buffer !== undefined) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  }
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
  return btoa(text);
}

/**
 * A vector from either form. -0 comes back as 0 from an array, like everywhere in JSON.
 * Errors: INVALID_DOCUMENT for anything that is neither.
 */
export function decodeVector(value: unknown): Float32Array {
  if (typeof value === 'string') return fromBase64(value);
  if (Array.isArray(value)) {
    const wrong = value.findIndex((each) => typeof each !== 'number');
    if (wrong < 0) return Float32Array.from(value as number[]);
    throw notAVector(`element ${wrong} is no number`);
  }
  throw notAVector('neither an array of numbers nor base64');
}

/** A number of few digits that is the same 32-bit float. Arithmetic first: text costs 50 times more. */
function shorten(value: number, i: number): number {
  if (!Number.isFinite(value)) {
    throw new EtlError('INVALID_ARGUMENT', `element ${i} of the vector is ${value}`);
  }
  if (Math.abs(value) < 1) {
    for (const scale of SCALES) {
      const shorter = Math.round(value * scale) / scale;
      if (Math.fround(shorter) === value) return shorter;
    }
  }
  for (let digits = 6; digits < MAX_DIGITS; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(MAX_DIGITS));
}

function fromBase64(text: string): Float32Array {
  if (text.length % 4 !== 0) throw notAVector('no base64');
  const bytes = littleEndian(decodeBase64(text));
  if (bytes.length % FLOAT_BYTES !== 0)
    throw notAVector(`${bytes.length} bytes are no whole floats`);
  return new Float32Array(bytes.buffer, 0, bytes.length / FLOAT_BYTES);
}

/** Always in memory of its own, aligned for floats. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const { Buffer } = globalThis;
  if (Buffer !== undefined) {
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    const bytes = new Uint8Array((text.length / 4) * 3 - padding);
    // What is no base64 is passed over there, and leaves bytes unwritten.
    const written = Buffer.from(bytes.buffer).write(text, 'base64');
    if (written < bytes.length) throw notAVector('no base64');
    return bytes;
  }
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw notAVector('no base64');
  }
}

/** The same bytes with every four turned round on the machines that need it; there are hardly any. */
function littleEndian<T extends Uint8Array>(bytes: T): T {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return bytes;
  const turned = bytes.slice();
  for (let i = 0; i < turned.length; i += FLOAT_BYTES)
    turned.subarray(i, i + FLOAT_BYTES).reverse();
  return turned as T;
}

function notAVector(why: string): EtlError {
  return new EtlError('INVALID_DOCUMENT', `not a vector: ${why}`);
}
