import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyKind, LineRecord, RECORD_WORDS } from '../../src/core/batch.ts';
import { type IdIndex, type Kernel, MAX_LENGTH } from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';

/** Few hashes, so that they meet; low words that share a home in small tables. */
const hash = fc.tuple(fc.constantFrom(0, 1, 16, 32, 0xffff_fff0, 0xffff_ffff), fc.nat(3));
const offset = fc.oneof(fc.nat(300), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 40 - 0x200_0000));
const length = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.constantFrom(MAX_LENGTH - 1, MAX_LENGTH, MAX_LENGTH + 5),
);

type Entry = { low: number; high: number; offset: number; length: number };
type Step = (index: IdIndex, model: Entry[]) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(hash, offset, length).map(addStep) },
  { weight: 1, arbitrary: fc.tuple(hash, fc.nat(5)).map(removeStep) },
  { weight: 1, arbitrary: fc.tuple(hash, fc.nat(5), offset, length).map(setStep) },
  {
    weight: 2,
    arbitrary: fc.array(fc.tuple(hash, fc.boolean()), { maxLength: 40 }).map(insertStep),
  },
  { weight: 1, arbitrary: fc.array(fc.tuple(hash, offset), { maxLength: 5 }).map(liveStep) },
);

describe.each(kernels)('entries for index.bin of the $name kernel', (kernel) => {
  it('are those of the records asked for, wherever they lie', () => {
    const lines = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,40}$/), fc.nat(99)), {
      minLength: 1,
    });
    fc.assert(
      fc.property(lines, fc.nat(), fc.nat(), fc.nat(2 ** 40), (all, a, b, base) => {
        const texts = all.map(([id, n]) => `{"n":${n},"_id":"${id}"}\n`);
        const bytes = new TextEncoder().encode(texts.join(''));
        const { records, count } = kernel.lines(bytes);
        const [from, to] = [a % (count + 1), b % (count + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ];
        const found = kernel.entries(bytes, records, from, to, base);
        const wanted = all.slice(from, to).map(([id], i) => {
          const before = texts.slice(0, from + i).reduce((sum, text) => sum + text.length, 0);
          const entry = Buffer.alloc(14 + id.length);
          entry.writeUInt16LE(id.length);
          entry.write(id, 2);
          entry.writeBigUInt64LE(BigInt(base + before), 2 + id.length);
          entry.writeUInt32LE(texts[from + i]!.length, 10 + id.length);
          return entry;
        });
        expect(Buffer.from(found).equals(Buffer.concat(wanted))).toBe(true);
      }),
      { numRuns: runs(200) },
    );
  });
});

