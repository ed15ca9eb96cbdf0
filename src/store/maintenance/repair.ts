/**
 * Making a damaged collection whole again with the least loss: what cannot be kept is put aside, never
 * removed, and told. Works under the root's lock; killed at any moment it can be done again, and nothing
 * is lost. How: repair-lines.ts and repair-documents.ts, for the two ways of keeping documents.
 */
import type { Disk } from '../../io/disk.ts';
import { nodeDisk } from '../../io/index.ts';
import type { Kernel } from '../../kernels/index.ts';
import { isGutted, kindOf, Layout, prepareInLines } from '../layout.ts';
import type { RewriteOptions } from '../rewrite.ts';
import { ZdsRoot } from '../root.ts';
import type { Finding } from './findings.ts';
import { repairLines } from './repair-lines.ts';

/** How to repair. */
export interface RepairOptions extends RewriteOptions {
  readonly disk?: Disk | undefined;
  readonly kernel?: Kernel | undefined;
  /** Most findings to list; all are mended. Default 1,000. */
  readonly maxFindings?: number | undefined;
}

/** What a repair found and did. */
export interface RepairReport {
  readonly collection: string;
  /**
   * `none`: there was nothing to mend. `index`: index.bin was made anew, or with a file per document the
   * other files in meta/. `rewritten`: everything was, or files were put aside.
   */
  readonly action: 'none' | 'index' | 'rewritten';
  /** What was wrong. */
  readonly findings: readonly Finding[];
  readonly documents: number;
  /** Lines that were no documents. */
  readonly droppedLines: number;
  /** Names of documents' files that could not be read. */
  readonly droppedFiles: readonly string[];
  /** Where they are now: a file of lines, or a folder. */
  readonly droppedPath?: string;
  /** Committed bytes that were not there any more. */
  readonly lostBytes: number;
  /** The collection was strict and had documents of other schemas: they stay, and it is strict no more. */
  readonly strictEnded: boolean;
}

/**
 * Repairs one collection, of either kind. The last cursor that is true afterwards is kept, so that a
 * load goes on from there. Errors: NOT_A_STORE, COLLECTION_NOT_FOUND, INVALID_PATH, LOCKED, IO_ERROR, ABORTED.
 */
export async function repair(
  path: string,
  collection: string,
  options: RepairOptions = {},
): Promise<RepairReport> {
  const { disk = nodeDisk } = options;
  const root = await openExisting(path, disk);
  try {
    if ((await kindOf(disk, path, collection)) === 'files') {
      const { repairDocuments } = await import('./repair-documents.ts');
      return await repairDocuments(root, collection, options);
    }
    const report = await root.alone(collection, async () => {
      if (await isGutted(disk, path, collection)) {
        await (await disk.open(Layout.dataFile(path, collection), 'create')).close();
      }
      await prepareInLines(disk, path, collection, false);
      return repairLines(root, collection, options);
    });
    if (report.action === 'index') await remakeIndex(root, collection, options);
    return report;
  } finally {
    await root.close();
  }
}

/**
 * Makes index.bin anew from data and log, whatever it holds, or from its documents what is kept beside
 * a file for each. Answers what the collection is like then. Stopped on the way, it leaves that to whoever opens the collection next. Errors: as `repair`.
 */
export async function reindex(
  path: string,
  collection: string,
  options: RepairOptions = {},
): Promise<{ readonly collection: string; readonly documents: number; readonly seconds: number }> {
  const started = performance.now();
  const { disk = nodeDisk, kernel, signal } = options;
  const root = await openExisting(path, disk);
  try {
    if ((await kindOf(disk, path, collection)) === 'files') {
      const { IndexRegistry } = await import('../index-registry.ts');
      const index = await IndexRegistry.rebuild(path, collection, { disk });
      await index.save(path, collection, { disk });
      const seconds = (performance.now() - started) / 1000;
      return { collection, documents: index.len(), seconds };
    }
    // Deletes of another program stand only in its index.bin: the first opening logs them.
    await (await root.collection(collection, { createIfMissing: false, kernel, signal })).close();
    const documents = await remakeIndex(root, collection, options);
    return { collection, documents, seconds: (performance.now() - started) / 1000 };
  } finally {
    await root.close();
  }
}

/** Leaves index.bin out, so that it is made anew; answers how many documents there are. */
async function remakeIndex(
  root: ZdsRoot,
  collection: string,
  { kernel, signal }: RepairOptions,
): Promise<number> {
  const paths = Layout.collection(root.path, collection);
  await root.disk.remove(paths.index);
  await root.disk.syncDir(paths.meta);
  const store = await root.collection(collection, { createIfMissing: false, kernel, signal });
  const { count } = store;
  await store.close();
  return count;
}

async function openExisting(path: string, disk: Disk): Promise<ZdsRoot> {
  await (await ZdsRoot.open(path, { mode: 'read', disk })).close();
  return ZdsRoot.open(path, { mode: 'write', disk });
}
