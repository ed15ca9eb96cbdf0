/**
 * JSON text under construction: bytes in memory that grows, and what scalars look like. Whoever takes
 * the bytes owns them.
 */
import { EtlError } from '../core/errors.ts';

/** The text of one batch cannot be longer. */
const MAX_BYTES = 2 ** 30;
const encoder = new TextEncoder();
const HEX = '0123456789abcdef';
const BASE64 = encoder.encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
/** 1 for bytes that a JSON string cannot hold as they are. */
const ESCAPED = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === 0x22 || byte === 0x5c ? 1 : 0,
);
const SHORT_ESCAPES = new Map([
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
]);
/** "00" to "99". */
const PAIRS = encoder.encode(
  Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0')).join(''),
);
/** Shortest texts are looked for among so many digits behind the point, cheaply. */
const SCALES = [10, 100, 1e3, 1e4, 1e5, 1e6];
const EXACT = 1e15;
/** Text is escaped so much at a time, with room for the worst. */
const SEGMENT_BYTES = 1 << 14;

export class JsonOut {
  bytes: Uint8Array;
  at = 0;
  readonly #initial: number;

  constructor(initialBytes: number) {
    this.#initial = initialBytes;
    this.bytes = new Uint8Array(initialBytes);
  }

  /** Makes room for `count` more bytes. Errors: LIMIT_EXCEEDED. */
  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count);
  }

  /** Hands over what there is, and begins anew. */
  take(): Uint8Array {
    const { bytes, at } = this;
    this.at = 0;
    if (at < bytes.length >> 1) return bytes.slice(0, at);
    this.bytes = new Uint8Array(this.#initial);
    return bytes.subarray(0, at);
  }

  /** Bytes as they are. */
  raw(text: Uint8Array): void {
    this.reserve(text.length);
    const { bytes } = this;
    let { at } = this;
    if (text.length > 64) bytes.set(text, at);
    else for (let i = 0; i < text.length; i++) bytes[at + i] = text[i]!;
    at += text.length;
    this.at = at;
  }

  byte(value: number): void {
    if (this.at === this.bytes.length) this.#grow(1);
    this.bytes[this.at++] = value;
  }

  /** Text of nothing but ASCII, without quotes. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes, at } = this;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.at = at + text.length;
  }

  /** An integer of at most 2^53. */
  integer(value: number): void {
    this.reserve(17);
    if (value < 0) this.bytes[this.at++] = 0x2d;
    this.#digits(value < 0 ? -value : value);
  }

  /** A number with `width` digits, zeros in front; no sign. */
  padded(value: number, width: number): void {
    this.reserve(width);
    let rest = value;
    for (let i = this.at + width - 1; i >= this.at; i--) {
      const tenth = Math.floor(rest / 10);
      this.bytes[i] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    this.at += width;
  }

  /** A double in its shortest form; null for what JSON has no number for. */
  double(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
      if (value === 0 && Object.is(value, -0)) this.ascii('-0');
      else this.integer(value);
    } else if (!Number.isFinite(value)) this.ascii('null');
    else if (!this.#fraction(value)) this.ascii(String(value));
  }

  /** A 64-bit integer from its two halves. */
  wide(low: number, high: number, signed: boolean): void {
    if (high === low >> 31 && (signed || low >= 0)) this.integer(low);
    else if (high >= (signed ? -0x20_0000 : 0) && high < 0x20_0000) {
      this.integer(high * 2 ** 32 + (low >>> 0));
    } else {
      const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
      this.ascii(String(signed ? value : BigInt.asUintN(64, value)));
    }
  }

  /** UTF-8 bytes as a JSON string. */
  string(text: Uint8Array, from: number, to: number): void {
    this.byte(0x22);
    for (let start = from; start < to; start += SEGMENT_BYTES) {
      this.#escapeAll(text, start, Math.min(to, start + SEGMENT_BYTES));
    }
    this.byte(0x22);
  }

  /** UTF-8 bytes that need no escapes as a JSON string. */
  cleanString(text: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.reserve(size + 2);
    const { bytes } = this;
    let { at } = this;
    bytes[at++] = 0x22;
    if (size > 48) bytes.set(text.subarray(from, to), at);
    else for (let i = 0; i < size; i++) bytes[at + i] = text[from + i]!;
    at += size;
    bytes[at++] = 0x22;
    this.at = at;
  }

  /** Base64 (RFC 4648, padded) as a JSON string. */
  base64(source: Uint8Array, from: number, to: number): void {
    this.reserve(Math.ceil((to - from) / 3) * 4 + 2);
    const { bytes } = this;
    let { at } = this;
    bytes[at++] = 0x22;
    for (let i = from; i < to; i += 3) {
      const second = i + 1 < to ? source[i + 1]! : 0;
      const third = i + 2 < to ? source[i + 2]! : 0;
      const group = (source[i]! << 16) | (second << 8) | third;
      bytes[at++] = BASE64[group >> 18]!;
      bytes[at++] = BASE64[(group >> 12) & 63]!;
      bytes[at++] = i + 1 < to ? BASE64[(group >> 6) & 63]! : 0x3d;
      bytes[at++] = i + 2 < to ? BASE64[group & 63]! : 0x3d;
    }
    bytes[at++] = 0x22;
    this.at = at;
  }

  /** A few digits behind the point, found by arithmetic: text costs ten times as much. */
  #fraction(value: number): boolean {
    const size = Math.abs(value);
    if (size < 1e-5 || size > 1e9) return false;
    for (let i = 0; i < SCALES.length; i++) {
      const scaled = Math.round(size * SCALES[i]!);
      // With 15 digits or fewer no other text of as many digits is the same double.
      if (scaled >= EXACT) return false;
      if (scaled / SCALES[i]! !== size) continue;
      this.reserve(24);
      if (value < 0) this.bytes[this.at++] = 0x2d;
      const whole = Math.floor(scaled / SCALES[i]!);
      this.#digits(whole);
      this.bytes[this.at++] = 0x2e;
      this.padded(scaled - whole * SCALES[i]!, i + 1);
      return true;
    }
    return false;
  }

  /** Room has been made. */
  #digits(value: number): void {
    const { bytes } = this;
    let count = 1;
    for (let limit = 10; value >= limit; limit *= 10) count++;
    let end = this.at + count;
    this.at = end;
    let rest = value;
    while (rest >= 100) {
      const next = rest < 0x8000_0000 ? (rest / 100) | 0 : Math.floor(rest / 100);
      const pair = (rest - next * 100) * 2;
      bytes[--end] = PAIRS[pair + 1]!;
      bytes[--end] = PAIRS[pair]!;
      rest = next;
    }
    bytes[--end] = PAIRS[rest * 2 + 1]!;
    if (rest >= 10) bytes[--end] = PAIRS[rest * 2]!;
  }

  #escapeAll(text: Uint8Array, from: number, to: number): void {
    this.reserve((to - from) * 6);
    const { bytes } = this;
    let { at } = this;
    for (let i = from; i < to; i++) {
      const byte = text[i]!;
      if (ESCAPED[byte] === 0) bytes[at++] = byte;
      else {
        this.at = at;
        this.#escape(byte);
        at = this.at;
      }
    }
    this.at = at;
  }

  #escape(byte: number): void {
    const short = SHORT_ESCAPES.get(byte);
    this.ascii(short ?? `\\u00${HEX[byte >> 4]}${HEX[byte & 15]}`);
  }

  #grow(count: number): void {
    const size = Math.max(this.bytes.length * 2, this.at + count);
    if (this.at + count > MAX_BYTES) {
      throw new EtlError('LIMIT_EXCEEDED', 'a row is longer than 1 GiB as JSON');
    }
    const grown = new Uint8Array(Math.min(size, MAX_BYTES));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}

/** True where no byte needs an escape; rarely false where it could be true. */
export function isClean(text: Uint8Array, from: number, to: number): boolean {
  let i = from;
  for (; i < to && (text.byteOffset + i) % 4 !== 0; i++) if (ESCAPED[text[i]!] === 1) return false;
  if (i === to) return true;
  const words = new Uint32Array(text.buffer, text.byteOffset + i, (to - i) >> 2);
  for (let w = 0; w < words.length; w++) {
    const word = words[w]!;
    const quote = word ^ 0x2222_2222;
    const slash = word ^ 0x5c5c_5c5c;
    const found =
      ((word - 0x2020_2020) & ~word) |
      ((quote - 0x0101_0101) & ~quote) |
      ((slash - 0x0101_0101) & ~slash);
    if ((found & 0x8080_8080) !== 0) return false;
  }
  for (i += words.length * 4; i < to; i++) if (ESCAPED[text[i]!] === 1) return false;
  return true;
}
