/**
 * The forms that the parts of a pipeline file may have, in a part of JSON Schema: what is declared once
 * per option here checks files, fills the page of stages, and is the schema that editors load.
 */
import { SIZE_PATTERN } from '../core/size.ts';

/** What a part may be. A form without any of the fields below `default` takes everything. */
export interface Schema {
  readonly description?: string;
  /** For the reader; the stage's function is what sets it. */
  readonly default?: unknown;
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'null' | 'array' | 'object';
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly examples?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | false;
  readonly anyOf?: readonly Schema[];
  /**
   * `where`: an expression, which becomes a predicate. `size`: text such as 32MiB, which becomes bytes.
   * `collection`: the name of a collection.
   */
  readonly format?: 'where' | 'size' | 'collection';
  /** A stage of this kind. */
  readonly $ref?: StageRef;
}

/** Where a stage may stand. */
export type StageRef = '#/$defs/source' | '#/$defs/transform' | '#/$defs/sink';

/** Text, not empty. */
export const text: Schema = { type: 'string', minLength: 1 };
/** Text that may be empty. */
export const anyText: Schema = { type: 'string' };
/** One ASCII character. */
export const character: Schema = {
  type: 'string',
  pattern: '^[\\u0001-\\u007f]$',
  examples: [';'],
};
/** True or false. */
export const flag: Schema = { type: 'boolean' };
/** A whole number from 1 on. */
export const count: Schema = { type: 'integer', minimum: 1 };
/** A whole number from 0 on. */
export const natural: Schema = { type: 'integer', minimum: 0 };
/** Bytes: a whole number, or text such as 32MiB. */
export const size: Schema = {
  anyOf: [count, { type: 'string', pattern: SIZE_PATTERN, format: 'size', examples: ['32MiB'] }],
};
/** The name of a collection. */
export const collection: Schema = { type: 'string', minLength: 1, format: 'collection' };
/** A where-expression. */
export const where: Schema = { type: 'string', minLength: 1, format: 'where' };
/** Texts, at least one. */
export const texts: Schema = { type: 'array', items: text, minItems: 1 };
/** A field: `a.b`, or its steps as a list. */
export const path: Schema = { anyOf: [text, texts] };
/** Fields, at least one. */
export const paths: Schema = { type: 'array', items: path, minItems: 1 };
/** One of these words. */
export const oneOf = (...words: readonly unknown[]): Schema => ({ enum: words });
/** Any of these forms. */
export const anyOf = (...forms: readonly Schema[]): Schema => ({ anyOf: forms });
/** A mapping from any name to this form. */
export const mapOf = (form: Schema): Schema => ({ type: 'object', additionalProperties: form });
/** A mapping with these fields and no others. */
export const fields = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): Schema => ({ type: 'object', properties, required, additionalProperties: false });

/** A form with words about it. */
export function option(form: Schema, description: string, standard?: unknown): Schema {
  return { ...form, description, ...(standard === undefined ? {} : { default: standard }) };
}

/** How often and how long something is tried again. */
export const retry: Schema = fields({
  retries: option(natural, 'Attempts after the first.', 5),
  baseDelayMs: option(natural, 'Ceiling of the first wait; doubles.', 250),
  maxDelayMs: option(natural, 'No wait is longer.', 30_000),
  maxRetryAfterMs: option(natural, 'A longer Retry-After is given up on.', 300_000),
});

/** What the form takes, in words: `a whole number or text`. */
export function describeSchema(form: Schema): string {
  if (form.$ref) return `a ${form.$ref.slice('#/$defs/'.length)}`;
  if (form.anyOf) return [...new Set(form.anyOf.map(describeSchema))].join(' or ');
  if (form.enum) return form.enum.map((word) => JSON.stringify(word)).join(', ');
  if (form.format === 'where') return 'an expression';
  switch (form.type) {
    case 'string':
      return form.examples ? `text such as ${form.examples[0]}` : 'text';
    case 'integer':
      return 'a whole number';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'array':
      return form.items ? `a list of ${describeSchema(form.items)}` : 'a list';
    case 'object':
      return describeObject(form);
    case 'null':
      return 'null';
    default:
      return 'anything';
  }
}

function describeObject({ properties, additionalProperties: each }: Schema): string {
  if (properties) {
    const names = Object.entries(properties).map(([name, { enum: words }]) => {
      return words?.length === 1 ? `${name}: ${String(words[0])}` : name;
    });
    return `{ ${names.join(', ')} }`;
  }
  return each ? `names with ${describeSchema(each)}` : 'a mapping';
}
