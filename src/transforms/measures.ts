/** What `aggregate` keeps per group and field, and what it writes in the end. */
import { compareText } from '../kernels/index.ts';
import { decodeText } from '../kernels/twin/text.ts';
import { isNumberStart, type RawValue } from './key-reader.ts';
import { QUOTE, stringText } from './members.ts';
import { Refusal } from './reject-document.ts';

/** Values are never null: those are passed over. */
export interface Measure {
  /** Throws a Refusal for a value that cannot be taken; changes nothing. */
  check(value: RawValue): void;
  add(value: RawValue): void;
  /** JSON text. */
  result(): string;
}

/** Of integers exact however large; of others a compensated sum (Neumaier, 1974). */
export class Sum implements Measure {
  count = 0;
  #small = 0;
  #large = 0n;
  #fraction = 0;
  #lost = 0;
  #exact = true;

  check(value: RawValue): void {
    const text = numberText(value);
    if (text === undefined) throw new Refusal('there is no sum of what is no number');
    if (!Number.isFinite(Number(text))) throw new Refusal(`the number ${text} is too large`);
  }

  add(value: RawValue): void {
    const text = numberText(value)!;
    this.count++;
    const number = Number(text);
    if (!isInteger(text)) {
      this.#addFraction(number);
      return;
    }
    const sum = this.#small + number;
    if (Number.isSafeInteger(number) && Number.isSafeInteger(sum)) this.#small = sum;
    else this.#large += BigInt(text);
  }

  result(): string {
    if (this.count === 0) return 'null';
    return this.#exact ? String(this.#whole()) : JSON.stringify(this.total());
  }

  total(): number {
    return Number(this.#whole()) + (this.#fraction + this.#lost);
  }

  #whole(): bigint {
    return BigInt(this.#small) + this.#large;
  }

  #addFraction(number: number): void {
    this.#exact = false;
    const sum = this.#fraction + number;
    const larger = Math.abs(this.#fraction) >= Math.abs(number);
    this.#lost += larger ? this.#fraction - sum + number : number - sum + this.#fraction;
    this.#fraction = sum;
  }
}

export class Mean extends Sum {
  override result(): string {
    return this.count === 0 ? 'null' : JSON.stringify(this.total() / this.count);
  }
}

/** The least (`sign` -1) or greatest (1): of numbers by value, of strings by code point. */
export class Extreme implements Measure {
  readonly #sign: number;
  #text: string | undefined;
  #isString = false;

  constructor(sign: number) {
    this.#sign = sign;
  }

  check(value: RawValue): void {
    const isString = value.bytes[value.start] === QUOTE;
    if (!isString && numberText(value) === undefined) {
      throw new Refusal('only numbers and strings have a least and a greatest');
    }
    if (this.#text !== undefined && isString !== this.#isString) {
      throw new Refusal('numbers and strings have no common order');
    }
  }

  add(value: RawValue): void {
    const { bytes, start, end } = value;
    this.#isString = bytes[start] === QUOTE;
    const text = this.#isString ? stringText(bytes, start, end) : decodeText(bytes, start, end);
    const order = this.#isString ? compareText : compareNumbers;
    if (this.#text === undefined || order(text, this.#text) * this.#sign > 0) this.#text = text;
  }

  result(): string {
    if (this.#text === undefined) return 'null';
    return this.#isString ? JSON.stringify(this.#text) : this.#text;
  }
}

/** How many values; with what `isNew` holds for only. */
export class Count implements Measure {
  #count = 0;
  readonly #isNew: ((value: RawValue) => boolean) | undefined;

  constructor(isNew?: (value: RawValue) => boolean) {
    this.#isNew = isNew;
  }

  check(): void {}

  add(value: RawValue): void {
    if (!this.#isNew || this.#isNew(value)) this.#count++;
  }

  result(): string {
    return String(this.#count);
  }
}

function numberText({ bytes, start, end }: RawValue): string | undefined {
  return isNumberStart(bytes[start]!) ? decodeText(bytes, start, end) : undefined;
}

/** Short enough for arithmetic that is exact. */
function isInteger(text: string): boolean {
  return text.length <= 64 && /^-?\d+$/.test(text);
}

function compareNumbers(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (difference !== 0 || !isInteger(a) || !isInteger(b)) return difference;
  const exact = BigInt(a) - BigInt(b);
  return exact === 0n ? 0 : exact > 0n ? 1 : -1;
}
