/**
 * Dotted paths into documents. `a.b` means field `b` of the object in field `a`; a backslash takes
 * the next character literally (`a\.b` is one field). An array of strings is a path already split.
 */
import { EtlError } from './errors.ts';

export type PathInput = string | readonly string[];
export type Path = readonly string[];

/** What selecting some of its fields leaves of a document; within objects and arrays too. */
export type Selected<T> = T extends readonly (infer E)[]
  ? Selected<E>[]
  : T extends object
    ? { [K in keyof T]?: Selected<T[K]> }
    : T;

/** Splits a dotted path. Errors: INVALID_ARGUMENT for an empty path, a dangling backslash, or what is no path. */
export function parsePath(input: PathInput): Path {
  if (typeof input !== 'string') {
    if (!Array.isArray(input) || input.some((field) => typeof field !== 'string')) {
      const text = `a path is a text or an array of texts, not ${JSON.stringify(input)}`;
      throw new EtlError('INVALID_ARGUMENT', text);
    }
    if (input.length === 0) throw new EtlError('INVALID_ARGUMENT', 'a path needs a field');
    return input;
  }
  const fields: string[] = [];
  let field = '';
  for (let i = 0; i < input.length; i++) {
    const char = input[i]!;
    if (char === '.') {
      fields.push(field);
      field = '';
    } else if (char === '\\') {
      if (++i === input.length) {
        throw new EtlError('INVALID_ARGUMENT', `path ${JSON.stringify(input)} ends in a backslash`);
      }
      field += input[i];
    } else field += char;
  }
  fields.push(field);
  if (input === '') throw new EtlError('INVALID_ARGUMENT', 'a path needs a field');
  return fields;
}

/** The inverse of parsePath. */
export function formatPath(path: Path): string {
  return path.map((field) => field.replace(/[\\.]/g, '\\$&')).join('.');
}
