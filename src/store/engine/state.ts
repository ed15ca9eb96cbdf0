/**
 * What a collection of files holds, found out on opening: which documents, in which order, with
 * which schemas.
 *
 * The files in docs/ decide what exists. order.ids tells the order of those that it names, the
 * journal that of others, and what neither knows (a file made by hand) comes last, by id.
 * doc_index.jsonl tells size and schema, unless the journal says that a session which did not end
 * well touched the document: a writer then reads the document again. Nothing is written here.
 */
import { join } from 'node:path';
import { type EtlError, isEtlError } from '../../core/errors.ts';
import type { Disk } from '../../io/disk.ts';
import { decodeText } from '../../io/index.ts';
import { compareText } from '../../kernels/index.ts';
import { Layout } from '../layout.ts';
import { documentPath, listDocuments, parseFile } from './documents.ts';
import { eachOf } from './each-of.ts';
import { type JournalEntry, type JournalState, readJournal } from './journal.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { isCount, isSchemaId, parseLines, readText, readWhole } from './meta-file.ts';
import { DocSchemas } from './schemas.ts';

/** What doc_index.jsonl tells about a document. */
export interface DocEntry {
  readonly schemaId: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Seconds since 1970 of its last change; 0 where it is not known. */
  mtime: number;
}

/** The same as the file itself has it. */
export interface Examined extends DocEntry {
  /** The `_id` that stands in the file; it decides nothing. */
  readonly ownId: unknown;
}

/** A collection as found. */
export interface EngineState {
  /** In the order of the documents. */
  readonly entries: Map<string, DocEntry>;
  readonly schemas: DocSchemas;
  readonly manifest: Manifest | undefined;
  readonly journal: JournalState;
  /** Lines of doc_index.jsonl, replaced ones included. */
  readonly indexLines: number;
  /** Paths of temporary files. */
  readonly leftovers: readonly string[];
  /** The other files do not say just this, and want writing anew. */
  readonly stale: boolean;
}

/** The paths that make up a collection of files. */
export interface EnginePaths {
  readonly folder: string;
  readonly meta: string;
  readonly docs: string;
  readonly order: string;
  readonly docIndex: string;
  readonly schemas: string;
  readonly manifest: string;
  readonly journal: string;
}

/** Errors: INVALID_PATH. */
export function enginePaths(root: string, name: string): EnginePaths {
  const { folder, meta } = Layout.collection(root, name);
  return {
    folder,
    meta,
    docs: Layout.docsDir(root, name),
    order: Layout.orderFile(root, name),
    docIndex: Layout.docIndexFile(root, name),
    schemas: Layout.schemasFile(root, name),
    manifest: Layout.manifestFile(root, name),
    journal: Layout.journalFile(root, name),
  };
}

/** How much of what the other files say is believed. */
export interface LoadOptions {
  /** `writer`: documents that an interrupted session touched are read; `rebuild`: all are. Default `reader`. */
  readonly as?: 'reader' | 'writer' | 'rebuild';
  /** Takes the error of a document, or of the manifest, that is damaged: it is left out then. Default: it is thrown. */
  readonly onDamage?: (error: EtlError) => void;
}

/** Of a document that cannot be read, to readers. The id is no schema's. */
const UNREADABLE: DocEntry = { schemaId: '0'.repeat(64), size: 0, mtime: 0 };

/** Finds out what is there. Errors: IO_ERROR; for a document to be read as `examine`; CORRUPTED_DATA. */
export async function loadState(
  disk: Disk,
  paths: EnginePaths,
  { as = 'reader', onDamage }: LoadOptions = {},
): Promise<EngineState> {
  const tell = (error: unknown): DocEntry | undefined => {
    if (!isEtlError(error) || error.code === 'IO_ERROR') throw error;
    // The document is there, and whoever asks for it hears what is wrong; a manifest is for writers.
    if (as === 'reader') return UNREADABLE;
    if (onDamage === undefined) throw error;
    onDamage(error);
    return undefined;
  };
  // The journal first: what it does not know yet was not in the other files before either.
  const journal = await readJournal(disk, paths.journal);
  const order = parseOrder(await readText(disk, paths.order));
  const index = parseDocIndex(as === 'rebuild' ? '' : await readText(disk, paths.docIndex));
  const schemas = new DocSchemas();
  const schemasText = (await readText(disk, paths.schemas)) ?? '';
  const schemasWhole = schemas.load(schemasText);
  const manifestText = await readText(disk, paths.manifest);
  const { ids, leftovers } = await listDocuments(disk, paths.docs);

  const names = orderOf(order.ids, ids, journal.entries);
  const touched = new Map<string, JournalEntry>();
  for (const entry of journal.entries) touched.set(entry.id, entry);
  const look = (id: string): Promise<DocEntry | undefined> =>
    examine(disk, documentPath(paths.docs, id), schemas).catch(tell);
  const looked = new Map<string, DocEntry | undefined>();
  const unsure = names.filter((id) =>
    as === 'reader'
      ? !index.entries.has(id) && !touched.has(id)
      : !index.entries.has(id) || touched.has(id),
  );
  await eachOf(unsure, async (id) => void looked.set(id, await look(id)));
  const entries = new Map<string, DocEntry>();
  let stale =
    as === 'rebuild' || !order.whole || !index.whole || !schemasWhole || leftovers.length > 0;
  stale ||= names.length !== order.ids.length || index.entries.size !== names.length;
  for (const [ordinal, id] of names.entries()) {
    stale ||= order.ids[ordinal] !== id;
    const change = touched.get(id);
    let entry = index.entries.get(id);
    if (change?.op === 'PUT' && as === 'reader' && entry === undefined) {
      const { schemaId, size } = change;
      entry = { schemaId, size, mtime: 0 };
    }
    const doubtful = as !== 'reader' && change !== undefined;
    if (entry === undefined || doubtful || (as !== 'reader' && !schemas.isKnown(entry.schemaId))) {
      const read = looked.has(id) ? looked.get(id) : await look(id);
      // Gone since the folder was listed: another process deleted it. Or damaged, and told.
      if (read === undefined) continue;
      stale ||= entry?.schemaId !== read.schemaId || entry.size !== read.size;
      entry = read;
    }
    entries.set(id, entry);
    if (entry !== UNREADABLE) schemas.add(entry.schemaId);
  }
  stale ||= schemas.encode() !== schemasText;
  let manifest: Manifest | undefined;
  try {
    if (manifestText !== undefined) manifest = parseManifest(manifestText, paths.manifest);
  } catch (error) {
    tell(error);
  }
  return {
    entries,
    schemas,
    manifest,
    journal,
    indexLines: index.lines,
    leftovers: [...leftovers, ...(await leftoversIn(disk, paths.meta))],
    stale,
  };
}

