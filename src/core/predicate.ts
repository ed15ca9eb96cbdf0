/**
 * Predicates: plain data that the kernels evaluate on bytes. JSON's types are kept apart
 * (`eq('n', '1')` never matches the number 1); numbers are one type (1, 1.0 and 1e0 are equal).
 *
 * Paths: a step into an array tries every element that is an object (a step of digits picks that
 * element instead), and a comparison holds if it holds for any value reached. Comparing a whole
 * array or object with a scalar is false; `contains` looks into an array of scalars. A comparison
 * with a value that is missing is false; `ne` and `not` are exact complements, so they hold there.
 * Strings order by Unicode code point. Of duplicate keys the last counts, as in JSON.parse.
 */
import { checkList } from './check-option.ts';
import { EtlError } from './errors.ts';
import { type Path, type PathInput, parsePath } from './path.ts';

export type Scalar = string | number | bigint | boolean | null;
export type CompareOp = 'eq' | 'lt' | 'lte' | 'gt' | 'gte';
export type TextOp = 'startsWith' | 'endsWith';

export type Predicate =
  | { readonly op: CompareOp; readonly path: Path; readonly value: Scalar }
  | { readonly op: 'in'; readonly path: Path; readonly values: readonly Scalar[] }
  | { readonly op: TextOp; readonly path: Path; readonly value: string }
  | { readonly op: 'contains'; readonly path: Path; readonly value: Scalar }
  | { readonly op: 'matches'; readonly path: Path; readonly pattern: RegExp }
  | { readonly op: 'exists' | 'isNull'; readonly path: Path }
  | { readonly op: 'and' | 'or'; readonly terms: readonly Predicate[] }
  | { readonly op: 'not'; readonly term: Predicate };

/** A value at the path equals the scalar, its JSON type included. */
export const eq = (path: PathInput, value: Scalar): Predicate => compare('eq', path, value);
/** The exact complement of `eq`: also true where the value is missing. */
export const ne = (path: PathInput, value: Scalar): Predicate => not(eq(path, value));
/** Orders numbers with numbers and strings with strings; anything else is false. */
export const lt = (path: PathInput, value: string | number | bigint): Predicate =>
  compare('lt', path, value);
export const lte = (path: PathInput, value: string | number | bigint): Predicate =>
  compare('lte', path, value);
export const gt = (path: PathInput, value: string | number | bigint): Predicate =>
  compare('gt', path, value);
export const gte = (path: PathInput, value: string | number | bigint): Predicate =>
  compare('gte', path, value);
/** Both ends included. Each reached value is compared with both ends on its own. */
export const between = (
  path: PathInput,
  low: string | number | bigint,
  high: string | number | bigint,
): Predicate => and(gte(path, low), lte(path, high));
const oneOf = (path: PathInput, values: readonly Scalar[]): Predicate => {
  for (const value of values) checkScalar(value);
  return { op: 'in', path: parsePath(path), values: [...values] };
};

export { oneOf as in, oneOf };
/** The field is there, `null` included. */
export const exists = (path: PathInput): Predicate => ({ op: 'exists', path: parsePath(path) });
/** The field is there and is JSON `null`. */
export const isNull = (path: PathInput): Predicate => ({ op: 'isNull', path: parsePath(path) });
export const startsWith = (path: PathInput, value: string): Predicate => ({
  op: 'startsWith',
  path: parsePath(path),
  value,
});
export const endsWith = (path: PathInput, value: string): Predicate => ({
  op: 'endsWith',
  path: parsePath(path),
  value,
});
/** A string that has `value` in it, or an array with an element equal to `value`. */
export const contains = (path: PathInput, value: Scalar): Predicate => {
  checkScalar(value);
  return { op: 'contains', path: parsePath(path), value };
};
/** Tested with a fresh `lastIndex` for every value; only strings match. */
export const matches = (path: PathInput, pattern: RegExp): Predicate => ({
  op: 'matches',
  path: parsePath(path),
  pattern,
});
/** Holds for every document when empty. */
export const and = (...terms: Predicate[]): Predicate => ({ op: 'and', terms });
/** Holds for no document when empty. */
export const or = (...terms: Predicate[]): Predicate => ({ op: 'or', terms });
export const not = (term: Predicate): Predicate => ({ op: 'not', term });

/** The same functions in one place: `Predicate.eq('name', 'Ada')`. */
export const Predicate: {
  readonly eq: typeof eq;
  readonly ne: typeof ne;
  readonly lt: typeof lt;
  readonly lte: typeof lte;
  readonly gt: typeof gt;
  readonly gte: typeof gte;
  readonly between: typeof between;
  readonly exists: typeof exists;
  readonly isNull: typeof isNull;
  readonly startsWith: typeof startsWith;
  readonly endsWith: typeof endsWith;
  readonly contains: typeof contains;
  readonly matches: typeof matches;
  readonly and: typeof and;
  readonly or: typeof or;
  readonly not: typeof not;
  readonly in: typeof oneOf;
} = {
  eq,
  ne,
  lt,
  lte,
  gt,
  gte,
  between,
  exists,
  isNull,
  startsWith,
  endsWith,
  contains,
  matches,
  and,
  or,
  not,
  in: oneOf,
};

/** Errors: INVALID_ARGUMENT for what is no predicate, such as a text, or one with an op that there is not. */
export function checkPredicate(where: Predicate): void {
  if (typeof where !== 'object' || where === null || typeof where.op !== 'string') {
    const text = `where takes a predicate, such as eq('n', 1) or parseExpression('n = 1'), not ${typeof where}`;
    throw new EtlError('INVALID_ARGUMENT', text);
  }
  switch (where.op) {
    case 'not':
      checkPredicate(where.term);
      break;
    case 'and':
    case 'or':
      for (const term of checkList(`terms of ${where.op}`, where.terms)) checkPredicate(term);
      break;
    default:
      checkTest(where);
  }
}

function checkTest(test: Exclude<Predicate, { op: 'and' | 'or' | 'not' }>): void {
  const { op, path } = test;
  switch (test.op) {
    case 'eq':
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      checkScalar(test.value);
      break;
    case 'in':
      checkList('values', test.values).forEach(checkScalar);
      break;
    case 'matches':
      if (Object.prototype.toString.call(test.pattern) !== '[object RegExp]') {
        throw new EtlError('INVALID_ARGUMENT', 'the pattern of matches must be a RegExp');
      }
      break;
    case 'exists':
    case 'isNull':
      break;
    default:
      throw new EtlError('INVALID_ARGUMENT', `no predicate has the op ${JSON.stringify(op)}`);
  }
  checkList(`the path of ${op}`, path);
}

function compare(op: CompareOp, path: PathInput, value: Scalar): Predicate {
  checkScalar(value);
  return { op, path: parsePath(path), value };
}

function checkScalar(value: Scalar): void {
  const ok =
    value === null ||
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isFinite(value));
  if (!ok) throw new EtlError('INVALID_ARGUMENT', `not a JSON scalar: ${String(value)}`);
}
