/** The drive tables of both kernels do the same, and what a Map does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tailAfter } from '../../src/kernels/index.ts';
import { crc32ByTable } from '../../src/store/archive/crc32.ts';
import { readU32 } from '../../src/store/drive/entry-metadata.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';

const hash = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 5 }), fc.nat()),
  fc.constantFrom(0, 1, 0xffff_ffff, 0x8000_0000),
);
const step = fc.oneof(
  fc.record({ op: fc.constant('set' as const), hash, offset: fc.integer({ min: 1 }) }),
  fc.record({ op: fc.constant('keep' as const), hash, offset: fc.constant(2 ** 48 - 1) }),
  fc.record({ op: fc.constant('remove' as const), hash }),
);

describe.each(kernels)('the drive table, $name kernel', (kernel) => {
  it('is a Map', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = kernel.createDriveTable();
        const model = new Map<string, number>();
        for (const each of steps) {
          const name = each.hash.join();
          const [low, high] = each.hash;
          const before = model.get(name) ?? -1;
          if (each.op === 'remove') {
            expect(table.remove(low, high)).toBe(before);
            model.delete(name);
          } else {
            const replace = each.op === 'set';
            expect(table.set(low, high, each.offset, replace)).toBe(before);
            if (replace || before < 0) model.set(name, each.offset);
          }
          expect(table.find(low, high)).toBe(model.get(name) ?? -1);
        }
        expect(table.size).toBe(model.size);
        expect([...table.offsets()].sort()).toEqual([...model.values()].sort());
      }),
      { numRuns: runs(50) },
    );
  });

  it('grows, also for hashes that somebody made up', () => {
    const table = kernel.createDriveTable();
    for (let i = 0; i < 20_000; i++) table.set(i, i % 3, i + 1);
    expect(table.size).toBe(20_000);
    for (let i = 0; i < 20_000; i += 7) expect(table.find(i, i % 3)).toBe(i + 1);
    table.clear();
    expect([table.size, table.find(1, 1)]).toEqual([0, -1]);
  });
});

describe('records', () => {
  const payload = fc.uint8Array({ minLength: 2, maxLength: 300, size: 'max' });

  it.each(kernels)('have the checksum of payloads of every length, $name kernel', (kernel) => {
    const table = kernel.createDriveTable();
    const bytes = Uint8Array.from({ length: 700 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
    for (let length = 2; length <= bytes.length; length++) {
      const contents = bytes.subarray(0, length);
      table.unstage();
      table.stageHash(1, 2, contents);
      const record = table.layOut(0);
      expect([length, readU32(record, length + 16)]).toEqual([length, crc32ByTable(contents, 0)]);
    }
  });
  const key = fc.oneof(fc.string({ maxLength: 40 }), fc.uint8Array({ maxLength: 300 }));
  it('are laid out, indexed and walked the same by both kernels', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.option(payload)), { maxLength: 60 }), (records) => {
        const results = kernels.map((kernel) => {
          const table = kernel.createDriveTable();
          for (const [name, contents] of records) {
            table.hashKey(name);
            const [low, high] = table.keyHash;
            if (contents === null) expect(table.stageHash(low!, high!, undefined)).toBe(true);
            else expect(table.stage([[name, contents]], 0)).toBe(1);
          }
          const bytes = table.layOut(0).slice();
          table.commit();
          const again = kernel.createDriveTable();
          const steps: number[] = [];
          // In two pieces, so that one begins in the middle.
          const middle = tailAfter(0, records[0]?.[1]?.length ?? 0);
          for (let cursor = bytes.length; cursor > 0; ) {
            const base = cursor > middle + 100 ? middle : 0;
            const step = again.walk(bytes.subarray(base, cursor), base, cursor, 0);
            expect(step.broken).toBe(false);
            cursor = step.cursor;
            steps.push(step.records);
          }
          again.sweep();
          const live = table.walk(bytes, 0, bytes.length, 0, { report: true }).found.slice();
          const names = records.map(([name]) => name);
          const places = table.findKeys(names);
          expect(again.findKeys(names)).toEqual(places);
          const found = places.filter((_, i) => i % 2 === 1);
          for (const [i, end] of found.entries()) {
            const knows = kernel.name === 'wasm' && end >= 0;
            expect(places[2 * i]).toBe(knows ? live[live.indexOf(end) - 1] : -1);
          }
          expect([...again.offsets()].sort()).toEqual([...table.offsets()].sort());
          const ends = live.filter((_, i) => i % 2 === 1);
          expect(ends.sort()).toEqual(table.offsets().sort());
          return { bytes: Buffer.from(bytes).toString('hex'), steps, live, found };
        });
        expect(results[1]).toEqual(results[0]);
      }),
      { numRuns: runs(100) },
    );
  });

  it('are checked by a walk from a tail on', () => {
    const damaged = fc.tuple(fc.option(payload), fc.boolean());
    const some = fc.array(damaged, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(some, fc.nat(), fc.boolean(), (records, at, between) => {
        for (const kernel of kernels) {
          const table = kernel.createDriveTable();
          for (const [i, [contents]] of records.entries()) {
            expect(table.stageHash(i, 0, contents ?? undefined)).toBe(true);
          }
          const bytes = table.layOut(0).slice();
          const tails: number[] = [];
          for (const [contents] of records) {
            tails.push(tailAfter(tails.at(-1) ?? 0, contents?.length ?? 0));
          }
          const first = at % records.length;
          const check = tails[first]! - (between ? 1 : 0);
          const expected: number[] = [];
          for (const [i, [contents, damage]] of records.entries()) {
            const tail = tails[i]!;
            // Of a deletion the checksum: another payload would make it none.
            if (damage) bytes[tail - (contents === null ? 4 : 21)]! ^= 0x10;
            if (tail < check) continue;
            if (i === first && between) expected.push(0);
            if (damage) expected.push(tail);
          }
          const options = { check };
          const step = kernel.createDriveTable().walk(bytes, 0, bytes.length, 0, options);
          expect([step.broken, step.records]).toEqual([false, records.length]);
          expect([...step.found]).toEqual(expected.reverse());
          // The last record alone, without the first byte of its payload.
          const end = tails.at(-1)!;
          const size = 19 + (records.at(-1)![0]?.length ?? 1);
          const cut = bytes.subarray(end - size);
          const part = kernel.createDriveTable().walk(cut, end - size, end, 0, { check: end });
          expect([...part.found]).toEqual(records.at(-1)![0] === null ? [] : [end]);
        }
      }),
      { numRuns: runs(50) },
    );
  });
});
