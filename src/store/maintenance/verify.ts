/**
 * Checking a collection against itself: reads everything, changes nothing, takes no lock. Beside a
 * writer it checks the last commit; what it then says about index.bin may be the writer's unfinished
 * work.
 */
import type { Disk } from '../../io/disk.ts';
import { nodeDisk } from '../../io/index.ts';
import { type Kernel, sharedKernel } from '../../kernels/index.ts';
import { openSettled } from '../generation.ts';
import { GUTTED, isGutted, kindOf, Layout, noSuchCollection } from '../layout.ts';
import type { RewriteOptions } from '../rewrite.ts';
import { ZdsRoot } from '../root.ts';
import { type Finding, Findings } from './findings.ts';
import { closeInspected, inspect, openInspected } from './inspect.ts';

/** How to check. */
export interface VerifyOptions extends RewriteOptions {
  readonly disk?: Disk | undefined;
  readonly kernel?: Kernel | undefined;
  /** Most findings to list for each collection; all are counted. Default 1,000. */
  readonly maxFindings?: number | undefined;
}

/** What a check of one collection found. */
export interface VerifyReport {
  readonly collection: string;
  /** No damage; there may be notices. */
  readonly ok: boolean;
  readonly damage: number;
  readonly notices: number;
  readonly findings: readonly Finding[];
  readonly documents: number;
  /** Document lines, dead ones included; for a file per document as `documents`. */
  readonly lines: number;
  /** Of all lines, or of all documents' files. */
  readonly dataBytes: number;
}

/**
 * Checks one collection, or all of a store, of either kind. Errors: NOT_A_STORE, COLLECTION_NOT_FOUND,
 * INVALID_PATH, IO_ERROR, ABORTED.
 */
export async function verify(
  path: string,
  collection?: string,
  options: VerifyOptions = {},
): Promise<VerifyReport[]> {
  const root = await ZdsRoot.open(path, { mode: 'read', disk: options.disk ?? nodeDisk });
  try {
    if (collection !== undefined) return [await verifyCollection(root, collection, options)];
    const reports: VerifyReport[] = [];
    for (const name of await root.collections()) {
      reports.push(await verifyCollection(root, name, options));
    }
    return reports;
  } finally {
    await root.close();
  }
}

/**
 * What is wrong with a store's own folders, the collections aside: notices only, as opening makes what
 * is missing. Errors: NOT_A_STORE, IO_ERROR.
 */
export async function verifyRoot(
  path: string,
  { disk = nodeDisk }: Pick<VerifyOptions, 'disk'> = {},
): Promise<readonly Finding[]> {
  const root = await ZdsRoot.open(path, { mode: 'read', disk });
  try {
    const findings = new Findings(Number.POSITIVE_INFINITY);
    findings.addLayout(await Layout.validateRoot(root.path, root.disk));
    return findings.list;
  } finally {
    await root.close();
  }
}

async function verifyCollection(
  { disk, path }: ZdsRoot,
  collection: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { kernel = sharedKernel(), maxFindings = 1000 } = options;
  const findings = new Findings(maxFindings);
  const kind = await kindOf(disk, path, collection);
  if (kind === 'files') {
    // With it the hash of schemas is loaded.
    const { inspectDocuments } = await import('./inspect-documents.ts');
    const { documents, bytes } = await inspectDocuments(disk, path, collection, findings, options);
    return report(collection, findings, { documents, lines: documents, dataBytes: bytes });
  }
  const paths = Layout.collection(path, collection);
  if (kind === undefined && (await disk.stat(paths.folder)) === undefined) {
    throw noSuchCollection(path, collection);
  }
  findings.addLayout(await Layout.validateCollection(path, collection, disk));
  if (kind === undefined) {
    if (await isGutted(disk, path, collection)) {
      findings.add('damage', 'CORRUPTED_DATA', { path: paths.data }, GUTTED);
    }
    return report(collection, findings, { documents: 0, lines: 0, dataBytes: 0 });
  }
  const files = await openSettled(
    disk,
    paths,
    (at) => openInspected(disk, at, kernel),
    closeInspected,
  );
  try {
    const { indexer, end, lines } = await inspect(disk, kernel, files, findings, options);
    return report(collection, findings, { documents: indexer.index.size, lines, dataBytes: end });
  } finally {
    await closeInspected(files);
  }
}

function report(
  collection: string,
  { damage, notices, list }: Findings,
  counts: Pick<VerifyReport, 'documents' | 'lines' | 'dataBytes'>,
): VerifyReport {
  return { collection, ok: damage === 0, damage, notices, findings: list, ...counts };
}
