/**
 * One pass over a collection with a file per document: every document is read, and held against what
 * the files beside say of it. Reads only.
 *
 * The documents are the truth, and may be edited by hand: what the other files say differently is a
 * notice. Damage is a document that cannot be read, one that a strict collection could not have taken,
 * and a manifest that does not tell whether it is strict.
 */
import { checkSignal } from '../../core/abort.ts';
import { type EtlError, isEtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { documentPath, listDocuments } from '../engine/documents.ts';
import { eachOf } from '../engine/each-of.ts';
import { DocSchemas, schemaMismatch } from '../engine/schemas.ts';
import {
  type EnginePaths,
  type EngineState,
  type Examined,
  enginePaths,
  examine,
  loadState,
} from '../engine/state.ts';
import { Layout } from '../layout.ts';
import type { RewriteOptions } from '../rewrite.ts';
import type { Findings } from './findings.ts';
import { inspectNames } from './inspect-names.ts';

/** What the pass came to know. */
export interface DocumentsInspection {
  /** Documents that can be read. */
  readonly documents: number;
  /** Ids of the others. */
  readonly damaged: readonly string[];
  /** Of all documents' files. */
  readonly bytes: number;
  readonly manifestDamaged: boolean;
  /** The manifest says that all documents have one schema. */
  readonly strict: boolean;
  /** Some document has not the schema that a strict collection's have. */
  readonly mixed: boolean;
  /** The files in meta/ do not say what docs/ holds, or a session left something there. */
  readonly lagging: boolean;
}

/** What the documents themselves say. */
type Read = ReadonlyMap<string, Examined>;

/** Inspects. Errors: IO_ERROR, ABORTED. */
export async function inspectDocuments(
  disk: Disk,
  root: string,
  collection: string,
  findings: Findings,
  options: RewriteOptions,
): Promise<DocumentsInspection> {
  const paths = enginePaths(root, collection);
  findings.addLayout(await Layout.validateCollection(root, collection, disk));
  const damaged: string[] = [];
  const { read, bytes } = await readAll(disk, paths, options, (id, error) => {
    damaged.push(id);
    findings.add('damage', error.code, error.place, error.reason);
  });
  let manifestDamaged = false;
  const state = await loadState(disk, paths, {
    as: 'writer',
    onDamage(error) {
      // The documents' own is told already.
      if (error.place.path !== paths.manifest) return;
      manifestDamaged = true;
      findings.add('damage', error.code, error.place, error.reason);
    },
  });
  const mixed = inspectSchemas(state, read, paths, findings);
  const lagging = inspectLists(state, read, paths, findings);
  const left = new Set(state.leftovers);
  await inspectNames(disk, paths.meta, findings, (path) => left.has(path));
  return {
    documents: read.size,
    damaged,
    bytes,
    manifestDamaged,
    strict: state.manifest?.strict ?? false,
    mixed,
    lagging,
  };
}

/** Reads all documents; `onDamage` gets those that cannot be read. */
async function readAll(
  disk: Disk,
  { docs }: EnginePaths,
  { signal, onProgress }: RewriteOptions,
  onDamage: (id: string, error: EtlError) => void,
): Promise<{ readonly read: Read; readonly bytes: number }> {
  const schemas = new DocSchemas();
  const { ids } = await listDocuments(disk, docs);
  const outcomes = new Map<string, Examined | EtlError>();
  let bytes = 0;
  await eachOf([...ids], async (id) => {
    checkSignal(signal, 'the check was stopped');
    const path = documentPath(docs, id);
    try {
      const examined = await examine(disk, path, schemas);
      if (examined === undefined) return;
      outcomes.set(id, examined);
      bytes += examined.size;
    } catch (error) {
      if (!isEtlError(error) || error.code === 'IO_ERROR') throw error;
      outcomes.set(id, error);
      bytes += (await disk.stat(path))?.size ?? 0;
    }
    onProgress?.({ bytes, totalBytes: bytes });
  });
  const read = new Map<string, Examined>();
  // In the order of the listing, whichever was read first.
  for (const id of ids) {
    const outcome = outcomes.get(id);
    if (isEtlError(outcome)) onDamage(id, outcome);
    else if (outcome) read.set(id, outcome);
  }
  return { read, bytes };
}

/** Whether some document has not the first schema that there was; in a strict collection that is damage. */
function inspectSchemas(
  { schemas, manifest }: EngineState,
  read: Read,
  paths: EnginePaths,
  findings: Findings,
): boolean {
  const { first } = schemas;
  let mixed = false;
  for (const [id, { schemaId }] of read) {
    if (first === undefined || schemaId === first) continue;
    mixed = true;
    if (!manifest?.strict) break;
    const { code, place, reason } = schemaMismatch(
      documentPath(paths.docs, id),
      id,
      first,
      schemaId,
    );
    findings.add('damage', code, place, reason);
  }
  return mixed;
}

/** Whether the files in meta/ want writing anew. */
function inspectLists(
  { entries, journal, stale, leftovers }: EngineState,
  read: Read,
  paths: EnginePaths,
  findings: Findings,
): boolean {
  let edited = false;
  for (const [id, { schemaId, size, ownId }] of read) {
    const path = documentPath(paths.docs, id);
    if (ownId !== undefined && ownId !== id) {
      const text = `its own _id is ${JSON.stringify(ownId).slice(0, 60)}; the file's name is what counts`;
      findings.add('notice', 'ID_MISMATCH', { path }, text);
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
  if (stale && !edited) {
    const text = 'the files here do not say what docs/ holds; the next writer writes them anew';
    findings.add('notice', 'CORRUPTED_INDEX', { path: paths.meta }, text);
  }
  return stale || edited || !journal.clean || leftovers.length > 0;
}
