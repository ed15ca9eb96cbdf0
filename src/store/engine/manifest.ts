/** meta/manifest.json: optional, and the only place that says whether a collection is strict. */
import { EtlError } from '../../core/errors.ts';

/** The version that the crate writes, whose form this is. */
const VERSION = '0.1.2';

/** What a manifest says. Fields that are not ours are kept. */
export interface Manifest {
  readonly strict: boolean;
  readonly fields: { readonly [field: string]: unknown };
}

/** Errors: CORRUPTED_DATA. */
export function parseManifest(text: string, path: string): Manifest {
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
      const { strict = false } = fields as { strict?: unknown };
      if (typeof strict === 'boolean') return { strict, fields: { ...fields } };
    }
  } catch {
    // Said below.
  }
  throw new EtlError('CORRUPTED_DATA', 'the manifest is no JSON object; mend or remove it', {
    place: { path },
  });
}

/** The manifest of a new collection. */
export function newManifest(collection: string, strict: boolean): Manifest {
  const created_at = new Date().toISOString();
  return { strict, fields: { version: VERSION, collection, strict, created_at } };
}

/** The file's text with counts of now. */
export function encodeManifest(
  { strict, fields }: Manifest,
  documents: number,
  schemas: number,
): string {
  const counted = { ...fields, strict, doc_count: documents, schema_count: schemas };
  return `${JSON.stringify(counted, null, 2)}\n`;
}
