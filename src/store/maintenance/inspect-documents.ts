/**
 * One pass over a collection with a file per document: every document is read, and held against what
 * the files beside say of it. Reads only.
 *
 * The documents are the truth, and may be edited by hand: what the other files say differently is a
 * notice. Damage is a document that cannot be read, one that a strict collection could not have taken,
 * and a manifest that does not tell whether it is strict.
 */
import { EtlError, isEtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { decodeFile, documentPath, listDocuments } from '../engine/documents.ts';
import { readText } from '../engine/meta-file.ts';
import { DocSchemas, schemaMismatch } from '../engine/schemas.ts';
import { type DocEntry, type EngineState, enginePaths, loadState } from '../engine/state.ts';
import { Layout } from '../layout.ts';
import type { RewriteOptions } from '../rewrite.ts';
import type { Findings } from './findings.ts';

/** What the documents themselves say. */
type Read = Map<string, Pick<DocEntry, 'schemaId' | 'size'>>;

/** Inspects; answers how many documents can be read, and their bytes. Errors: IO_ERROR, ABORTED. */
export async function inspectDocuments(
  disk: Disk,
  root: string,
  collection: string,
  findings: Findings,
  { signal, onProgress }: RewriteOptions,
): Promise<{ readonly documents: number; readonly bytes: number }> {
  const paths = enginePaths(root, collection);
  for (const { place, message } of await Layout.validateCollection(root, collection, disk)) {
    findings.add('notice', 'INVALID_PATH', place, message);
  }
  const schemas = new DocSchemas();
  const read: Read = new Map();
  const { ids } = await listDocuments(disk, paths.docs);
  let bytes = 0;
  for (const id of ids) {
    if (signal?.aborted) {
      throw new EtlError('ABORTED', 'the check was stopped', { cause: signal.reason });
    }
    const path = documentPath(paths.docs, id);
    const text = await readText(disk, path);
    if (text === undefined) continue;
    const size = Buffer.byteLength(text);
    bytes += size;
    try {
      decodeFile(id, text, false, path);
      read.set(id, { schemaId: schemas.identify(text), size });
    } catch (cause) {
      tell(findings, cause, path);
    }
    onProgress?.({ bytes, totalBytes: bytes });
  }
  try {
    const state = await loadState(disk, paths, { as: 'writer' });
    compare(state, read, paths, findings);
  } catch (cause) {
    // That a document cannot be read is told already.
    if (!isUnreadable(cause)) tell(findings, cause, paths.manifest);
  }
  return { documents: read.size, bytes };
}

function compare(
  { entries, schemas, manifest, journal, stale }: EngineState,
  read: Read,
  paths: ReturnType<typeof enginePaths>,
  findings: Findings,
): void {
  let edited = false;
  for (const [id, { schemaId, size }] of read) {
    const path = documentPath(paths.docs, id);
    if (manifest?.strict && schemas.first !== undefined && schemaId !== schemas.first) {
      tell(findings, schemaMismatch(path, id, schemas.first, schemaId), path);
    }
    const known = entries.get(id);
    if (known === undefined || (known.size === size && known.schemaId === schemaId)) continue;
    edited = true;
    const text = 'edited since the last writer: size or schema are others in doc_index.jsonl';
    findings.add('notice', 'CORRUPTED_INDEX', { path }, text);
  }
  if (journal.size > journal.end) {
    const place = { path: paths.journal, offset: journal.end };
    findings.add('notice', 'CORRUPTED_DATA', place, 'an unfinished line of the journal');
  } else if (!journal.clean) {
    const text = 'the last session did not end with a checkpoint';
    findings.add('notice', 'CORRUPTED_DATA', { path: paths.journal }, text);
  }
  if (!stale || edited) return;
  const text = 'the files here do not say what docs/ holds; the next writer writes them anew';
  findings.add('notice', 'CORRUPTED_INDEX', { path: paths.meta }, text);
}

function isUnreadable(cause: unknown): boolean {
  return isEtlError(cause, 'JSON_ERROR') || isEtlError(cause, 'NOT_AN_OBJECT');
}

/** Adds an error about what stands in a file; others go on. */
function tell(findings: Findings, cause: unknown, path: string): void {
  if (!(cause instanceof EtlError) || cause.code === 'IO_ERROR') throw cause;
  findings.add('damage', cause.code, { ...cause.place, path }, cause.reason);
}
