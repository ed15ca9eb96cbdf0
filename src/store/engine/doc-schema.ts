/**
 * The schema of a document as the Rust crate defines it: every value replaced by the name of its
 * type. Integers that fit 64 bits with sign are `integer`, all other numbers `number`; an array has
 * the schema of its first element alone.
 *
 * It is read from the text, not from parsed values: `1.0` and `1` are the same to JavaScript and
 * different here. The schema's id is the BLAKE3-256 of its canonical text, in which keys stand
 * unescaped and members are sorted as whole texts, `"` after the key included.
 */
import { blake3 } from '@noble/hashes/blake3.js';
import { EtlError, type Place } from '../../core/errors.ts';
import { compareText, DEFAULT_MAX_DEPTH } from '../../kernels/index.ts';

/** A type's name, the schema of an array's first element (or none), or those of fields. */
export type DocSchema = string | readonly DocSchema[] | ReadonlyMap<string, DocSchema>;

/** The schema of a valid JSON text. Errors: NESTING_TOO_DEEP, naming `place`. */
export function schemaOfText(text: string, place: Place = {}): DocSchema {
  return new SchemaReader(text, place).value(0, true);
}

/** The schema that schemas.jsonl holds as JSON; undefined for what is none. */
export function schemaFromJson(value: unknown): DocSchema | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const inner = Object.entries(value).map(([key, part]) => [key, schemaFromJson(part)] as const);
  if (inner.some(([, part]) => part === undefined)) return undefined;
  if (Array.isArray(value)) return inner.map(([, part]) => part!);
  return new Map(inner as [string, DocSchema][]);
}

/** The schema as JSON, keys sorted by code point. */
export function encodeSchema(schema: DocSchema): string {
  if (typeof schema === 'string') return JSON.stringify(schema);
  if (isList(schema)) return `[${schema.map(encodeSchema).join(',')}]`;
  const fields = [...schema].sort(([a], [b]) => compareText(a, b));
  return `{${fields.map(([key, part]) => `${JSON.stringify(key)}:${encodeSchema(part)}`).join(',')}}`;
}

/** The text that the id is made of. */
export function canonicalSchema(schema: DocSchema): string {
  if (typeof schema === 'string') return `"${schema}"`;
  if (isList(schema)) return `[${schema.map(canonicalSchema).join(',')}]`;
  const fields = [...schema].map(([key, part]) => `"${key}":${canonicalSchema(part)}`);
  return `{${fields.sort(compareText).join(',')}}`;
}

/** BLAKE3-256 of a canonical text, 64 hex digits. */
export function hashSchema(canonical: string): string {
  return Buffer.from(blake3(new TextEncoder().encode(canonical))).toString('hex');
}

const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;
/** Numbers with at most so many characters need no look at their digits. */
const SURE_DIGITS = 18;
const MAX_I64 = (1n << 63n) - 1n;
const NONE: DocSchema = 'null';
const BYTE_ORDER_MARK = '\ufeff';

/** Walks a JSON text that is known to be valid. */
class SchemaReader {
  readonly #text: string;
  readonly #place: Place;
  #at: number;

  constructor(text: string, place: Place) {
    this.#text = text;
    this.#place = place;
    this.#at = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  }

  /** Passes over a value; makes its schema only where `wanted`. */
  value(depth: number, wanted: boolean): DocSchema {
    const first = this.#peek();
    switch (first) {
      case '{':
        return this.#object(depth + 1, wanted);
      case '[':
        return this.#array(depth + 1, wanted);
      case '"':
        this.#string();
        return 'string';
      case 't':
      case 'n':
        this.#at += 4;
        return first === 't' ? 'boolean' : 'null';
      case 'f':
        this.#at += 5;
        return 'boolean';
      default:
        return this.#number();
    }
  }

  #object(depth: number, wanted: boolean): DocSchema {
    this.#checkDepth(depth);
    const fields = new Map<string, DocSchema>();
    this.#at++;
    for (let next = this.#peek(); next !== '}'; next = this.#peek()) {
      if (next === ',') this.#at++;
      this.#peek();
      const key = this.#string();
      this.#peek();
      this.#at++;
      const part = this.value(depth, wanted);
      if (wanted) fields.set(JSON.parse(key) as string, part);
    }
    this.#at++;
    return fields;
  }

  #array(depth: number, wanted: boolean): DocSchema {
    this.#checkDepth(depth);
    const elements: DocSchema[] = [];
    let found = 0;
    this.#at++;
    for (let next = this.#peek(); next !== ']'; next = this.#peek()) {
      if (next === ',') this.#at++;
      const part = this.value(depth, wanted && found === 0);
      if (found++ === 0) elements.push(part);
    }
    this.#at++;
    return elements;
  }

  /** The string that begins here, quotes and escapes included. */
  #string(): string {
    const start = this.#at;
    let end = start;
    let escapes: number;
    do {
      end = this.#text.indexOf('"', end + 1);
      escapes = 0;
      while (this.#text.charCodeAt(end - 1 - escapes) === 92) escapes++;
    } while (escapes % 2 === 1);
    this.#at = end + 1;
    return this.#text.slice(start, this.#at);
  }

  #number(): DocSchema {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (found === null) return NONE;
    const [digits, fraction, exponent] = found;
    this.#at += digits.length;
    // -0 is a float to the crate, as no integer can hold its sign.
    if (fraction !== undefined || exponent !== undefined || digits === '-0') return 'number';
    if (digits.length <= SURE_DIGITS) return 'integer';
    const exact = BigInt(digits);
    return exact <= MAX_I64 && exact >= -MAX_I64 - 1n ? 'integer' : 'number';
  }

  #checkDepth(depth: number): void {
    if (depth <= DEFAULT_MAX_DEPTH) return;
    const text = `more than ${DEFAULT_MAX_DEPTH} objects and arrays deep`;
    throw new EtlError('NESTING_TOO_DEEP', text, { place: this.#place });
  }

  /** The next character that is no space; undefined at the end. */
  #peek(): string | undefined {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
    return this.#text[this.#at];
  }
}

function isList(schema: DocSchema): schema is readonly DocSchema[] {
  return Array.isArray(schema);
}
