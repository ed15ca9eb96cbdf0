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
  const fields = parseObject(text);
  const strict = fields?.strict ?? false;
  if (fields !== undefined && typeof strict === 'boolean') return { strict, fields };
  throw new EtlError(
    'CORRUPTED_DATA',
    'the manifest is no JSON object; mend it, or run zds repair',
    {
      place: { path },
    },
  );
}

/** What takes the place of a manifest that cannot be read: whatever can still be told of it. */
export function salvageManifest(text: string, collection: string): Manifest {
  const strict = /"strict"\s*:\s*true\b/.test(text);
  const fields = parseObject(text);
  return fields === undefined ? newManifest(collection, strict) : { strict, fields };
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

function parseObject(text: string): Manifest['fields'] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Manifest['fields'])
    : undefined;
}
