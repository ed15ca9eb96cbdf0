/**
 * Where things stand in a store's folder (docs/format/collection.md), and how one is told from any
 * other folder.
 */
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { Disk } from '../io/disk.ts';
import { checkCollectionName } from './names.ts';

/** The paths of one collection. */
export interface CollectionPaths {
  readonly folder: string;
  readonly meta: string;
  /** The documents, one JSON object per line. */
  readonly data: string;
  /** The checkpoint of the id index. */
  readonly index: string;
  /** What was committed, and when. */
  readonly log: string;
}

/** Paths inside a store root, and the making and recognising of roots. */
export const Layout = {
  collections: (root: string): string => join(root, 'collections'),
  lock: (root: string): string => join(root, '.zds', '.zds_write.lock'),

  /** Errors: INVALID_PATH for a name that is no plain folder name. */
  collection(root: string, name: string): CollectionPaths {
    checkCollectionName(name);
    const folder = join(root, 'collections', name);
    const meta = join(folder, 'meta');
    return {
      folder,
      meta,
      data: join(meta, 'data.jsonl'),
      index: join(meta, 'index.bin'),
      log: join(meta, 'commits.log'),
    };
  },

  /** Makes an empty store. A folder that is one already is left as it is. Errors: NOT_A_STORE. */
  async initRoot(disk: Disk, root: string): Promise<void> {
    const state = await Layout.inspect(disk, root);
    if (state === 'foreign') throw notAStore(root);
    if (state === 'store') return;
    await disk.mkdir(join(root, 'metadata'));
    await disk.mkdir(join(root, 'collections'));
    await disk.syncDir(root);
  },

  /** Makes the folders of a collection, durably. */
  async initCollection(disk: Disk, root: string, name: string): Promise<void> {
    const { folder, meta } = Layout.collection(root, name);
    if ((await disk.stat(meta)) !== undefined) return;
    await disk.mkdir(meta);
    await disk.syncDir(folder);
    await disk.syncDir(Layout.collections(root));
    await disk.syncDir(root);
  },

  /** `none`: nothing there, or an empty folder, which a store may be made in. */
  async inspect(disk: Disk, root: string): Promise<'store' | 'none' | 'foreign'> {
    const found = await disk.stat(root);
    if (found === undefined) return 'none';
    if (found.kind !== 'folder') return 'foreign';
    const entries = await disk.list(root);
    if (entries.length === 0) return 'none';
    const known = entries.some(
      ({ name, kind }) => kind === 'folder' && (name === 'collections' || name === 'metadata'),
    );
    return known ? 'store' : 'foreign';
  },
};

/** The error for a path that holds something else than a store. */
export function notAStore(root: string): EtlError {
  return new EtlError('NOT_A_STORE', 'this is no store', { place: { path: root } });
}
