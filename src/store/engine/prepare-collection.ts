/** Opening a collection of files for writing: its folders, its manifest, what it holds. */
import { checkFlag } from '../../core/check-option.ts';
import { EtlError } from '../../core/errors.ts';
import { checkHasNoLines, Layout, noSuchCollection } from '../layout.ts';
import type { ZdsRoot } from '../root.ts';
import { encodeManifest, type Manifest, newManifest } from './manifest.ts';
import { MetaFile, writeWhole } from './meta-file.ts';
import { type EngineState, enginePaths, loadState } from './state.ts';

/** What the opener wants of the collection. */
export interface CollectionWishes {
  readonly strict?: boolean | undefined;
  readonly createIfMissing?: boolean | undefined;
  readonly reread?: boolean | undefined;
}

/** Makes what is missing, durably, and answers what is there. Errors: as `EngineWriter.open`. */
export async function prepareCollection(
  { disk, path: root }: ZdsRoot,
  collection: string,
  { strict, createIfMissing = true, reread = false }: CollectionWishes,
): Promise<EngineState> {
  if (strict !== undefined) checkFlag('strict', strict);
  const paths = enginePaths(root, collection);
  await checkHasNoLines(disk, root, collection);
  if ((await disk.stat(paths.docs)) === undefined) {
    if (!createIfMissing) throw noSuchCollection(root, collection);
    await Layout.initCollection(root, collection, disk);
    await disk.mkdir(paths.docs);
    await disk.syncDir(paths.folder);
  }
  await disk.mkdir(paths.meta);
  const state = await loadState(disk, paths, { as: reread ? 'rebuild' : 'writer' });
  if (state.journal.size === 0) {
    // The order of documents after a power cut is the journal's to tell: its name must last.
    await writeWhole(disk, paths.journal, new Uint8Array(0), false);
    await disk.syncDir(paths.meta);
  }
  const manifest = decideManifest(state, paths.manifest, collection, strict);
  if (manifest === state.manifest) return state;
  const { entries, schemas } = state;
  const file = new MetaFile(disk, paths.manifest);
  await file.replace(encodeManifest(manifest!, entries.size, schemas.size), true);
  await disk.syncDir(paths.meta);
  return { ...state, manifest };
}

/** The manifest that there should be; the one there is where it will do. */
function decideManifest(
  { manifest, entries, schemas }: EngineState,
  path: string,
  collection: string,
  strict: boolean | undefined,
): Manifest | undefined {
  if (strict === undefined || strict === (manifest?.strict ?? false)) {
    // A collection that others made without a manifest keeps going without one.
    return manifest ?? (entries.size === 0 ? newManifest(collection, false) : undefined);
  }
  const used = new Set([...entries.values()].map(({ schemaId }) => schemaId));
  if (strict && (used.size > 1 || (used.size === 1 && !used.has(schemas.first!)))) {
    const text = 'strict wants every document to have the first schema that there was';
    throw new EtlError('SCHEMA_MISMATCH', text, { place: { path } });
  }
  return { ...(manifest ?? newManifest(collection, strict)), strict };
}
