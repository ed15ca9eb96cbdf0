/**
 * The casts that need no text: quotes put around a value or taken away, `true` for `1`, a time with
 * what its form lacks. Whatever else there is, is left to the casts on text.
 */
import { type LineEdits, NOTHING } from './line-editor.ts';
import { OPEN_BRACE, OPEN_BRACKET, QUOTE } from './members.ts';
import { isNumberStart } from './raw-value.ts';

/** Edits the value and is true; or does nothing and is false, where the cast on text must see it. */
export type ByteCast = (bytes: Uint8Array, start: number, end: number, edits: LineEdits) => boolean;

const encoder = new TextEncoder();
const QUOTES = encoder.encode('"');
const TRUE = encoder.encode('true');
const FALSE = encoder.encode('false');
const POINT = 0x2e;
const MINUS = 0x2d;
const ZERO = 0x30;
const N = 0x6e;
const T = 0x74;
const F = 0x66;

/** By type. What is null stays so. */
export const BYTE_CASTS: { readonly [type: string]: ByteCast } = {
  string(bytes, start, end, edits) {
    const first = bytes[start]!;
    if (first === QUOTE || first === N) return true;
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return false;
    edits.replace(start, start, QUOTES);
    edits.replace(end, end, QUOTES);
    return true;
  },
  number(bytes, start, end, edits) {
    const first = bytes[start]!;
    if (isNumberStart(first) || first === N) return true;
    return first === QUOTE && isDecimal(bytes, start + 1, end - 1) && unquote(start, end, edits);
  },
  integer(bytes, start, end, edits) {
    const first = bytes[start]!;
    if (first === N) return true;
    if (first === QUOTE) {
      return isInteger(bytes, start + 1, end - 1) && unquote(start, end, edits);
    }
    return isInteger(bytes, start, end);
  },
  boolean(bytes, start, end, edits) {
    let first = bytes[start]!;
    if (first === N || first === T || first === F) return true;
    const isString = first === QUOTE;
    if (isString) first = bytes[start + 1]!;
    if (end - start !== (isString ? 3 : 1) || (first !== ZERO && first !== ZERO + 1)) return false;
    edits.replace(start, end, first === ZERO ? FALSE : TRUE);
    return true;
  },
  timestamp: castTime,
};

function unquote(start: number, end: number, edits: LineEdits): true {
  edits.replace(start, start + 1, NOTHING);
  edits.replace(end - 1, end, NOTHING);
  return true;
}

/** One past the digits at `at`. */
function skipDigits(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && bytes[next]! >= ZERO && bytes[next]! <= 0x39) next++;
  return next;
}

/** An integer as JSON writes it, but no -0. */
function isInteger(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] === MINUS ? start + 1 : start;
  if (first === end || skipDigits(bytes, first, end) < end) return false;
  return bytes[first] !== ZERO || (end - first === 1 && first === start);
}

/** A number as JSON writes it, without an exponent. */
function isDecimal(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const point = skipDigits(bytes, first, end);
  if (point === first || (bytes[first] === ZERO && point - first > 1)) return false;
  if (point === end) return true;
  return bytes[point] === POINT && point + 1 < end && skipDigits(bytes, point + 1, end) === end;
}

/** Where digits stand in `YYYY-MM-DDTHH:MM`, and what stands between. */
const FORM = encoder.encode('0000-00-00T00:00');
const SECONDS = encoder.encode(':00.000Z');
const TAILS = [SECONDS.subarray(5), SECONDS.subarray(6)];
const POINT_TAIL = SECONDS.subarray(3);
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `"YYYY-MM-DDTHH:MMZ"`, with seconds and up to three digits of their fraction if they are there. */
function castTime(bytes: Uint8Array, start: number, end: number, edits: LineEdits): boolean {
  if (bytes[start] === N) return true;
  const from = start + 1;
  if (bytes[start] !== QUOTE || bytes[end - 2] !== 0x5a || end - 1 - from < FORM.length + 1)
    return false;
  for (let i = 0; i < FORM.length; i++) {
    const [byte, form] = [bytes[from + i]!, FORM[i]!];
    if (form === ZERO ? byte < ZERO || byte > 0x39 : byte !== form) return false;
  }
  const two = (at: number) => (bytes[at]! - ZERO) * 10 + bytes[at + 1]! - ZERO;
  const year = two(from) * 100 + two(from + 2);
  const month = two(from + 5);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
  const day = two(from + 8);
  if (day < 1 || day > days || two(from + 11) > 23 || two(from + 14) > 59) return false;
  const zone = end - 2;
  let at = from + FORM.length;
  if (at === zone) {
    edits.replace(zone, end - 1, SECONDS);
    return true;
  }
  if (bytes[at] !== 0x3a || skipDigits(bytes, at + 1, zone) !== at + 3 || two(at + 1) > 59)
    return false;
  at += 3;
  if (at === zone) {
    edits.replace(zone, end - 1, POINT_TAIL);
    return true;
  }
  const digits = zone - at - 1;
  if (bytes[at] !== POINT || digits < 1 || digits > 3) return false;
  if (skipDigits(bytes, at + 1, zone) !== zone) return false;
  if (digits < 3) edits.replace(zone, end - 1, TAILS[digits - 1]!);
  return true;
}
