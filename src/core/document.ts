/** Documents as objects. */
import type { Path } from './path.ts';

/** What a document is, as an object. */
export type Document = { [field: string]: unknown };

/** True for what can be a document: an object that is neither an array, nor bytes, nor null. */
export function isDocument(value: unknown): value is Document {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** What a path leads to through objects; undefined where there is nothing. */
export function fieldAt(document: object, path: Path): unknown {
  let at: unknown = document;
  for (const field of path) {
    if (!isDocument(at) || !Object.hasOwn(at, field)) return undefined;
    at = at[field];
  }
  return at;
}

/** What keeps a value from being written as a JSON object, for a person; undefined if nothing. */
export function whyUnwritable(value: unknown): string | undefined {
  if (!isDocument(value)) return 'a document must be an object';
  try {
    const text: string | undefined = JSON.stringify(value);
    return text?.[0] === '{' ? undefined : 'a document must be written as an object';
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!/BigInt/.test(message)) return message.split('\n')[0]!;
    return 'a BigInt cannot be written as JSON; convert it to a string or a number first';
  }
}