/** order.ids of these documents. */
export function encodeOrder(ids: Iterable<string>): string {
  let text = '';
  for (const id of ids) text += `${id}\n`;
  return text;
}

/** A line of doc_index.jsonl. */
export function docIndexLine(id: string, { schemaId, size, mtime }: DocEntry): string {
  return `${JSON.stringify({ doc_id: id, schema_id: schemaId, size, mtime })}\n`;
}

/**
 * Size and schema of a document as its file has them; undefined when it is missing. Errors, naming the
 * file: JSON_ERROR, NOT_AN_OBJECT, INVALID_UTF8, NESTING_TOO_DEEP; IO_ERROR.
 */
export async function examine(
  disk: Disk,
  path: string,
  schemas: DocSchemas,
): Promise<Examined | undefined> {
  const found = await disk.stat(path);
  if (found?.kind !== 'file') return undefined;
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return undefined;
  const text = decodeText(bytes, path);
  const { _id } = parseFile(text, path);
  return {
    schemaId: schemas.identify(text, { path }),
    size: bytes.length,
    mtime: Math.floor((found.modifiedMs ?? 0) / 1000),
    ownId: _id,
  };
}

/** The ids that exist, in order. */
function orderOf(
  known: readonly string[],
  existing: ReadonlySet<string>,
  entries: readonly JournalEntry[],
): string[] {
  // Bytes that never came to the disk are read as zeros. What was added behind them is in the
  // journal, and so is what they said.
  const lost = known.findIndex((id) => id.includes('\0'));
  const since = new Set(lost < 0 ? [] : entries.map(({ id }) => id));
  const sure = (id: string, at: number) => existing.has(id) && (at < lost || !since.has(id));
  const order = new Set(known.filter(sure));
  const late = new Set<string>();
  for (const { op, id } of entries) {
    if (op === 'DELETE') late.delete(id);
    else if (existing.has(id) && !order.has(id)) late.add(id);
  }
  for (const id of late) order.add(id);
  if (order.size < existing.size) {
    for (const id of [...existing].sort(compareText)) order.add(id);
  }
  return [...order];
}

function parseOrder(text: string | undefined): { readonly ids: string[]; readonly whole: boolean } {
  if (text === undefined) return { ids: [], whole: false };
  const lines = text.split('\n');
  // A last line without its end may be half of an id.
  const whole = lines.pop() === '';
  return { ids: lines.map((line) => line.trim()).filter((line) => line !== ''), whole };
}

function parseDocIndex(text: string | undefined): {
  readonly entries: Map<string, DocEntry>;
  readonly lines: number;
  readonly whole: boolean;
} {
  const entries = new Map<string, DocEntry>();
  const { values, whole } = parseLines(text ?? '');
  let fine = whole && text !== undefined;
  for (const { doc_id: id, schema_id: schemaId, size, mtime = 0 } of values) {
    // A line without a time is another program's; one that cannot be right says nothing of a document.
    if (typeof id !== 'string' || !isSchemaId(schemaId) || !isCount(size) || !isCount(mtime)) {
      if (typeof id === 'string') entries.delete(id);
      fine = false;
      continue;
    }
    entries.set(id, { schemaId, size, mtime });
  }
  return { entries, lines: values.length, whole: fine };
}

async function leftoversIn(disk: Disk, meta: string): Promise<string[]> {
  if ((await disk.stat(meta))?.kind !== 'folder') return [];
  const names = ['order.ids', 'doc_index.jsonl', 'schemas.jsonl', 'manifest.json'];
  const entries = await disk.list(meta);
  return entries
    .filter(({ name }) => names.some((file) => name === `${file}.tmp`))
    .map(({ name }) => join(meta, name));
}
