/**
 * The schemas that a collection's documents have, each with how many have it, as schemas.jsonl keeps
 * them: `{"schema_id","schema","count"}` per line. Schemas that no document has any more stay with
 * a count of 0, as the crate keeps them; in a strict collection the first one is everybody's.
 */
import { EtlError, type Place } from '../../core/errors.ts';
import {
  canonicalSchema,
  type DocSchema,
  encodeSchema,
  hashSchema,
  schemaFromJson,
  schemaOfText,
} from './doc-schema.ts';
import { parseLines } from './meta-file.ts';

export class DocSchemas {
  /** How many documents have each. */
  readonly #counts = new Map<string, number>();
  readonly #schemas = new Map<string, DocSchema>();
  /** Canonical text to id, so that each is hashed once. */
  readonly #ids = new Map<string, string>();

  /** Takes over the schemas of schemas.jsonl; counts are made anew by `add`. Answers whether all were readable. */
  load(text: string): boolean {
    const { values, whole } = parseLines(text);
    let fine = whole;
    for (const { schema_id: id, schema } of values) {
      const parsed = schemaFromJson(schema);
      // The id is the schema's hash: anything else is damage, and the documents tell it anew.
      if (parsed === undefined || hashSchema(canonicalSchema(parsed)) !== id) {
        fine = false;
        continue;
      }
      this.#schemas.set(id, parsed);
      this.#counts.set(id, 0);
    }
    return fine;
  }

  /** The id of the schema of a JSON text. Errors: NESTING_TOO_DEEP, naming `place`. */
  identify(text: string, place?: Place): string {
    const schema = schemaOfText(text, place);
    const canonical = canonicalSchema(schema);
    let id = this.#ids.get(canonical);
    if (id === undefined) {
      id = hashSchema(canonical);
      this.#ids.set(canonical, id);
    }
    if (!this.#schemas.has(id)) this.#schemas.set(id, schema);
    return id;
  }

  /** One more document has the schema. */
  add(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** One document less has it. */
  remove(id: string): void {
    this.#counts.set(id, Math.max(0, (this.#counts.get(id) ?? 0) - 1));
  }

  /** Whether more than the id is known. */
  isKnown(id: string): boolean {
    return this.#schemas.has(id);
  }

  /** Schemas that documents have or had. */
  get size(): number {
    return this.#counts.size;
  }

  /** The first schema there was; a strict collection's documents all have it. */
  get first(): string | undefined {
    return this.#counts.keys().next().value;
  }

  /** schemas.jsonl as it should be. */
  encode(): string {
    let text = '';
    for (const [id, count] of this.#counts) {
      const schema = this.#schemas.get(id);
      if (schema === undefined) continue;
      text += `{"schema_id":"${id}","schema":${encodeSchema(schema)},"count":${count}}\n`;
    }
    return text;
  }
}

/** The error for a document that a strict collection does not take. `path`: of the manifest that says so. */
export function schemaMismatch(
  path: string,
  id: string,
  expected: string,
  actual: string,
): EtlError {
  return new EtlError(
    'SCHEMA_MISMATCH',
    `strict, but document "${id}" has the schema ${actual}, not ${expected}`,
    { place: { path } },
  );
}
