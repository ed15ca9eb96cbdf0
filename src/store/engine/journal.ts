/**
 * meta/journal.log, as the Rust crate writes it: a line of JSON per operation, `PUT` and `DELETE`
 * before the document's file changes, `COMMIT` after a flush. `CHECKPOINT` is the last line of a
 * session that ended well: everything else in the meta folder was synced before it. So a journal
 * that ends otherwise says which documents the other files may be wrong about.
 */
import type { Disk } from '../../io/disk.ts';
import { isCount, isSchemaId } from './meta-file.ts';

/** A change that the other files may not have heard of. */
export type JournalEntry =
  | { readonly op: 'PUT'; readonly id: string; readonly schemaId: string; readonly size: number }
  | { readonly op: 'DELETE'; readonly id: string };

/** What the journal says on opening. */
export interface JournalState {
  /** One past the last whole line, or past the last before one that cannot be read. */
  readonly end: number;
  readonly size: number;
  /** The last batch committed; 0 when there is none. */
  readonly batchId: number;
  /** Changes since the last checkpoint, oldest first. */
  readonly entries: readonly JournalEntry[];
  /** The last line is a checkpoint, or there is no line. */
  readonly clean: boolean;
}

const PIECE_BYTES = 1 << 20;
/** Most journals say all that matters in their last lines. */
const TAIL_BYTES = 16 << 10;

/** The line of an operation. */
export function journalLine(
  entry: JournalEntry | { readonly op: 'COMMIT'; readonly batchId: number } | { op: 'CHECKPOINT' },
): string {
  // Nine digits of a second, as the crate has them.
  const timestamp = `${new Date().toISOString().slice(0, -1)}000000Z`;
  const { op } = entry;
  if (op === 'COMMIT') return `${JSON.stringify({ op, timestamp, batch_id: entry.batchId })}\n`;
  if (op === 'CHECKPOINT') return `${JSON.stringify({ op, timestamp })}\n`;
  const { id } = entry;
  if (op === 'DELETE') return `${JSON.stringify({ op, timestamp, doc_id: id })}\n`;
  const { schemaId: schema_id, size } = entry;
  return `${JSON.stringify({ op, timestamp, doc_id: id, schema_id, size })}\n`;
}

/** Reads the journal as far as needed: its end, or all of it after a session that did not end well. */
export async function readJournal(disk: Disk, path: string): Promise<JournalState> {
  const found = await disk.stat(path);
  if (found?.kind !== 'file') return { end: 0, size: 0, batchId: 0, entries: [], clean: true };
  const { size } = found;
  const from = Math.max(0, size - TAIL_BYTES);
  if (from > 0) {
    const tail = await readFrom(disk, path, from, size);
    // Without a commit in sight the number of the last one is further up.
    if (tail.clean && tail.batchId > 0) return tail;
  }
  return readFrom(disk, path, 0, size);
}

async function readFrom(
  disk: Disk,
  path: string,
  from: number,
  size: number,
): Promise<JournalState> {
  const file = await disk.open(path, 'read');
  try {
    let buffer = Buffer.allocUnsafe(Math.max(1, Math.min(PIECE_BYTES, size - from)));
    let at = from;
    let batchId = 0;
    let entries: JournalEntry[] = [];
    let last: unknown;
    /** Where something unreadable stands behind the last checkpoint. */
    let bad: number | undefined;
    while (at < size) {
      const got = await file.read(buffer, at);
      const end = buffer.lastIndexOf(10, got - 1) + 1;
      if (got === 0 || end === 0) {
        if (got < buffer.length) break;
        buffer = Buffer.allocUnsafe(buffer.length * 2);
        continue;
      }
      for (let start = 0; start < end; ) {
        const stop = buffer.indexOf(10, start);
        const entry = parseEntry(buffer.toString('utf8', start, stop));
        // Reading may have begun in the middle of a line.
        if (entry === undefined && (at + start > from || from === 0)) bad ??= at + start;
        start = stop + 1;
        last = entry?.op ?? 'unknown';
        if (entry?.op === 'CHECKPOINT') {
          entries = [];
          bad = undefined;
        } else if (entry?.op === 'COMMIT') batchId = Math.max(batchId, entry.batchId);
        else if (entry) entries.push(entry);
      }
      at += end;
    }
    const clean = at === size && (last === 'CHECKPOINT' || last === undefined);
    return { end: bad ?? at, size, batchId, entries, clean };
  } finally {
    await file.close();
  }
}

type AnyEntry = Parameters<typeof journalLine>[0];

/** Undefined for lines that are none; a torn one never was acknowledged. */
function parseEntry(line: string): AnyEntry | undefined {
  let value: { [field: string]: unknown };
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return undefined;
  }
  const { op, doc_id: id, schema_id: schemaId, size, batch_id: batchId } = value ?? {};
  if (op === 'CHECKPOINT') return { op };
  if (op === 'COMMIT') return isCount(batchId) ? { op, batchId } : undefined;
  if (typeof id !== 'string') return undefined;
  if (op === 'DELETE') return { op, id };
  if (op !== 'PUT' || !isSchemaId(schemaId) || !isCount(size)) return undefined;
  return { op, id, schemaId, size };
}
