/**
 * The where-expressions of the command line, for people: `score > 90 and metadata.source = 'web'`.
 * Text in, predicate out; docs/expressions.md is the language's page. Pure, and bounded: nesting
 * ends at `MAX_NESTING`, so no input overflows the stack.
 *
 *   or         = and { "or" and }
 *   and        = unary { "and" unary }
 *   unary      = "not" unary | "(" or ")" | "true" | "false" | function | path test
 *   function   = ("exists" "(" path | ("startswith" | "endswith" | "contains" | "matches")
 *                "(" path "," value) ")"
 *   test       = comparison value | "is" ["not"] "null" | ["not"] ("exists" | "in" "(" values ")" |
 *                "between" value "and" value | "contains" value | "matches" regex |
 *                "starts" "with" string | "ends" "with" string)
 */
import { expressionError, type Token, tokenize } from './expression-lexer.ts';
import type { Path } from './path.ts';
import {
  and,
  between,
  contains,
  endsWith,
  eq,
  exists,
  gt,
  gte,
  isNull,
  lt,
  lte,
  matches,
  not,
  oneOf,
  or,
  type Predicate,
  type Scalar,
  startsWith,
} from './predicate.ts';

/** Deepest nesting of parentheses and `not`. */
const MAX_NESTING = 200;

type Ordered = string | number | bigint;
type Reader = (parser: Parser, path: Path) => Predicate;

interface Parser {
  readonly text: string;
  readonly tokens: readonly Token[];
  at: number;
  depth: number;
}

/**
 * Reads a where-expression. Keywords are case-blind; field names are not.
 * Errors: INVALID_EXPRESSION with the column and a line that points at the place.
 */
export function parseExpression(text: string): Predicate {
  const parser: Parser = { text, tokens: tokenize(text), at: 0, depth: 0 };
  if (peek(parser).kind === 'end') fail(parser, 'the expression is empty');
  const predicate = parseOr(parser);
  if (peek(parser).kind !== 'end') fail(parser, 'expected "and", "or" or the end');
  return predicate;
}

function parseOr(parser: Parser): Predicate {
  const terms = [parseAnd(parser)];
  while (takeWord(parser, 'or')) terms.push(parseAnd(parser));
  return terms.length === 1 ? terms[0]! : or(...terms);
}

function parseAnd(parser: Parser): Predicate {
  const terms = [parseUnary(parser)];
  while (takeWord(parser, 'and')) terms.push(parseUnary(parser));
  return terms.length === 1 ? terms[0]! : and(...terms);
}

function parseUnary(parser: Parser): Predicate {
  if (++parser.depth > MAX_NESTING) fail(parser, 'the expression nests too deep');
  const predicate = parseTerm(parser);
  parser.depth--;
  return predicate;
}

function parseTerm(parser: Parser): Predicate {
  if (takeWord(parser, 'not')) return not(parseUnary(parser));
  if (takePunctuation(parser, '(')) {
    const inner = parseOr(parser);
    expectPunctuation(parser, ')');
    return inner;
  }
  if (takeWord(parser, 'true')) return and();
  if (takeWord(parser, 'false')) return or();
  return parseFunction(parser) ?? parseTest(parser, parsePathTokens(parser));
}

const functions: Readonly<Record<string, Reader>> = {
  startswith: (parser, path) => startsWith(path, parseText(parser)),
  endswith: (parser, path) => endsWith(path, parseText(parser)),
  contains: (parser, path) => contains(path, parseScalar(parser)),
  matches: (parser, path) => matches(path, parsePattern(parser)),
};

function parseFunction(parser: Parser): Predicate | undefined {
  const name = peek(parser);
  const next = parser.tokens[parser.at + 1];
  if (name.kind !== 'word' || next?.kind !== 'punctuation' || next.text !== '(') return undefined;
  const key = name.text.toLowerCase();
  const make = Object.hasOwn(functions, key) ? functions[key]! : undefined;
  if (!make && key !== 'exists') {
    fail(parser, 'expected exists(), startswith(), endswith(), contains() or matches()');
  }
  parser.at += 2;
  const path = parsePathTokens(parser);
  if (make) expectPunctuation(parser, ',');
  const predicate = make ? make(parser, path) : exists(path);
  expectPunctuation(parser, ')');
  return predicate;
}

function parseTest(parser: Parser, path: Path): Predicate {
  const operator = peek(parser);
  if (operator.kind === 'punctuation') {
    const compare = comparisons[operator.text];
    if (compare) {
      parser.at++;
      return compare(parser, path);
    }
  }
  if (takeWord(parser, 'is')) {
    const negated = takeWord(parser, 'not');
    if (!takeWord(parser, 'null')) fail(parser, 'expected "null" or "not null"');
    return negate(isNull(path), negated);
  }
  const negated = takeWord(parser, 'not');
  return negate(parseWordTest(parser, path), negated);
}

