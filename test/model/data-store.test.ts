/** A drive does what a Map does, in any order of operations, on maps and by reading, across sessions. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createNodeDisk } from '../../src/io/index.ts';
import { DataStore } from '../../src/store/index.ts';
import { runs } from '../support/long.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-drive-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = fc.constantFrom('a', 'b', 'c', 'é', '', 'k'.repeat(70));
const size = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.constantFrom(32_768, 32_769, 65_536, 262_144, 300_000),
);
const value = fc.tuple(size, fc.integer({ min: 0, max: 255 }));
const fill = ([length, byte]: readonly [number, number]): Buffer => {
  return Buffer.alloc(length, length === 1 ? byte || 1 : byte);
};
const step = fc.oneof(
  fc.record({ op: fc.constant('write' as const), key, value }),
  fc.record({
    op: fc.constant('batch' as const),
    entries: fc.array(fc.tuple(key, value), { maxLength: 6 }),
  }),
  fc.record({ op: fc.constant('stream' as const), key, value, cut: fc.nat() }),
  fc.record({ op: fc.constant('delete' as const), keys: fc.array(key, { maxLength: 3 }) }),
  fc.record({ op: fc.constant('rename' as const), key, to: key }),
  fc.record({ op: fc.constantFrom('reopen' as const, 'die' as const, 'compact' as const) }),
);

describe.each([
  ['mapped', createNodeDisk({ map: { windowBytes: 128 << 10 } })],
  ['by reading', createNodeDisk({ map: { use: 'read' } })],
] as const)('a drive, %s', (name, disk) => {
  it('is a Map', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const path = join(folder, `${name}-${run++}`);
        const model = new Map<string, Buffer>();
        const put = (to: string, payload: Buffer) => {
          model.delete(to);
          model.set(to, payload);
        };
        let store = await DataStore.open(path, { disk });
        const reader = await DataStore.open(path, { disk, mode: 'read' });
        for (const each of steps) {
          if (each.op === 'write') {
            await store.write(each.key, fill(each.value));
            put(each.key, fill(each.value));
          } else if (each.op === 'batch') {
            await store.batchWrite(
              each.entries.map(([to, payload]) => [to, fill(payload)] as const),
            );
            for (const [to, payload] of each.entries) put(to, fill(payload));
          } else if (each.op === 'stream') {
            const payload = fill(each.value);
            const cut = each.cut % payload.length;
            await store.writeStream(each.key, [payload.subarray(0, cut), payload.subarray(cut)]);
            put(each.key, payload);
          } else if (each.op === 'delete') {
            await store.batchDelete(each.keys);
            for (const gone of each.keys) model.delete(gone);
          } else if (each.op === 'rename') {
            const payload = model.get(each.key);
            if (payload === undefined || each.key === each.to) {
              await expect(store.rename(each.key, each.to)).rejects.toThrow();
            } else {
              await store.rename(each.key, each.to);
              put(each.to, payload);
              model.delete(each.key);
            }
          } else if (each.op === 'compact') await store.compact();
          else {
            await (each.op === 'die' ? store.abandon() : store.close());
            store = await DataStore.open(path, { disk });
          }
          check(store, model);
        }
        await reader.refresh();
        check(reader, model);
        await reader.close();
        await store.close();
        rmSync(path);
      }),
      { numRuns: runs(15) },
    );
  }, 60_000);
});

function check(store: DataStore, model: Map<string, Buffer>): void {
  expect(store.len()).toBe(model.size);
  const newestFirst = [...model.values()].reverse();
  let i = 0;
  for (const { payload } of store.iterEntries()) {
    expect(Buffer.compare(payload, newestFirst[i++]!)).toBe(0);
  }
  expect(i).toBe(model.size);
  const keys = ['a', 'b', 'c', 'é', '', 'k'.repeat(70)];
  const found = store.batchRead(keys);
  for (const [at, name] of keys.entries()) {
    expect(found[at]?.size).toBe(model.get(name)?.length);
    expect(store.exists(name)).toBe(model.has(name));
  }
}
