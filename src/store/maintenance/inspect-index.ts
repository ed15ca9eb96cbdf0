/**
 * index.bin held against what the data says. Equal sums end it; otherwise every entry is looked at,
 * and every document that has none is looked for.
 */
import { LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { isEtlError } from '../../core/errors.ts';
import type { DiskFile } from '../../io/disk.ts';
import type { IdIndex, Kernel } from '../../kernels/index.ts';
import { formatSum } from '../commit-log.ts';
import { INDEX_HEADER_BYTES } from '../index-header.ts';
import { type Indexer, keyText } from '../indexer.ts';
import { loadIndex } from '../load-index.ts';
import { readPieces } from '../pieces.ts';
import type { StoredLines } from '../stored-lines.ts';
import type { Findings } from './findings.ts';

/** What to hold index.bin against. */
export interface IndexInput {
  readonly file: DiskFile | undefined;
  readonly path: string;
  readonly kernel: Kernel;
  readonly data: DiskFile;
  readonly stored: StoredLines;
  /** The data's own index, up to `end`. */
  readonly truth: Indexer;
  readonly end: number;
  /** A checkpoint of ours says what the index holds; else another program may have left things out. */
  readonly complete: boolean;
}

/** Adds what is wrong to `findings`. */
export async function inspectIndex(input: IndexInput, findings: Findings): Promise<void> {
  const { file, path, kernel, truth, stored, complete } = input;
  const level = complete ? 'damage' : 'notice';
  if (file === undefined) {
    if (truth.index.size > 0)
      findings.add(level, 'CORRUPTED_INDEX', { path }, 'index.bin is missing');
    return;
  }
  const loaded = kernel.createIndex();
  try {
    const read = await loadIndex(file, loaded, (offset, length, id) =>
      stored.hasId(offset, length, Buffer.from(id).toString()),
    );
    if (read === undefined) {
      if ((await file.size()) > 0 || complete) {
        findings.add('damage', 'CORRUPTED_INDEX', { path }, 'index.bin cannot be read');
      }
      return;
    }
  } catch (cause) {
    const known = isEtlError(cause, 'IO_ERROR') || isEtlError(cause, 'CORRUPTED_INDEX');
    if (!known && !(cause instanceof SyntaxError)) throw cause;
    findings.add('damage', 'CORRUPTED_INDEX', { path }, 'index.bin leads outside the data');
    return;
  }
  if (formatSum(loaded.sum) === formatSum(truth.index.sum)) return;
  const wrong = await findWrong(file, truth);
  for (const [id, { at, offset }] of wrong) {
    const text = `the entry of ${JSON.stringify(id)} leads to byte ${offset}, where that document is not`;
    findings.add('damage', 'CORRUPTED_INDEX', { path, offset: at }, text);
  }
  if (complete) await findMissing(input, loaded, wrong, findings);
}

interface WrongEntry {
  readonly at: number;
  readonly offset: number;
}

/** Entries that no later one overrides and that are not where the document is, by id. */
async function findWrong(file: DiskFile, truth: Indexer): Promise<Map<string, WrongEntry>> {
  const wrong = new Map<string, WrongEntry>();
  const head = Buffer.alloc(INDEX_HEADER_BYTES);
  await file.read(head, 0);
  // The old text form has no places worth naming; the caller has seen that the sums differ.
  if (head.toString('latin1', 0, 4) !== 'ISDZ') return wrong;
  let left = Number(head.readBigUInt64LE(8));
  let at = INDEX_HEADER_BYTES;
  const buffer = Buffer.alloc(1 << 20);
  while (left > 0) {
    const got = await file.read(buffer, at);
    let used = 0;
    while (left > 0 && used + 2 <= got) {
      const idEnd = used + 2 + buffer.readUInt16LE(used);
      if (idEnd + 12 > got) break;
      const id = buffer.toString('utf8', used + 2, idEnd);
      const offset = Number(buffer.readBigUInt64LE(idEnd));
      const entry = truth.find(id);
      if (entry >= 0 && truth.index.offset(entry) === offset) wrong.delete(id);
      else wrong.set(id, { at: at + used, offset });
      used = idEnd + 12;
      left--;
    }
    if (used === 0) break;
    at += used;
  }
  return wrong;
}

async function findMissing(
  { data, kernel, truth, end, path }: IndexInput,
  loaded: IdIndex,
  wrong: ReadonlyMap<string, unknown>,
  findings: Findings,
): Promise<void> {
  for await (const { bytes, base } of readPieces(data, 0, end, { reuse: true })) {
    const { records, count } = kernel.lines(bytes);
    const dead = truth.index.live(records, count, base).slice();
    const unknown = loaded.live(records, count, base);
    for (let i = 0; i < count; i++) {
      if (dead[i] !== 0 || unknown[i] === 0) continue;
      const id = keyText(bytes, records, i);
      if (id === undefined || wrong.has(id)) continue;
      const offset = base + records[i * RECORD_WORDS + LineRecord.start]!;
      // Where all else is right opening takes such a document as deleted by another program.
      const deleted = wrong.size === 0;
      const text = `${path} has no entry of the document ${JSON.stringify(id)}${deleted ? ': deleted by another program' : ''}`;
      const place = { path: data.path, offset };
      findings.add(deleted ? 'notice' : 'damage', 'CORRUPTED_INDEX', place, text);
    }
  }
}
