import { describe, expect, it } from 'vitest';
import { hashKey, KeyIndexer } from '../../../../src/store/index.ts';

describe('KeyIndexer', () => {
  it('packs tag and offset as the original', () => {
    const hash = hashKey('a');
    expect(KeyIndexer.tagFromKey('a')).toBe(0xe6c6);
    const packed = KeyIndexer.pack(0xe6c6, 2 ** 48 - 1);
    expect(KeyIndexer.unpack(packed)).toEqual({ tag: 0xe6c6, offset: 2 ** 48 - 1 });
    expect(() => KeyIndexer.pack(0, 2 ** 48)).toThrow(/48 bits/);
    expect(() => new KeyIndexer().insert(hash, 2 ** 48)).toThrow(/48 bits/);
    expect(() => new KeyIndexer().insertIfAbsent(hash, -1)).toThrow(/48 bits/);
    const indexer = KeyIndexer.withCapacity(10);
    expect([indexer.insert(hash, 5), indexer.insert(hash, 9)]).toEqual([undefined, 5]);
    indexer.insertIfAbsent(hash, 20);
    expect(indexer.getPacked(hash)).toBe(KeyIndexer.pack(0xe6c6, 9));
    expect([indexer.len(), ...indexer.values(), indexer.remove(hash)]).toEqual([1, 9, 9]);
    expect([indexer.isEmpty(), indexer.getOffset(hash)]).toEqual([true, undefined]);
    indexer.insert(hash, 1);
    indexer.clear();
    expect(indexer.isEmpty()).toBe(true);
  });
});
