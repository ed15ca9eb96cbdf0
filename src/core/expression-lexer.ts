/**
 * Cuts a where-expression into tokens. Pure: text in, tokens out. Every token knows where it
 * stands, so that any complaint can point at it; complaints are INVALID_EXPRESSION.
 */
import { EtlError } from './errors.ts';

/** A piece of an expression; `start` and `end` are UTF-16 offsets into the text. */
export type Token = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number | bigint }
  | { readonly kind: 'regex'; readonly pattern: RegExp }
  | { readonly kind: 'punctuation'; readonly text: string }
  | { readonly kind: 'end' }
);

const SPACE = /\s+/uy;
const WORD = /[\p{L}_$@][\p{L}\p{N}\p{M}_$@-]*/uy;
/** A field after a dot may begin with a digit or a hyphen. */
const FIELD = /[\p{L}\p{N}\p{M}_$@-]+/uy;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const PUNCTUATION = /<=|>=|<>|!=|==|[=<>(),.]/y;
const REGEX = /\/((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+)\/([a-z]*)/y;
const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '/': '/',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
};

/** All tokens of `text`, the last of kind `end`. Errors: INVALID_EXPRESSION. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (true) {
    at += matchAt(SPACE, text, at)?.[0].length ?? 0;
    if (at === text.length) break;
    const token = readToken(text, at, isDot(tokens.at(-1)));
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', start: at, end: at });
  return tokens;
}

/**
 * A value as the text that stands for it behind `before`, the beginning of an expression: it cannot end the
 * text, the name or the regular expression that it stands in. Outside of these it is itself, if it is a
 * number, true, false or null; undefined for anything else, and behind a backslash.
 */
export function literalAfter(before: string, value: string): string | undefined {
  const inside = insideAfter(before);
  if (inside === '\\') return undefined;
  if (inside === '/') return value.replace(/[^a-zA-Z0-9_]/g, escapeUnit);
  if (inside !== '') return value.replaceAll('\\', '\\\\').replaceAll(inside, inside + inside);
  return /^(true|false|null)$/i.test(value) || isNumber(value) ? value : undefined;
}

/**
 * The complaint: what is wrong, the column (1-based, in characters, also in `place.column`), and
 * the line of the expression with a caret under the place.
 */
export function expressionError(text: string, at: number, problem: string): EtlError {
  const from = Math.max(text.lastIndexOf('\n', at - 1) + 1, at - 50);
  const stop = text.indexOf('\n', at);
  const line = text.slice(from, Math.min(stop < 0 ? text.length : stop, at + 30));
  const caret = `${line.slice(0, at - from).replace(/[^\t]/gu, ' ')}^`;
  const column = at + 1;
  return new EtlError(
    'INVALID_EXPRESSION',
    `where-expression, column ${column}: ${problem}\n  ${line}\n  ${caret}`,
    { place: { column } },
  );
}

/** The quote or slash that is open behind the text; a backslash if an escape is; else the empty text. */
function insideAfter(text: string): string {
  let open = '';
  let inClass = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (open === '') {
      if (`'"\`/`.includes(char)) open = char;
    } else if (char === '\\') {
      if (++at === text.length) return '\\';
    } else if (open === '/' && (char === '[' || char === ']')) inClass = char === '[';
    else if (char === open && !inClass) open = '';
  }
  return open;
}

/** Of a UTF-16 code unit, as regular expressions write it. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function isNumber(text: string): boolean {
  return matchAt(NUMBER, text, 0)?.[0] === text;
}

function readToken(text: string, start: number, afterDot: boolean): Token {
  const char = text[start]!;
  if (afterDot && char !== '`') {
    const field = matchAt(FIELD, text, start);
    if (field) return { kind: 'word', text: field[0], start, end: start + field[0].length };
  }
  if (char === '`') return readQuoted(text, start, 'quoted');
  if (char === "'" || char === '"') return readQuoted(text, start, 'string');
  if (char === '/') return readRegex(text, start);
  if (/[\d-]/.test(char)) return readNumber(text, start);
  const word = matchAt(WORD, text, start);
  if (word) return { kind: 'word', text: word[0], start, end: start + word[0].length };
  const punctuation = matchAt(PUNCTUATION, text, start);
  if (punctuation) {
    const end = start + punctuation[0].length;
    return { kind: 'punctuation', text: punctuation[0], start, end };
  }
  throw expressionError(text, start, strangeCharacter(text, start));
}

function readQuoted(text: string, start: number, kind: 'quoted' | 'string'): Token {
  const quote = text[start]!;
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!;
    if (char === quote) {
      if (text[at + 1] !== quote) return { kind, text: value, start, end: at + 1 };
      value += quote;
      at++;
    } else if (char === '\\') {
      const code = /^u[0-9a-fA-F]{4}/.exec(text.slice(at + 1, at + 6));
      const plain = ESCAPES[text[at + 1] ?? ''];
      if (code) value += String.fromCharCode(Number.parseInt(code[0].slice(1), 16));
      else if (plain !== undefined) value += plain;
      else throw expressionError(text, at, 'unknown escape; write a backslash as \\\\');
      at += code ? 5 : 1;
    } else value += char;
  }
  throw expressionError(text, start, `this ${quote} is never closed`);
}

function readRegex(text: string, start: number): Token {
  const found = matchAt(REGEX, text, start);
  if (!found) throw expressionError(text, start, 'this regular expression is never closed');
  try {
    const pattern = new RegExp(found[1]!, found[2]);
    return { kind: 'regex', pattern, start, end: start + found[0].length };
  } catch (cause) {
    throw expressionError(text, start, (cause as Error).message);
  }
}

function readNumber(text: string, start: number): Token {
  const found = matchAt(NUMBER, text, start);
  const end = start + (found?.[0].length ?? 0);
  if (!found || matchAt(FIELD, text, end) || (text[end] === '.' && end < text.length)) {
    throw expressionError(text, start, 'not a number as JSON writes them; quote it if it is text');
  }
  const value = Number(found[0]);
  if (!Number.isFinite(value)) throw expressionError(text, start, 'this number is out of range');
  const whole = found[1] === undefined && found[2] === undefined;
  const exact = !whole || Number.isSafeInteger(value);
  return { kind: 'number', value: exact ? value : BigInt(found[0]), start, end };
}

function strangeCharacter(text: string, at: number): string {
  const two = text.slice(at, at + 2);
  if (two === '&&') return 'write "and"';
  if (two === '||') return 'write "or"';
  if (two[0] === '!') return 'write "not" (or != to compare)';
  const char = String.fromCodePoint(text.codePointAt(at)!);
  return `${JSON.stringify(char)} means nothing here; put field names with it in backticks`;
}

function isDot(token: Token | undefined): boolean {
  return token?.kind === 'punctuation' && token.text === '.';
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