describe.each(kernels)('id index of the $name kernel', (kernel) => {
  it('behaves as a list of entries', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = kernel.createIndex();
        const model: Entry[] = [];
        for (const each of steps) each(index, model);
        checkIndex(index, model);
        index.clear();
        checkIndex(index, []);
      }),
      { numRuns: runs(300) },
    );
  });

  it('loads what an index.bin holds, cut anywhere', () => {
    const entries = fc.array(
      fc.tuple(fc.string({ maxLength: 4, unit: 'grapheme' }), offset, fc.nat()),
      {
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(
        entries,
        fc.integer({ min: 13, max: 200 }),
        fc.nat(6),
        (entries, piece, limit) => {
          const index = kernel.createIndex();
          const model: Entry[] = [];
          const bytes = indexBody(entries);
          let at = 0;
          let size = piece;
          let conflicts = 0;
          while (at < bytes.length) {
            const part = bytes.subarray(at, at + size);
            const before = index.size;
            const { consumed, count, end, conflict } = index.load(part, limit + 1);
            const loaded = readBody(kernel, part.subarray(0, consumed));
            expect(count).toBe(loaded.length);
            expect(count).toBeLessThanOrEqual(limit + 1);
            expect(index.size).toBe(before + count);
            const seen = conflict ? [...loaded, conflict] : loaded;
            expect(end).toBe(Math.max(0, ...seen.map((entry) => entry.offset + entry.length)));
            model.push(...loaded.map(saturated));
            at += consumed;
            if (conflict) {
              const [entry] = readBody(kernel, bytes.subarray(at, at + conflict.size));
              const { hashLow: low, hashHigh: high, offset, length } = conflict;
              expect({ low, high, offset, length }).toEqual(entry);
              expect(index.find(low, high)).toBeGreaterThanOrEqual(0);
              at += conflict.size;
              conflicts++;
            }
            size = consumed === 0 && !conflict ? size + piece : piece;
          }
          expect(conflicts).toBe(entries.length - new Set(entries.map(([id]) => id)).size);
          checkIndex(index, model);
        },
      ),
      { numRuns: runs(200) },
    );
  });

  it('seeks the entries of known hashes in what an index.bin holds, and changes nothing', () => {
    const id = fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', 'é') });
    const place = fc.tuple(id, fc.nat(300), fc.nat(300));
    fc.assert(
      fc.property(
        fc.array(place, { maxLength: 40 }),
        fc.array(id, { maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        (entries, wanted, limit) => {
          const index = kernel.createIndex();
          for (const each of wanted) {
            kernel.hashKey(each);
            index.add(kernel.keyHash[0]!, kernel.keyHash[1]!, 0, 1);
          }
          const { size, sum } = index;
          const bytes = indexBody(entries);
          const found: [string, number][] = [];
          let passed = 0;
          for (let at = 0; at < bytes.length; ) {
            const { consumed, count, conflict } = index.seek(bytes.subarray(at), limit);
            expect(count).toBeLessThanOrEqual(limit);
            passed += count;
            if (conflict) {
              const text = Buffer.from(bytes.subarray(at + conflict.idStart, at + conflict.idEnd));
              found.push([text.toString(), conflict.offset]);
            }
            at += conflict ? consumed + conflict.size : consumed;
          }
          const expected = entries.filter(([each]) => wanted.includes(each));
          expect(found).toEqual(expected.map(([each, offset]) => [each, offset]));
          expect(passed).toBe(entries.length - expected.length);
          expect(index).toMatchObject({ size, sum });
        },
      ),
      { numRuns: runs(200) },
    );
  });

  it('takes many entries in at once as it does one by one, and tells when two have the same hash', () => {
    const count = 90_000;
    const bytes = indexBody(Array.from({ length: count }, (_, i) => [`document-${i}`, i, 69]));
    const twice = bytes.slice();
    // The last one under the id of an earlier one.
    twice.set(Buffer.from('document-12345'), bytes.length - 26);
    const index = kernel.createIndex();
    expect(index.reserve(count)).toBe(true);
    expect(appendAll(index, twice, count)).toBe(count);
    expect(index.settle()).toBe(false);
    checkIndex(index, []);

    expect(index.reserve(count)).toBe(true);
    expect(appendAll(index, bytes, count)).toBe(count);
    expect(index.settle()).toBe(true);
    const loaded = kernel.createIndex();
    loaded.load(bytes, count);
    expect(index).toMatchObject({ size: count, sum: loaded.sum });
    expect(index.entries().offsets.every((offset, i) => offset === i)).toBe(true);
    for (let i = 0; i < count; i += 9) {
      kernel.hashKey(`document-${i}`);
      const found = slotsOf(index, kernel.keyHash[0]!, kernel.keyHash[1]!);
      if (found.length !== 1 || index.offset(found[0]!) !== i) expect.fail(`document-${i}`);
      index.remove(found[0]!);
    }
    expect([...index.entries().offsets.subarray(0, 10)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
    expect(index.size).toBe(count - 10_000);
  });

  it('grows to many entries and finds each', () => {
    const index = kernel.createIndex();
    const entries = Array.from({ length: 20_000 }, (_, i) => {
      kernel.hashKey(`document-${i}`);
      return { low: kernel.keyHash[0]!, high: kernel.keyHash[1]!, offset: i * 100, length: 100 };
    });
    for (const { low, high, offset, length } of entries) index.add(low, high, offset, length);
    for (const [i, { low, high }] of entries.entries()) {
      if (i % 2 === 0) index.remove(index.find(low, high));
    }
    const found = entries.map(({ low, high }) => index.find(low, high));
    expect(found.filter((entry) => entry >= 0).map((entry) => index.offset(entry))).toEqual(
      entries.filter((_, i) => i % 2 === 1).map(({ offset }) => offset),
    );
    expect(index.sum).toBe(sumOf(entries.filter((_, i) => i % 2 === 1)));
    expect(index.byteLength).toBeLessThan(20_000 * 16 * 8);
  });
});

/** Appends in pieces that end anywhere; how many entries. */
function appendAll(index: IdIndex, bytes: Uint8Array, count: number): number {
  let left = count;
  for (let at = 0, size = 100_000; at < bytes.length; size += 7) {
    const appended = index.append(bytes.subarray(at, at + size), left);
    if (appended === undefined) return count - left;
    expect(appended.conflict).toBeUndefined();
    at += appended.consumed;
    left -= appended.count;
  }
  return count - left;
}

function addStep([[low, high], offset, length]: [[number, number], number, number]): Step {
  return (index, model) => {
    index.add(low, high, offset, length);
    model.push({ low, high, offset, length: Math.min(length, MAX_LENGTH) });
  };
}

function removeStep([[low, high], nth]: [[number, number], number]): Step {
  return (index, model) => {
    const [slots, entries] = [slotsOf(index, low, high), entriesOf(model, low, high)];
    if (nth >= slots.length) return;
    index.remove(slots[nth]!);
    model.splice(model.indexOf(entries[nth]!), 1);
  };
}

function setStep([[low, high], nth, offset, length]: [
  [number, number],
  number,
  number,
  number,
]): Step {
  return (index, model) => {
    const [slots, entries] = [slotsOf(index, low, high), entriesOf(model, low, high)];
    if (nth >= slots.length) return;
    index.set(slots[nth]!, offset, length);
    Object.assign(entries[nth]!, { offset, length: Math.min(length, MAX_LENGTH) });
  };
}

function insertStep(lines: [[number, number], boolean][]): Step {
  return (index, model) => {
    const records = recordsOf(lines.map(([each, hasKey], i) => [each, i * 50, hasKey]));
    const base = 2 ** 33 + model.length * 10_000;
    for (let from = 0; from < lines.length; ) {
      const stop = index.insertLines(records, from, lines.length, base);
      for (let i = from; i < stop; i++) {
        const [low, high] = lines[i]![0];
        expect(entriesOf(model, low, high)).toEqual([]);
        model.push({ low, high, offset: base + i * 50, length: 41 });
      }
      if (stop < lines.length) {
        const [[low, high], hasKey] = lines[stop]!;
        expect(!hasKey || entriesOf(model, low, high).length > 0).toBe(true);
      }
      from = stop + 1;
    }
  };
}

function liveStep(lines: [[number, number], number][]): Step {
  return (index, model) => {
    const places = lines.map(([each, offset]) => [each, offset % 2 ** 32, true] as const);
    const skip = index.live(recordsOf(places), lines.length, 7);
    const expected = places.map(([[low, high], offset]) => {
      return entriesOf(model, low, high).some((entry) => entry.offset === offset + 7) ? 0 : 1;
    });
    expect([...skip]).toEqual(expected);
  };
}

function recordsOf(
  lines: readonly (readonly [readonly [number, number], number, boolean])[],
): Uint32Array {
  const records = new Uint32Array(lines.length * RECORD_WORDS);
  for (const [i, [[low, high], start, hasKey]] of lines.entries()) {
    const record = records.subarray(i * RECORD_WORDS);
    record[LineRecord.start] = start;
    record[LineRecord.end] = start + 40;
    record[LineRecord.keyKind] = !hasKey ? KeyKind.number : i % 2 ? KeyKind.escaped : KeyKind.plain;
    record[LineRecord.hashLow] = low;
    record[LineRecord.hashHigh] = high;
  }
  return records;
}

function slotsOf(index: IdIndex, low: number, high: number): number[] {
  const slots: number[] = [];
  for (let at = index.find(low, high); at >= 0; at = index.find(low, high, at)) slots.push(at);
  return slots;
}

function entriesOf(model: readonly Entry[], low: number, high: number): Entry[] {
  return model.filter((entry) => entry.low === low && entry.high === high);
}

function checkIndex(index: IdIndex, model: readonly Entry[]): void {
  expect(index.size).toBe(model.length);
  expect(index.sum).toBe(sumOf(model));
  for (const { low, high } of model) {
    const found = slotsOf(index, low, high).map((at) => [index.offset(at), index.length(at)]);
    const expected = entriesOf(model, low, high).map((entry) => [entry.offset, entry.length]);
    expect(found).toEqual(expected);
  }
  const { offsets, lengths } = index.entries();
  expect([...offsets]).toEqual(model.map((entry) => entry.offset).sort((a, b) => a - b));
  const pair = (offset: number, length: number) => `${offset} ${length}`;
  const pairs = Array.from(offsets, (offset, i) => pair(offset, lengths[i]!));
  expect(pairs.sort()).toEqual(model.map((entry) => pair(entry.offset, entry.length)).sort());
}

/** The sum as its contract states it, in BigInt. */
function sumOf(model: readonly Entry[]): bigint {
  let sum = 0n;
  for (const { low, high, offset, length } of model) {
    let x = (BigInt(high) << 32n) | BigInt(low);
    x ^= BigInt.asUintN(64, BigInt(offset) * 0x9e3779b97f4a7c15n);
    x ^= BigInt(length) << 40n;
    x ^= x >> 32n;
    x = BigInt.asUintN(64, x * 0xd6e8feb86659fd93n);
    x ^= x >> 32n;
    sum += x;
  }
  return BigInt.asUintN(64, sum);
}

function indexBody(entries: readonly (readonly [string, number, number])[]): Uint8Array {
  const parts = entries.map(([id, offset, length]) => {
    const text = Buffer.from(id);
    const part = Buffer.alloc(14 + text.length);
    part.writeUInt16LE(text.length);
    text.copy(part, 2);
    part.writeBigUInt64LE(BigInt(offset), text.length + 2);
    part.writeUInt32LE((length % 0x200_0000) + 1, text.length + 10);
    return part;
  });
  return new Uint8Array(Buffer.concat(parts));
}

function saturated(entry: Entry): Entry {
  return { ...entry, length: Math.min(entry.length, MAX_LENGTH) };
}

function readBody(kernel: Kernel, body: Uint8Array): Entry[] {
  const bytes = Buffer.from(body);
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16LE(at);
    const hash = kernel.hash(bytes.subarray(at + 2, end));
    entries.push({
      low: Number(hash & 0xffff_ffffn),
      high: Number(hash >> 32n),
      offset: Number(bytes.readBigUInt64LE(end)),
      length: bytes.readUInt32LE(end + 8),
    });
    at = end + 12;
  }
  return entries;
}
