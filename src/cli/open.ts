/** Opening a collection to change it, for commands that must not make a store by a slip of the keyboard. */
import type { SyncWriter } from '../store/engine/sync-writer.ts';
import { FastStore } from '../store/fast-store.ts';
import { kindOf } from '../store/layout.ts';
import { ZdsRoot } from '../store/root.ts';

/**
 * A collection in lines of a store that is there already, for writing.
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND unless `createIfMissing`, LOCKED, IO_ERROR.
 */
export async function openForChange(
  path: string,
  collection: string,
  createIfMissing: boolean,
): Promise<FastStore> {
  await kindInStore(path, collection);
  return FastStore.open(path, collection, { mode: 'write', createIfMissing });
}

/** A collection of either kind, for changing single documents. Errors: the same, and those of `SyncWriter.open`. */
export async function openForEdit(
  path: string,
  collection: string,
  createIfMissing: boolean,
): Promise<FastStore | SyncWriter> {
  if ((await kindInStore(path, collection)) !== 'files') {
    return FastStore.open(path, collection, { mode: 'write', createIfMissing });
  }
  // With it the hash of schemas is loaded.
  const { SyncWriter } = await import('../store/engine/sync-writer.ts');
  return SyncWriter.open(path, collection);
}

/** Errors: NOT_A_STORE, INVALID_PATH, IO_ERROR. */
async function kindInStore(path: string, collection: string): ReturnType<typeof kindOf> {
  const root = await ZdsRoot.open(path, { mode: 'read' });
  try {
    return await kindOf(root.disk, root.path, collection);
  } finally {
    await root.close();
  }
}
