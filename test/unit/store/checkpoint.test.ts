/** What closing leaves in index.bin: exactly the living documents, in place where that is cheaper. */
import { beforeEach, describe, expect, it } from 'vitest';
import { FastStore } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { parseIndex } from '../../support/reference-store.ts';

const INDEX = '/s/collections/c/meta/index.bin';

describe('index.bin after a session with deletes', () => {
  let disk: FaultDisk;
  beforeEach(() => {
    disk = new FaultDisk();
  });

  const session = async (work: (store: FastStore) => unknown): Promise<void> => {
    const store = await FastStore.open('/s', 'c', { disk });
    expect(store.recovery).toMatchObject({ foreignDeletes: 0, adoptedLines: 0 });
    expect(store.recovery.indexRebuilt).toBeUndefined();
    await work(store);
    await store.close();
  };
  const entries = (): string[] => [
    ...parseIndex(Buffer.from(disk.current().get(INDEX)!))!.places.keys(),
  ];
  const inode = async (): Promise<string> => {
    const file = await disk.open(INDEX, 'read');
    return file.id();
  };
  /** Runs a session; answers whether index.bin was replaced by another file. */
  const replaced = async (work: (store: FastStore) => unknown): Promise<boolean> => {
    const before = await inode();
    await session(work);
    return (await inode()) !== before;
  };
  const ids = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `d${1000 + from + i}`);
  const deleteAll = (store: FastStore, names: Iterable<string>): void => {
    for (const id of names) store.delete(id);
  };
  const putAll = (store: FastStore, names: readonly string[]): void => {
    for (const id of names) store.put(id, { id });
  };
  /** Opens once more and holds documents and index.bin against what should be there. */
  const expectLiving = async (expected: readonly string[]): Promise<void> => {
    expect(entries().sort()).toEqual([...expected].sort());
    await session(async (store) => {
      expect((await store.scanAll()).map(({ _id }) => _id).sort()).toEqual([...expected].sort());
      expect(store.count).toBe(expected.length);
    });
  };

  it('is not written anew for few, and lists exactly the living', async () => {
    await session((store) => putAll(store, ids(0, 40)));
    expect(await replaced((store) => store.delete('d1003'))).toBe(false);
    await expectLiving(ids(0, 40).filter((id) => id !== 'd1003'));
  });

  it('loses all entries of a document, those overridden and those copied over others', async () => {
    await session((store) => putAll(store, ids(0, 40)));
    await session((store) => putAll(store, ['d1003', 'd1005']));
    const living = new Set(ids(0, 40));
    // Each takes the place of the one before, so entries of the later ones stand there several times.
    for (const id of ids(3, 12)) {
      living.delete(id);
      expect(await replaced((store) => store.delete(id))).toBe(false);
    }
    await expectLiving([...living]);
  });

  it('lists who came back, and not who was put only to be deleted', async () => {
    await session((store) => putAll(store, ids(0, 40)));
    const again = await replaced((store) => {
      store.delete('d1003');
      store.delete('d1004');
      store.put('d1003', { again: true });
      store.put('d2000', {});
      store.delete('d2000');
      store.put('d2001', {});
    });
    expect(again).toBe(false);
    await expectLiving([...ids(0, 40).filter((id) => id !== 'd1004'), 'd2001']);
  });

  it('is patched for deletes of a session that died, too', async () => {
    await session((store) => putAll(store, ids(0, 40)));
    const dying = await FastStore.open('/s', 'c', { disk });
    dying.delete('d1003');
    await dying.flush();
    disk = new FaultDisk(disk.current());
    expect(await replaced(() => undefined)).toBe(false);
    await expectLiving(ids(0, 40).filter((id) => id !== 'd1003'));
  });

  it.each([
    ['there is no living id as long', ids(0, 40), ['longer-one'], ['longer-one']],
    ['many were deleted', ids(0, 40), [], ids(0, 30)],
    ['all were deleted', ids(0, 5), [], ids(0, 5)],
  ])('is written anew where %s', async (_, names, more, gone) => {
    await session((store) => putAll(store, [...names, ...more]));
    expect(await replaced((store) => deleteAll(store, gone))).toBe(true);
    await expectLiving([...names, ...more].filter((id) => !gone.includes(id)));
  });

  it('is patched over many pieces, with ids of all lengths', async () => {
    const names = Array.from(
      { length: 6000 },
      (_, i) => `${'x'.repeat(200 + (i % 50))}${10_000 + i}`,
    );
    await session((store) => putAll(store, names));
    const gone = new Set(names.filter((_, i) => i % 97 === 0));
    expect(await replaced((store) => deleteAll(store, gone))).toBe(false);
    await expectLiving(names.filter((id) => !gone.has(id)));
  });
});
