/**
 * Predicates on parsed documents: the plain meaning of `core/predicate.ts`, which the kernels'
 * evaluation on bytes must equal. Slow next to that; used by the TypeScript kernel, for regular
 * expressions, and wherever documents exist already.
 *
 * A document may hold `bigint` where its text has an integer that a number cannot hold
 * (`needsExactIntegers` says when that matters). Nothing here throws on any document.
 */
import type { Document } from '../core/batch.ts';
import type { Path } from '../core/path.ts';
import type { CompareOp, Predicate, Scalar } from '../core/predicate.ts';

type Test = (value: unknown) => boolean;

/** Whether the document satisfies the predicate. */
export function evaluate(predicate: Predicate, document: Document): boolean {
  return compilePredicate(predicate)(document);
}

/** The predicate as a function, so that its constants are looked at once only. */
export function compilePredicate(predicate: Predicate): (document: Document) => boolean {
  switch (predicate.op) {
    case 'and': {
      const terms = predicate.terms.map(compilePredicate);
      return (document) => terms.every((term) => term(document));
    }
    case 'or': {
      const terms = predicate.terms.map(compilePredicate);
      return (document) => terms.some((term) => term(document));
    }
    case 'not': {
      const term = compilePredicate(predicate.term);
      return (document) => !term(document);
    }
    default: {
      const { path } = predicate;
      const test = compileTest(predicate);
      return (document) => reaches(document, path, 0, test);
    }
  }
}

/** True when a constant is a `bigint`, so that integers must be compared by all of their digits. */
export function needsExactIntegers(predicate: Predicate): boolean {
  switch (predicate.op) {
    case 'and':
    case 'or':
      return predicate.terms.some(needsExactIntegers);
    case 'not':
      return needsExactIntegers(predicate.term);
    case 'in':
      return predicate.values.some((value) => typeof value === 'bigint');
    default:
      return 'value' in predicate && typeof predicate.value === 'bigint';
  }
}

/** Orders two strings by Unicode code point: negative, 0 or positive. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  // Where the difference is in the second half of a pair, the pairs are what differs.
  if (i > 0 && isHighSurrogate(a.charCodeAt(i - 1))) {
    const difference = a.codePointAt(i - 1)! - b.codePointAt(i - 1)!;
    if (difference !== 0) return difference;
  }
  return a.codePointAt(i)! - b.codePointAt(i)!;
}

/** Whether the test holds for any value that the path reaches from `value`. */
function reaches(value: unknown, path: Path, depth: number, test: Test): boolean {
  if (depth === path.length) return test(value);
  if (typeof value !== 'object' || value === null) return false;
  const step = path[depth]!;
  if (!Array.isArray(value)) return reachesField(value, path, depth, test);
  if (/^\d+$/.test(step)) {
    const index = Number(step);
    return index < value.length && reaches(value[index], path, depth + 1, test);
  }
  return value.some((element) => isObject(element) && reachesField(element, path, depth, test));
}

function reachesField(object: object, path: Path, depth: number, test: Test): boolean {
  const step = path[depth]!;
  if (!Object.hasOwn(object, step)) return false;
  return reaches((object as Document)[step], path, depth + 1, test);
}

function compileTest(predicate: Exclude<Predicate, { op: 'and' | 'or' | 'not' }>): Test {
  switch (predicate.op) {
    case 'exists':
      return () => true;
    case 'isNull':
      return (value) => value === null;
    case 'in':
      return compileMembership(predicate.values);
    case 'contains': {
      const { value: constant } = predicate;
      return (value) =>
        typeof value === 'string'
          ? typeof constant === 'string' && hasText(value, constant)
          : Array.isArray(value) && value.some((element) => isEqual(element, constant));
    }
    case 'startsWith': {
      const { value: text } = predicate;
      return (value) =>
        typeof value === 'string' && value.startsWith(text) && isBoundary(value, text.length);
    }
    case 'endsWith': {
      const { value: text } = predicate;
      return (value) =>
        typeof value === 'string' &&
        value.endsWith(text) &&
        isBoundary(value, value.length - text.length);
    }
    case 'matches': {
      // A copy, so that the caller's own lastIndex stays as it is.
      const pattern = new RegExp(predicate.pattern);
      return (value) => {
        if (typeof value !== 'string') return false;
        pattern.lastIndex = 0;
        return pattern.test(value);
      };
    }
    default:
      return compileComparison(predicate.op, predicate.value);
  }
}

/** As `isEqual` with any of the constants, however many they are. */
function compileMembership(values: readonly Scalar[]): Test {
  const constants = new Set<unknown>(values);
  const hasExact = values.some((constant) => typeof constant === 'bigint');
  return (value) => {
    // A number constant compares with what a number can hold, a bigint exactly.
    if (typeof value === 'bigint') return constants.has(value) || constants.has(Number(value));
    if (constants.has(value)) return true;
    return hasExact && Number.isInteger(value) && constants.has(BigInt(value as number));
  };
}

function compileComparison(op: CompareOp, constant: Scalar): Test {
  if (op === 'eq') return (value) => isEqual(value, constant);
  const holds = orderTest(op);
  if (typeof constant === 'string') {
    return (value) => typeof value === 'string' && holds(compareText(value, constant));
  }
  if (typeof constant !== 'number' && typeof constant !== 'bigint') return () => false;
  return (value) => isNumeric(value) && holds(compareNumbers(value, constant));
}

function orderTest(op: CompareOp): (order: number) => boolean {
  if (op === 'lt') return (order) => order < 0;
  if (op === 'lte') return (order) => order <= 0;
  if (op === 'gt') return (order) => order > 0;
  return (order) => order >= 0;
}

function isEqual(value: unknown, constant: Scalar): boolean {
  const isNumber = typeof constant === 'number' || typeof constant === 'bigint';
  if (isNumber) return isNumeric(value) && compareNumbers(value, constant) === 0;
  return value === constant;
}

/** A number constant compares with what a number can hold of the value; a bigint exactly. */
function compareNumbers(value: number | bigint, constant: number | bigint): number {
  const own = typeof constant === 'number' ? Number(value) : value;
  return own < constant ? -1 : own > constant ? 1 : 0;
}

/** Whether `text` stands in `value` with no character cut in half. */
function hasText(value: string, text: string): boolean {
  let at = value.indexOf(text);
  while (at >= 0 && !(isBoundary(value, at) && isBoundary(value, at + text.length))) {
    at = value.indexOf(text, at + 1);
  }
  return at >= 0;
}

/** False between the two halves of a surrogate pair. */
function isBoundary(text: string, at: number): boolean {
  if (at === 0 || at >= text.length) return true;
  return !(isHighSurrogate(text.charCodeAt(at - 1)) && isLowSurrogate(text.charCodeAt(at)));
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
