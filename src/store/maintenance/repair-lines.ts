/**
 * Repair of a collection in lines: every line that is a document and every delete that the log still
 * tells is kept, lines that are no documents are copied to meta/dropped-TIME.jsonl, and the collection
 * is written anew as one unit (generation.ts).
 *
 * Until the new log is renamed the damaged collection is as it was, so a crash on the way costs
 * nothing but the time. Damage in index.bin alone is left to whoever makes it anew from data and log.
 */
import type { Disk, DiskFile } from '../../io/disk.ts';
import { type Kernel, sharedKernel } from '../../kernels/index.ts';
import type { CommitRecord } from '../commit-log.ts';
import { freshLog, summariseLog } from '../compact.ts';
import {
  discardNext,
  finishReplacement,
  nextPaths,
  readGeneration,
  replaceCollection,
} from '../generation.ts';
import { type CollectionPaths, Layout } from '../layout.ts';
import { rewriteData, type StrangeLine, writeLog } from '../rewrite.ts';
import type { ZdsRoot } from '../root.ts';
import { FileTail } from '../tail.ts';
import { asidePath } from './aside.ts';
import { Findings } from './findings.ts';
import {
  closeInspected,
  type InspectedFiles,
  type Inspection,
  inspect,
  openInspected,
} from './inspect.ts';
import type { RepairOptions, RepairReport } from './repair.ts';

/** Repairs it, for the collection's one writer. Errors: COLLECTION_NOT_FOUND, IO_ERROR, ABORTED. */
export async function repairLines(
  { disk, path }: ZdsRoot,
  collection: string,
  options: RepairOptions,
): Promise<RepairReport> {
  const { kernel = sharedKernel(), maxFindings = 1000 } = options;
  const paths = Layout.collection(path, collection);
  await finishReplacement(disk, paths);
  const generation = await readGeneration(disk, paths.log);
  const files = await openInspected(disk, { generation, paths }, kernel);
  try {
    const findings = new Findings(maxFindings);
    const salvage = { ...options, salvage: true };
    const found = await inspect(disk, kernel, files, findings, salvage);
    const report = {
      collection,
      findings: findings.list,
      documents: found.indexer.index.size,
      droppedLines: 0,
      droppedFiles: [],
      lostBytes: Math.max(0, (found.reading.last?.end ?? 0) - found.size),
      strictEnded: false,
    };
    if (findings.damage === 0) return { ...report, action: 'none' };
    if (findings.damage === findings.indexDamage) return { ...report, action: 'index' };
    const work = { disk, kernel, paths, files, found, options };
    return { ...report, ...(await rewriteDamaged(work)), action: 'rewritten' };
  } finally {
    await closeInspected(files);
  }
}

interface Work {
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly paths: CollectionPaths;
  readonly files: InspectedFiles;
  readonly found: Inspection;
  readonly options: RepairOptions;
}

async function rewriteDamaged({ disk, kernel, paths, files, found, options }: Work) {
  const { reading, indexer, end } = found;
  const generations = reading.records.map((record) =>
    record.op === 'compact' ? record.generation : 0,
  );
  const generation = Math.max(files.located.generation, ...generations) + 1;
  const next = nextPaths(paths, generation);
  const { index } = indexer;
  const dropped = await Dropped.create(disk, paths.meta);
  let replacing = false;
  try {
    const onStrange = (line: StrangeLine): void => dropped.add(line);
    const { data } = files;
    const alive = { index, retired: new Set<number>() };
    const documents = index.size;
    // A cursor promises that what lies before it is here: true only of commits that are whole.
    const kept = reading.records.filter(({ op, end: at }) => op === 'compact' || at <= end);
    const summary = await summariseLog(kept);
    const { states } = summary;
    const input = {
      ...options,
      disk,
      kernel,
      data,
      end,
      alive,
      documents,
      next,
      states,
      onStrange,
    };
    const rewritten = await rewriteData(input);
    const droppedPath = await dropped.finish();
    const commit: CommitRecord = {
      op: 'commit',
      seq: (reading.commit?.seq ?? 0) + 1,
      end: rewritten.end,
      count: rewritten.documents,
      lines: rewritten.lines,
      at: new Date().toISOString(),
    };
    await writeLog({ disk, kernel, next }, freshLog(summary, generation, commit, rewritten));
    replacing = true;
    await replaceCollection(disk, paths, generation);
    await dropped.close(true);
    return { droppedLines: dropped.count, ...(droppedPath === undefined ? {} : { droppedPath }) };
  } catch (cause) {
    // Once the new log may be in place, the next opening finds out what is left over.
    if (!replacing) await discardNext(disk, paths, generation).catch(() => undefined);
    await dropped.close(replacing).catch(() => undefined);
    throw cause;
  }
}

/** Lines put aside, into a file of their own that is there only when there are any. */
class Dropped {
  count = 0;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #tail: FileTail;
  #failure: { readonly cause: unknown } | undefined;

  private constructor(disk: Disk, file: DiskFile) {
    this.#disk = disk;
    this.#file = file;
    this.#tail = new FileTail(file, 0, (cause) => {
      this.#failure ??= { cause };
    });
  }

  static async create(disk: Disk, folder: string): Promise<Dropped> {
    const file = await disk.open(`${asidePath(folder)}.jsonl`, 'create');
    await file.truncate(0);
    return new Dropped(disk, file);
  }

  add({ offset, code, reason, bytes }: StrangeLine): void {
    const buffer = Buffer.from(bytes);
    const text = buffer.toString();
    const raw = Buffer.from(text).equals(buffer)
      ? { raw: text }
      : { rawBase64: buffer.toString('base64') };
    this.#tail.appendText(`${JSON.stringify({ offset, code, reason, ...raw })}\n`);
    this.count++;
  }

  /** Makes them durable; answers where, or undefined when there are none. */
  async finish(): Promise<string | undefined> {
    if (this.count === 0) return undefined;
    await this.#tail.drain();
    if (this.#failure) throw this.#failure.cause;
    await this.#file.sync();
    return this.#file.path;
  }

  /** Lets go of the file; `keep`: the lines are nowhere else any more. */
  async close(keep: boolean): Promise<void> {
    await this.#tail.landed();
    await this.#file.close();
    if (!keep || this.count === 0) await this.#disk.remove(this.#file.path);
  }
}
