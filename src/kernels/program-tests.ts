/**
 * Single tests of a predicate as the WebAssembly module runs them (wasm/predicate.ts): the number of
 * the operation and the bytes of its constant.
 */
import type { CompareOp, Scalar } from '../core/predicate.ts';
import { encodeWtf8 } from './wasm-bytes.ts';

/** What to do with the value at a path. */
export interface Test {
  readonly op: number;
  readonly constant?: Uint8Array;
  /** What to do with the elements of an array, where `op` is `contains`. */
  readonly inner?: number;
}

/** Numbers of the operations; each `eq` is followed by the other comparisons. */
export const Op = {
  true: 1,
  false: 2,
  null: 3,
  exists: 4,
  eqNumber: 5,
  eqInteger: 10,
  inNumbers: 15,
  inIntegers: 16,
  contains: 17,
  eqString: 18,
  startsWith: 23,
  endsWith: 24,
  inStrings: 25,
} as const;

const COMPARISONS: readonly CompareOp[] = ['eq', 'lt', 'lte', 'gt', 'gte'];
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The test that compares with a constant; undefined where no value can pass. */
export function comparisonTest(op: CompareOp, value: Scalar): Test | undefined {
  const shift = COMPARISONS.indexOf(op);
  const constant = simplified(value);
  switch (typeof constant) {
    case 'string':
      return { op: Op.eqString + shift, constant: encodeWtf8(constant) };
    case 'number':
      return { op: Op.eqNumber + shift, constant: numberBytes([constant]) };
    case 'bigint':
      return { op: Op.eqInteger + shift, constant: integerBytes(constant) };
    default:
      if (op !== 'eq') return undefined;
      return { op: constant === null ? Op.null : constant ? Op.true : Op.false };
  }
}

/** The test for `contains`. */
export function containmentTest(value: Scalar): Test {
  const { op: inner, constant } = comparisonTest('eq', value)!;
  return { op: Op.contains, inner, ...(constant ? { constant } : {}) };
}

/** Tests of which one passes where the value is among `values`: one per kind, each a binary search. */
export function memberTests(values: readonly Scalar[]): Test[] {
  const constants = [...new Set(values.map(simplified))];
  const isWide = (value: Scalar) =>
    typeof value === 'bigint' && value <= INT64_MAX && value >= INT64_MIN;
  const numbers = constants.filter((value) => typeof value === 'number');
  const integers = constants.filter(isWide) as bigint[];
  const texts = constants.filter((value) => typeof value === 'string');
  const rest = constants.filter(
    (value) => typeof value !== 'number' && typeof value !== 'string' && !isWide(value),
  );
  const tests = rest.map((value) => comparisonTest('eq', value)!);
  if (numbers.length > 0) {
    const constant = numberBytes(numbers.sort((a, b) => a - b));
    tests.push({ op: Op.inNumbers, constant });
  }
  if (integers.length > 0) {
    const sorted = BigInt64Array.from(integers).sort();
    tests.push({ op: Op.inIntegers, constant: new Uint8Array(sorted.buffer) });
  }
  if (texts.length > 0) tests.push({ op: Op.inStrings, constant: textSet(texts) });
  return tests;
}

/** A bigint as a number where that makes no difference to any comparison. */
function simplified(value: Scalar): Scalar {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function numberBytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

/** The nearest int64, a byte that is 1 if it is negative, and the digits. */
function integerBytes(value: bigint): Uint8Array {
  const nearest = value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : value;
  const isNegative = value < 0n;
  const digits = String(isNegative ? -value : value);
  const bytes = new Uint8Array(9 + digits.length);
  bytes.set(new Uint8Array(BigInt64Array.of(nearest).buffer));
  bytes[8] = Number(isNegative);
  bytes.set(encodeWtf8(digits), 9);
  return bytes;
}

/** Count, then offset and length of each text, by length and then by bytes; then the bytes. */
function textSet(texts: readonly string[]): Uint8Array {
  const encoded = texts.map(encodeWtf8).sort(compareBytes);
  let at = 4 + encoded.length * 8;
  const bytes = new Uint8Array(encoded.reduce((sum, text) => sum + text.length, at));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, encoded.length, true);
  for (const [i, text] of encoded.entries()) {
    view.setUint32(4 + i * 8, at, true);
    view.setUint32(8 + i * 8, text.length, true);
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  const i = a.findIndex((byte, at) => byte !== b[at]);
  return i < 0 ? 0 : a[i]! - b[i]!;
}
