/** A value as it is written in a line, and the number that it is, if it is one. */
import { decodeText } from '../kernels/twin/text.ts';
import type { Span } from './members.ts';

const POINT = 0x2e;
const MINUS = 0x2d;
/** Integers of so many digits are exact, and so is their quotient by a power of ten below 10^22. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN: readonly number[] = Array.from(
  { length: EXACT_DIGITS + 1 },
  (_, i) => 10 ** i,
);
/** Integers that are longer count as floats: arithmetic on them takes too long. */
const MAX_INTEGER_DIGITS = 64;

/** A place in bytes, moved from value to value, which reads each number once. */
export class RawValue implements Span {
  bytes: Uint8Array;
  start = 0;
  end = 0;
  /** True if `number` and `isInteger` are those of this place. */
  #isRead = false;
  #number = Number.NaN;
  #isInteger = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  moveTo(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#isRead = false;
  }

  get isNumber(): boolean {
    return isNumberStart(this.bytes[this.start]!);
  }

  /** As `JSON.parse` reads it. To be asked of numbers only. */
  get number(): number {
    if (!this.#isRead) this.#read();
    return this.#number;
  }

  /** Written without fraction and exponent, and short enough for arithmetic that is exact. */
  get isInteger(): boolean {
    if (!this.#isRead) this.#read();
    return this.#isInteger;
  }

  /** The text as it is written, quotes included. */
  get text(): string {
    return decodeText(this.bytes, this.start, this.end);
  }

  #read(): void {
    const { bytes, start, end } = this;
    this.#isRead = true;
    const first = bytes[start] === MINUS ? start + 1 : start;
    let digits = 0;
    let behindPoint = 0;
    let at = first;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === POINT) behindPoint = at + 1;
      else if (byte < 0x30 || byte > 0x39) break;
      else digits = digits * 10 + (byte - 0x30);
    }
    this.#isInteger = at === end && behindPoint === 0 && end - start <= MAX_INTEGER_DIGITS;
    if (at < end || end - first > EXACT_DIGITS) {
      this.#number = Number(this.text);
      return;
    }
    const size = behindPoint === 0 ? digits : digits / POWERS_OF_TEN[end - behindPoint]!;
    this.#number = first > start ? -size : size;
  }
}

/** True for what a number begins with. */
export function isNumberStart(byte: number): boolean {
  return byte === MINUS || (byte >= 0x30 && byte <= 0x39);
}
