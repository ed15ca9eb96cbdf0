/**
 * Repair of a collection with a file per document. What can be wrong, and what becomes of it:
 *
 * - A document that is no JSON object, no UTF-8 or too deep: its file moves, by a rename and so byte for
 *   byte, to `meta/dropped-TIME/`, under its own name. An `_id` in it decides nothing, the name is the id.
 * - A manifest that cannot be read: a copy goes to `meta/dropped-TIME/manifest.damaged`, then one with what
 *   could still be told (whether the collection is strict, at least) takes its place.
 * - Documents that a strict collection could not have taken: they are whole, so they stay; strict it is no more.
 * - order.ids with ids twice, without a file, or not of all; doc_index.jsonl or schemas.jsonl that are missing,
 *   damaged or say something else than the documents; a journal with a torn end or without a checkpoint;
 *   temporary files: an EngineWriter that reads every document mends these, as after a session that died.
 *   Known order stays, and documents without a place in it come last (state.ts).
 *
 * Each step is whole or not done, needs nothing of the ones behind it, and finds nothing to do once it is done:
 * killed at any moment, the collection is as damaged as before or less, and the next repair ends the work. A
 * file is in docs/ until its new name is durable.
 */
import { basename, join } from 'node:path';
import { documentPath } from '../engine/documents.ts';
import { EngineWriter } from '../engine/engine-writer.ts';
import { encodeManifest, salvageManifest } from '../engine/manifest.ts';
import { MetaFile, readBytes, writeWhole } from '../engine/meta-file.ts';
import { enginePaths } from '../engine/state.ts';
import { Layout } from '../layout.ts';
import type { ZdsRoot } from '../root.ts';
import { asidePath } from './aside.ts';
import { Findings } from './findings.ts';
import { type DocumentsInspection, inspectDocuments } from './inspect-documents.ts';
import type { RepairOptions, RepairReport } from './repair.ts';

/** Repairs it. Errors: LOCKED, IO_ERROR; ABORTED while nothing is changed yet. */
export async function repairDocuments(
  root: ZdsRoot,
  collection: string,
  options: RepairOptions,
): Promise<RepairReport> {
  const findings = new Findings(options.maxFindings ?? 1000);
  const { found, strict, droppedPath } = await root.alone(collection, async () => {
    const { disk, path } = root;
    const found = await inspectDocuments(disk, path, collection, findings, options);
    return { found, ...(await putAside(root, collection, found)) };
  });
  const { documents, damaged, mixed, lagging } = found;
  const strictEnded = strict && mixed;
  const report = {
    collection,
    findings: findings.list,
    documents,
    droppedLines: 0,
    droppedFiles: damaged.map((id) => basename(documentPath('', id))),
    ...(droppedPath === undefined ? {} : { droppedPath }),
    lostBytes: 0,
    strictEnded,
  };
  if (findings.damage === 0 && !lagging) return { ...report, action: 'none' };
  const wishes = {
    createIfMissing: false,
    reread: true,
    ...(strictEnded ? { strict: false } : {}),
  };
  await (await EngineWriter.open(root, collection, wishes)).close();
  return { ...report, action: findings.damage === 0 ? 'index' : 'rewritten' };
}

/** Puts aside what cannot be read, durably. Answers where, and whether the collection is strict. */
async function putAside(
  { disk, path }: ZdsRoot,
  collection: string,
  { damaged, manifestDamaged, strict }: DocumentsInspection,
): Promise<{ readonly strict: boolean; readonly droppedPath?: string }> {
  if (damaged.length === 0 && !manifestDamaged) return { strict };
  const paths = enginePaths(path, collection);
  await Layout.initCollection(path, collection, disk);
  const droppedPath = asidePath(paths.meta);
  await disk.mkdir(droppedPath);
  try {
    await disk.syncDir(paths.meta);
    for (const id of damaged) {
      await disk.rename(documentPath(paths.docs, id), documentPath(droppedPath, id));
    }
    const bytes = manifestDamaged ? await readBytes(disk, paths.manifest) : undefined;
    if (bytes) await writeWhole(disk, join(droppedPath, 'manifest.damaged'), bytes, true);
    await disk.syncDir(droppedPath);
    await disk.syncDir(paths.docs);
    if (bytes === undefined) return { strict, droppedPath };
    const manifest = salvageManifest(bytes.toString(), collection);
    await new MetaFile(disk, paths.manifest).replace(encodeManifest(manifest, 0, 0), true);
    await disk.syncDir(paths.meta);
    return { strict: manifest.strict, droppedPath };
  } catch (cause) {
    // It goes only if nothing is in it.
    await disk.removeFolder(droppedPath).catch(() => undefined);
    throw cause;
  }
}
