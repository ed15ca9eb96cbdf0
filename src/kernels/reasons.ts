/**
 * Why a line is bad, in words for people. Both kernels speak of reasons by number; the WebAssembly
 * one returns the number, so the order here is part of its interface.
 */
import type { LineFault } from './types.ts';

/** The number of each reason; 0 is kept for "no fault". */
export const Reason = {
  none: 0,
  unexpectedEnd: 1,
  expectedValue: 2,
  expectedCommaOrBrace: 3,
  expectedCommaOrBracket: 4,
  expectedKey: 5,
  expectedColon: 6,
  controlCharacter: 7,
  badEscape: 8,
  badNumber: 9,
  trailingCharacters: 10,
  illFormedUtf8: 11,
  tooDeep: 12,
  notAnObject: 13,
} as const;

/** The words for each number of `Reason`. */
export const faultReasons: readonly string[] = [
  '',
  'the line ends too early',
  'expected a value',
  'expected a comma or }',
  'expected a comma or ]',
  'expected a key in double quotes',
  'expected a colon',
  'control character in a string; write it as an escape',
  'not an escape that JSON knows',
  'not a number as JSON writes them',
  'expected the end of the line after the document',
  'the bytes are not UTF-8',
  'nested too deep',
  'a document must be an object',
];

/** The error code that a reason (by number) belongs to. */
export function faultCode(reason: number): LineFault {
  if (reason === Reason.illFormedUtf8) return 'INVALID_UTF8';
  if (reason === Reason.tooDeep) return 'NESTING_TOO_DEEP';
  if (reason === Reason.notAnObject) return 'NOT_AN_OBJECT';
  return 'JSON_ERROR';
}