const comparisons: Readonly<Record<string, Reader>> = {
  '=': (parser, path) => eq(path, parseScalar(parser)),
  '==': (parser, path) => eq(path, parseScalar(parser)),
  '!=': (parser, path) => not(eq(path, parseScalar(parser))),
  '<>': (parser, path) => not(eq(path, parseScalar(parser))),
  '<': (parser, path) => lt(path, parseOrdered(parser)),
  '<=': (parser, path) => lte(path, parseOrdered(parser)),
  '>': (parser, path) => gt(path, parseOrdered(parser)),
  '>=': (parser, path) => gte(path, parseOrdered(parser)),
};

function parseWordTest(parser: Parser, path: Path): Predicate {
  if (takeWord(parser, 'exists')) return exists(path);
  if (takeWord(parser, 'in')) return oneOf(path, parseList(parser));
  if (takeWord(parser, 'contains')) return contains(path, parseScalar(parser));
  if (takeWord(parser, 'matches')) return matches(path, parsePattern(parser));
  if (takeWord(parser, 'between')) {
    const low = parseOrdered(parser);
    if (!takeWord(parser, 'and')) fail(parser, 'expected "and" and the upper end');
    return between(path, low, parseOrdered(parser));
  }
  if (takeWord(parser, 'starts')) {
    if (!takeWord(parser, 'with')) fail(parser, 'expected "with"');
    return startsWith(path, parseText(parser));
  }
  if (takeWord(parser, 'ends')) {
    if (!takeWord(parser, 'with')) fail(parser, 'expected "with"');
    return endsWith(path, parseText(parser));
  }
  return fail(
    parser,
    'expected a test: = != < <= > >=, in, between, is null, exists, contains, starts with, ' +
      'ends with or matches',
  );
}

const keywords = new Set(['and', 'or', 'not', 'null', 'true', 'false']);

function parsePathTokens(parser: Parser): Path {
  const first = peek(parser);
  if (first.kind === 'string') {
    fail(parser, 'expected a field name; quotes make text, backticks make field names');
  }
  if (first.kind === 'word' && keywords.has(first.text.toLowerCase())) {
    fail(parser, `expected a field name; a field named ${first.text} goes in backticks`);
  }
  const path = [parseField(parser)];
  while (takePunctuation(parser, '.')) path.push(parseField(parser));
  return path;
}

function parseField(parser: Parser): string {
  const token = peek(parser);
  if (token.kind !== 'word' && token.kind !== 'quoted') fail(parser, 'expected a field name');
  parser.at++;
  return token.text;
}

function parseList(parser: Parser): Scalar[] {
  expectPunctuation(parser, '(');
  const values: Scalar[] = [];
  if (takePunctuation(parser, ')')) return values;
  do values.push(parseScalar(parser));
  while (takePunctuation(parser, ','));
  expectPunctuation(parser, ')');
  return values;
}

function parseScalar(parser: Parser): Scalar {
  const token = peek(parser);
  parser.at++;
  if (token.kind === 'string') return token.text;
  if (token.kind === 'number') return token.value;
  if (token.kind === 'word') {
    const word = token.text.toLowerCase();
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
  }
  parser.at--;
  return fail(parser, "expected a value: a number, 'text', true, false or null");
}

function parseOrdered(parser: Parser): Ordered {
  const token = peek(parser);
  const value = parseScalar(parser);
  if (value !== null && typeof value !== 'boolean') return value;
  throw expressionError(parser.text, token.start, 'only numbers and text have an order');
}

function parseText(parser: Parser): string {
  const token = peek(parser);
  if (token.kind !== 'string') fail(parser, "expected 'text'");
  parser.at++;
  return token.text;
}

function parsePattern(parser: Parser): RegExp {
  const token = peek(parser);
  if (token.kind !== 'regex') fail(parser, 'expected a regular expression: /text/ or /text/i');
  parser.at++;
  return token.pattern;
}

function negate(predicate: Predicate, negated: boolean): Predicate {
  return negated ? not(predicate) : predicate;
}

function takeWord(parser: Parser, word: string): boolean {
  const token = peek(parser);
  if (token.kind !== 'word' || token.text.toLowerCase() !== word) return false;
  parser.at++;
  return true;
}

function takePunctuation(parser: Parser, text: string): boolean {
  const token = peek(parser);
  if (token.kind !== 'punctuation' || token.text !== text) return false;
  parser.at++;
  return true;
}

function expectPunctuation(parser: Parser, text: string): void {
  if (!takePunctuation(parser, text)) fail(parser, `expected "${text}"`);
}

function peek(parser: Parser): Token {
  return parser.tokens[parser.at]!;
}

function fail(parser: Parser, problem: string): never {
  throw expressionError(parser.text, peek(parser).start, problem);
}
