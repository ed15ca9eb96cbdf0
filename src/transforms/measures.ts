/** What `aggregate` keeps per group and field, and what it writes in the end. */
import { FloatSum } from '../core/float-sum.ts';
import { compareText } from '../kernels/index.ts';
import { QUOTE, stringText } from './members.ts';
import type { RawValue } from './raw-value.ts';
import { Refusal } from './reject-document.ts';

/** Values are never null: those are passed over. */
export interface Measure {
  /** Throws a Refusal for a value that cannot be taken; changes nothing. */
  check(value: RawValue): void;
  add(value: RawValue): void;
  /** JSON text; undefined where JSON has none: a sum too large for a number. */
  result(): string | undefined;
}

/** Numbers from here on are summed by themselves, divided by `SCALE`, so that no sum on the way is too large. */
const HUGE = 2 ** 900;
const SCALE = 2 ** 128;

/** Of integers exact however large; of others, and of both together, a compensated sum. */
export class Sum implements Measure {
  count = 0;
  #small = 0;
  #large = 0n;
  #floats: FloatSum | undefined;
  #huge: FloatSum | undefined;

  check(value: RawValue): void {
    if (!value.isNumber) throw new Refusal('there is no sum of what is no number');
    if (!Number.isFinite(value.number)) throw new Refusal(`the number ${value.text} is too large`);
  }

  add(value: RawValue): void {
    const { number } = value;
    this.count++;
    if (!value.isInteger) {
      this.#addFloat(number);
      return;
    }
    const sum = this.#small + number;
    if (Number.isSafeInteger(number) && Number.isSafeInteger(sum)) this.#small = sum;
    else this.#large += BigInt(value.text);
  }

  result(): string | undefined {
    if (this.count === 0) return 'null';
    return this.#floats || this.#huge ? numberText(this.share(1)) : String(this.#whole());
  }

  /** The sum divided by `count`, which is a number also where the sum is none. */
  protected share(count: number): number {
    const whole = this.#whole();
    const rounded = Number(whole);
    const lost = Number(whole - BigInt(rounded));
    const rest = (this.#floats?.valueWith(rounded, lost) ?? rounded) / count;
    return this.#huge ? (this.#huge.value / count) * SCALE + rest : rest;
  }

  #whole(): bigint {
    return BigInt(this.#small) + this.#large;
  }

  #addFloat(number: number): void {
    if (Math.abs(number) < HUGE) {
      this.#floats ??= new FloatSum();
      this.#floats.add(number);
    } else {
      this.#huge ??= new FloatSum();
      this.#huge.add(number / SCALE);
    }
  }
}

export class Mean extends Sum {
  override result(): string | undefined {
    return this.count === 0 ? 'null' : numberText(this.share(this.count));
  }
}

function numberText(number: number): string | undefined {
  return Number.isFinite(number) ? JSON.stringify(number) : undefined;
}

/** The least (`sign` -1) or greatest (1): of numbers by value, of strings by code point. */
export class Extreme implements Measure {
  readonly #sign: number;
  /** The text of a string, or the number as it was written. */
  #text: string | undefined;
  #number = 0;
  #isInteger = false;
  #isString = false;

  constructor(sign: number) {
    this.#sign = sign;
  }

  check(value: RawValue): void {
    const isString = value.bytes[value.start] === QUOTE;
    if (!isString && !value.isNumber) {
      throw new Refusal('only numbers and strings have a least and a greatest');
    }
    if (this.#text !== undefined && isString !== this.#isString) {
      throw new Refusal('numbers and strings have no common order');
    }
  }

  add(value: RawValue): void {
    const { bytes, start, end } = value;
    this.#isString = bytes[start] === QUOTE;
    if (this.#isString) {
      const text = stringText(bytes, start, end);
      const best = this.#text;
      if (best === undefined || compareText(text, best) * this.#sign > 0) this.#text = text;
    } else if (this.#text === undefined || this.#compare(value, this.#text) * this.#sign > 0) {
      this.#text = value.text;
      this.#number = value.number;
      this.#isInteger = value.isInteger;
    }
  }

  result(): string {
    if (this.#text === undefined) return 'null';
    return this.#isString ? JSON.stringify(this.#text) : this.#text;
  }

  #compare(value: RawValue, best: string): number {
    const difference = value.number - this.#number;
    if (difference !== 0 || !value.isInteger || !this.#isInteger) return difference;
    if (Number.isSafeInteger(value.number)) return 0;
    const exact = BigInt(value.text) - BigInt(best);
    return exact === 0n ? 0 : exact > 0n ? 1 : -1;
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
