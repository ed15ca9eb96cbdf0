/**
 * One pass over everything that a collection has on disk: log, data, index, leftovers. Reads only;
 * finds what is wrong, and what can be kept.
 */

import { basename } from 'node:path';
import { checkSignal } from '../../core/abort.ts';
import { KeyKind, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { EtlError } from '../../core/errors.ts';
import type { Disk, DiskFile } from '../../io/disk.ts';
import type { Kernel, LineTable } from '../../kernels/index.ts';
import { type CommitRecord, formatSum } from '../commit-log.ts';
import { ForeignIndex } from '../foreign-index.ts';
import { isLeftover, type Located } from '../generation.ts';
import { Indexer, keyText } from '../indexer.ts';
import { tryLoadIndex } from '../load-index.ts';
import { isValidId, isValidIdAt } from '../names.ts';
import { readPieces } from '../pieces.ts';
import type { RewriteOptions } from '../rewrite.ts';
import { StoredLines } from '../stored-lines.ts';
import type { Findings } from './findings.ts';
import { inspectIndex } from './inspect-index.ts';
import { commitsOf, inspectLog, type LogReading } from './inspect-log.ts';
import { inspectNames } from './inspect-names.ts';

/** The open files of a collection; absent where there is none. */
export interface InspectedFiles {
  readonly located: Located;
  readonly data: DiskFile;
  readonly stored: StoredLines;
  readonly log: DiskFile | undefined;
  readonly index: DiskFile | undefined;
}

/** What the pass came to know. */
export interface Inspection {
  readonly reading: LogReading;
  readonly indexer: Indexer;
  /** Bytes of the data that count, documents and lines in them. */
  readonly end: number;
  readonly lines: number;
  readonly size: number;
}

/** Opens what is there. Errors: COLLECTION_NOT_FOUND. */
export async function openInspected(
  disk: Disk,
  located: Located,
  kernel: Kernel,
): Promise<InspectedFiles> {
  const { paths } = located;
  const opened: DiskFile[] = [];
  const open = async (path: string): Promise<DiskFile | undefined> => {
    if ((await disk.stat(path)) === undefined) return undefined;
    const file = await disk.open(path, 'read');
    opened.push(file);
    return file;
  };
  try {
    const data = await open(paths.data);
    if (data === undefined) {
      throw new EtlError('COLLECTION_NOT_FOUND', 'there is no data.jsonl', {
        place: { path: paths.folder },
      });
    }
    const log = await open(paths.log);
    const index = await open(paths.index);
    return { located, data, stored: new StoredLines(data.reader(), kernel, data.path), log, index };
  } catch (cause) {
    for (const file of opened) await file.close();
    throw cause;
  }
}

/** Closes what `openInspected` opened. */
export async function closeInspected(files: InspectedFiles): Promise<void> {
  files.stored.close();
  for (const file of [files.data, files.log, files.index]) await file?.close();
}

/**
 * Inspects. `salvage`: where the log is damaged, count whole lines behind its last commit, too, as
 * the commit of them may be what is lost.
 */
export async function inspect(
  disk: Disk,
  kernel: Kernel,
  files: InspectedFiles,
  findings: Findings,
  options: RewriteOptions & { readonly salvage?: boolean },
): Promise<Inspection> {
  const { data, stored, located } = files;
  const { path } = data;
  const before = findings.damage;
  const reading = await inspectLog(files.log, kernel, findings);
  const logDamaged = findings.damage > before;
  const size = await data.size();
  const committed = reading.last?.end ?? 0;
  if (size < committed) {
    const text = `${committed} bytes were committed, ${size} are there`;
    findings.add('damage', 'CORRUPTED_DATA', { path, offset: size }, text);
  }
  const closed = reading.last === undefined || reading.last.op === 'close';
  if (size > committed && !closed) {
    const text = `${size - committed} bytes behind the last commit`;
    findings.add('notice', 'CORRUPTED_DATA', { path, offset: committed }, text);
  }
  const whole = options.salvage === true && (logDamaged || size < committed);
  const end = closed || whole ? size : Math.min(size, committed);
  stored.end = end;

  const walk = new DataWalk(kernel, files, commitsOf(reading), findings, options, end, committed);
  const { checkpoint } = reading;
  const other = closed ? await loadForeign(files, kernel, reading) : undefined;
  if (other) walk.onTable = (table, base) => other.take(table, base);
  // What another program added behind our last session stands in an index.bin of its own.
  const foreign = closed && size > committed;
  const known = checkpoint !== undefined && checkpoint.end <= end && !foreign;
  if (known) {
    await walk.to(checkpoint.end);
    walk.remove(reading.earlier);
  } else {
    await walk.to(end);
    walk.remove([...reading.earlier, ...reading.deletes]);
    await removeForeign(walk.indexer, other, reading);
  }
  const { indexer } = walk;
  await inspectIndex(
    {
      file: files.index,
      path: located.paths.index,
      kernel,
      data,
      stored,
      truth: indexer,
      end: known ? checkpoint.end : end,
      complete: known,
    },
    findings,
  );
  if (known) {
    await walk.to(end);
    walk.remove(reading.deletes);
  }
  const { commit } = reading;
  if (commit !== undefined && commit.end === end && commit.count !== indexer.index.size) {
    const text = `${commit.count} documents were committed, ${indexer.index.size} are there`;
    findings.add('damage', 'CORRUPTED_DATA', { path }, text);
  }
  if (known) await removeForeign(indexer, other, reading);
  const { paths } = located;
  await inspectNames(disk, paths.meta, findings, (path) => {
    return isLeftover(basename(path)) && path !== paths.data && path !== paths.index;
  });
  return { reading, indexer, end, lines: walk.lines, size };
}

/** The index.bin of another program, whose deletes stand nowhere else. */
async function loadForeign(
  { index: file, stored }: InspectedFiles,
  kernel: Kernel,
  { checkpoint, last }: LogReading,
): Promise<ForeignIndex | undefined> {
  if (file === undefined) return undefined;
  const index = kernel.createIndex();
  const loaded = await tryLoadIndex(file, index, stored);
  if (loaded === undefined || loaded.entries === 0) return undefined;
  if (formatSum(index.sum) === checkpoint?.indexSum) return undefined;
  return new ForeignIndex(index, loaded.end, { checkpoint, last });
}

/** Takes out what opening would take for deleted by another program. */
async function removeForeign(
  indexer: Indexer,
  other: ForeignIndex | undefined,
  { records }: LogReading,
): Promise<void> {
  if (other === undefined || other.damaged) return;
  for (const { id, offset } of await other.missing(records)) {
    const entry = indexer.find(id);
    if (entry >= 0 && indexer.index.offset(entry) === offset) indexer.index.remove(entry);
  }
}

/** Goes over the data once, in as many steps as asked, and indexes it. */
class DataWalk {
  readonly indexer: Indexer;
  lines = 0;
  onTable: ((table: LineTable, base: number) => void) | undefined;
  #at = 0;
  /** Physical lines passed. */
  #line = 0;
  readonly #kernel: Kernel;
  readonly #data: DiskFile;
  readonly #commits: readonly CommitRecord[];
  #commit = 0;
  readonly #findings: Findings;
  readonly #options: RewriteOptions;
  readonly #total: number;
  readonly #committed: number;

  constructor(
    kernel: Kernel,
    files: InspectedFiles,
    commits: readonly CommitRecord[],
    findings: Findings,
    options: RewriteOptions,
    total: number,
    committed: number,
  ) {
    this.#kernel = kernel;
    this.#data = files.data;
    this.#commits = commits;
    this.#findings = findings;
    this.#options = options;
    this.#total = total;
    this.#committed = committed;
    this.indexer = new Indexer(kernel, kernel.createIndex(), files.stored);
  }

  async to(end: number): Promise<void> {
    const { signal, onProgress } = this.#options;
    const { path } = this.#data;
    for await (const { bytes, base } of readPieces(this.#data, this.#at, end, { reuse: true })) {
      checkSignal(signal, 'the check was stopped');
      const table = this.#kernel.lines(bytes);
      for (const { start, end: stop, line, code, reason } of table.bad) {
        // Behind what is committed opening puts an unfinished line aside.
        const torn = base + stop === this.#total && base + start >= this.#committed;
        const place = { path, line: this.#line + line + 1, offset: base + start };
        const text = torn ? `${reason}, in an unfinished last line` : reason;
        this.#findings.add(torn ? 'notice' : 'damage', code, place, text);
      }
      this.onTable?.(table, base);
      this.#checkIds(table, base);
      this.#checkCommits(table, base);
      this.indexer.insert(bytes, table.records, table.count, base);
      this.lines += table.count;
      this.#line += table.lineCount;
      onProgress?.({ bytes: base + bytes.length, totalBytes: this.#total });
    }
    this.#at = end;
  }

  remove(deletes: Iterable<readonly [string, number]>): void {
    for (const [id, at] of deletes) this.indexer.remove(id, at);
  }

  #checkIds({ bytes, records, count }: LineTable, base: number): void {
    const { path } = this.#data;
    for (let i = 0; i < count; i++) {
      const word = i * RECORD_WORDS;
      const kind = records[word + LineRecord.keyKind]!;
      const from = records[word + LineRecord.keyStart]!;
      const to = records[word + LineRecord.keyEnd]!;
      if (kind === KeyKind.plain && isValidIdAt(bytes, from, to)) continue;
      const line = this.#line + records[word + LineRecord.line]! + 1;
      const place = { path, line, offset: base + records[word]! };
      const id = keyText(bytes, records, i);
      if (id === undefined) {
        this.#findings.add('damage', 'MISSING_ID', place, 'the document has no string _id');
      } else if (!isValidId(id)) {
        const text = `${JSON.stringify(id.slice(0, 60))} can be read as an id, not written`;
        this.#findings.add('notice', 'INVALID_ID', place, text);
      }
    }
  }

  /** A commit ends behind a newline, with as many lines before it as it says. */
  #checkCommits({ bytes, records, count }: LineTable, base: number): void {
    let before = 0;
    for (; this.#commit < this.#commits.length; this.#commit++) {
      const commit = this.#commits[this.#commit]!;
      const at = commit.end - base;
      if (at > bytes.length) return;
      while (before < count && records[before * RECORD_WORDS]! < at) before++;
      const place = { path: this.#data.path, offset: commit.end };
      if (at > 0 && bytes[at - 1] !== 10) {
        const text = `commit ${commit.seq} ends inside a line`;
        this.#findings.add('damage', 'CORRUPTED_DATA', place, text);
      } else if (this.lines + before !== commit.lines) {
        const text = `commit ${commit.seq} has ${commit.lines} documents before it, ${this.lines + before} are there`;
        this.#findings.add('damage', 'CORRUPTED_DATA', place, text);
      }
    }
  }
}
