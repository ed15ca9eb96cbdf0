/** Opening a collection to change it, for commands that must not make a store by a slip of the keyboard. */
import { FastStore } from '../store/fast-store.ts';
import { ZdsRoot } from '../store/root.ts';

/**
 * A collection of a store that is there already, for writing.
 * Errors: NOT_A_STORE, COLLECTION_NOT_FOUND unless `createIfMissing`, LOCKED, IO_ERROR.
 */
export async function openForChange(
  path: string,
  collection: string,
  createIfMissing: boolean,
): Promise<FastStore> {
  const root = await ZdsRoot.open(path, { mode: 'read' });
  await root.close();
  return FastStore.open(path, collection, { mode: 'write', createIfMissing });
}
