/**
 * Predicates back to where-expressions: what `parseExpression` reads, for messages and summaries.
 * The text parses back to the same predicate, except that an `and` or `or` of one term becomes
 * that term.
 */
import type { Path } from './path.ts';
import type { CompareOp, Predicate, Scalar } from './predicate.ts';

const SIGNS: Readonly<Record<CompareOp, string>> = {
  eq: '=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
};
const TEXT_WORDS = { startsWith: 'starts with', endsWith: 'ends with' } as const;
const FIRST_FIELD = /^[\p{L}_$@][\p{L}\p{N}\p{M}_$@-]*$/u;
const LATER_FIELD = /^[\p{L}\p{N}\p{M}_$@-]+$/u;
/** Words that begin something else where a path may stand. */
const RESERVED =
  /^(and|or|not|null|true|false|exists|contains|matches|startswith|endswith|in|is|between|starts|ends)$/i;

/** The expression of a predicate. A `matches` of an empty pattern is written as `/(?:)/`. */
export function formatExpression(predicate: Predicate): string {
  switch (predicate.op) {
    case 'and':
    case 'or':
      return formatTerms(predicate.op, predicate.terms);
    case 'not':
      return formatNot(predicate.term);
    default:
      return formatTest(predicate, '');
  }
}

function formatTerms(op: 'and' | 'or', terms: readonly Predicate[]): string {
  if (terms.length === 0) return op === 'and' ? 'true' : 'false';
  if (terms.length === 1) return formatExpression(terms[0]!);
  return terms.map(formatOperand).join(` ${op} `);
}

function formatNot(term: Predicate): string {
  if (term.op === 'eq') return `${formatFields(term.path)} != ${formatScalar(term.value)}`;
  const compared = term.op in SIGNS || term.op === 'not';
  const composed = term.op === 'and' || term.op === 'or';
  if (compared || composed) return `not ${formatOperand(term)}`;
  return formatTest(term as Test, 'not ');
}

/** Parentheses around everything that is made of several terms. */
function formatOperand(term: Predicate): string {
  const text = formatExpression(term);
  return (term.op === 'and' || term.op === 'or') && !/^(true|false)$/.test(text)
    ? `(${text})`
    : text;
}

type Test = Exclude<Predicate, { op: 'and' | 'or' | 'not' }>;

function formatTest(test: Test, not: string): string {
  const path = formatFields(test.path);
  switch (test.op) {
    case 'in':
      return `${path} ${not}in (${test.values.map(formatScalar).join(', ')})`;
    case 'contains':
      return `${path} ${not}contains ${formatScalar(test.value)}`;
    case 'matches':
      return `${path} ${not}matches ${test.pattern}`;
    case 'exists':
      return `${path} ${not}exists`;
    case 'isNull':
      return `${path} is ${not}null`;
    case 'startsWith':
    case 'endsWith':
      return `${path} ${not}${TEXT_WORDS[test.op]} ${formatScalar(test.value)}`;
    default:
      return `${path} ${SIGNS[test.op]} ${formatScalar(test.value)}`;
  }
}

function formatFields(path: Path): string {
  return path
    .map((field, i) => {
      const bare =
        i === 0 ? FIRST_FIELD.test(field) && !RESERVED.test(field) : LATER_FIELD.test(field);
      return bare ? field : `\`${escapeText(field).replaceAll('`', '``')}\``;
    })
    .join('.');
}

function formatScalar(value: Scalar): string {
  if (typeof value === 'string') return `'${escapeText(value).replaceAll("'", "''")}'`;
  if (Object.is(value, -0)) return '-0';
  // Digits alone beyond 2^53 would be read as a BigInt.
  const inexact =
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact ? value.toExponential() : String(value);
}

/** Backslashes doubled; controls and lone surrogates as `\uXXXX`. */
function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Surrogate}/gu, (char) => {
      return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
}
